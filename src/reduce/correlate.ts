/**
 * Correlate, the second step of reduce. Takes the partials of all image groups at one layer; gives the statistics of
 * each network's units and the blocks of correlations asked for, with the parts that prediction is fitted and scored
 * on. Everything in float64; conventions in contract.md ("r", "dead unit", "holdout h", "prediction").
 */
import { addMoments, blockName, emptyMoments } from '../accumulate/moments.ts';
import type { LayerUnits, Moments } from '../accumulate/moments.ts';
import type { LayerPart } from '../accumulate/partial.ts';
import { addRowProducts } from '../accumulate/rows.ts';
import { triangleIndex } from '../numeric/triangle.ts';
import type { ProductSession } from '../onnx/product.ts';
import { ROW_SAMPLES } from '../plan/work.ts';
import type { CorrelationBlock, HeldOutStats, SampleCounts, UnitStats } from './correlation.ts';
import { widen } from './merge.ts';

/** One image group at the layer: its rows, and the part of the networks and blocks that are asked for. */
export interface GroupPart {
  rows: number;
  part: LayerPart;
}

/** Correlations of a layer, as one task makes them. */
export interface Correlations {
  counts: SampleCounts;
  /** By index of network. */
  stats: Map<number, UnitStats>;
  /** By {@link blockName}. */
  blocks: Map<string, CorrelationBlock>;
}

/** Sums over one part of the groups. */
interface PartSums {
  rows: number;
  moments: Moments;
  /** By network: extremes of the unshifted activations. */
  min: Map<number, Float32Array>;
  max: Map<number, Float32Array>;
  /** Rows that are yet to be multiplied. */
  waiting: LayerPart[];
}

/**
 * The correlations of a layer.
 *
 * @param groups group 0 first; the first `fitGroups` of them are fitted on, the others are held out
 * @param units of the networks that the blocks are between, C in all
 * @param means provisional means by index of network, float32 [units]
 * @param blocks [i, j], i ≤ j
 * @param product opens the runtime, where there are rows to multiply
 * Cost O(G C²) beside the products of rows; memory as plan/memory.ts says.
 */
export async function correlateLayer(
  groups: AsyncIterable<GroupPart>,
  units: LayerUnits,
  means: ReadonlyMap<number, Float32Array>,
  blocks: readonly (readonly [number, number])[],
  fitGroups: number,
  product: () => Promise<ProductSession>,
): Promise<Correlations> {
  const only = new Set(blocks.map(([i, j]) => blockName(i, j)));
  const fit = emptyPart(units, only);
  const heldOut = emptyPart(units, only);
  let group = 0;
  for await (const { rows, part } of groups) {
    const into = group++ < fitGroups ? fit : heldOut;
    into.rows += rows;
    for (const [network, min] of into.min) {
      widen(min, part.min.get(network)!, into.max.get(network)!, part.max.get(network)!);
    }
    if (part.moments) addMoments(into.moments, part.moments);
    else {
      into.waiting.push(part);
      if (waitingSamples(into) >= ROW_SAMPLES) await multiply(into, units, product);
    }
  }
  for (const part of [fit, heldOut]) if (part.waiting.length > 0) await multiply(part, units, product);
  return finish(fit, heldOut.rows > 0 ? heldOut : null, units, means, blocks);
}

function emptyPart(units: LayerUnits, only: ReadonlySet<string>): PartSums {
  const each = (value: number): Map<number, Float32Array> =>
    new Map(units.networks.map((network, at) => [network, new Float32Array(units.units[at]!).fill(value)]));
  return { rows: 0, moments: emptyMoments(units, only), min: each(Infinity), max: each(-Infinity), waiting: [] };
}

function waitingSamples({ waiting }: PartSums): number {
  return waiting.reduce((sum, { samples }) => sum + samples, 0);
}

// the waiting rows of all groups in one product, so that its inner dimension is long
async function multiply(part: PartSums, units: LayerUnits, product: () => Promise<ProductSession>): Promise<void> {
  const samples = waitingSamples(part);
  const joined = units.networks.map((network, at) => {
    const count = units.units[at]!;
    const rows = new Float32Array(samples * count);
    let filled = 0;
    for (const waiting of part.waiting) {
      rows.set(waiting.rows!.get(network)!, filled);
      filled += waiting.samples * count;
      waiting.rows!.delete(network);
    }
    return rows;
  });
  part.waiting = [];
  await addRowProducts(part.moments, units, joined, samples, await product());
}

