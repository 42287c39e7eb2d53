/** Input files as the commands read them: pipeline text, models, and probe data hashed in one pass. */
import { createHash } from 'node:crypto';
import { createReadStream, openSync, closeSync, readFileSync, readSync, statSync } from 'node:fs';
import { PipelineError } from '../errors.ts';
import type { Place } from '../errors.ts';
import { NPY_HEADER_MOST_BYTES, parseNpyHeader } from '../numeric/npy.ts';
import { located } from '../plan/layers.ts';
import type { PlannedData } from '../plan/plan.ts';
import { CHUNK_BYTES } from '../runtime/limits.ts';

/** Probe data: what the plan needs of it, how many rows it has, and the list of its chunks' hashes. */
export interface ProbeFile {
  path: string;
  data: PlannedData;
  rows: number;
  /** [chunks × 32] */
  chunkHashes: Uint8Array;
}

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

/** The header of a .npy file of probe data. @throws PipelineError `data-invalid` */
export function readProbeHeader(
  path: string,
  place?: Place,
): Omit<PlannedData, 'sha256' | 'chunksSha256'> & { rows: number } {
  requireFile(path, 'probe data', place);
  const sizeBytes = statSync(path).size;
  const head = new Uint8Array(Math.min(sizeBytes, NPY_HEADER_MOST_BYTES));
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return located(place ?? { file: path }, () => {
    const { dtype, shape, offset } = parseNpyHeader(head, path, sizeBytes, ['uint8', 'float32']);
    const [rows, ...rowShape] = shape;
    if (rows === undefined || rowShape.length === 0) {
      throw new PipelineError(
        'data-invalid',
        `${path}: expected rows of data, at least two axes; found shape (${shape.join(', ')})`,
      );
    }
    return { sizeBytes, dtype: dtype as PlannedData['dtype'], rowShape, offset, rows };
  });
}

/** The content of a file that is read by range: its hash, and the list of its chunks' hashes. */
export interface HashedFile {
  sha256: string;
  sizeBytes: number;
  chunksSha256: string;
  /** [chunks × 32] */
  chunkHashes: Uint8Array;
}

/** Reads probe data once, front to back: its hash and its chunks' hashes. */
export async function readProbe(path: string, place?: Place): Promise<ProbeFile> {
  const { rows, ...header } = readProbeHeader(path, place);
  const { sha256, chunksSha256, chunkHashes } = await hashFile(path);
  return { path, data: { ...header, sha256, chunksSha256 }, rows, chunkHashes };
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
