/** One pipeline: its history, what it declares, its text, and the form that checks and saves another one. */
import { Hono } from 'hono';
import type { Context } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { fromUnknown, PipelineError } from '../../errors.ts';
import type { ErrorRecord } from '../../errors.ts';
import { parsePipeline, pipelineDetail, pipelineOf, readRevision, storePipeline } from '../../runtime/pipelines.ts';
import { registryOf } from '../../runtime/registry.ts';
import { startRun } from '../../runtime/runs.ts';
import { boundStarts } from '../access.ts';
import { MOST_DEFINITION_CHARACTERS } from '../documents.ts';
import { forBrowsers } from './accept.ts';
import { historiesOf, historyChart } from './chart.ts';
import { declared } from './declared.ts';
import { definitionText } from './definitionText.ts';
import { ownForm } from './forms.ts';
import { page } from './layout.ts';
import type { Html } from './layout.ts';
import { formKey } from './run.ts';
import { moment, runTable } from './runTable.ts';
import { may, requireScope, signInFirst, visitorOf } from './visitor.ts';
import type { PageEnv, Visitor } from './visitor.ts';

/** A definition as a form sends it: up to three bytes a character, each written as three. */
const MOST_DEFINITION_BYTES = 9 * MOST_DEFINITION_CHARACTERS + 1024;
/** Runs in the chart, and in the table beside it. */
const RUNS_CHARTED = 60;
const RUNS_LISTED = 8;
/** Pairs with a chart of their own. */
const MOST_CHARTS = 6;

export const pipeline = new Hono<PageEnv>();

pipeline.get(
  '/pipelines/:name',
  forBrowsers(async (c) => {
    const name = c.req.param('name')!;
    return (await signInFirst(c, name)) ?? show(c, name, null);
  }),
);

// a text is checked as it would be saved, and comes back with what is wrong at its line
pipeline.post('/pipelines/:name/check', ownForm(MOST_DEFINITION_BYTES), async (c) => {
  await requireScope(c, 'read');
  const name = c.req.param('name');
  const text = await textOf(c);
  return show(c, name, { text, error: problemOf(text, name) });
});

pipeline.post('/pipelines/:name/save', ownForm(MOST_DEFINITION_BYTES), async (c) => {
  await requireScope(c, 'admin');
  const name = c.req.param('name');
  const text = await textOf(c);
  const { files } = await pipelineDetail(c.env, name);
  try {
    await storePipeline(c.env, name, { text, files });
  } catch (thrown) {
    const error = fromUnknown(thrown);
    if (error.code === 'internal') throw error;
    return show(c, name, { text, error: error.toJSON() });
  }
  return c.redirect(`/pipelines/${name}`, 303);
});

pipeline.post('/pipelines/:name/start', ownForm(), async (c) => {
  const visitor = await requireScope(c, 'run');
  await boundStarts(c, `token ${visitor.id}`);
  const { run } = await startRun(c.env, {
    pipeline: await pipelineOf(c.env, c.req.param('name')),
    trigger: { kind: 'page', delivery: null, by: visitor.name },
    key: await formKey(c, visitor),
  });
  return c.redirect(`/runs/${run.id}`, 303);
});

/** A text that was sent to be checked or saved. */
interface Draft {
  text: string;
  error: ErrorRecord | null;
}

