/**
 * What the command line asks of its own local engine: inputs and plans that it made come in, runs of them are started
 * and watched, results go out. Only for whoever started the engine; the service proper is beside it.
 */
import { Hono } from 'hono';
import type { GateRule } from '../definition/service.ts';
import { fromUnknown, PipelineError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { progressOf } from '../runtime/consumer.ts';
import type { Env } from '../runtime/env.ts';
import type { RunOutcome, RunStatus } from '../runtime/protocol.ts';
import { filesTogether, openFile, readManifest } from '../runtime/resultFiles.ts';
import type { Manifest } from '../runtime/resultFiles.ts';
import { closePlanRun, deleteObjects, startPlanRun, wakeRuns } from '../runtime/runs.ts';
import { tickSchedules } from '../runtime/schedule.ts';
import { chunksKey, getPlan, inputKey, putPlan } from '../runtime/store.ts';
import { bearerIs } from './access.ts';

export const engine = new Hono<{ Bindings: Env }>();

engine.use(async (c, next) => {
  const { ENGINE_TOKEN } = c.env;
  if (ENGINE_TOKEN === undefined || !(await bearerIs(c.req.header('authorization'), ENGINE_TOKEN)))
    throw new PipelineError('unauthorized', 'expected the token of the local engine');
  await next();
});

// inputs by content hash: the model files, the probe data, and the list of its chunks' hashes
engine.get('/inputs/:name', async (c) => {
  const found = await c.env.BUCKET.head(`inputs/${c.req.param('name')}`);
  return c.json({ bytes: found?.size ?? null });
});
engine.put('/inputs/:sha256', async (c) => {
  const sha256 = c.req.param('sha256');
  await c.env.BUCKET.put(inputKey(sha256), fixedLength(c.req.raw), { sha256 });
  return c.body(null, 204);
});
engine.put('/inputs/:sha256/chunks', async (c) => {
  await c.env.BUCKET.put(chunksKey(c.req.param('sha256')), fixedLength(c.req.raw));
  return c.body(null, 204);
});

engine.post('/plans', async (c) => c.json({ plan: await putPlan(c.env.BUCKET, await c.req.json<Plan>()) }));
engine.delete('/plans/:plan/objects', async (c) => {
  await deleteObjects(c.env, await getPlan(c.env.BUCKET, c.req.param('plan')));
  return c.body(null, 204);
});
engine.post('/plans/:plan/close', async (c) => {
  await closePlanRun(c.env, await getPlan(c.env.BUCKET, c.req.param('plan')));
  return c.body(null, 204);
});

engine.post('/runs', async (c) => {
  const { plan: hash, run: proposed, gate } = await c.req.json<{ plan: string; run: string; gate: GateRule[] }>();
  const { id, attempt } = await startPlanRun(c.env, hash, await getPlan(c.env.BUCKET, hash), gate, proposed);
  return c.json({ run: id, attempt }, 202);
});
engine.post('/wake', async (c) => c.json({ runs: (await wakeRuns(c.env)).map(({ id }) => id) }));
engine.post('/tick', async (c) => {
  const { now } = await c.req.json<{ now: number }>();
  return c.json(await tickSchedules(c.env, now));
});
engine.get('/runs/:run/attempts/:attempt', async (c) => {
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
engine.get('/runs/:run/tasks', async (c) => c.json(await progressOf(c.env, c.req.param('run')).records()));

engine.get('/results/:plan', async (c) => {
  const { digest, files } = await manifestOf(c.env.BUCKET, c.req.param('plan'));
  return c.json({ digest, files: files.map(({ path, sha256, bytes }) => ({ path, sha256, bytes })) });
});
// files of a result, one after another
engine.post('/results/:plan/together', async (c) => {
  const paths = new Set(await c.req.json<string[]>());
  const { files } = await manifestOf(c.env.BUCKET, c.req.param('plan'));
  const wanted = files.filter(({ path }) => paths.has(path));
  const body =
    wanted.length === 1 ? (await openFile(c.env.BUCKET, wanted[0]!)).body : await filesTogether(c.env.BUCKET, wanted);
  return new Response(body);
});

async function manifestOf(bucket: R2Bucket, planHash: string): Promise<Manifest> {
  const manifest = await readManifest(bucket, planHash);
  if (!manifest) throw new PipelineError('object-missing', `expected results of plan ${planHash}; found none`);
  return manifest;
}

// R2 takes a stream only when its length is known
function fixedLength(request: Request): ReadableStream {
  const length = Number(request.headers.get('content-length'));
  if (!request.body || !Number.isSafeInteger(length))
    throw new PipelineError('usage', 'expected a body and its content-length');
  return request.body.pipeThrough(new FixedLengthStream(length));
}
