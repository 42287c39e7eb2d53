/**
 * The `native` provider: hands a task to the compute server behind the COMPUTE binding, with everything it reads, and
 * streams its object back. Nothing is held here but pieces of streams; what the server lacks is given to it once.
 */
import { partBytes } from '../compute/parts.ts';
import type { TaskFigures, TaskPart } from '../compute/parts.ts';
import { TASK_FIGURES, writeTaskHeader } from '../compute/request.ts';
import type { TaskHeader } from '../compute/request.ts';
import { fromRecord, PipelineError } from '../errors.ts';
import type { ErrorRecord } from '../errors.ts';
import { openNpz } from '../numeric/npz.ts';
import type { RangeSource } from '../numeric/range.ts';
import type { Plan, Task } from '../plan/plan.ts';
import { bytesOfRow } from '../plan/work.ts';
import { taskNeeds } from '../task/task.ts';
import { computeFor } from './compute.ts';
import type { ComputeServer } from './compute.ts';
import type { Env } from './env.ts';
import type { TaskOutcome } from './isolate.ts';
import { NATIVE_PIECE_BYTES, NATIVE_WHOLE_DATA_BYTES } from './limits.ts';
import { inputKey, objectSource, planObjectKey, rowReader } from './store.ts';

/** Where the compute server listens is the binding's affair. */
const ADDRESS = 'http://compute';
/** Members no further apart are sent together, since their reader reads them so (numeric/npz.ts). */
const GAP_BYTES = 65_536;
/** How often the server may say that it lacks an input. */
const MOST_GIVEN = 4;
/** Files that it said it has, or was given; a hint, forgotten whenever it turns out wrong. */
const known = new Set<string>();
/** Files on their way, as `<server> <hash>`: who wants one too waits for it, so that none is sent twice at once. */
const coming = new Set<string>();
/** How often to look whether a file has come, every 20 ms; its sender may have been cut off, and then it is sent again. */
const MOST_LOOKS = 3_000;

/** Name and version of the compute server's runtime; null where there is no server. */
export async function nativeVersion(env: Env): Promise<string | null> {
  const compute = computeFor(env, '0');
  if (!compute) return null;
  const { runtime } = await (await reach(() => compute.server.fetch(`${ADDRESS}/health`))).json<{ runtime: string }>();
  return runtime;
}

/**
 * Runs one task at the compute server.
 * @throws PipelineError as the server says; `task-failed` where it can't be reached
 */
export async function runNativeTask(env: Env, planHash: string, plan: Plan, task: Task): Promise<TaskOutcome> {
  const { BUCKET } = env;
  const found = computeFor(env, task.key);
  if (!found) {
    throw new PipelineError('internal', `expected a compute server for ${task.id}, which runs natively; found none`, {
      hint: 'use compute: isolate, or bind the compute server',
    });
  }
  const compute = found.server;
  const needs = taskNeeds(plan, task);
  const whole = needs.rows.length > 0 && plan.data.sizeBytes <= NATIVE_WHOLE_DATA_BYTES;
  const files = whole ? [...needs.files, plan.data.sha256] : needs.files;
  const rows = whole ? [] : needs.rows.map((range) => rowsPart(plan, range));
  // what it reads was made there most of the time; the rest comes out of the bucket
  const lacks = new Set<string>();
  const sources = new Map<number, RangeSource>();

  for (let given = 0; ; given++) {
    // asked first where it may not be there: an early answer to the task would cut its body off
    if (![planHash, ...files].every((sha256) => known.has(sha256))) {
      for (const sha256 of await missing(env, compute, [planHash, ...files]))
        await giveOnce(env, found, sha256, planHash);
      for (const sha256 of [planHash, ...files]) known.add(sha256);
    }
    const parts: TaskPart[] = [...rows];
    for (const { task: index, members } of needs.objects) {
      const { key } = plan.tasks[index]!;
      if (lacks.has(key)) parts.push(await objectPart(BUCKET, plan, index, members, sources));
      else parts.push({ kind: 'made', task: index, key });
    }
    const head = { planHash, task: plan.tasks.indexOf(task), files, parts };
    const response = await send(env, compute, head, rowReader(BUCKET, plan.data), sources).catch((thrown: unknown) => {
      known.clear();
      throw thrown;
    });
    if (response.status === 200) {
      const figures = JSON.parse(response.headers.get(TASK_FIGURES) ?? '{}') as Partial<TaskFigures>;
      const bytes = Number(response.headers.get('content-length'));
      return {
        object: response.body!,
        bytes,
        peakBytes: figures.peakBytes ?? null,
        computeSeconds: figures.seconds ?? null,
      };
    }
    // what was there a moment ago had to make room for others
    if (response.status !== 424 || given === MOST_GIVEN) throw await errorOf(response, task);
    for (const sha256 of (await response.json<{ missing: string[] }>()).missing) {
      known.delete(sha256);
      lacks.add(sha256);
    }
  }
}

function rowsPart(plan: Plan, [start, end]: readonly [number, number]): TaskPart {
  return { kind: 'rows', start, end, bytes: (end - start) * bytesOfRow(plan.data) };
}

async function objectPart(
  bucket: R2Bucket,
  plan: Plan,
  index: number,
  members: readonly string[] | null,
  sources: Map<number, RangeSource>,
): Promise<TaskPart> {
  const source = sources.get(index) ?? (await objectSource(bucket, plan.tasks[index]!));
  sources.set(index, source);
  return { kind: 'object', task: index, size: source.size, ranges: await rangesOf(source, members, plan, index) };
}

