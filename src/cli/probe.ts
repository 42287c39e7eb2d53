/** Probe data as the commands read it: its header, and its content hashed in one pass. */
import { openSync, closeSync, readSync, statSync } from 'node:fs';
import { hashFile, requireFile } from '../compute/files.ts';
import { PipelineError } from '../errors.ts';
import type { Place } from '../errors.ts';
import { NPY_HEADER_MOST_BYTES, parseNpyHeader } from '../numeric/npy.ts';
import { located } from '../plan/layers.ts';
import type { PlannedData } from '../plan/plan.ts';

/** Probe data: what the plan needs of it, how many rows it has, and the list of its chunks' hashes. */
export interface ProbeFile {
  path: string;
  data: PlannedData;
  rows: number;
  /** [chunks × 32] */
  chunkHashes: Uint8Array;
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

/** Reads probe data once, front to back: its hash and its chunks' hashes. */
export async function readProbe(path: string, place?: Place): Promise<ProbeFile> {
  const { rows, ...header } = readProbeHeader(path, place);
  const { sha256, chunksSha256, chunkHashes } = await hashFile(path);
  return { path, data: { ...header, sha256, chunksSha256 }, rows, chunkHashes };
}
