/**
 * Memory of processes and of the machine. What a process holds is read from Linux' /proc; elsewhere it is not known,
 * and nobody is ended for it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';

/** Resident bytes of a process; null where the system doesn't say, or once the process is gone. */
export function residentBytes(pid: number | 'self'): number | null {
  return statusBytes(pid, 'VmRSS');
}

/** Most resident bytes of this process since {@link resetPeak}; null where the system doesn't say. */
export function peakBytes(): number | null {
  return statusBytes('self', 'VmHWM');
}

/** Lets the peak start again from what is resident now; false where that is not allowed. */
export function resetPeak(): boolean {
  try {
    // proc(5): 5 resets the peak resident set size to the current one
    writeFileSync('/proc/self/clear_refs', '5');
    return true;
  } catch {
    return false;
  }
}

/** Memory this process and its children may use: the control group's limit where there is one, else the machine's. */
export function machineBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}

/** Bytes as people read them. */
export function inMiB(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}

function statusBytes(pid: number | 'self', field: string): number | null {
  try {
    const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line ? Number(line[1]) * 1024 : null;
  } catch {
    return null;
  }
}
