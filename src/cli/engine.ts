/**
 * The local engine: the same Worker that is deployed, in miniflare, with its bucket, queue, workflow and
 * Durable Object persisted in the state folder.
 */
import { randomBytes } from 'node:crypto';
import { createWriteStream, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Miniflare } from 'miniflare';
import { PipelineError } from '../errors.ts';
import {
  BUCKET,
  COMPATIBILITY_DATE,
  DEAD_LETTER_QUEUE,
  MAX_RETRIES,
  RATE_LIMITS,
  TASK_QUEUE,
  WORKFLOW,
} from '../runtime/names.ts';
import type { Problem } from '../service/documents.ts';
import { fromProblem } from '../service/problems.ts';
import type { NativeCompute } from './native.ts';
import { processesMarked, STATE_MARK } from './state.ts';

const WASM = 'ort-wasm-simd-threaded.wasm';
const KERNELS = ['samples.wasm', 'rows.wasm'];
/** A WebAssembly module without content: magic and version. */
const NO_CODE = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
/** Messages of one local batch where tasks run natively. */
const NATIVE_BATCH = 100;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What the engine is started for. */
export interface EngineOptions {
  /** The compute server that is bound, and closed with the engine; null: tasks run in the Worker. */
  compute: Promise<NativeCompute | null>;
  /** Whether the Worker inspects networks itself, as the service does. */
  inspects?: boolean;
  /** File of the Worker in `dist`. */
  worker?: string;
  /** Where it listens; without, on a free port of the loopback. */
  listen?: { host: string; port: number };
  /** Variables of the Worker beside the engine's own. */
  variables?: Record<string, string>;
  /** Where the Worker's requests to other hosts go, `<host>:<port>`, over http: for tests, and for a proxy. */
  outbound?: string;
  /** Hears each line that the Worker logs. */
  heard?: (line: string) => void;
}

export interface Engine {
  /** Where it listens, such as http://127.0.0.1:8787. */
  address: string;
  /** Sends a request to the routes for the local command line. @throws PipelineError as the Worker said */
  fetch(path: string, init?: EngineRequest): Promise<Response>;
  json<T>(path: string, init?: EngineRequest): Promise<T>;
  /** Sends a request to the service as anybody can, and gives its answer whatever it is. */
  service(path: string, init?: EngineRequest): Promise<Response>;
  /** What this engine takes for an admin's token. */
  token: string;
  /** Peak resident memory of workerd so far, bytes; null where the system doesn't say. */
  peakMemoryBytes(): number | null;
  stop(): Promise<void>;
}

export interface EngineRequest {
  method?: string;
  body?: Uint8Array | ReadableStream | string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Starts the Worker on a locked state folder. `dist` is the folder of the built Worker. */
export async function startEngine(statePath: string, dist: string, options: EngineOptions): Promise<Engine> {
  // a large package: it loads while the children start; `import` would parse it twice to tell its format
  const miniflare = createRequire(import.meta.url)('miniflare') as typeof import('miniflare');
  const compute = await options.compute;
  try {
    return await startWorker(miniflare, statePath, dist, options, compute);
  } catch (error) {
    await compute?.server.close(0);
    throw error;
  }
}

async function startWorker(
  { Log, LogLevel, Miniflare }: typeof import('miniflare'),
  statePath: string,
  dist: string,
  { worker = 'worker.js', inspects = false, listen, variables = {}, outbound, heard }: EngineOptions,
  compute: NativeCompute | null,
): Promise<Engine> {
  // workerd inherits this, so that a later run on the same folder finds it
  process.env[STATE_MARK] = statePath;
  // left to itself, workerd collects old garbage only when the machine runs out of memory: 0.6 MB of
  // activations a batch would stay. Deployed, an isolate's limit sees to that. On one thread: beside others, the
  // sweeping of workerd's own objects was seen to wait for itself without end (workerd 1.20260730.1).
  process.env.MINIFLARE_WORKERD_V8_FLAGS ??= '--gc-global --single-threaded-gc';
  const token = randomBytes(32).toString('hex');
  const log = createWriteStream(join(statePath, 'workerd.log'), { flags: 'w' });
  const ours = SIGNALS.map((signal) => process.listeners(signal));
  const miniflare = new Miniflare({
    name: 'convergent',
    ...listen,
    modules: [
      { type: 'ESModule', path: 'worker.js', contents: readFileSync(join(dist, worker), 'utf8') },
      // compiled as the Worker starts, and called by its own tasks and inspections alone
      { type: 'CompiledWasm', path: WASM, contents: compute && !inspects ? NO_CODE : readFileSync(join(dist, WASM)) },
      ...KERNELS.map((path) => ({ type: 'CompiledWasm' as const, path, contents: readFileSync(join(dist, path)) })),
    ],
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: ['nodejs_compat'],
    bindings: {
      ...variables,
      LOCAL: 'yes',
      ENGINE_TOKEN: token,
      ...(compute && {
        COMPUTE_TOKEN: compute.token,
        // one more than run, so that the next task is there when a child is free
        COMPUTE_TASKS_AT_ONCE: String(compute.server.children + 1),
      }),
    },
    ...(outbound !== undefined && { outboundService: { external: { address: outbound, http: {} } } }),
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
    ratelimits: RATE_LIMITS,
    workflows: { RUNS: { name: WORKFLOW, className: 'ComparisonRun' } },
    defaultPersistRoot: join(statePath, 'worker'),
    log: new Log(LogLevel.NONE),
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      stdout.pipe(log, { end: false });
      stderr.pipe(log, { end: false });
      if (heard) createInterface({ input: stdout }).on('line', heard);
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
  let address: string;
  try {
    address = (await miniflare.ready).origin;
  } catch (error) {
    await miniflare.dispose().catch(() => undefined);
    throw error;
  }
  keepOurs();

  const service = async (path: string, init: EngineRequest = {}): Promise<Response> =>
    (await miniflare.dispatchFetch(`http://convergent${path}`, {
      ...init,
      redirect: 'manual',
      duplex: 'half',
    } as Parameters<Miniflare['dispatchFetch']>[1])) as unknown as Response;
  const fetch = async (path: string, init: EngineRequest = {}): Promise<Response> => {
    const headers = { ...init.headers, authorization: `Bearer ${token}` };
    const response = await service(`/engine${path}`, { ...init, headers });
    if (response.ok) return response;
    throw await errorOf(response, path);
  };
  return {
    address,
    fetch,
    json: async <T>(path: string, init?: EngineRequest) => (await (await fetch(path, init)).json()) as T,
    service,
    token,
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
    return fromProblem(JSON.parse(text) as Problem);
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
