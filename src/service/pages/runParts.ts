/** The parts of a run's page: what it is, its outcome, stages, tasks and log. What is live is filled by the script too. */
import { html } from 'hono/html';
import type { FileEntry } from '../../runtime/protocol.ts';
import type { RunRecord } from '../documents.ts';
import { bytesText, clockText, durationText, leftText } from './amounts.ts';
import { badge, runBadge } from './badge.ts';
import { secondsLeftOf, stagesOf } from './follow.ts';
import type { Followed, StageState } from './follow.ts';
import type { Html } from './layout.ts';
import { moment, tookText, triggerText } from './runTable.ts';
import { STAGE_MARKS } from './stageMarks.ts';

/** Lines and tasks of the first look; the script shows more. */
const LINES_SHOWN = 200;
const TASKS_SHOWN = 200;

/** Whether a run has still something to do. */
export const unfinished = ({ state }: Pick<RunRecord, 'state'>): boolean => state === 'queued' || state === 'running';

/** What the run is. `now`: milliseconds since 1970. */
export function facts(run: RunRecord, now: number): Html {
  const chosen = Object.entries(run.candidates);
  return html`<dl class="facts">
    <div>
      <dt>State</dt>
      <dd>${runBadge(run)}</dd>
    </div>
    <div>
      <dt>Pipeline</dt>
      <dd><a href="/pipelines/${run.pipeline}">${run.pipeline}</a></dd>
    </div>
    <div>
      <dt>Started by</dt>
      <dd>${triggerText(run)}</dd>
    </div>
    <div>
      <dt>Asked for, UTC</dt>
      <dd>${moment(run.created)}</dd>
    </div>
    <div>
      <dt>Attempt</dt>
      <dd>${run.attempt}</dd>
    </div>
    <div>
      <dt>Took</dt>
      <dd
        class="took"
        ${run.started !== null && unfinished(run) ? html`data-since="${run.started}" data-now="${now}"` : ''}
      >
        ${tookText(run, now)}
      </dd>
    </div>
    ${chosen.map(
      ([network, { model, object, sha256 }]) =>
        html`<div class="long">
          <dt>Model of ${network}</dt>
          <dd><code>${model ?? object ?? sha256 ?? ''}</code></dd>
        </div>`,
    )}
    ${
      run.digest === null
        ? ''
        : html`<div class="long">
            <dt>Digest of the result</dt>
            <dd><code>${run.digest}</code></dd>
          </div>`
    }
  </dl>`;
}

/** How it ended: what failed and what to do, or what the gate says, rule by rule. */
export function outcome({ state, error, gate }: RunRecord): Html | string {
  if (state === 'failed' && error) return fault('The run failed', error);
  if (!gate) return '';
  const about =
    gate.against === null
      ? ''
      : html`<p class="soft">Against run <a href="/runs/${gate.against}">${gate.against}</a>.</p>`;
  return html`<section class="outcome ${gate.passed ? 'good' : 'bad'}" aria-labelledby="gate">
    <h2 id="gate">${gate.passed ? 'The gate passed' : 'The gate failed'}</h2>
    <ul class="rules">
      ${gate.rules.map(({ passed, text }) => html`<li>${badge(passed ? 'passed' : 'gate-failed')} <span>${text}</span></li>`)}
    </ul>
    ${about}
  </section>`;
}

/** A fault as people need it: code, message, place, hint. */
export function fault(title: string, { code, message, place, hint }: NonNullable<RunRecord['error']>): Html {
  const at = [place?.file, place?.line, place?.column].filter((part) => part !== undefined).join(':');
  return html`<section class="outcome bad" aria-labelledby="fault">
    <h2 id="fault">${title}</h2>
    <p class="message">${message}</p>
    <dl class="facts">
      <div>
        <dt>Code</dt>
        <dd><code>${code}</code></dd>
      </div>
      ${
        at === '' && place?.key === undefined
          ? ''
          : html`<div>
              <dt>Place</dt>
              <dd><code>${at}${place?.key === undefined ? '' : ` (${place.key})`}</code></dd>
            </div>`
      }
      ${
        hint === undefined
          ? ''
          : html`<div class="long">
              <dt>What to do</dt>
              <dd>${hint}</dd>
            </div>`
      }
    </dl>
  </section>`;
}

