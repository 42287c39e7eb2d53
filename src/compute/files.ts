/**
 * Input files by path, as the command line and its child processes read them: models whole, the files beside a model
 * that its weights lie in by range, anything large hashed in one pass.
 */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PipelineError } from '../errors.ts';
import type { Place } from '../errors.ts';
import type { RangeSource } from '../numeric/range.ts';
import type { ReadExternal } from '../onnx/external.ts';
import { CHUNK_BYTES } from '../runtime/limits.ts';

/** @throws PipelineError `file-missing` with the key that names the file */
export function readInput(path: string, what: string, place?: Place): Uint8Array {
  requireFile(path, what, place);
  return readFileSync(path);
}

/** @throws PipelineError `file-missing` unless `path` is a readable file */
export function requireFile(path: string, what: string, place?: Place): void {
  let found: string | undefined;
  try {
    if (!statSync(path).isFile()) found = 'no file';
    else closeSync(openSync(path, 'r'));
  } catch (error) {
    found = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'nothing' : (error as Error).message;
  }
  if (found === undefined) return;
  throw new PipelineError('file-missing', `expected ${what} at ${path}; found ${found}`, {
    place,
    hint: place ? 'paths are relative to the pipeline file' : 'check the path',
  });
}

/** Opens the files beside the model at `modelPath`. @throws PipelineError `file-missing` naming the path */
export function besideModel(modelPath: string): ReadExternal {
  // async, so that a missing file rejects
  return async (location) => {
    const path = join(dirname(modelPath), location);
    requireFile(path, `weights of ${modelPath}`);
    return fileSource(path);
  };
}

/** A file by range; open only while it is read. */
export function fileSource(path: string): RangeSource {
  return {
    size: statSync(path).size,
    read: async (start, end) => {
      const bytes = new Uint8Array(end - start);
      const file = openSync(path, 'r');
      try {
        let at = 0;
        // a read may give less than asked for; 0: the file has become shorter
        for (let count = -1; at < bytes.length && count !== 0; at += count) {
          count = readSync(file, bytes, at, bytes.length - at, start + at);
        }
        return bytes.subarray(0, at);
      } finally {
        closeSync(file);
      }
    },
  };
}

/** The content of a file that is read by range: its hash, and the list of its chunks' hashes. */
export interface HashedFile {
  sha256: string;
  sizeBytes: number;
  chunksSha256: string;
  /** [chunks × 32] */
  chunkHashes: Uint8Array;
}

/** Hashes a file front to back. Memory does not grow with the file. */
export async function hashFile(path: string): Promise<HashedFile> {
  const whole = createHash('sha256');
  const hashes: Buffer[] = [];
  let chunk = createHash('sha256');
  let filled = 0;
  let sizeBytes = 0;
  for await (const piece of createReadStream(path, { highWaterMark: 16 * CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    whole.update(piece);
    sizeBytes += piece.length;
    for (let at = 0; at < piece.length;) {
      const take = Math.min(piece.length - at, CHUNK_BYTES - filled);
      chunk.update(piece.subarray(at, at + take));
      at += take;
      filled += take;
      if (filled === CHUNK_BYTES) {
        hashes.push(chunk.digest());
        chunk = createHash('sha256');
        filled = 0;
      }
    }
  }
  if (filled > 0) hashes.push(chunk.digest());
  const chunkHashes = Buffer.concat(hashes);
  const chunksSha256 = createHash('sha256').update(chunkHashes).digest('hex');
  return { sha256: whole.digest('hex'), sizeBytes, chunksSha256, chunkHashes };
}
