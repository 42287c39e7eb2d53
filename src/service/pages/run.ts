/** One run, live: the first look is made here from its record and events; the script goes on from there. */
import { Hono } from 'hono';
import type { Context } from 'hono';
import { html } from 'hono/html';
import { progressOf } from '../../runtime/consumer.ts';
import { pipelineOf } from '../../runtime/pipelines.ts';
import { registryOf } from '../../runtime/registry.ts';
import { readManifest } from '../../runtime/resultFiles.ts';
import { cancelRun, retryRun, runOf, startRun } from '../../runtime/runs.ts';
import { boundStarts } from '../access.ts';
import type { RunRecord } from '../documents.ts';
import { forBrowsers } from './accept.ts';
import { follow, nothingYet } from './follow.ts';
import type { Followed } from './follow.ts';
import { ownForm } from './forms.ts';
import { page } from './layout.ts';
import type { Html } from './layout.ts';
import { artifacts, facts, log, outcome, stages, tasks, unfinished } from './runParts.ts';
import { may, requireScope, signInFirst, visitorOf } from './visitor.ts';
import type { PageEnv, Visitor } from './visitor.ts';

/** Events asked for at once. */
const EVENTS_AT_ONCE = 5_000;

export const run = new Hono<PageEnv>();

run.get(
  '/runs/:id',
  forBrowsers(async (c) => {
    const found = await readableRun(c);
    if (found instanceof Response) return found;
    const followed = await followedRun(c.env, found.id);
    const now = Date.now();
    const failed = found.state === 'failed' || found.gate?.passed === false;
    return page(
      c,
      { title: `Run ${found.id}`, active: 'runs' },
      html`<div
        class="run ${failed ? 'went-wrong' : ''} ${unfinished(found) ? '' : 'settled'}"
        data-live="run"
        data-run="${found.id}"
        data-last="${followed.last}"
        data-state="${found.state}"
        data-attempt="${found.attempt}"
        data-planned="${found.plan === null ? '' : 'yes'}"
        data-gated="${found.gate === null ? '' : 'yes'}"
      >
        <header>
          <h1><span class="eyebrow">Run of ${found.pipeline}</span> <span>${found.id}</span></h1>
          ${facts(found, now)}
        </header>
        ${outcome(found)} ${actions(found, await visitorOf(c))} ${stages(followed, found)} ${tasks(followed, found.id)}
        ${await results(c.env, found)} ${log(followed, found.id)}
        <p class="away" role="status" data-said></p>
      </div>`,
    );
  }),
);

run.post('/runs/:id/end', ownForm(), async (c) => {
  await requireScope(c, 'run');
  const { id } = await cancelRun(c.env, c.req.param('id'));
  return c.redirect(`/runs/${id}`, 303);
});
run.post('/runs/:id/try-again', ownForm(), async (c) => {
  const { id: token } = await requireScope(c, 'run');
  await boundStarts(c, `token ${token}`);
  const { id } = await retryRun(c.env, c.req.param('id'));
  return c.redirect(`/runs/${id}`, 303);
});
// the same pipeline as it is now, with the models that this run's trigger chose
run.post('/runs/:id/repeat', ownForm(), async (c) => {
  const visitor = await requireScope(c, 'run');
  await boundStarts(c, `token ${visitor.id}`);
  const { pipeline, candidates } = await runOf(c.env, c.req.param('id'));
  const { run: made } = await startRun(c.env, {
    pipeline: await pipelineOf(c.env, pipeline),
    trigger: { kind: 'page', delivery: null, by: visitor.name },
    candidates,
    key: await formKey(c, visitor),
  });
  return c.redirect(`/runs/${made.id}`, 303);
});

/** A run that the visitor may read, else the way to the sign-in page; a run nobody has is told to those signed in. */
export async function readableRun(c: Context<PageEnv>): Promise<RunRecord | Response> {
  const id = c.req.param('id') ?? '';
  const found = await registryOf(c.env).getRun(id);
  return (await signInFirst(c, found?.pipeline ?? null)) ?? found ?? runOf(c.env, id);
}

/** What the events of a run said so far. */
export async function followedRun(env: PageEnv['Bindings'], id: string): Promise<Followed> {
  const followed = nothingYet();
  for (;;) {
    const events = await progressOf(env, id).events(followed.last, EVENTS_AT_ONCE);
    for (const event of events) follow(followed, event);
    if (events.length < EVENTS_AT_ONCE) return followed;
  }
}

/** A form sent twice starts one run: the field `key` of its first copy. */
export async function formKey(c: Context<PageEnv>, { name }: Visitor): Promise<string | null> {
  const { key } = await c.req.parseBody();
  return typeof key === 'string' && /^[0-9a-f-]{36}$/.test(key) ? `page ${name} ${key}` : null;
}

function actions(found: RunRecord, visitor: Visitor | null): Html | string {
  if (!may(visitor, 'run')) return '';
  const form = (action: string, text: string, look: string): Html =>
    html`<form method="post" action="/runs/${found.id}/${action}">
      <input type="hidden" name="key" value="${crypto.randomUUID()}" />
      <button class="${look}" id="${action}">${text}</button>
    </form>`;
  const again = found.state === 'failed' || found.state === 'cancelled';
  return html`<div class="actions">
    ${unfinished(found) ? form('end', 'Cancel', 'danger') : ''}
    ${again ? form('try-again', 'Try again what is not finished', 'main') : ''}
    ${!unfinished(found) && found.revision !== null ? form('repeat', 'Run again', '') : ''}
  </div>`;
}

async function results(env: PageEnv['Bindings'], { id, plan, state }: RunRecord): Promise<Html | string> {
  if (plan === null) return '';
  if (state === 'done') {
    const manifest = await readManifest(env.BUCKET, plan);
    if (manifest) return artifacts(manifest.files, id);
  }
  return html`<section aria-labelledby="so-far">
    <h2 id="so-far">Report</h2>
    <p><a class="button" href="/runs/${id}/report">See what is there so far</a></p>
  </section>`;
}