/** Stages with how much of each is done, and the time left. */
export function stages(followed: Followed, run: RunRecord): Html {
  const rows = stagesOf(followed, { planned: run.plan !== null, gated: run.gate !== null });
  const left = secondsLeftOf(followed);
  return html`<section aria-labelledby="stages">
    <div class="line">
      <h2 id="stages">Stages</h2>
      <p class="soft" data-left>${left === null ? '' : leftText(left)}</p>
    </div>
    <ol class="stages">
      ${rows.map(
        ({ name, state, done, total, text }) =>
          html`<li data-stage="${name}" data-state="${state}">
            <span class="mark" aria-hidden="true">${STAGE_MARKS[state].mark}</span>
            <span class="name">${name}</span>
            <progress aria-label="${name}" max="1" value="${shareOf(state, done, total)}"></progress>
            <span class="count">${total === null ? STAGE_MARKS[state].word : `${done} / ${total}`}</span>
            <span class="text">${text}</span>
          </li>`,
      )}
    </ol>
  </section>`;
}

/** How much of a stage is done, 0 … 1. */
export function shareOf(state: StageState, done: number, total: number | null): number {
  if (total !== null && total > 0) return done / total;
  return state === 'done' ? 1 : 0;
}

/** The place of the drawing, which the script fills, and the same as a table. */
export function tasks({ tries, state }: Followed, id: string): Html {
  const shown = tries.slice(-TASKS_SHOWN).toReversed();
  const none = state === 'queued' || state === 'running' ? 'None began yet.' : 'None began in this attempt.';
  return html`<section aria-labelledby="tasks">
    <h2 id="tasks">Tasks</h2>
    <div class="timeline scripted" data-timeline>${shown.length === 0 ? html`<p class="soft">${none}</p>` : ''}</div>
    <details id="task-table">
      <summary>As a table</summary>
      ${
        shown.length < tries.length
          ? html`<p class="soft">
              The last ${shown.length} of ${tries.length}. <a href="/runs/${id}/tasks">All tasks as JSON</a>
            </p>`
          : ''
      }
      <div class="scroll tall" tabindex="0" role="region" aria-label="Tasks">
        <table class="plain">
          <caption class="away">
            Tasks, newest first
          </caption>
          <thead>
            <tr>
              <th scope="col">Task</th>
              <th scope="col">State</th>
              <th scope="col">Began, UTC</th>
              <th scope="col" class="amount">Took</th>
              <th scope="col" class="amount">Try</th>
              <th scope="col">By</th>
            </tr>
          </thead>
          <tbody>
            ${shown.map(
              (each) =>
                html`<tr>
                  <th scope="row">${each.task}</th>
                  <td>
                    ${each.state === 'started' ? 'running' : each.state}${each.error === null ? '' : `: ${each.error}`}
                  </td>
                  <td>${clockText(each.started)}</td>
                  <td class="amount">${each.ended === null ? '–' : durationText(each.ended - each.started)}</td>
                  <td class="amount">${each.delivery}</td>
                  <td>${each.provider ?? '–'}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  </section>`;
}

/** The log, newest line first here and last on the screen, which shows the end of it. */
export function log({ log }: Followed, id: string): Html {
  return html`<section aria-labelledby="log">
    <div class="line">
      <h2 id="log">Log</h2>
      <button type="button" class="scripted" id="pause" data-pause aria-pressed="false">Pause</button>
      <a href="/runs/${id}/log">as JSON lines</a>
    </div>
    <ol class="log" data-log tabindex="0" aria-label="Log">
      ${log
        .slice(-LINES_SHOWN)
        .toReversed()
        .map(
          ({ id, time, text, bad }) =>
            html`<li data-event="${id}" ${bad ? html`class="bad"` : ''}>
              <time datetime="${new Date(time).toISOString()}">${clockText(time)}</time> <span>${text}</span>
            </li>`,
        )}
    </ol>
  </section>`;
}

/** The files of a result. */
export function artifacts(files: readonly FileEntry[], id: string): Html {
  return html`<section aria-labelledby="artifacts">
    <h2 id="artifacts">Artifacts</h2>
    <p><a class="button" href="/runs/${id}/report">Open the report</a></p>
    <details id="artifact-table">
      <summary>All ${files.length} files</summary>
      <div class="scroll tall" tabindex="0" role="region" aria-label="Files">
        <table class="plain">
          <caption class="away">
            Files of the result
          </caption>
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col" class="amount">Size</th>
              <th scope="col">SHA-256</th>
            </tr>
          </thead>
          <tbody>
            ${files.map(
              ({ path, bytes, sha256 }) =>
                html`<tr>
                  <th scope="row"><a href="${artifactAddress(id, path)}">${path}</a></th>
                  <td class="amount">${bytesText(bytes)}</td>
                  <td><code title="${sha256}">${sha256.slice(0, 12)}…</code></td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  </section>`;
}

/** Where a file of a run's result is served. */
export function artifactAddress(id: string, path: string): string {
  return `/runs/${id}/artifacts/${path.split('/').map(encodeURIComponent).join('/')}`;
}
