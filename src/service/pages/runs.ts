/** The list of runs, with filters and paging that need no script. */
import { Hono } from 'hono';
import { html } from 'hono/html';
import { registryOf } from '../../runtime/registry.ts';
import { RUN_STATES } from '../documents.ts';
import type { RunState } from '../documents.ts';
import { forBrowsers } from './accept.ts';
import { page } from './layout.ts';
import type { Html } from './layout.ts';
import { runTable } from './runTable.ts';
import { signInFirst, visitorOf } from './visitor.ts';
import type { PageEnv } from './visitor.ts';

/** Runs of one page. */
const RUNS_SHOWN = 50;

export const runs = new Hono<PageEnv>();

runs.get(
  '/runs',
  forBrowsers(async (c) => {
    const { pipeline, state, before } = c.req.query();
    const registry = registryOf(c.env);
    const visitor = await visitorOf(c);
    const wanted = {
      pipeline: pipeline === '' ? undefined : pipeline,
      state: RUN_STATES.find((each) => each === state),
      before: before === '' ? undefined : before,
    };
    const [known, found] = await Promise.all([
      registry.listPipelines(),
      registry.listRuns({ ...wanted, publicOnly: visitor === null, limit: RUNS_SHOWN }),
    ]);
    const pipelines = known.filter((each) => visitor !== null || each.public);
    if (pipelines.length === 0) {
      const elsewhere = await signInFirst(c, null);
      if (elsewhere) return elsewhere;
    }
    const unfinished = found.runs.some((run) => run.state === 'queued' || run.state === 'running');
    const filtered = wanted.pipeline !== undefined || wanted.state !== undefined || wanted.before !== undefined;
    return page(
      c,
      { title: 'Runs', active: 'runs' },
      html`<h1>Runs</h1>
        ${filters(
          pipelines.map(({ name }) => name),
          wanted,
        )}
        <div ${unfinished ? html`data-refresh` : ''}>
          ${
            found.runs.length > 0
              ? runTable(found.runs, 'Runs, newest first', Date.now())
              : html`<p class="empty">
                  ${filtered ? html`No such runs. <a href="/runs">Show all</a>.` : 'No run yet. Start one from its pipeline.'}
                </p>`
          }
        </div>
        ${found.next === null ? '' : html`<p><a class="more" href="${nextAddress(wanted, found.next)}">Older runs</a></p>`}`,
    );
  }),
);

interface Wanted {
  pipeline: string | undefined;
  state: RunState | undefined;
}

function filters(pipelines: readonly string[], wanted: Wanted): Html {
  const option = (value: string, chosen: string | undefined): Html =>
    html`<option value="${value}" ${value === chosen ? html`selected` : ''}>${value}</option>`;
  return html`<form class="filters" method="get" action="/runs">
    <label
      >Pipeline
      <select name="pipeline">
        <option value="">all</option>
        ${pipelines.map((name) => option(name, wanted.pipeline))}
      </select></label
    >
    <label
      >State
      <select name="state">
        <option value="">all</option>
        ${RUN_STATES.map((state) => option(state, wanted.state))}
      </select></label
    >
    <button>Show</button>
  </form>`;
}

function nextAddress({ pipeline, state }: Wanted, next: string): string {
  const query = new URLSearchParams({ ...(pipeline && { pipeline }), ...(state && { state }), before: next });
  return `/runs?${query}`;
}
