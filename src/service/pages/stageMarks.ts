/** How the state of a stage is written: a shape and a word. Runs anywhere: the script in the browser writes them too. */
import type { StageRow, StageState } from './follow.ts';

export const STAGE_MARKS: Record<StageState, { mark: string; word: string }> = {
  waiting: { mark: '○', word: 'waiting' },
  running: { mark: '◐', word: 'running' },
  done: { mark: '●', word: 'done' },
  failed: { mark: '✕', word: 'failed' },
  stopped: { mark: '⊘', word: 'stopped' },
  none: { mark: '–', word: 'none' },
};

/** How much of a stage is done, 0 … 1. */
export function shareOf({ state, done, total }: Pick<StageRow, 'state' | 'done' | 'total'>): number {
  if (total !== null && total > 0) return done / total;
  return state === 'done' ? 1 : 0;
}
