/**
 * Request bodies and answers as bounded streams: a body is read in order, never faster than it is written to disk,
 * and given up when its sender stalls; a result is read from its file as its receiver takes it.
 */
import { open, rm } from 'node:fs/promises';
import { PipelineError } from '../errors.ts';
import { deferred } from './deferred.ts';

const READ_BYTES = 256 * 1024;

/** A body, read front to back. */
export interface BodyReader {
  /** Exactly the next `bytes`. @throws PipelineError `usage` when the body ends before, or stalls */
  take(bytes: number): Promise<Uint8Array>;
  /** The pieces that are left. @throws PipelineError `usage` when it stalls */
  rest(): AsyncGenerator<Uint8Array>;
}

export function readBody(stream: ReadableStream<Uint8Array> | null, stallMs: number): BodyReader {
  const reader = stream?.getReader();
  let ahead = new Uint8Array(0);

  async function next(): Promise<Uint8Array | null> {
    if (ahead.length > 0) {
      const piece = ahead;
      ahead = new Uint8Array(0);
      return piece;
    }
    const read = await reader?.read().catch((error: unknown) => {
      throw new PipelineError('usage', `expected a whole body; found ${(error as Error).message}`, { cause: error });
    });
    return read === undefined || read.done ? null : read.value;
  }

  // a sender that stalls is given up
  async function nextInTime(): Promise<Uint8Array | null> {
    const stalled = deferred<never>();
    const timer = setTimeout(() => {
      stalled.reject(new PipelineError('usage', `expected a body that goes on; found nothing for ${stallMs / 1000} s`));
    }, stallMs);
    try {
      return await Promise.race([next(), stalled.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async take(bytes) {
      const whole = new Uint8Array(bytes);
      for (let filled = 0; filled < bytes;) {
        const piece = await nextInTime();
        if (piece === null) throw new PipelineError('usage', `expected ${bytes} bytes; found ${filled}`);
        const used = piece.subarray(0, bytes - filled);
        whole.set(used, filled);
        filled += used.length;
        ahead = new Uint8Array(piece.subarray(used.length));
      }
      return whole;
    },
    async *rest() {
      for (let piece = await nextInTime(); piece !== null; piece = await nextInTime()) yield piece;
    },
  };
}

/** Writes exactly `bytes` of what is left of a body to a new file. @throws PipelineError `usage`: another length */
export async function spoolBody(body: BodyReader, path: string, bytes: number): Promise<void> {
  const file = await open(path, 'wx');
  let found = 0;
  try {
    for await (const piece of body.rest()) {
      found += piece.length;
      if (found > bytes) break;
      await file.writeFile(piece);
    }
  } finally {
    await file.close();
  }
  if (found !== bytes)
    throw new PipelineError('usage', `expected ${bytes} bytes of parts; found ${found > bytes ? 'more' : found}`);
}

/**
 * The content of a file as a stream; the name is removed at once, the content goes with the stream. A receiver that
 * takes nothing for `stallMs` is given up.
 */
export async function streamAndRemove(path: string, stallMs: number): Promise<ReadableStream<Uint8Array>> {
  const file = await open(path);
  await rm(path, { force: true });
  let timer: NodeJS.Timeout | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(timer);
        const piece = new Uint8Array(READ_BYTES);
        const { bytesRead } = await file.read(piece, 0, READ_BYTES);
        if (bytesRead === 0) {
          await file.close();
          controller.close();
          return;
        }
        controller.enqueue(piece.subarray(0, bytesRead));
        timer = setTimeout(() => {
          controller.error(new PipelineError('usage', 'expected a receiver that takes its answer; found it stalled'));
          void file.close();
        }, stallMs);
      },
      async cancel() {
        clearTimeout(timer);
        await file.close();
      },
    },
    { highWaterMark: 0 },
  );
}
