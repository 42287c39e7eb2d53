/** Runs as a table, and when and why each was started. */
import { html } from 'hono/html';
import type { RunRecord } from '../documents.ts';
import { durationText, timeText } from './amounts.ts';
import { gateBadge, runBadge } from './badge.ts';
import type { Html } from './layout.ts';

const KINDS: Record<RunRecord['trigger']['kind'], string> = {
  api: 'API',
  page: 'page',
  cli: 'command line',
  github: 'GitHub webhook',
  huggingface: 'Hugging Face webhook',
  webhook: 'webhook',
  upload: 'upload',
  schedule: 'schedule',
};

/** Runs, newest first; `label` names the table. `now`: milliseconds since 1970. */
export function runTable(runs: readonly RunRecord[], label: string, now: number): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">
    <table class="plain runs">
      <caption class="away">
        ${label}
      </caption>
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Run</th>
          <th scope="col">Pipeline</th>
          <th scope="col">Started by</th>
          <th scope="col">When, UTC</th>
          <th scope="col" class="amount">Took</th>
          <th scope="col">Gate</th>
        </tr>
      </thead>
      <tbody>
        ${runs.map(
          (run) =>
            html`<tr>
              <td>${runBadge(run)}</td>
              <th scope="row"><a href="/runs/${run.id}">${run.id}</a></th>
              <td><a href="/pipelines/${run.pipeline}">${run.pipeline}</a></td>
              <td>${triggerText(run)}</td>
              <td>${moment(run.created)}</td>
              <td class="amount">${tookText(run, now)}</td>
              <td>${gateBadge(run.gate)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** A moment, for people and programs. */
export function moment(time: number): Html {
  return html`<time datetime="${new Date(time).toISOString()}">${timeText(time)}</time>`;
}

/** What started a run: its kind, by whom, and the delivery. */
export function triggerText({ trigger: { kind, by, delivery } }: Pick<RunRecord, 'trigger'>): Html {
  return html`${KINDS[kind]}${by === null ? '' : html` <span class="soft">by</span> ${by}`}
  ${delivery === null ? '' : html`<span class="delivery" title="Delivery ${delivery}">${delivery}</span>`}`;
}

/** How long the present attempt took, or takes until now. */
export function tookText({ started, ended }: Pick<RunRecord, 'started' | 'ended'>, now: number): string {
  return started === null ? '–' : durationText((ended ?? now) - started);
}
