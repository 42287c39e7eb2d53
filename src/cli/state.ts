/**
 * The state folder: one run at a time, and no workerd left over from a killed one. The lock is the
 * operating system's own, on a SQLite file, so it is gone with the process that held it, however it died.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../errors.ts';

/** Environment variable that marks a workerd with the state folder it works on. */
export const STATE_MARK = 'CONVERGENT_STATE_MARK';
/** How long a folder may stay busy: a killed process may need a moment to go. */
const LOCK_WAIT_MS = 2_000;
const ORPHAN_WAIT_MS = 5_000;

export interface StateFolder {
  /** Absolute, links resolved. */
  path: string;
  /** Process ids of orphaned workerds that were ended. */
  ended: number[];
  release(): void;
}

/**
 * Makes, locks and cleans the state folder.
 * @throws PipelineError `state-busy` while another run holds it
 */
export async function openState(folder: string): Promise<StateFolder> {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new PipelineError('usage', `expected a state folder that can be made; found ${(error as Error).message}`, {
      hint: 'choose another with --state',
      cause: error,
    });
  }
  const path = realpathSync(folder);
  const release = await lock(path);
  const ended = await endOrphans(path);
  return { path, ended, release };
}

async function lock(path: string): Promise<() => void> {
  const { DatabaseSync } = await quietly(() => import('node:sqlite'));
  const database = new DatabaseSync(join(path, 'lock.sqlite'), { timeout: LOCK_WAIT_MS });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw new PipelineError('state-busy', `expected a state folder that nobody uses; found another run on ${path}`, {
      hint: 'wait for it, or choose another folder with --state',
      cause: error,
    });
  }
  return () => database.close();
}

// node:sqlite says on stderr that it is experimental; nobody who runs a comparison needs to know
async function quietly<T>(load: () => Promise<T>): Promise<T> {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return await load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

async function endOrphans(path: string): Promise<number[]> {
  const orphans = processesMarked(path);
  for (const pid of orphans) signal(pid, 'SIGKILL');
  const deadline = Date.now() + ORPHAN_WAIT_MS;
  while (orphans.some((pid) => signal(pid, 0))) {
    if (Date.now() > deadline)
      throw new PipelineError(
        'state-busy',
        `expected the workerd of a killed run to end; found process ${orphans.join(', ')} still there`,
        { hint: 'end it by hand' },
      );
    await sleep(20);
  }
  return orphans;
}

// processes whose environment carries our mark for this folder; a zombie has none any more
export function processesMarked(path: string): number[] {
  const mark = `${STATE_MARK}=${path}`;
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((name) => {
        try {
          return (
            readFileSync(`/proc/${name}/environ`, 'utf8').split('\0').includes(mark) &&
            /workerd/.test(readFileSync(`/proc/${name}/cmdline`, 'utf8'))
          );
        } catch {
          return false; // gone meanwhile, or somebody else's
        }
      })
      .map(Number);
  }
  if (process.platform === 'win32') return [];
  return execFileSync('ps', ['-axEww', '-o', 'pid=,command='], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    .split('\n')
    .filter((line) => line.includes('workerd') && line.split(' ').includes(mark))
    .map((line) => Number.parseInt(line, 10));
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}
