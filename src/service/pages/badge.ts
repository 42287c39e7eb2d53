/** How a run or a gate stands: colour, word and shape, never colour alone. */
import { html } from 'hono/html';
import type { GateOutcome } from '../../gate/gate.ts';
import type { RunRecord, RunState } from '../documents.ts';
import type { Html } from './layout.ts';

type Look = RunState | 'passed' | 'gate-failed';

/** Shapes in a square of 16, drawn in the text's colour. */
const SHAPES: Record<Look, Html> = {
  queued: html`<circle cx="8" cy="8" r="6" stroke-dasharray="2.4 2.3" />`,
  running: html`<circle cx="8" cy="8" r="6" /><path class="filled" d="M8 2a6 6 0 0 1 0 12z" />`,
  done: html`<circle cx="8" cy="8" r="6" /><path d="M5 8.2l2.1 2.2L11 5.9" />`,
  failed: html`<path d="M8 1.5 14.5 8 8 14.5 1.5 8z" /><path d="M6 6l4 4m0-4-4 4" />`,
  cancelled: html`<circle cx="8" cy="8" r="6" /><path d="M4 12l8-8" />`,
  passed: html`<path d="M8 1.7 13.5 4v4c0 3.2-2.3 5.3-5.5 6.4C4.8 13.3 2.5 11.2 2.5 8V4z" />
    <path d="M5.3 7.9l2 2.1 3.4-4" />`,
  'gate-failed': html`<path d="M5.2 1.8h5.600l3.400 3.400v5.600l-3.400 3.400H5.200l-3.400-3.400V5.200z" /><path
      d="M4.8 8h6.400"
    />`,
};
const WORDS: Record<Look, string> = {
  queued: 'queued',
  running: 'running',
  done: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
  passed: 'passed',
  'gate-failed': 'failed',
};

/** The shape and word of a state. */
export function badge(look: Look, word = WORDS[look]): Html {
  return html`<span class="badge is-${look}"
    ><svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${SHAPES[look]}</svg>${word}</span
  >`;
}

/** How a run stands: a failed gate counts more than that the run is done. */
export function runBadge({ state, gate }: Pick<RunRecord, 'state' | 'gate'>): Html {
  return state === 'done' && gate?.passed === false ? badge('gate-failed', 'gate failed') : badge(state);
}

/** How a gate stands, in a table; nothing without one. */
export function gateBadge(gate: GateOutcome | null): Html | string {
  return gate === null ? '–' : badge(gate.passed ? 'passed' : 'gate-failed');
}
