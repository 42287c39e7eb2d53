/** How the state of a stage is written: a shape and a word. Runs anywhere: the script in the browser writes them too. */
import type { StageState } from './follow.ts';

export const STAGE_MARKS: Record<StageState, { mark: string; word: string }> = {
  waiting: { mark: '○', word: 'waiting' },
  running: { mark: '◐', word: 'running' },
  done: { mark: '●', word: 'done' },
  failed: { mark: '✕', word: 'failed' },
  stopped: { mark: '⊘', word: 'stopped' },
  none: { mark: '–', word: 'none' },
};
