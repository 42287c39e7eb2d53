/**
 * Correlate, the second step of reduce. Takes the moments of all image groups at one layer; gives the
 * Correlation of one pair: means, standard deviations, r, and the parts prediction is fitted and scored on.
 * Everything in float64; conventions in contract.md ("r", "dead unit", "holdout h", "prediction").
 */
import { addMoments, emptyMoments } from '../accumulate/partial.ts';
import type { LayerMoments, Partial } from '../accumulate/partial.ts';
import { triangleIndex } from '../numeric/triangle.ts';
import type { Correlation, FitPart, HeldOutPart } from './correlation.ts';

/** Which of the concatenated units of a layer belong to the pair. */
export interface PairUnits {
  /** Units of all networks, C. */
  total: number;
  startA: number;
  unitsA: number;
  startB: number;
  unitsB: number;
}

/** Moments of the pair's units alone, unpacked. */
interface PairMoments {
  rows: number;
  samples: number;
  /** [n] Σ y and [n × n] Σ y yᵀ of shifted activations. */
  sum: Float64Array;
  second: Float64Array;
  /** [n] 1 where max = min. */
  constant: Uint8Array;
}

/**
 * The correlation of one pair at one layer.
 *
 * @param groups merged partials, group 0 first; the first `fitGroups` of them are fitted on
 * @param means provisional means of all units of the layer, float32 [C]
 * Cost O(G n²), memory for three C × C triangles and a few n × n matrices.
 */
export async function correlatePair(
  groups: AsyncIterable<Partial>,
  layer: number,
  pair: PairUnits,
  means: Float32Array,
  fitGroups: number,
): Promise<Correlation> {
  // sums of the fit part and of the held-out part, then of both
  const parts = [emptyMoments(pair.total), emptyMoments(pair.total)] as const;
  const rows: [number, number] = [0, 0];
  let group = 0;
  for await (const partial of groups) {
    const part = group++ < fitGroups ? 0 : 1;
    addMoments(parts[part], partial.layers.get(layer)!);
    rows[part] += partial.rows;
  }
  const fit = pairMoments(parts[0], rows[0], pair);
  const heldOut = rows[1] > 0 ? pairMoments(parts[1], rows[1], pair) : null;
  addMoments(parts[0], parts[1]);
  const all = pairMoments(parts[0], rows[0] + rows[1], pair);

  const { mean, std, r, varianceLost } = standardise(all);
  const provisional = pairSlice(means, pair);
  const trueMean = mean.map((value, i) => value + provisional[i]!);
  const fitted = standardise(fit);
  return {
    unitsA: pair.unitsA,
    unitsB: pair.unitsB,
    rows: all.rows,
    samples: all.samples,
    mean: trueMean,
    std,
    dead: Uint8Array.from(std, (value) => (value === 0 ? 1 : 0)),
    varianceLost,
    meanShift: mean.map((value, i) => (std[i] === 0 ? 0 : Math.abs(value) / std[i]!)),
    r,
    fit: fitPart(fit, fitted),
    heldOut: heldOut && heldOutPart(heldOut, fitted),
  };
}

interface Standardised {
  /** [n] mean of y and population standard deviation, exactly 0 for constant units. */
  mean: Float64Array;
  std: Float64Array;
  r: Float64Array;
  varianceLost: Uint8Array;
}

function standardise({ samples, sum, second, constant }: PairMoments): Standardised {
  const n = sum.length;
  const mean = sum.map((value) => value / samples);
  const std = new Float64Array(n);
  const varianceLost = new Uint8Array(n);
  for (let i = 0; i < n; i++) {
    const variance = second[i * n + i]! / samples - mean[i]! * mean[i]!;
    if (constant[i] === 1) continue;
    if (variance > 0) std[i] = Math.sqrt(variance);
    else varianceLost[i] = 1;
  }
  const r = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    if (std[i] === 0) continue;
    r[i * n + i] = 1;
    for (let j = i + 1; j < n; j++) {
      if (std[j] === 0) continue;
      const covariance = second[i * n + j]! / samples - mean[i]! * mean[j]!;
      const value = Math.max(-1, Math.min(1, covariance / (std[i]! * std[j]!)));
      r[i * n + j] = value;
      r[j * n + i] = value;
    }
  }
  return { mean, std, r, varianceLost };
}

function fitPart({ rows, samples }: PairMoments, { std, r }: Standardised): FitPart {
  return { rows, samples, r, constant: Uint8Array.from(std, (value) => (value === 0 ? 1 : 0)) };
}

// Σ z and Σ z zᵀ with z = (y − mean_fit) / std_fit, expanded from the part's own sums; 0 where std_fit is 0
function heldOutPart({ rows, samples, sum, second, constant }: PairMoments, fit: Standardised): HeldOutPart {
  const n = sum.length;
  const scale = fit.std.map((value) => (value === 0 ? 0 : 1 / value));
  const centred = sum.map((value, i) => (value - samples * fit.mean[i]!) * scale[i]!);
  const products = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const mi = fit.mean[i]!;
      const mj = fit.mean[j]!;
      const value = second[i * n + j]! - mj * sum[i]! - mi * sum[j]! + samples * mi * mj;
      products[i * n + j] = value * scale[i]! * scale[j]!;
    }
  }
  // a variance lost to rounding counts as constant too
  const lost = constant.map((flag, i) => {
    const variance = products[i * n + i]! / samples - (centred[i]! / samples) ** 2;
    return flag === 1 || !(variance > 0) ? 1 : 0;
  });
  return { rows, samples, sum: centred, second: products, constant: lost };
}

function pairSlice(values: Float32Array, { startA, unitsA, startB, unitsB }: PairUnits): Float64Array {
  return Float64Array.from([...values.subarray(startA, startA + unitsA), ...values.subarray(startB, startB + unitsB)]);
}

function pairMoments(layer: LayerMoments, rows: number, pair: PairUnits): PairMoments {
  const { total, startA, unitsA, startB, unitsB } = pair;
  const n = unitsA + unitsB;
  const unit = (i: number): number => (i < unitsA ? startA + i : startB + i - unitsA);
  const sum = new Float64Array(n);
  const second = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    sum[i] = layer.moments[triangleIndex(total + 1, unit(i), total)]!;
    for (let j = i; j < n; j++) {
      const value = layer.moments[triangleIndex(total + 1, unit(i), unit(j))]!;
      second[i * n + j] = value;
      second[j * n + i] = value;
    }
  }
  const min = pairSlice(layer.min, pair);
  const max = pairSlice(layer.max, pair);
  return {
    rows,
    samples: layer.samples,
    sum,
    second,
    constant: Uint8Array.from(min, (value, i) => (value === max[i] ? 1 : 0)),
  };
}
