/**
 * The local engine: the same Worker that is deployed, in miniflare, with its bucket, queue, workflow and
 * Durable Object persisted in the state folder.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Log, LogLevel, Miniflare } from 'miniflare';
import { startCompute } from '../compute/server.ts';
import type { ComputeServer } from '../compute/server.ts';
import { fromRecord, PipelineError } from '../errors.ts';
import type { ErrorRecord } from '../errors.ts';
import { BUCKET, COMPATIBILITY_DATE, DEAD_LETTER_QUEUE, MAX_RETRIES, TASK_QUEUE, WORKFLOW } from '../runtime/names.ts';
import { processesMarked, STATE_MARK } from './state.ts';

const WASM = 'ort-wasm-simd-threaded.wasm';
/** Messages of one local batch where tasks run natively. */
const NATIVE_BATCH = 100;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What the engine is started for. */
export interface EngineOptions {
  /** Whether the compute server is started and bound, where its runtime loads. */
  native: boolean;
  /** File of the Worker in `dist`. */
  worker?: string;
  /** Port on 127.0.0.1 where others reach the Worker, 0: any free one; absent: nobody does. */
  port?: number;
}

export interface Engine {
  /** Name and version of the native runtime; null where there is none. */
  native: string | null;
  /** Where others reach the Worker. */
  url: string;
  /** What the engine's own requests carry as bearer token. */
  token: string;
  /** Sends a request to the Worker. @throws PipelineError as the Worker said */
  fetch(path: string, init?: EngineRequest): Promise<Response>;
  json<T>(path: string, init?: EngineRequest): Promise<T>;
  /** Peak resident memory of workerd so far, bytes; null where the system doesn't say. */
  peakMemoryBytes(): number | null;
  stop(): Promise<void>;
}

export interface EngineRequest {
  method?: string;
  body?: Uint8Array | ReadableStream | string;
  headers?: Record<string, string>;
}

/** Starts the Worker on a locked state folder. `dist` is the folder of the built Worker. */
export async function startEngine(
  statePath: string,
  dist: string,
  { native, worker = 'worker.js', port }: EngineOptions,
): Promise<Engine> {
  const compute = native ? await startNative(statePath) : null;
  try {
    return await startWorker(statePath, dist, worker, compute, port);
  } catch (error) {
    await compute?.server.close(0);
    throw error;
  }
}

/** The compute server of this process, and what requests to it must carry. */
interface NativeCompute {
  server: ComputeServer;
  token: string;
}

// null where the runtime isn't installed or doesn't load here
async function startNative(statePath: string): Promise<NativeCompute | null> {
  // other users of the machine can reach the port, not the token
  const token = randomBytes(32).toString('hex');
  try {
    return { server: await startCompute({ cacheFolder: join(statePath, 'compute'), token }), token };
  } catch (error) {
    // whatever else went wrong must not change who runs the tasks
    if (error instanceof PipelineError && error.code === 'internal') return null;
    throw error;
  }
}

async function startWorker(
  statePath: string,
  dist: string,
  worker: string,
  compute: NativeCompute | null,
  port: number | undefined,
): Promise<Engine> {
  // workerd inherits this, so that a later run on the same folder finds it
  process.env[STATE_MARK] = statePath;
  // left to itself, workerd collects old garbage only when the machine runs out of memory: 0.6 MB of
  // activations a batch would stay. Deployed, an isolate's limit sees to that.
  process.env.MINIFLARE_WORKERD_V8_FLAGS ??= '--gc-global';
  const token = randomBytes(32).toString('hex');
  const log = createWriteStream(join(statePath, 'workerd.log'), { flags: 'w' });
  const ours = SIGNALS.map((signal) => process.listeners(signal));
  const miniflare = new Miniflare({
    name: 'convergent',
    ...(port !== undefined && { host: '127.0.0.1', port }),
    modules: [
      { type: 'ESModule', path: 'worker.js', contents: readFileSync(join(dist, worker), 'utf8') },
      { type: 'CompiledWasm', path: WASM, contents: readFileSync(join(dist, WASM)) },
    ],
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: ['nodejs_compat'],
    bindings: {
      LOCAL: 'yes',
      ENGINE_TOKEN: token,
      ...(compute && {
        COMPUTE_TOKEN: compute.token,
        // one more than run, so that the next task is there when a child is free
        COMPUTE_TASKS_AT_ONCE: String(compute.server.children + 1),
      }),
    },
    serviceBindings: compute ? { COMPUTE: { external: { address: new URL(compute.server.url).host, http: {} } } } : {},
    r2Buckets: { BUCKET },
    queueProducers: { TASKS: TASK_QUEUE },
    queueConsumers: {
      [TASK_QUEUE]: {
        // the local queue takes the next batch when the last message is done: natively many run at once
        maxBatchSize: compute ? NATIVE_BATCH : 1,
        maxBatchTimeout: 0,
        maxRetries: MAX_RETRIES,
        deadLetterQueue: DEAD_LETTER_QUEUE,
      },
      [DEAD_LETTER_QUEUE]: { maxBatchSize: 1, maxBatchTimeout: 0, maxRetries: MAX_RETRIES },
    },
    durableObjects: {
      PROGRESS: { className: 'RunProgress', useSQLite: true },
      REGISTRY: { className: 'Registry', useSQLite: true },
    },
    workflows: { RUNS: { name: WORKFLOW, className: 'ComparisonRun' } },
    defaultPersistRoot: join(statePath, 'worker'),
    log: new Log(LogLevel.NONE),
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      stdout.pipe(log, { end: false });
      stderr.pipe(log, { end: false });
    },
  });
  // miniflare ends the process on a signal before anybody can say so; `stop` ends workerd in its place
  const keepOurs = (): void => {
    for (const [index, signal] of SIGNALS.entries()) {
      for (const listener of process.listeners(signal)) {
        if (!ours[index]!.includes(listener)) process.off(signal, listener);
      }
    }
  };
  keepOurs();
  const url = await miniflare.ready;
  keepOurs();

  const fetch = async (path: string, init: EngineRequest = {}): Promise<Response> => {
    const response = (await miniflare.dispatchFetch(`http://convergent/engine${path}`, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      duplex: 'half',
    } as Parameters<Miniflare['dispatchFetch']>[1])) as unknown as Response;
    if (response.ok) return response;
    throw await errorOf(response, path);
  };
  return {
    native: compute?.server.runtime ?? null,
    url: url.origin,
    token,
    fetch,
    json: async <T>(path: string, init?: EngineRequest) => (await (await fetch(path, init)).json()) as T,
    peakMemoryBytes: () => peakMemoryOfWorkerd(statePath),
    stop: async () => {
      await miniflare.dispose();
      await compute?.server.close(0);
      log.end();
    },
  };
}

async function errorOf(response: Response, path: string): Promise<PipelineError> {
  const text = await response.text();
  try {
    return fromRecord(JSON.parse(text) as ErrorRecord);
  } catch {
    return new PipelineError(
      'internal',
      `expected an answer from ${path}; found status ${response.status}: ${text.slice(0, 500)}`,
    );
  }
}

function peakMemoryOfWorkerd(statePath: string): number | null {
  if (process.platform !== 'linux') return null;
  for (const pid of processesMarked(statePath)) {
    const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    if (found) return Number(found[1]) * 1024;
  }
  return null;
}
