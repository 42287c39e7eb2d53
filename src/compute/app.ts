/**
 * The compute server's HTTP side: files come in by hash, a task comes in with its rows and objects, its object goes
 * out. Everything is bounded; what is too large or too much is refused before it is read. Knows the pool and the
 * cache; starts and ends nothing.
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Hono, type Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { CODES, fromUnknown, PipelineError, type ErrorCode } from '../errors.ts';
import type { FileCache } from './cache.ts';
import type { JobDone } from './jobs.ts';
import type { MadeObjects } from './made.ts';
import { partBytes, type TaskFigures } from './parts.ts';
import type { Pool } from './pool.ts';
import { LENGTH_BYTES, readHashes, readTaskHeader, TASK_FIGURES, type TaskHeader } from './request.ts';
import { readBody, spoolBody, streamAndRemove, type BodyReader } from './stream.ts';
import { TooManyWaiting, type Turns } from './turns.ts';

/** Bounds of the server; {@link DEFAULT_LIMITS} says what each is by default. */
export interface Limits {
  bodyBytes: number;
  fileBytes: number;
  headerBytes: number;
  /** A sender or receiver that moves nothing for so long is given up. */
  stallSeconds: number;
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 8 * 2 ** 30,
  fileBytes: 8 * 2 ** 30,
  headerBytes: 4 * 2 ** 20,
  stallSeconds: 60,
};

/** What the app works with. */
export interface AppParts {
  pool: Pool;
  cache: FileCache;
  made: MadeObjects;
  /** Who may spool a body. */
  turns: Turns;
  /** An existing folder for tasks under way. */
  spoolFolder: string;
  limits: Limits;
  token?: string | undefined;
  /** Aborted when the server takes no more work. */
  closing: AbortSignal;
}

const HASH = /^[0-9a-f]{64}$/;
const RETRY_AFTER_SECONDS = '5';

export function computeApp(parts: AppParts): Hono {
  const { pool, cache, made, turns, limits, closing } = parts;
  const app = new Hono();

  app.onError((thrown) => {
    if (thrown instanceof HTTPException) return thrown.getResponse();
    const error = fromUnknown(thrown);
    return Response.json(error.toJSON(), { status: CODES[error.code].http });
  });
  app.notFound(() => refusal(404, 'usage', 'expected a path of this server').getResponse());

  // a connection must not be kept by a server that goes away
  app.use(async (c, next) => {
    await next();
    if (closing.aborted) c.header('connection', 'close');
  });

  app.get('/health', (c) => {
    const { runtime, children, busy, waiting } = pool.status();
    const status = closing.aborted ? 'closing' : 'ok';
    const health = { status, runtime, children, busy, waiting: waiting + turns.waiting(), cacheBytes: cache.bytes() };
    return c.json(health, closing.aborted ? 503 : 200);
  });

  app.use(async (c, next) => {
    if (parts.token !== undefined && !carries(c.req.header('authorization'), parts.token))
      throw refusal(401, 'usage', 'expected the bearer token of this server', { 'www-authenticate': 'Bearer' });
    if (closing.aborted) throw goingAway();
    await next();
  });

  // Hono answers HEAD with the GET of the same path
  app.get('/inputs/:sha256', (c) => c.body(null, cache.has(hashOf(c)) ? 200 : 404));
  // asked before a task is sent, whose body an early answer would cut off
  app.post('/inputs/missing', async (c) => {
    contentLength(c, limits.headerBytes);
    const asked = readHashes(await c.req.json().catch(() => null));
    return c.json({ missing: asked.filter((sha256) => !cache.has(sha256)) });
  });
  app.put('/inputs/:sha256', async (c) => {
    const sha256 = hashOf(c);
    const bytes = contentLength(c, limits.fileBytes);
    if (!cache.has(sha256)) await cache.put(sha256, bytes, bodyOf(c, limits).rest());
    return c.body(null, 204);
  });

  app.post('/tasks', async (c) => {
    const length = contentLength(c, limits.bodyBytes);
    const body = bodyOf(c, limits);
    const { header, spoolBytes } = await readHeader(body, length, limits);
    const needed = [header.planHash, ...header.files];
    const missing = needed.filter((sha256) => !cache.has(sha256));
    if (missing.length > 0) return c.json({ missing }, 424);

    // from here on it takes disk and holds files: in turn
    const signal = AbortSignal.any([c.req.raw.signal, closing]);
    const leave = await turns.take(signal).catch((thrown: unknown) => {
      if (closing.aborted) throw goingAway();
      if (thrown instanceof TooManyWaiting) throw busy();
      throw new PipelineError('usage', 'expected a client that waits; found it gone', { cause: thrown });
    });
    try {
      const held = await cache.hold(needed);
      try {
        if (held.missing.length > 0) return c.json({ missing: held.missing }, 424);
        const objects = made.hold(madeKeys(header));
        if (objects.missing.length > 0) return c.json({ missing: objects.missing }, 424);
        try {
          return await answerTask(header, body, spoolBytes, parts, c.req.raw.signal);
        } finally {
          objects.release();
        }
      } finally {
        held.release();
      }
    } finally {
      leave();
    }
  });

  return app;
}

