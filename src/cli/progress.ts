/** Progress on stderr: one live line on a terminal, a plain line every few seconds otherwise. */
import type { TaskKind } from '../plan/plan.ts';
import { secondsLeft } from '../runtime/eta.ts';
import type { PlannedKind } from '../runtime/eta.ts';
import type { ProgressSummary } from '../runtime/protocol.ts';

/** Plain lines come at most this often. */
const PLAIN_EVERY_MS = 5_000;
export interface ProgressDisplay {
  /** A line that stays. */
  say(text: string): void;
  update(summary: ProgressSummary, planned: ReadonlyMap<TaskKind, PlannedKind>): void;
  /** Removes the live line. */
  end(): void;
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
  return {
    say(text) {
      clear();
      stream.write(`${text}\n`);
    },
    update(summary, planned) {
      const text = progressText(summary, planned, (Date.now() - started) / 1000);
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
    },
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