function finish(
  fit: PartSums,
  heldOut: PartSums | null,
  units: LayerUnits,
  means: ReadonlyMap<number, Float32Array>,
  blocks: readonly (readonly [number, number])[],
): Correlations {
  const counts: SampleCounts = {
    rows: fit.rows + (heldOut?.rows ?? 0),
    samples: fit.moments.samples + (heldOut?.moments.samples ?? 0),
    fitRows: fit.rows,
    fitSamples: fit.moments.samples,
    heldOutRows: heldOut?.rows ?? 0,
    heldOutSamples: heldOut?.moments.samples ?? 0,
  };
  // units first: a block only reads what both its networks have
  const all = new Map<number, Scale>();
  const fitted = new Map<number, Scale>();
  const stats = new Map<number, UnitStats>();
  for (const network of units.networks) {
    const whole = scaleOf(heldOut ? [fit, heldOut] : [fit], network);
    const own = heldOut ? scaleOf([fit], network) : whole;
    all.set(network, whole);
    fitted.set(network, own);
    const { mean, std, varianceLost } = whole;
    stats.set(network, {
      mean: mean.map((value, i) => value + means.get(network)![i]!),
      std,
      dead: Uint8Array.from(std, (value) => (value === 0 ? 1 : 0)),
      varianceLost,
      meanShift: mean.map((value, i) => (std[i] === 0 ? 0 : Math.abs(value) / std[i]!)),
      fitConstant: Uint8Array.from(own.std, (value) => (value === 0 ? 1 : 0)),
      heldOut: heldOut && heldOutStats(heldOut, network, own),
    });
  }

  const made = new Map<string, CorrelationBlock>();
  for (const [i, j] of blocks) {
    const name = blockName(i, j);
    const take = (part: PartSums): Float64Array => {
      const block = part.moments.blocks.get(name)!;
      part.moments.blocks.delete(name);
      return i === j ? square(block, all.get(i)!.mean.length) : block;
    };
    const fitSums = take(fit);
    const heldOutSums = heldOut && take(heldOut);
    const r = new Float64Array(fitSums.length);
    for (let at = 0; at < r.length; at++) r[at] = fitSums[at]! + (heldOutSums ? heldOutSums[at]! : 0);
    correlate(r, all.get(i)!, all.get(j)!, i === j);
    if (heldOutSums) {
      correlate(fitSums, fitted.get(i)!, fitted.get(j)!, i === j);
      standardise(heldOutSums, heldOut.moments, i, j, fitted.get(i)!, fitted.get(j)!);
    }
    made.set(name, { r, fitR: heldOutSums ? fitSums : r, heldOutSecond: heldOutSums });
  }
  return { counts, stats, blocks: made };
}

/** Mean and population standard deviation of shifted units, the latter exactly 0 for constant ones. */
interface Scale {
  samples: number;
  mean: Float64Array;
  std: Float64Array;
  varianceLost: Uint8Array;
}

function scaleOf(parts: readonly PartSums[], network: number): Scale {
  const samples = parts.reduce((sum, part) => sum + part.moments.samples, 0);
  const units = parts[0]!.min.get(network)!.length;
  const mean = new Float64Array(units);
  const std = new Float64Array(units);
  const varianceLost = new Uint8Array(units);
  for (let i = 0; i < units; i++) {
    let [sum, square, min, max] = [0, 0, Infinity, -Infinity];
    for (const part of parts) {
      sum += part.moments.sums.get(network)![i]!;
      square += part.moments.squares.get(network)![i]!;
      min = Math.min(min, part.min.get(network)![i]!);
      max = Math.max(max, part.max.get(network)![i]!);
    }
    mean[i] = sum / samples;
    if (min === max) continue;
    const variance = square / samples - mean[i]! * mean[i]!;
    if (variance > 0) std[i] = Math.sqrt(variance);
    else varianceLost[i] = 1;
  }
  return { samples, mean, std, varianceLost };
}

// Σ z and Σ z² with z = (y − mean_fit) / std_fit, expanded from the part's own sums; 0 where std_fit is 0
function heldOutStats({ moments, min, max }: PartSums, network: number, fit: Scale): HeldOutStats {
  const { samples } = moments;
  const sums = moments.sums.get(network)!;
  const squares = moments.squares.get(network)!;
  const units = sums.length;
  const stats = { sum: new Float64Array(units), square: new Float64Array(units), constant: new Uint8Array(units) };
  for (let i = 0; i < units; i++) {
    const scale = fit.std[i] === 0 ? 0 : 1 / fit.std[i]!;
    const mean = fit.mean[i]!;
    stats.sum[i] = (sums[i]! - samples * mean) * scale;
    stats.square[i] = (squares[i]! - 2 * mean * sums[i]! + samples * mean * mean) * scale * scale;
    // a variance lost to rounding counts as constant too
    const variance = stats.square[i]! / samples - (stats.sum[i]! / samples) ** 2;
    stats.constant[i] = min.get(network)![i] === max.get(network)![i] || !(variance > 0) ? 1 : 0;
  }
  return stats;
}

// sums of products to r, in place
function correlate(block: Float64Array, a: Scale, b: Scale, same: boolean): void {
  const columns = b.mean.length;
  for (let i = 0; i < a.mean.length; i++) {
    const row = i * columns;
    for (let j = 0; j < columns; j++) {
      if (a.std[i] === 0 || b.std[j] === 0) {
        block[row + j] = 0;
        continue;
      }
      const covariance = block[row + j]! / a.samples - a.mean[i]! * b.mean[j]!;
      block[row + j] = Math.max(-1, Math.min(1, covariance / (a.std[i]! * b.std[j]!)));
    }
    if (same && a.std[i] !== 0) block[row + i] = 1;
  }
}

// sums of products to Σ z z, in place
function standardise(block: Float64Array, moments: Moments, i: number, j: number, a: Scale, b: Scale): void {
  const sumsA = moments.sums.get(i)!;
  const sumsB = moments.sums.get(j)!;
  const columns = b.mean.length;
  for (let row = 0; row < a.mean.length; row++) {
    const scale = a.std[row] === 0 ? 0 : 1 / a.std[row]!;
    const mean = a.mean[row]!;
    for (let column = 0; column < columns; column++) {
      const at = row * columns + column;
      const other = b.mean[column]!;
      const value = block[at]! - other * sumsA[row]! - mean * sumsB[column]! + moments.samples * mean * other;
      block[at] = b.std[column] === 0 ? 0 : value * scale * (1 / b.std[column]!);
    }
  }
}

// a packed upper triangle as the whole matrix
function square(triangle: Float64Array, n: number): Float64Array {
  const whole = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      const value = triangle[triangleIndex(n, i, j)]!;
      whole[i * n + j] = value;
      whole[j * n + i] = value;
    }
  }
  return whole;
}