async function readHeader(
  body: BodyReader,
  length: number,
  limits: Limits,
): Promise<{ header: TaskHeader; spoolBytes: number }> {
  const lengthBytes = await body.take(LENGTH_BYTES);
  const headerBytes = new DataView(lengthBytes.buffer).getUint32(0, true);
  if (headerBytes > limits.headerBytes)
    throw refusal(413, 'usage', `expected a header of at most ${limits.headerBytes} bytes; found ${headerBytes}`);
  const header = readTaskHeader(await body.take(headerBytes));
  const spoolBytes = header.parts.reduce((sum, part) => sum + partBytes(part), 0);
  const expected = LENGTH_BYTES + headerBytes + spoolBytes;
  if (length !== expected)
    throw new PipelineError('usage', `expected content-length ${expected}, as the header says; found ${length}`);
  return { header, spoolBytes };
}

// spools the parts, runs the task, and leaves nothing behind but the answer's open file
async function answerTask(
  header: TaskHeader,
  body: BodyReader,
  spoolBytes: number,
  { pool, cache, made, spoolFolder, limits }: AppParts,
  signal: AbortSignal,
): Promise<Response> {
  const spoolPath = join(spoolFolder, `${randomUUID()}.in`);
  const resultPath = join(spoolFolder, `${randomUUID()}.out`);
  try {
    await spoolBody(body, spoolPath, spoolBytes);
    const folders = { filesFolder: cache.folder, madeFolder: made.folder };
    const done: JobDone = await pool.run({ ...header, ...folders, spoolPath, resultPath }, signal);
    await made.keep(done.key, resultPath, done.bytes);
    const figures: TaskFigures = { seconds: done.seconds, peakBytes: done.peakBytes };
    return new Response(await streamAndRemove(resultPath, limits.stallSeconds * 1000), {
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(done.bytes),
        [TASK_FIGURES]: JSON.stringify(figures),
      },
    });
  } catch (thrown) {
    // the next attempt gets what the bucket has
    if (fromUnknown(thrown).code === 'object-damaged') await made.forget(madeKeys(header));
    throw thrown;
  } finally {
    await Promise.all([spoolPath, resultPath].map((path) => rm(path, { force: true })));
  }
}

function madeKeys({ parts }: TaskHeader): string[] {
  return parts.flatMap((part) => (part.kind === 'made' ? [part.key] : []));
}

function hashOf(c: Context): string {
  const sha256 = c.req.param('sha256') ?? '';
  if (!HASH.test(sha256)) throw refusal(400, 'usage', 'expected a SHA-256 in lower-case hex in the path');
  return sha256;
}

function contentLength(c: Context, most: number): number {
  const text = c.req.header('content-length');
  if (text === undefined || !/^\d{1,15}$/.test(text)) throw refusal(411, 'usage', 'expected a content-length');
  const bytes = Number(text);
  if (bytes > most) throw refusal(413, 'usage', `expected a body of at most ${most} bytes; found ${bytes}`);
  return bytes;
}

function bodyOf(c: Context, { stallSeconds }: Limits): BodyReader {
  return readBody(c.req.raw.body, stallSeconds * 1000);
}

// both sides hashed: equal lengths, and a time that tells nothing
function carries(authorization: string | undefined, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${token}`));
}

function busy(): HTTPException {
  return refusal(503, 'task-failed', 'expected a place to wait; found too many tasks waiting', {
    'retry-after': RETRY_AFTER_SECONDS,
  });
}

function goingAway(): HTTPException {
  return refusal(503, 'task-failed', 'expected a server that stays; found it shutting down', {
    'retry-after': RETRY_AFTER_SECONDS,
    connection: 'close',
  });
}

// an answer whose status the table of codes doesn't know
function refusal(
  status: 400 | 401 | 404 | 411 | 413 | 503,
  code: ErrorCode,
  message: string,
  headers: Record<string, string> = {},
): HTTPException {
  const record = new PipelineError(code, message).toJSON();
  return new HTTPException(status, { res: Response.json(record, { status, headers }) });
}
