/** Bodies of requests, bounded by what a route can need; counted as they come, whatever the request says of itself. */
import type { MiddlewareHandler } from 'hono';
import { PipelineError } from '../errors.ts';
import type { ServiceEnv } from './access.ts';

/** The body of a request, whole. @throws PipelineError `too-large` before more than `most` bytes are held */
export async function boundedBytes(request: Request, most: number): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(request.headers.get('content-length')) > most) throw tooLarge(most);
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of request.body ?? []) {
    length += piece.length;
    if (length > most) throw tooLarge(most);
    pieces.push(piece);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Reads the body before a route's schema does, so that a large one goes no further. */
export function bodyOf(mostBytes: number): MiddlewareHandler<ServiceEnv> {
  return async (c, next) => {
    const { method, headers, url } = c.req.raw;
    c.req.raw = new Request(url, { method, headers, body: await boundedBytes(c.req.raw, mostBytes) });
    await next();
  };
}

/**
 * The body as a stream of a known length, which the bucket asks for; it ends with an error where more or fewer bytes come.
 * @throws PipelineError `usage` without a length, `too-large` beyond `mostBytes`
 */
export function sizedBody(request: Request, mostBytes: number): { body: ReadableStream; bytes: number } {
  const header = request.headers.get('content-length');
  const bytes = Number(header);
  if (header === null || !Number.isSafeInteger(bytes) || bytes < 0)
    throw new PipelineError('usage', 'expected a content-length; found none');
  if (bytes > mostBytes) throw tooLarge(mostBytes);
  const { readable, writable } = new FixedLengthStream(bytes);
  if (request.body) request.body.pipeTo(writable).catch(() => undefined);
  else void writable.close();
  return { body: readable, bytes };
}

function tooLarge(most: number): PipelineError {
  return new PipelineError('too-large', `expected a body of at most ${most} bytes; found more`);
}
