/** Runs: started, listed, looked at, followed, cancelled, tried again. */
import { z } from 'zod';
import { PipelineError } from '../../errors.ts';
import { canonicalJson } from '../../numeric/hash.ts';
import { progressOf } from '../../runtime/consumer.ts';
import { pipelineOf, readRevision } from '../../runtime/pipelines.ts';
import { registryOf } from '../../runtime/registry.ts';
import { cancelRun, retryRun, runOf, startRun } from '../../runtime/runs.ts';
import { boundStarts, callerHere, callerOf, requireReader, requires } from '../access.ts';
import { bodyOf } from '../body.ts';
import { requireCandidates } from '../candidates.ts';
import { nameSchema, newRunSchema, RUN_STATES, runSchema, runsSchema, runTasksSchema } from '../documents.ts';
import { bytes, json, jsonBody, newApi, problems, route, TOKEN, TOKEN_OR_PUBLIC } from '../openapi.ts';
import { readableRun, runParams } from './readable.ts';

const MOST_START_BYTES = 64 * 1024;
const MOST_RUNS = 200;
const MOST_LOG_EVENTS = 10_000;

/** Routes that read of a run, and those that change one. */
const READING = { tags: ['runs'], security: TOKEN_OR_PUBLIC, request: { params: runParams } };
const READING_PROBLEMS = problems('unauthorized', 'not-found');
const CHANGING = { tags: ['runs'], security: TOKEN, middleware: requires('run'), request: { params: runParams } };
const CHANGING_PROBLEMS = problems('unauthorized', 'forbidden', 'not-found', 'conflict');

const after = z.coerce.number().int().min(0);

export const runs = newApi();

runs.openapi(
  route({
    method: 'post',
    path: '/runs',
    tags: ['runs'],
    summary: 'Starts a run',
    security: TOKEN,
    middleware: [requires('run'), bodyOf(MOST_START_BYTES)] as const,
    request: {
      headers: z.object({
        'idempotency-key': z
          .string()
          .regex(/^[\x20-\x7e]{1,255}$/)
          .optional()
          .meta({ description: 'The same key of the same token gives the run it gave before.' }),
      }),
      body: jsonBody(newRunSchema),
    },
    responses: {
      200: json(runSchema, 'The run that this key started before.'),
      202: json(runSchema, 'The run, queued.'),
      ...problems('unauthorized', 'forbidden', 'not-found', 'conflict', 'address-refused', 'too-large'),
    },
  }),
  async (c) => {
    const body = c.req.valid('json');
    const caller = callerHere(c);
    const given = c.req.valid('header')['idempotency-key'] ?? null;
    const key = given === null ? null : `idem ${caller.id} ${given}`;
    const before = key === null ? null : await registryOf(c.env).runOfKey(key);
    if (before) {
      requireSame(body, before);
      return c.json(before, 200);
    }
    await boundStarts(c, `token ${caller.id}`);
    const pipeline = await pipelineOf(c.env, body.pipeline);
    if (Object.keys(body.candidates).length > 0)
      await requireCandidates(c.env, pipeline, await readRevision(c.env, pipeline.revision), body.candidates);
    const { run, created } = await startRun(c.env, {
      pipeline,
      trigger: { kind: caller.by === 'session' ? 'page' : 'api', delivery: given, by: caller.name },
      candidates: body.candidates,
      key,
    });
    // another request with this key may have come in between
    if (!created) requireSame(body, run);
    return created ? c.json(run, 202) : c.json(run, 200);
  },
);

runs.openapi(
  route({
    method: 'get',
    path: '/runs',
    tags: ['runs'],
    summary: 'Runs, newest first',
    description: 'Without a token only those of a public pipeline, by its name.',
    security: TOKEN_OR_PUBLIC,
    request: {
      query: z.object({
        pipeline: nameSchema.optional(),
        state: z.enum(RUN_STATES).optional(),
        limit: z.coerce.number().int().min(1).max(MOST_RUNS).default(50),
        before: runParams.shape.id.optional(),
      }),
    },
    responses: { 200: json(runsSchema, 'A page of runs.'), ...problems('unauthorized') },
  }),
  async (c) => {
    const query = c.req.valid('query');
    await requireReader(c, query.pipeline);
    const publicOnly = (await callerOf(c)) === null;
    return c.json(await registryOf(c.env).listRuns({ ...query, publicOnly }), 200);
  },
);

