/**
 * Rows of a layer with fewer samples than units: the shifted activations themselves, float32 [samples × units] by
 * network, and the products of such rows, which whoever reduces them forms.
 */
import { PipelineError } from '../errors.ts';
import type { ProductSession } from '../onnx/product.ts';
import { ROW_SAMPLES } from '../plan/work.ts';
import { addProducts } from './moments.ts';
import type { LayerUnits, Moments } from './moments.ts';

/** Rows for `samples` samples, by network of `units`; {@link fillRows} fills them. */
export function emptyRows(units: LayerUnits, samples: number): Float32Array[] {
  return units.units.map((count) => new Float32Array(samples * count));
}

/** Writes samples `y` [(C + 1) × k] as rows from sample `at` on. */
export function fillRows(
  rows: readonly Float32Array[],
  units: LayerUnits,
  y: Float32Array,
  k: number,
  at: number,
): void {
  for (const [network, own] of rows.entries()) {
    const count = units.units[network]!;
    const first = units.offsets[network]! * k;
    transpose(y.subarray(first, first + count * k), count, k, own.subarray(at * count, (at + k) * count));
  }
}

/**
 * Adds the products of rows to `into`; `rows` by network of `units`, float32 [samples × units], finite.
 * O(samples · C²).
 * @throws PipelineError `not-finite` where a product passes what float32 can hold
 */
export async function addRowProducts(
  into: Moments,
  units: LayerUnits,
  rows: readonly Float32Array[],
  samples: number,
  product: ProductSession,
): Promise<void> {
  const total = units.offsets.at(-1)!;
  for (let from = 0; from < samples; from += ROW_SAMPLES) {
    const k = Math.min(ROW_SAMPLES, samples - from);
    const y = new Float32Array((total + 1) * k);
    for (const [at, own] of rows.entries()) {
      const count = units.units[at]!;
      const first = units.offsets[at]! * k;
      transpose(own.subarray(from * count, (from + k) * count), k, count, y.subarray(first, first + count * k));
    }
    y.fill(1, total * k);
    await addProducts(into, units, y, k, product);
  }
  // rows are finite, but their products needn't be; the largest are those of a unit with itself
  for (const squares of into.squares.values()) {
    if (squares.every(Number.isFinite)) continue;
    throw new PipelineError(
      'not-finite',
      'expected sums of squares that float32 can hold; found activations too large',
      { hint: 'tap a tensor with smaller activations' },
    );
  }
}

// [m × n] to [n × m], in tiles that stay in cache
function transpose(from: Float32Array, m: number, n: number, to: Float32Array): void {
  const tile = 32;
  for (let i0 = 0; i0 < m; i0 += tile) {
    const i1 = Math.min(m, i0 + tile);
    for (let j0 = 0; j0 < n; j0 += tile) {
      const j1 = Math.min(n, j0 + tile);
      for (let j = j0; j < j1; j++) for (let i = i0; i < i1; i++) to[j * m + i] = from[i * n + j]!;
    }
  }
}
