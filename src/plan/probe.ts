/** Probe data as a plan takes it, told from the first bytes of its file. */
import { PipelineError } from '../errors.ts';
import { NPY_HEADER_MOST_BYTES, parseNpyHeader } from '../numeric/npy.ts';
import type { PlannedData } from './plan.ts';

/** Probe data by its header alone: its content isn't hashed yet. */
export type ProbeHeader = Omit<PlannedData, 'sha256' | 'chunksSha256'> & { rows: number };

/** Bytes at the beginning of a file of `sizeBytes` that hold its header whole. */
export const probeHeadBytes = (sizeBytes: number): number => Math.min(sizeBytes, NPY_HEADER_MOST_BYTES);

/**
 * The header of a .npy file of probe data: uint8 or float32 [rows × ...], at least two axes.
 * @param head the file's first {@link probeHeadBytes}
 * @param path of the file, in messages
 * @throws PipelineError `data-invalid`
 */
export function parseProbeHeader(head: Uint8Array, path: string, sizeBytes: number): ProbeHeader {
  const { dtype, shape, offset } = parseNpyHeader(head, path, sizeBytes, ['uint8', 'float32']);
  const [rows, ...rowShape] = shape;
  if (rows === undefined || rowShape.length === 0) {
    const found = `shape (${shape.join(', ')})`;
    throw new PipelineError('data-invalid', `${path}: expected rows of data, at least two axes; found ${found}`);
  }
  return { sizeBytes, dtype: dtype as PlannedData['dtype'], rowShape, offset, rows };
}