runs.openapi(
  route({
    ...READING,
    method: 'get',
    path: '/runs/{id}',
    summary: 'A run',
    responses: { 200: json(runSchema, 'The run.'), ...READING_PROBLEMS },
  }),
  async (c) => c.json(await readableRun(c, c.req.valid('param').id), 200),
);

runs.openapi(
  route({
    ...CHANGING,
    method: 'post',
    path: '/runs/{id}/cancel',
    summary: 'Ends a run',
    responses: {
      200: json(runSchema, 'The run, cancelled.'),
      ...CHANGING_PROBLEMS,
    },
  }),
  async (c) => c.json(await cancelRun(c.env, c.req.valid('param').id), 200),
);

runs.openapi(
  route({
    ...CHANGING,
    method: 'post',
    path: '/runs/{id}/retry',
    summary: 'Tries a failed or cancelled run again; what is finished stays',
    responses: {
      202: json(runSchema, 'The run, queued again.'),
      ...CHANGING_PROBLEMS,
    },
  }),
  async (c) => {
    await runOf(c.env, c.req.valid('param').id);
    await boundStarts(c, `token ${callerHere(c).id}`);
    return c.json(await retryRun(c.env, c.req.valid('param').id), 202);
  },
);

runs.openapi(
  route({
    ...READING,
    method: 'get',
    path: '/runs/{id}/tasks',
    summary: 'What each task computed in this attempt cost',
    responses: { 200: json(runTasksSchema, 'The tasks.'), ...READING_PROBLEMS },
  }),
  async (c) => {
    const { id } = await readableRun(c, c.req.valid('param').id);
    const records = await progressOf(c.env, id).records();
    const tasks = records.map(({ task, record }) => ({
      task,
      ...record,
      computeSeconds: record.computeSeconds ?? null,
    }));
    return c.json({ tasks }, 200);
  },
);

runs.openapi(
  route({
    ...READING,
    method: 'get',
    path: '/runs/{id}/log',
    summary: 'Events of a run, one JSON document a line',
    request: {
      params: runParams,
      query: z.object({
        after: after.default(0).meta({ description: 'Only those with a greater id.' }),
        limit: z.coerce.number().int().min(1).max(MOST_LOG_EVENTS).default(1000),
      }),
    },
    responses: { 200: bytes('application/x-ndjson', 'The events.'), ...READING_PROBLEMS },
  }),
  async (c) => {
    const query = c.req.valid('query');
    const { id } = await readableRun(c, c.req.valid('param').id);
    const events = await progressOf(c.env, id).events(query.after, query.limit);
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('');
    return c.body(lines, 200, { 'content-type': 'application/x-ndjson; charset=utf-8', 'cache-control': 'no-store' });
  },
);

runs.openapi(
  route({
    ...READING,
    method: 'get',
    path: '/runs/{id}/events',
    summary: 'Events of a run as they happen',
    description:
      'Server-sent events. Those after `Last-Event-ID`, or after `after` where there is none, come first. A stream ends after a quarter of an hour: ask again with the last id.',
    request: { params: runParams, query: z.object({ after: after.optional() }) },
    responses: { 200: bytes('text/event-stream', 'The events.'), ...READING_PROBLEMS },
  }),
  async (c) => {
    const { id } = await readableRun(c, c.req.valid('param').id);
    const last = c.req.header('last-event-id') ?? c.req.valid('query').after;
    const headers = last === undefined ? {} : { 'last-event-id': String(last) };
    const events = await progressOf(c.env, id).fetch(new Request(c.req.url, { headers, signal: c.req.raw.signal }));
    // headers of an answer from elsewhere can't be added to
    return new Response(events.body, events);
  },
);

// a key stands for one request
function requireSame(
  { pipeline, candidates }: z.output<typeof newRunSchema>,
  before: Pick<z.output<typeof runSchema>, 'id' | 'pipeline' | 'candidates'>,
): void {
  const [asked, started] = [
    { pipeline, candidates },
    { pipeline: before.pipeline, candidates: before.candidates },
  ];
  if (canonicalJson(asked) === canonicalJson(started)) return;
  throw new PipelineError(
    'conflict',
    `expected the request that this Idempotency-Key came with; found another than that of ${before.id}`,
  );
}
