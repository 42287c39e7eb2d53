/**
 * Moments of one layer: Σ y yᵀ over samples y = x − provisional mean, one block for each two networks, and the sums
 * along it. Blocks are apart, so that a reducer reads only those it needs. Formed from float32 products, K ≤ 65,536
 * samples each, added in float64.
 */
import { PipelineError } from '../errors.ts';
import { triangleIndex, triangleLength } from '../numeric/triangle.ts';
import type { ProductSession } from '../onnx/product.ts';
import { TILE_UNITS } from '../plan/work.ts';

/** The same beyond WIDE_UNITS, where tiles are many. */
const WIDE_TILE_UNITS = 256;
const WIDE_UNITS = 2048;

/** The units of a layer, by network. */
export interface LayerUnits {
  /** Indices of the networks, rising. */
  networks: readonly number[];
  /** Units of each. */
  units: readonly number[];
  /** First unit of each among the concatenated ones, and their total C at the end. */
  offsets: readonly number[];
}

/** Units of `networks` one after another. */
export function layerUnits(networks: readonly number[], units: readonly number[]): LayerUnits {
  const offsets = [0];
  for (const count of units) offsets.push(offsets.at(-1)! + count);
  return { networks, units, offsets };
}

/** Σ over samples; a block [i, j], i ≤ j, stands under `${i}_${j}` by index of network. */
export interface Moments {
  samples: number;
  /** By network: Σ y and Σ y², float64 [units]. */
  sums: Map<number, Float64Array>;
  squares: Map<number, Float64Array>;
  /** i < j: [units_i × units_j] row-major; i = j: the upper triangle, row by row. Float64. */
  blocks: Map<string, Float64Array>;
}

export const blockName = (i: number, j: number): string => `${i}_${j}`;

/** The moments of no samples, for the blocks named, or all. */
export function emptyMoments(layer: LayerUnits, only?: ReadonlySet<string>): Moments {
  const blocks = new Map<string, Float64Array>();
  layer.networks.forEach((i, at) => {
    for (let other = at; other < layer.networks.length; other++) {
      const name = blockName(i, layer.networks[other]!);
      if (only && !only.has(name)) continue;
      const [p, q] = [layer.units[at]!, layer.units[other]!];
      blocks.set(name, new Float64Array(at === other ? triangleLength(p) : p * q));
    }
  });
  const each = (): Map<number, Float64Array> =>
    new Map(layer.networks.map((network, at) => [network, new Float64Array(layer.units[at]!)]));
  return { samples: 0, sums: each(), squares: each(), blocks };
}

/** Adds `from` to `into`, which the caller owns: what `into` has. O(C²). */
export function addMoments(into: Moments, from: Moments): void {
  into.samples += from.samples;
  for (const [network, sums] of into.sums) addTo(sums, from.sums.get(network));
  for (const [network, squares] of into.squares) addTo(squares, from.squares.get(network));
  for (const [name, block] of into.blocks) addTo(block, from.blocks.get(name));
}

function addTo(into: Float64Array, from: Float64Array | undefined): void {
  if (from?.length !== into.length) {
    throw new PipelineError('internal', `expected ${into.length} moments to add; found ${from?.length ?? 'none'}`);
  }
  for (let i = 0; i < into.length; i++) into[i]! += from[i]!;
}

/**
 * Adds the products of samples to `into`: to the blocks it has.
 *
 * @param y [(C + 1) × k] float32: shifted activations of all units of `layer`, then a row of ones, whose products
 *   are the sums (methods, trap 1). Only read.
 */
export async function addProducts(
  into: Moments,
  layer: LayerUnits,
  y: Float32Array,
  k: number,
  product: ProductSession,
): Promise<void> {
  const total = layer.offsets.at(-1)!;
  into.samples += k;
  for (const [from, to] of tiles(layer)) {
    // the tile against itself and all that follows, the ones last
    const columns = total + 1 - from;
    const result = await product.timesTransposed(
      y.subarray(from * k, to * k),
      y.subarray(from * k, (total + 1) * k),
      k,
    );
    for (let unit = from; unit < to; unit++) {
      addRow(into, layer, unit, result.subarray((unit - from) * columns + unit - from, (unit - from + 1) * columns));
    }
  }
}

// ranges of units of about equal size, multiples of 4 where that is possible, whatever network they are of
function tiles(layer: LayerUnits): [number, number][] {
  const total = layer.offsets.at(-1)!;
  const most = total > WIDE_UNITS ? WIDE_TILE_UNITS : TILE_UNITS;
  const size = 4 * Math.ceil(total / Math.ceil(total / most) / 4);
  const ranges: [number, number][] = [];
  for (let from = 0; from < total; from += size) ranges.push([from, Math.min(total, from + size)]);
  return ranges;
}

// products of one unit with itself and all later units, and its sum at the end
function addRow(into: Moments, { networks, units, offsets }: LayerUnits, unit: number, row: Float32Array): void {
  const own = offsets.findLastIndex((offset, at) => at < networks.length && offset <= unit);
  const i = unit - offsets[own]!;
  into.sums.get(networks[own]!)![i]! += row[row.length - 1]!;
  into.squares.get(networks[own]!)![i]! += row[0]!;
  for (let other = own; other < networks.length; other++) {
    const block = into.blocks.get(blockName(networks[own]!, networks[other]!));
    if (!block) continue;
    const first = other === own ? 0 : offsets[other]! - unit;
    const last = offsets[other + 1]! - unit;
    let at = other === own ? triangleIndex(units[own]!, i, i) : i * units[other]!;
    for (let column = first; column < last; column++) block[at++]! += row[column]!;
  }
}
