/** The service as a program meets it: the built Worker in workerd on a state folder of its own. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEngine } from '../../src/cli/engine.ts';
import type { Engine, EngineOptions, EngineRequest } from '../../src/cli/engine.ts';
import type {
  FileReference,
  MadeToken,
  PipelineRecord,
  RunEvent,
  RunRecord,
  Scope,
} from '../../src/service/documents.ts';
import { PIPELINES, ROOT, temporaryFolder } from './command.ts';

const DIST = join(ROOT, 'dist');

export interface Service {
  engine: Engine;
  /** Sends a request; a `body` that isn't bytes or text goes as JSON, and `token` as bearer token (default: admin's). */
  ask(method: string, path: string, request?: Ask): Promise<Response>;
  /** The document that a request is answered with. @throws Error for another status than 2xx */
  json<T>(method: string, path: string, request?: Ask): Promise<T>;
  token(scope: Scope): Promise<MadeToken>;
  /** Uploads the files of the shipped pipeline, and puts it under `name`. */
  put(name: string, change?: (text: string) => string): Promise<PipelineRecord>;
  /** The run once it has ended. */
  ended(id: string): Promise<RunRecord>;
  /** Events of a run so far. */
  events(id: string): Promise<RunEvent[]>;
  /** What the Worker has logged so far. */
  logged(): string;
  close(): Promise<void>;
}

export interface Ask {
  token?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** A body of which `bytes` are sent, and then no more for ever: whoever refuses it must not wait for the rest. */
export function unending(bytes: number): ReadableStream {
  return new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(bytes).fill(0x20)) });
}

/** The shipped pipeline on few rows and one small layer, so that a run takes a second or two. */
export function smallPipeline(name: string): string {
  const text = readFileSync(join(PIPELINES, 'fashion-mnist.yaml'), 'utf8');
  return text
    .replace('name: fashion-mnist', `name: ${name}\ncompute: isolate\ncluster: false\nshard: { rows: 100 }`)
    .replace('rows: 10000', 'rows: 200')
    .replace('[0.3, 0.1, 0.03, 0.01, 0.003]', '[0.1]')
    .replace(/^layers:\n(.*\n)+?\n/m, 'layers:\n  fc: logits\n\n');
}

/** What the pipeline names. */
export const FILES = ['seed1.onnx', 'seed2.onnx', 'test-images.npy'].map((name) => `fashion-mnist/${name}`);

/** Starts the service; `dist` is the folder of a build. */
export async function startService(
  dist = DIST,
  options: Pick<EngineOptions, 'variables' | 'outbound'> = {},
): Promise<Service> {
  const folder = temporaryFolder();
  const engine = await startEngine(folder.path, dist, { compute: Promise.resolve(null), inspects: true, ...options });

  const ask = (method: string, path: string, request: Ask = {}): Promise<Response> => {
    const { token = engine.token, body, signal } = request;
    const headers = { ...(token !== null && { authorization: `Bearer ${token}` }), ...request.headers };
    const init: EngineRequest = { method, headers, ...(signal && { signal }) };
    if (body === undefined) return engine.service(path, init);
    if (body instanceof Uint8Array)
      return engine.service(path, { ...init, body, headers: { 'content-length': String(body.length), ...headers } });
    if (typeof body === 'string' || body instanceof ReadableStream) return engine.service(path, { ...init, body });
    return engine.service(path, {
      ...init,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
  };
  const json = async <T>(method: string, path: string, request: Ask = {}): Promise<T> => {
    const response = await ask(method, path, request);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  };
  let uploaded: Promise<Record<string, FileReference>> | undefined;
  const upload = async (): Promise<Record<string, FileReference>> => {
    const files: Record<string, FileReference> = {};
    for (const path of FILES) {
      const bytes = readFileSync(join(PIPELINES, path));
      files[path] = { sha256: sha256(bytes), bytes: bytes.length };
      await json('PUT', `/uploads/${files[path].sha256}`, { body: bytes });
    }
    return files;
  };
  return {
    engine,
    ask,
    json,
    token: (scope) => json('POST', '/tokens', { body: { name: `${scope} token`, scope } }),
    put: async (name, change = (text) => text) => {
      const files = await (uploaded ??= upload());
      return json('PUT', `/pipelines/${name}`, { body: { text: change(smallPipeline(name)), files } });
    },
    ended: async (id) => {
      for (;;) {
        const run = await json<RunRecord>('GET', `/runs/${id}`);
        if (run.state !== 'queued' && run.state !== 'running') return run;
        await sleep(50);
      }
    },
    events: async (id) => {
      const lines = await (await ask('GET', `/runs/${id}/log?limit=10000`)).text();
      return lines
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as RunEvent);
    },
    logged: () => readFileSync(join(folder.path, 'workerd.log'), 'utf8'),
    close: async () => {
      await engine.stop();
      folder.remove();
    },
  };
}
