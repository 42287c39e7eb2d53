/** The list of pipelines. */
import { Hono } from 'hono';
import { html } from 'hono/html';
import { registryOf } from '../../runtime/registry.ts';
import type { PipelineRecord, RunRecord } from '../documents.ts';
import { forBrowsers } from './accept.ts';
import { runBadge } from './badge.ts';
import { page } from './layout.ts';
import type { Html } from './layout.ts';
import { moment } from './runTable.ts';
import { signInFirst, visitorOf } from './visitor.ts';
import type { PageEnv } from './visitor.ts';

/** Pipelines whose newest run is shown. */
const WITH_NEWEST_RUN = 100;

export const pipelines = new Hono<PageEnv>();

pipelines.get(
  '/pipelines',
  forBrowsers(async (c) => {
    const registry = registryOf(c.env);
    const visitor = await visitorOf(c);
    const shown = (await registry.listPipelines()).filter((each) => visitor !== null || each.public);
    if (shown.length === 0) {
      const elsewhere = await signInFirst(c, null);
      if (elsewhere) return elsewhere;
    }
    const newest = await Promise.all(
      shown
        .slice(0, WITH_NEWEST_RUN)
        .map(async ({ name }) => (await registry.listRuns({ pipeline: name, limit: 1 })).runs[0]),
    );
    return page(
      c,
      { title: 'Pipelines', active: 'pipelines' },
      html`<h1>Pipelines</h1>
        ${
          shown.length === 0
            ? html`<p class="empty">
                No pipeline yet. <code>convergent push pipeline.yaml --to ${new URL(c.req.url).origin}</code> puts one
                here.
              </p>`
            : pipelineTable(shown, newest)
        }`,
    );
  }),
);

function pipelineTable(shown: readonly PipelineRecord[], newest: readonly (RunRecord | undefined)[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Pipelines">
    <table class="plain">
      <caption class="away">
        Pipelines, by name
      </caption>
      <thead>
        <tr>
          <th scope="col">Pipeline</th>
          <th scope="col">Newest run</th>
          <th scope="col">Started by</th>
          <th scope="col">Who may read</th>
          <th scope="col">Changed, UTC</th>
        </tr>
      </thead>
      <tbody>
        ${shown.map((pipeline, at) => {
          const run = newest[at];
          return html`<tr>
            <th scope="row"><a href="/pipelines/${pipeline.name}">${pipeline.name}</a></th>
            <td>${run ? html`${runBadge(run)} <a href="/runs/${run.id}">${run.id}</a>` : 'never ran'}</td>
            <td>${startersText(pipeline)}</td>
            <td>${pipeline.public ? 'everybody' : 'tokens'}</td>
            <td>${moment(pipeline.updated)}</td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

function startersText({ hooks, prefixes, schedules }: PipelineRecord): string {
  const starters = [
    ...(hooks.length > 0 ? [`webhooks (${hooks.join(', ')})`] : []),
    ...(prefixes.length > 0 ? ['uploads'] : []),
    ...(schedules.length > 0 ? [`schedule (${schedules.join(', ')})`] : []),
  ];
  return starters.length === 0 ? 'people and programs' : starters.join(', ');
}
