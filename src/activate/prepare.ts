/**
 * Probe rows to network input: axes put in the model's order, then float32 (x / scale − mean[c]) / std[c],
 * each operation rounded to float32, as PyTorch and numpy do it on float32 arrays.
 */
import type { PlannedData } from '../plan/plan.ts';
import type { Preprocessing } from '../plan/layers.ts';
import { PipelineError } from '../errors.ts';

/** Turns the raw bytes of whole rows into one input, float32 [rows × model's row], valid until the next is asked for. */
export type RowPreparer = (bytes: Uint8Array, rows: number) => Float32Array;

/** The preparer of one network's input; builds its tables once. */
export function rowPreparer(data: PlannedData, preprocessing: Preprocessing): RowPreparer {
  const size = data.rowShape.reduce((product, axis) => product * axis, 1);
  const { source, channel } = elementTables(data.rowShape, preprocessing);
  const scale = perChannel(preprocessing.scale, preprocessing.channels);
  const mean = perChannel(preprocessing.mean, preprocessing.channels);
  const std = perChannel(preprocessing.std, preprocessing.channels);
  const normalise = (x: number, c: number): number =>
    Math.fround(Math.fround(Math.fround(x / scale[c]!) - mean[c]!) / std[c]!);

  let kept = new Float32Array(0);
  const inputFor = (rows: number): Float32Array => {
    if (kept.length !== rows * size) kept = new Float32Array(rows * size);
    return kept;
  };

  if (data.dtype === 'uint8') {
    // 256 values per channel: look them up
    const table = new Float32Array(256 * preprocessing.channels);
    for (let k = 0; k < table.length; k++) table[k] = normalise(k % 256, k >> 8);
    return (bytes, rows) => {
      const input = inputFor(rows);
      for (let row = 0, at = 0; row < rows; row++) {
        const start = row * size;
        for (let k = 0; k < size; k++) input[at++] = table[channel[k]! * 256 + bytes[start + source[k]!]!]!;
      }
      return input;
    };
  }
  return (bytes, rows) => {
    const values = floatsOf(bytes);
    const input = inputFor(rows);
    for (let row = 0, at = 0; row < rows; row++) {
      const start = row * size;
      for (let k = 0; k < size; k++) input[at++] = normalise(values[start + source[k]!]!, channel[k]!);
    }
    return input;
  };
}

/**
 * Refuses NaN and infinity in raw float32 rows.
 * @throws PipelineError `not-finite` with the row of the probe data
 */
export function requireFiniteRows(data: PlannedData, bytes: Uint8Array, firstRow: number): void {
  if (data.dtype !== 'float32') return;
  const size = data.rowShape.reduce((product, axis) => product * axis, 1);
  const at = floatsOf(bytes).findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const row = firstRow + Math.floor(at / size);
  throw new PipelineError(
    'not-finite',
    `expected finite probe data; found ${floatsOf(bytes)[at]} in row ${row}, element ${at % size}`,
    {
      hint: 'remove or repair the row (rows count from 0)',
    },
  );
}

function floatsOf(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

function perChannel(values: readonly number[], channels: number): Float32Array {
  return Float32Array.from({ length: channels }, (_, c) => values[values.length === 1 ? 0 : c]!);
}

// for each element of the model's row, in order: which element of the data's row it is, and its channel
function elementTables(
  rowShape: readonly number[],
  preprocessing: Preprocessing,
): { source: Int32Array; channel: Int32Array } {
  const { axes, shape, channelAxis } = preprocessing;
  const size = rowShape.reduce((product, axis) => product * axis, 1);
  const strides = rowShape.map((_, axis) => rowShape.slice(axis + 1).reduce((product, length) => product * length, 1));
  const source = new Int32Array(size);
  const index = axes.map(() => 0);
  for (let k = 0; k < size; k++) {
    source[k] = axes.reduce((total, axis, i) => total + index[i]! * strides[axis]!, 0);
    for (let i = axes.length - 1; i >= 0; i--) {
      index[i]!++;
      if (index[i]! < rowShape[axes[i]!]!) break;
      index[i] = 0;
    }
  }
  const channel = new Int32Array(size);
  if (channelAxis !== null) {
    const stride = shape.slice(channelAxis + 1).reduce((product, length) => product * length, 1);
    for (let k = 0; k < size; k++) channel[k] = Math.floor(k / stride) % shape[channelAxis]!;
  }
  return { source, channel };
}
