/** Bodies of requests, bounded by what a route can need; counted as they come, whatever the request says of itself. */
import type { MiddlewareHandler } from 'hono';
import { PipelineError } from '../errors.ts';
import type { ServiceEnv } from './access.ts';

/** Reads a body whole. @throws PipelineError `too-large` beyond `mostBytes` */
export async function readBody(request: Request, mostBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw tooLarge(mostBytes);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Reads the body before a route's schema does, so that a large one goes no further. */
export function bodyOf(mostBytes: number): MiddlewareHandler<ServiceEnv> {
  return async (c, next) => {
    const { method, headers, url } = c.req.raw;
    c.req.raw = new Request(url, { method, headers, body: await readBody(c.req.raw, mostBytes) });
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

function tooLarge(mostBytes: number): PipelineError {
  return new PipelineError('too-large', `expected at most ${mostBytes} bytes; found more`);
}