async function missing(env: Env, compute: Fetcher, files: readonly string[]): Promise<string[]> {
  const response = await reach(() =>
    compute.fetch(`${ADDRESS}/inputs/missing`, { method: 'POST', body: JSON.stringify(files), headers: headers(env) }),
  );
  if (!response.ok) throw await errorOf(response);
  return (await response.json<{ missing: string[] }>()).missing;
}

function headers(env: Env): Record<string, string> {
  return env.COMPUTE_TOKEN ? { authorization: `Bearer ${env.COMPUTE_TOKEN}` } : {};
}

async function giveOnce(env: Env, { name, server }: ComputeServer, sha256: string, planHash: string): Promise<void> {
  const own = `${name} ${sha256}`;
  if (coming.has(own)) {
    // a promise must not be awaited across requests, so waiting is by looking
    for (let looks = 0; coming.has(own) && looks < MOST_LOOKS; looks++) await scheduler.wait(20);
    if ((await missing(env, server, [sha256])).length === 0) return;
  }
  coming.add(own);
  try {
    await give(env, server, sha256, planHash);
  } finally {
    coming.delete(own);
  }
}

// an input that the server lacks, from the bucket
async function give(env: Env, compute: Fetcher, sha256: string, planHash: string): Promise<void> {
  const key = sha256 === planHash ? planObjectKey(sha256) : inputKey(sha256);
  const stored = await env.BUCKET.get(key);
  if (!stored) throw new PipelineError('object-missing', `expected ${key} in the bucket; found nothing`);
  const response = await reach(() =>
    compute.fetch(`${ADDRESS}/inputs/${sha256}`, { method: 'PUT', body: stored.body, headers: headers(env) }),
  );
  if (!response.ok) {
    const error = await errorOf(response);
    // the next run stores it anew
    if (error.code === 'input-damaged') await env.BUCKET.delete(key);
    throw error;
  }
  await response.body?.cancel();
}

// the task with its parts as one stream of known length
async function send(
  env: Env,
  compute: Fetcher,
  head: TaskHeader,
  rows: (range: [number, number]) => Promise<Uint8Array>,
  sources: ReadonlyMap<number, RangeSource>,
): Promise<Response> {
  const first = writeTaskHeader(head);
  const { readable, writable } = new FixedLengthStream(
    first.length + head.parts.reduce((sum, part) => sum + partBytes(part), 0),
  );
  const writer = writable.getWriter();
  let fault: unknown;
  const writing = write(writer, first, head.parts, rows, sources).catch((thrown: unknown) => {
    fault ??= thrown;
    return writer.abort(thrown).catch(() => undefined);
  });
  const response = await reach(() =>
    compute.fetch(`${ADDRESS}/tasks`, { method: 'POST', body: readable, headers: headers(env) }),
  ).catch((thrown: unknown) => thrown as PipelineError);
  // an answer before the end of the body means that nobody reads the rest
  if (!(response instanceof Response) || response.status !== 200) {
    await writer.abort().catch(() => undefined);
    await writing;
    if (fault instanceof PipelineError) throw fault;
  }
  if (!(response instanceof Response)) throw response;
  return response;
}

async function write(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  first: Uint8Array,
  parts: readonly TaskPart[],
  rows: (range: [number, number]) => Promise<Uint8Array>,
  sources: ReadonlyMap<number, RangeSource>,
): Promise<void> {
  await writer.write(first);
  for (const part of parts) {
    if (part.kind === 'rows') {
      const step = Math.max(1, Math.floor(NATIVE_PIECE_BYTES / (part.bytes / (part.end - part.start))));
      for (let row = part.start; row < part.end; row += step) {
        await writer.write(await rows([row, Math.min(part.end, row + step)]));
      }
    } else if (part.kind === 'object') {
      const source = sources.get(part.task)!;
      for (const [start, end] of part.ranges) {
        for (let at = start; at < end; at += NATIVE_PIECE_BYTES) {
          await writer.write(await source.read(at, Math.min(end, at + NATIVE_PIECE_BYTES)));
        }
      }
    }
  }
  await writer.close();
}

// what the readers of these members will read: the directory as opening reads it, and members near each other at once
async function rangesOf(
  source: RangeSource,
  members: readonly string[] | null,
  plan: Plan,
  index: number,
): Promise<[number, number][]> {
  if (members === null) return [[0, source.size]];
  const ranges: [number, number][] = [];
  const recording: RangeSource = {
    size: source.size,
    read(start, end) {
      ranges.push([start, end]);
      return source.read(start, end);
    },
  };
  const object = await openNpz(recording, plan.tasks[index]!.id);
  for (const name of members) {
    const { start, end } = object.range(name);
    ranges.push([start, end]);
  }
  ranges.sort((a, b) => a[0] - b[0]);
  const joined: [number, number][] = [];
  for (const [start, end] of ranges) {
    const last = joined.at(-1);
    if (last && start - last[1] <= GAP_BYTES) last[1] = Math.max(last[1], end);
    else joined.push([start, end]);
  }
  return joined;
}

async function reach(act: () => Promise<Response>): Promise<Response> {
  try {
    return await act();
  } catch (error) {
    throw new PipelineError(
      'task-failed',
      `expected an answer from the compute server; found ${(error as Error).message}`,
      { hint: 'check that it runs; the task is tried again', cause: error },
    );
  }
}

async function errorOf(response: Response, task?: Task): Promise<PipelineError> {
  const text = await response.text();
  try {
    return fromRecord(JSON.parse(text) as ErrorRecord);
  } catch {
    const what = task ? task.id : 'an input';
    return new PipelineError(
      'task-failed',
      `expected the compute server to take ${what}; found status ${response.status}: ${text.slice(0, 300)}`,
    );
  }
}
