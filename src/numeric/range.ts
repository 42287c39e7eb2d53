/** Bytes that are read by range: an object in a bucket, a file on disk, a buffer. Never holds more than it is asked for. */
import { PipelineError } from '../errors.ts';

/** Random access to `size` bytes. What a read gives may be a view of what others read too: it is not to be written to. */
export interface RangeSource {
  size: number;
  /** Bytes [start, end), 0 ≤ start ≤ end ≤ size. */
  read(start: number, end: number): Promise<Uint8Array>;
}

/** Bytes that are read at once, and that one piece of a large object has at most. */
export const RANGE_CHUNK_BYTES = 8 * 2 ** 20;

/** A buffer as a range source; reads are views of it. */
export function bufferSource(bytes: Uint8Array): RangeSource {
  return { size: bytes.length, read: (start, end) => Promise.resolve(bytes.subarray(start, end)) };
}

/**
 * Bytes [start, end) of `source`. For whoever can't trust a source to be as long as it says.
 *
 * @throws object-damaged where the source gives another number of bytes; whatever the source throws
 */
export async function readRange(source: RangeSource, start: number, end: number): Promise<Uint8Array> {
  const bytes = await source.read(start, end);
  if (bytes.length === end - start) return bytes;
  throw new PipelineError('object-damaged', `expected ${end - start} bytes from ${start} on; found ${bytes.length}`);
}

/**
 * Bytes [start, end) in order, in pieces of `chunkBytes`, the last one shorter; an empty range gives none. Reads one
 * piece ahead, so that two are held at once.
 *
 * @throws as {@link readRange}
 */
export async function* rangeChunks(
  source: RangeSource,
  start: number,
  end: number,
  chunkBytes = RANGE_CHUNK_BYTES,
): AsyncGenerator<Uint8Array> {
  const read = (at: number): Promise<Uint8Array> => readRange(source, at, Math.min(at + chunkBytes, end));
  let ahead = start < end ? read(start) : undefined;
  for (let at = start; ahead !== undefined; at += chunkBytes) {
    const chunk = await ahead;
    ahead = at + chunkBytes < end ? read(at + chunkBytes) : undefined;
    ahead?.catch(() => undefined); // thrown when its turn comes; whoever stops before doesn't hear of it
    yield chunk;
  }
}
