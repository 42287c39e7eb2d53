/** The amounts a plan is made of: rows, samples, weights, operations. */
import type { ModelInspection } from '../inspect/inspect.ts';
import type { RowRange } from './groups.ts';
import type { PlannedData } from './plan.ts';
import { BUDGETS } from './providers.ts';
import type { ProviderName } from './providers.ts';

/**
 * Units on one side of a product of samples, so that its cost is near half of the full square. Measured: 96 is best up
 * to 768 units.
 */
export const TILE_UNITS = 96;
/** Samples of rows that are gathered and multiplied at a time: a long inner dimension. */
export const ROW_SAMPLES = 4096;
/**
 * Activations that are copied into the memory of samples at a time, to be shifted there: 512 KiB, which stay in cache.
 * Measured: a quarter is as good for runs of positions, and half as good where units lie side by side.
 */
export const SLAB_VALUES = 131_072;

/** Rows of a task's ranges. */
export function rowsOf(ranges: readonly RowRange[]): number {
  return ranges.reduce((total, [start, end]) => total + end - start, 0);
}

/** Bytes of one row of probe data. */
export function bytesOfRow(data: Pick<PlannedData, 'dtype' | 'rowShape'>): number {
  return data.rowShape.reduce((product, axis) => product * axis, data.dtype === 'uint8' ? 1 : 4);
}

/** Samples of one product in a task of `samples` samples. */
export function productSamples(provider: ProviderName, samples: number): number {
  return Math.min(BUDGETS[provider].productSamples, samples);
}

/** Operations per row that the taps of `layers` need in one network. */
export function flopsOf(model: ModelInspection, layers: readonly number[]): number {
  return partsOf(model, layers).reduce((sum, part) => sum + part.flops, 0);
}

/** Bytes of the weights that the taps of `layers` need in one network. */
export function weightsOf(model: ModelInspection, layers: readonly number[]): number {
  return partsOf(model, layers).reduce((sum, part) => sum + part.weightsBytes, 0);
}

/** Bytes of the weights that are kept a second time, packed. */
export function packedOf(model: ModelInspection, layers: readonly number[]): number {
  return partsOf(model, layers).reduce((sum, part) => sum + part.packedBytes, 0);
}

function partsOf({ parts }: ModelInspection, layers: readonly number[]): ModelInspection['parts'] {
  return parts.filter((part) => part.taps.some((tap) => layers.includes(tap)));
}
