/**
 * The Worker's HTTP side: inputs and plans come in, runs are started and watched, results go out. The
 * command line is its client, over the loopback of its own miniflare.
 */
import { Hono } from 'hono';
import { CODES, fromUnknown, PipelineError } from '../errors.ts';
import { sha256Hex } from '../numeric/hash.ts';
import { objectKey } from '../plan/plan.ts';
import type { Plan } from '../plan/plan.ts';
import { progressOf } from './consumer.ts';
import type { Env } from './env.ts';
import type { RunOutcome, RunStatus } from './protocol.ts';
import { inParallel } from './requests.ts';
import { manifestKey, resultPrefix } from './results.ts';
import { chunksKey, getBytes, getPlan, inputKey, putPlan } from './store.ts';

/** Which run of a definition and its inputs is unfinished; kept in the bucket until it ends well. */
interface OpenRun {
  run: string;
  attempt: number;
}

export const app = new Hono<{ Bindings: Env }>();

app.onError((thrown, c) => {
  const error = fromUnknown(thrown);
  return c.json(error.toJSON(), CODES[error.code].http);
});

// inputs by content hash: the model files, the probe data, and the list of its chunks' hashes
app.get('/inputs/:name', async (c) => {
  const found = await c.env.BUCKET.head(`inputs/${c.req.param('name')}`);
  return c.json({ bytes: found?.size ?? null });
});
app.put('/inputs/:sha256', async (c) => {
  const sha256 = c.req.param('sha256');
  await c.env.BUCKET.put(inputKey(sha256), fixedLength(c.req.raw), { sha256 });
  return c.body(null, 204);
});
app.put('/inputs/:sha256/chunks', async (c) => {
  await c.env.BUCKET.put(chunksKey(c.req.param('sha256')), fixedLength(c.req.raw));
  return c.body(null, 204);
});

app.post('/plans', async (c) => c.json({ plan: await putPlan(c.env.BUCKET, await c.req.json<Plan>()) }));
app.delete('/plans/:plan/objects', async (c) => {
  if (!c.env.LOCAL)
    throw new PipelineError('usage', 'expected --fresh on a local state folder; found a deployed bucket');
  const plan = await getPlan(c.env.BUCKET, c.req.param('plan'));
  for (let at = 0; at < plan.tasks.length; at += 1000) {
    await c.env.BUCKET.delete(plan.tasks.slice(at, at + 1000).map(objectKey));
  }
  return c.body(null, 204);
});

// a run is an event: the unfinished one of the same definition and inputs goes on as its next attempt
app.post('/runs', async (c) => {
  const { plan: planHash, run: proposed } = await c.req.json<{ plan: string; run: string }>();
  const plan = await getPlan(c.env.BUCKET, planHash);
  const pointer = await openRunKey(plan);
  const unfinished = await (await c.env.BUCKET.get(pointer))?.json<OpenRun>();
  const run = unfinished?.run ?? proposed;
  const attempt = (unfinished?.attempt ?? 0) + 1;
  await c.env.BUCKET.put(pointer, JSON.stringify({ run, attempt } satisfies OpenRun));
  await c.env.RUNS.create({ id: `${run}-${attempt}`, params: { run, attempt, plan: planHash } });
  return c.json({ run, attempt }, 202);
});
app.get('/runs/:run/attempts/:attempt', async (c) => {
  const instance = await c.env.RUNS.get(`${c.req.param('run')}-${c.req.param('attempt')}`);
  const { status, output, error } = await instance.status();
  const progress = await progressOf(c.env, c.req.param('run')).summary();
  let outcome = (output as RunOutcome | undefined) ?? null;
  if (status === 'errored' || status === 'terminated') {
    outcome = { error: fromUnknown(error?.message ?? `the workflow was ${status}`).toJSON() };
  }
  const ended = outcome === null ? 'running' : 'error' in outcome ? 'failed' : 'done';
  return c.json({ status: ended, progress, outcome } satisfies RunStatus);
});
app.get('/runs/:run/tasks', async (c) => c.json(await progressOf(c.env, c.req.param('run')).records()));
// whoever started the run has its results: the next run of the same plan is a new one
app.post('/plans/:plan/close', async (c) => {
  await c.env.BUCKET.delete(await openRunKey(await getPlan(c.env.BUCKET, c.req.param('plan'))));
  return c.body(null, 204);
});

app.get('/results/:plan', (c) => send(c.env.BUCKET, manifestKey(c.req.param('plan')), 'application/json'));
// several small files of a result, one after another
app.post('/results/:plan/together', async (c) => {
  const prefix = resultPrefix(c.req.param('plan'));
  const paths = await c.req.json<string[]>();
  return new Response(new Blob(await inParallel(paths, (path) => getBytes(c.env.BUCKET, prefix + path))));
});
app.get('/results/:plan/:path{.+}', (c) =>
  send(c.env.BUCKET, resultPrefix(c.req.param('plan')) + c.req.param('path'), 'application/octet-stream'),
);

async function send(bucket: R2Bucket, key: string, type: string): Promise<Response> {
  const found = await bucket.get(key);
  if (!found) throw new PipelineError('object-missing', `expected ${key} in the bucket; found nothing`);
  return new Response(found.body, { headers: { 'content-type': type, etag: found.httpEtag } });
}

async function openRunKey(plan: Plan): Promise<string> {
  const same = [plan.definitionSha256, plan.data.sha256, ...plan.networks.map((network) => network.modelSha256)];
  return `runs/${await sha256Hex(same.join('\n'))}.json`;
}

// R2 takes a stream only when its length is known
function fixedLength(request: Request): ReadableStream {
  const length = Number(request.headers.get('content-length'));
  if (!request.body || !Number.isSafeInteger(length))
    throw new PipelineError('usage', 'expected a body and its content-length');
  return request.body.pipeThrough(new FixedLengthStream(length));
}