async function show(c: Context<PageEnv>, name: string, draft: Draft | null): Promise<Response> {
  const record = await pipelineOf(c.env, name);
  const { service, text, files } = await readRevision(c.env, record.revision);
  const visitor = await visitorOf(c);
  const registry = registryOf(c.env);
  const [{ runs: done }, { runs: newest }] = await Promise.all([
    registry.listRuns({ pipeline: record.name, state: 'done', limit: RUNS_CHARTED }),
    registry.listRuns({ pipeline: record.name, limit: RUNS_LISTED }),
  ]);
  const histories = historiesOf(done);
  const status: ContentfulStatusCode = draft?.error ? 422 : 200;
  return page(
    c,
    { title: record.name, active: 'pipelines', status },
    html`<header>
        <h1><span class="eyebrow">Pipeline</span> <span>${record.name}</span></h1>
        <p class="soft">
          ${record.public ? 'Everybody may read it and its runs.' : 'Readable with a token.'} Changed
          ${moment(record.updated)} UTC, revision
          <code title="${record.revision}">${record.revision.slice(0, 8)}</code>, ${Object.keys(files).length} files.
        </p>
      </header>
      ${
        may(visitor, 'run')
          ? html`<form class="actions" method="post" action="/pipelines/${record.name}/start">
              <input type="hidden" name="key" value="${crypto.randomUUID()}" />
              <button class="main" id="start">Start a run</button>
            </form>`
          : ''
      }
      <section aria-labelledby="runs">
        <h2 id="runs">Runs</h2>
        ${
          newest.length === 0
            ? html`<p class="empty">No run yet.</p>`
            : html`${runTable(newest, `Newest runs of ${record.name}`, Date.now())}
                <p>
                  <a class="more" href="/runs?pipeline=${encodeURIComponent(record.name)}"
                    >All runs of ${record.name}</a
                  >
                </p>`
        }
        <div class="histories">
          ${histories.slice(0, MOST_CHARTS).map((history, at) => html`<div>${historyChart(history, at)}</div>`)}
        </div>
      </section>
      ${declared(service, record.name, c.env.PUBLIC_URL ?? new URL(c.req.url).origin)}
      <section aria-labelledby="definition">
        <h2 id="definition">Definition</h2>
        ${draft ? verdict(draft) : ''} ${definitionText(draft?.text ?? text, draft?.error ?? null)}
        ${visitor ? form(record.name, draft?.text ?? text, draft, visitor) : ''}
      </section>`,
  );
}

function verdict({ error }: Draft): Html {
  return error
    ? html`<p class="note bad" role="alert">
        Not valid, and not saved:
        <a href="#fault">${error.place?.line === undefined ? 'see below' : `see line ${error.place.line}`}</a>.
      </p>`
    : html`<p class="note good" role="status">Valid. Not saved yet: this is the text that was checked.</p>`;
}

function form(name: string, text: string, draft: Draft | null, visitor: Visitor): Html {
  const faulty = draft?.error ? html`aria-invalid="true" aria-describedby="fault"` : '';
  return html`<details id="edit" ${draft ? html`open` : ''}>
    <summary>Check another text</summary>
    <form class="edit" method="post" action="/pipelines/${name}/check">
      <label for="text">Definition (YAML)</label>
      <textarea
        id="text"
        name="text"
        rows="24"
        spellcheck="false"
        autocapitalize="off"
        maxlength="${MOST_DEFINITION_CHARACTERS}"
        ${faulty}
      >
${text}</textarea>
      <p class="actions">
        <button class="main">Check</button>
        ${
          may(visitor, 'admin')
            ? html`<button formaction="/pipelines/${name}/save">Save</button>`
            : html`<span class="soft">Saving takes a token of scope admin.</span>`
        }
      </p>
    </form>
  </details>`;
}

function problemOf(text: string, name: string): ErrorRecord | null {
  try {
    const { definition, where } = parsePipeline(text, name);
    if (definition.name === name) return null;
    const message = `expected name: ${name}, as in the address; found ${definition.name}`;
    return new PipelineError('usage', message, { place: where(['name']) }).toJSON();
  } catch (thrown) {
    return fromUnknown(thrown).toJSON();
  }
}

async function textOf(c: Context<PageEnv>): Promise<string> {
  const { text } = await c.req.parseBody();
  if (typeof text !== 'string' || text.length > 2 * MOST_DEFINITION_CHARACTERS)
    throw new PipelineError('too-large', `expected a definition of at most ${MOST_DEFINITION_CHARACTERS} characters`);
  // browsers send line ends as the standard has them
  return text.replaceAll('\r\n', '\n');
}
