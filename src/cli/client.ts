/** The command line as a client of the Worker: sends inputs, follows a run, fetches results. */
import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../errors.ts';
import { sha256Hex } from '../numeric/hash.ts';
import type { Plan } from '../plan/plan.ts';
import type { FileEntry, RunStatus } from '../runtime/protocol.ts';
import type { Engine } from './engine.ts';
import type { ComputeServer } from '../compute/server.ts';
import type { Prepared } from './prepare.ts';
import type { ProgressDisplay } from './progress.ts';
import { plannedKinds } from '../runtime/eta.ts';
import { NATIVE_WHOLE_DATA_BYTES } from '../runtime/limits.ts';

/**
 * Between two looks at a run: soon at first and when all tasks are done, seldom in a long one, since each look leaves
 * 0.03 MB behind in workerd.
 */
const POLL_MS = 150;
const REPORT_POLL_MS = 50;
const MOST_POLL_MS = 2_000;

/** Inputs that are sent together. */
const FILES_AT_ONCE = 8;
/** Files of a result that are fetched with one request: as many as these bytes hold, or one that is larger. */
const TOGETHER_BYTES = 4 * 2 ** 20;

/** What is known of a run before it ends. */
export interface RunSoFar {
  run?: string;
  out?: string;
  tasks?: { total: number; reused: number; computed: number };
}

/** Sends the models and the probe data that the bucket lacks; everything is named by its content. */
export async function storeInputs(engine: Engine, { plan, modelPaths, probe, external }: Prepared): Promise<void> {
  // an input of another size is none
  const absent = async (name: string, bytes: number): Promise<boolean> =>
    (await engine.json<{ bytes: number | null }>(`/inputs/${name}`)).bytes !== bytes;
  const put = async (path: string, body: Uint8Array | ReadableStream, bytes: number): Promise<void> => {
    await engine.fetch(path, { method: 'PUT', body, headers: { 'content-length': String(bytes) } });
  };
  const putFile = async (path: string, sha256: string, sizeBytes: number): Promise<void> => {
    if (!(await absent(sha256, sizeBytes))) return;
    await put(`/inputs/${sha256}`, Readable.toWeb(createReadStream(path)) as ReadableStream, sizeBytes);
  };
  const data = { path: probe.path, ...plan.data, chunkHashes: probe.chunkHashes };
  const sending = [
    ...plan.networks.map(({ modelSha256 }, index) => async () => {
      await putFile(modelPaths[index]!, modelSha256, statSync(modelPaths[index]!).size);
    }),
    ...[data, ...external].map(({ path, sha256, sizeBytes, chunkHashes }) => async () => {
      if (await absent(`${sha256}.chunks`, chunkHashes.length))
        await put(`/inputs/${sha256}/chunks`, chunkHashes, chunkHashes.length);
      await putFile(path, sha256, sizeBytes);
    }),
  ];
  for (let at = 0; at < sending.length; at += FILES_AT_ONCE)
    await Promise.all(sending.slice(at, at + FILES_AT_ONCE).map((send) => send()));
}

/**
 * Gives the compute server of this process the files that its tasks will ask the Worker for: the way through the bucket
 * is the longer one. What it doesn't take here it is given when it asks.
 */
export async function keepInputs(
  compute: ComputeServer,
  { plan, modelPaths, probe, external }: Prepared,
): Promise<void> {
  const networks = [...new Set(plan.sets.flatMap((set) => (set.provider === 'native' ? set.networks : [])))];
  const models = networks.map((index) => ({ sha256: plan.networks[index]!.modelSha256, path: modelPaths[index]! }));
  const needed = new Set(networks.flatMap((index) => plan.networks[index]!.externalData.map(({ sha256 }) => sha256)));
  const outside = external.filter(({ sha256 }) => needed.has(sha256));
  const data = networks.length > 0 && plan.data.sizeBytes <= NATIVE_WHOLE_DATA_BYTES;
  const wanted = [...models, ...outside, ...(data ? [{ sha256: plan.data.sha256, path: probe.path }] : [])];
  for (const { sha256, path } of wanted) await compute.keep(sha256, path).catch(() => undefined);
}

/** Follows an attempt to its end; `soFar` learns of tasks as they finish. */
export async function follow(
  engine: Engine,
  run: string,
  attempt: number,
  plan: Plan,
  display: ProgressDisplay,
  signal: AbortSignal,
  soFar: RunSoFar,
): Promise<RunStatus> {
  const planned = plannedKinds(plan);
  let toldReused = false;
  const begunAt = performance.now();
  let doneAt: number | undefined;
  for (;;) {
    const status = await engine.json<RunStatus>(`/runs/${run}/attempts/${attempt}`);
    const { reused, done } = status.progress;
    // until the attempt begins, what is known is of the one before
    const begun = status.progress.attempt === attempt;
    if (begun && reused !== null) {
      soFar.tasks = { total: plan.tasks.length, reused, computed: done };
      if (done + reused >= plan.tasks.length) doneAt ??= performance.now();
      if (!toldReused && reused > 0) display.say(`reuses ${reused} of ${plan.tasks.length} tasks, finished before`);
      toldReused = true;
    }
    if (begun) display.update(status.progress, planned);
    if (status.status !== 'running') return status;
    const now = performance.now();
    const pause = doneAt === undefined ? POLL_MS + (now - begunAt) / 50 : REPORT_POLL_MS + (now - doneAt) / 10;
    await sleep(Math.min(MOST_POLL_MS, pause), undefined, { signal });
  }
}

/**
 * Copies every file of a result, checked against its hash; `read` gives the bytes of a few files. Gives the warnings of
 * results.json.
 * @throws PipelineError `input-damaged`
 */
export async function writeResults(
  read: (batch: readonly FileEntry[]) => Promise<Uint8Array[]>,
  files: readonly FileEntry[],
  write: (path: string, bytes: Uint8Array) => void,
): Promise<string[]> {
  let warnings: string[] = [];
  for (const batch of batches(files)) {
    const contents = await read(batch);
    for (const [index, { path, sha256 }] of batch.entries()) {
      const bytes = contents[index]!;
      if ((await sha256Hex(bytes)) !== sha256) {
        throw new PipelineError('input-damaged', `expected ${path} as the report wrote it; found other bytes`, {
          hint: 'run the same command again',
        });
      }
      if (path === 'results.json')
        ({ warnings } = JSON.parse(new TextDecoder().decode(bytes)) as { warnings: string[] });
      write(path, bytes);
    }
  }
  return warnings;
}

/** Reads files of a result from the local engine, several small ones with one request. */
export function resultReader(engine: Engine, planHash: string): (batch: readonly FileEntry[]) => Promise<Uint8Array[]> {
  return async (batch) => {
    const body = JSON.stringify(batch.map(({ path }) => path));
    const answer = await engine.fetch(`/results/${planHash}/together`, { method: 'POST', body });
    const together = new Uint8Array(await answer.arrayBuffer());
    let at = 0;
    return batch.map(({ bytes }) => together.subarray(at, (at += bytes)));
  };
}

/** A path of a result as it stands in addresses. */
export function encodedPath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

// in order
function batches(files: readonly FileEntry[]): FileEntry[][] {
  const made: FileEntry[][] = [];
  let left = 0;
  for (const file of files) {
    if (file.bytes <= left) made.at(-1)!.push(file);
    else {
      made.push([file]);
      left = TOGETHER_BYTES;
    }
    left -= file.bytes;
  }
  return made;
}
