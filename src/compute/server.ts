/**
 * The compute server as a whole: pool, cache and HTTP, started and ended together. The command line starts it in its
 * own process, the container through `main.ts`; both get the same server.
 */
import { createReadStream, mkdirSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createAdaptorServer } from '@hono/node-server';
import { computeApp, DEFAULT_LIMITS, type Limits } from './app.ts';
import { openCache } from './cache.ts';
import { deferred } from './deferred.ts';
import { openMade } from './made.ts';
import { NATIVE_BUDGET_BYTES, openPool, poolSize, type Pool } from './pool.ts';
import { openTurns } from './turns.ts';

const DEFAULT_CACHE_BYTES = 20 * 2 ** 30;
/** Objects that are kept for the next tasks, beside the files: at most so many bytes, and a quarter of theirs. */
const MADE_BYTES = 4 * 2 ** 30;
/** The LASSO of a wide layer takes minutes; a hang is found out the later. */
export const DEFAULT_TASK_SECONDS = 3600;
const DEFAULT_WAITING = 256;
/** Connections beyond those that work or wait: health checks, files. */
const MORE_CONNECTIONS = 256;
/** Bytes of a file that are read at a time. */
const READ_BYTES = 2 ** 20;
/** Answers on their way when the last task is done. */
const LAST_ANSWERS_MS = 10_000;

/** What child processes may take. */
export interface ChildOptions {
  /** Most child processes; default: as many as cores, and as fit the memory. */
  children?: number;
  /** Memory of a task, default {@link NATIVE_BUDGET_BYTES}. */
  childBytes?: number;
  /** Wall-clock time of a task's attempt. */
  taskSeconds?: number;
  /** Tasks that may wait, their bodies unread. */
  mostWaiting?: number;
  /** The built entry of a child process; default: `child.js` beside the bundle. */
  childModule?: string;
}

export interface ComputeOptions extends ChildOptions {
  /** Folder of files and of tasks under way; one server to each. */
  cacheFolder: string;
  cacheBytes?: number;
  /** Children that start at once, default 1; the others when there is work for them. */
  childrenAtStart?: number;
  limits?: Partial<Limits>;
  /** Bearer token that requests must carry. */
  token?: string;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 0: any. */
  port?: number;
}

export interface ComputeServer extends Pick<Pool, 'inspect'> {
  url: string;
  /** Name and version of the runtime. */
  runtime: string;
  /** Most child processes. */
  children: number;
  /**
   * Takes a file of this machine into the cache, as if it had been sent.
   * @throws PipelineError as the cache says; what the file's reader throws
   */
  keep(sha256: string, path: string): Promise<void>;
  /** Takes no more work, lets running tasks end for `graceMs` (default: a task's time), ends all children. */
  close(graceMs?: number): Promise<void>;
}

/** Child processes as the server has them, started when there is work for them. */
export function openNativePool(options: ChildOptions = {}): Pool {
  const childBytes = options.childBytes ?? NATIVE_BUDGET_BYTES;
  return openPool({
    module: options.childModule ?? fileURLToPath(new URL('./child.js', import.meta.url)),
    children: options.children ?? poolSize(childBytes),
    childBytes,
    taskSeconds: options.taskSeconds ?? DEFAULT_TASK_SECONDS,
    mostWaiting: options.mostWaiting ?? DEFAULT_WAITING,
  });
}

/** Starts a server whose runtime is known to load. @throws PipelineError `internal` where it doesn't; listen's errors */
export async function startCompute(options: ComputeOptions): Promise<ComputeServer> {
  const taskSeconds = options.taskSeconds ?? DEFAULT_TASK_SECONDS;
  const mostWaiting = options.mostWaiting ?? DEFAULT_WAITING;
  const children = options.children ?? poolSize(options.childBytes ?? NATIVE_BUDGET_BYTES);
  const spoolFolder = join(options.cacheFolder, 'spool');
  rmSync(spoolFolder, { recursive: true, force: true });
  mkdirSync(spoolFolder, { recursive: true });

  const closing = new AbortController();
  const cacheBytes = options.cacheBytes ?? DEFAULT_CACHE_BYTES;
  const cache = openCache(options.cacheFolder, cacheBytes);
  const made = openMade(join(options.cacheFolder, 'made'), Math.min(MADE_BYTES, cacheBytes / 4));
  const pool = openNativePool(options);
  // one body more than children: the next task is on disk when a child is free
  const turns = openTurns(children + 1, mostWaiting);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const app = computeApp({
    pool,
    cache,
    made,
    turns,
    spoolFolder,
    limits,
    token: options.token,
    closing: closing.signal,
  });

  const server = createAdaptorServer({
    fetch: app.fetch,
    // this process may be somebody else's
    overrideGlobalObjects: false,
    // bodies wait unread for their turn; who stalls while being read is given up by the reader
    serverOptions: { requestTimeout: 0 },
  }) as Server;
  server.maxConnections = mostWaiting + children + MORE_CONNECTIONS;
  const answers = new Set<Promise<void>>();
  server.on('request', (_, response: ServerResponse) => {
    const done = new Promise<void>((resolve) => {
      response.once('close', () => {
        answers.delete(done);
        resolve();
      });
    });
    answers.add(done);
  });

  let runtime: string;
  try {
    runtime = await pool.ready(options.childrenAtStart);
    await listen(server, options.port ?? 0, options.host ?? '127.0.0.1');
  } catch (error) {
    await pool.close(0);
    throw error;
  }
  const { address, family, port } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    runtime,
    children,
    inspect: pool.inspect,
    async keep(sha256, path) {
      if (cache.has(sha256)) return;
      const { size } = await stat(path);
      await cache.put(sha256, size, createReadStream(path, { highWaterMark: READ_BYTES }));
    },
    async close(graceMs = taskSeconds * 1000) {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      closing.abort();
      await pool.close(graceMs);
      const late = deferred<void>();
      const limit = setTimeout(late.resolve, LAST_ANSWERS_MS);
      await Promise.race([Promise.all(answers), late.promise]);
      clearTimeout(limit);
      // Node takes a connection that never carried a request for a busy one
      server.closeAllConnections();
      await closed;
      for (const left of [spoolFolder, made.folder]) rmSync(left, { recursive: true, force: true });
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}
