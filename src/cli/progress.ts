/** Progress on stderr: one live line on a terminal, a plain line every few seconds otherwise. */
import type { TaskKind } from '../plan/plan.ts';
import { secondsLeft } from '../runtime/eta.ts';
import type { PlannedKind } from '../runtime/eta.ts';
import type { ProgressSummary } from '../runtime/protocol.ts';

/** Plain lines come at most this often. */
const PLAIN_EVERY_MS = 5_000;
export interface ProgressDisplay {
  /** A line that stays. */
  say: (text: string) => void;
  update: (summary: ProgressSummary, planned: ReadonlyMap<TaskKind, PlannedKind>) => void;
  /** Any live line. */
  show: (text: string) => void;
  /** Removes the live line. */
  end: () => void;
}

/** A display on `stream`; live only where it is a terminal. */
export function progressDisplay(stream: NodeJS.WriteStream): ProgressDisplay {
  const started = Date.now();
  let live = false;
  let lastPlain = 0;
  let lastText = '';
  const clear = (): void => {
    if (live) stream.write('\r\u001b[2K');
    live = false;
  };
  const show = (text: string): void => {
    if (text === lastText) return;
    if (stream.isTTY) {
      stream.write(`\r\u001b[2K${text.slice(0, (stream.columns ?? 80) - 1)}`);
      live = true;
      lastText = text;
    } else if (Date.now() - lastPlain >= PLAIN_EVERY_MS) {
      stream.write(`${text}\n`);
      lastPlain = Date.now();
      lastText = text;
    }
  };
  return {
    say(text) {
      clear();
      stream.write(`${text}\n`);
    },
    update: (summary, planned) => show(progressText(summary, planned, (Date.now() - started) / 1000)),
    show,
    end: clear,
  };
}

/** What one progress line says: tasks done, reused, and an estimate of the time left. */
export function progressText(
  summary: ProgressSummary,
  planned: ReadonlyMap<TaskKind, PlannedKind>,
  elapsedSeconds: number,
): string {
  const reused = summary.reused ?? 0;
  const done = Math.min(summary.total, summary.done + reused);
  if (summary.total === 0 || summary.reused === null) return 'looking for finished tasks';
  const parts = [`${done}/${summary.total} tasks`];
  if (reused > 0) parts.push(`${reused} reused`);
  if (done === summary.total) return [...parts, 'writing the report'].join(' · ');
  parts.push(stageOf(summary, planned));
  if (summary.done > 0) parts.push(`about ${duration(secondsLeft(summary, planned, elapsedSeconds))} left`);
  parts.push(`${duration(elapsedSeconds)} so far`);
  return parts.join(' · ');
}

/** What the line of a transfer says: bytes, rate, and the time left. */
export function transferText(what: string, sentBytes: number, totalBytes: number, seconds: number): string {
  const parts = [`${what} ${size(sentBytes)} of ${size(totalBytes)}`];
  const rate = seconds > 0 ? sentBytes / seconds : 0;
  if (rate > 0) {
    parts.push(`${size(rate)}/s`);
    if (sentBytes < totalBytes) parts.push(`about ${duration((totalBytes - sentBytes) / rate)} left`);
  }
  return parts.join(' · ');
}

/** `1536` → `1.5 KiB`. */
export function size(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? Math.round(value) : value.toPrecision(value >= 100 ? Math.ceil(Math.log10(value + 1)) : 2)} ${['B', 'KiB', 'MiB', 'GiB'][power]}`;
}

/** `75` → `1 min 15 s`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function stageOf(summary: ProgressSummary, planned: ReadonlyMap<TaskKind, PlannedKind>): string {
  const count = (kind: TaskKind): number => summary.computed.find((entry) => entry.kind === kind)?.tasks ?? 0;
  const activations = planned.get('activate')?.tasks ?? 0;
  const reducing = (['merge', 'correlate', 'match', 'predict-part', 'predict', 'cluster'] as const).some(
    (kind) => count(kind) > 0,
  );
  return reducing || count('activate') >= activations ? 'reduce' : 'activate';
}
