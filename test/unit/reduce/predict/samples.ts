/** Seeded samples for the tests of prediction, and what a prediction needs of them, by two passes. */
import type { UnitStats } from '../../../../src/reduce/correlation.ts';
import { LassoMemory } from '../../../../src/reduce/predict/lassoMemory.ts';
import type { PredictionInput } from '../../../../src/reduce/predict/predict.ts';
import { rowKernel } from '../../numeric/kernel.ts';

const kernel = await rowKernel();

/** A memory with this matrix [n × n]. */
export function memoryOf(gram: Float64Array, n: number): LassoMemory {
  const memory = new LassoMemory(kernel);
  memory.open(n).set(gram);
  return memory;
}

/** Uniform on [0, 1), mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Samples [rows × units]: random ReLU features of `inputs` shared inputs, with own noise. */
export function reluSamples(seed: number, rows: number, units: number, inputs: number): number[][] {
  const random = randomFrom(seed);
  const weights = Array.from({ length: units }, () => Array.from({ length: inputs }, () => random() * 2 - 1));
  return Array.from({ length: rows }, () => {
    const x = Array.from({ length: inputs }, () => random() * 2 - 1);
    return weights.map((w) =>
      Math.max(
        0,
        w.reduce((sum, value, k) => sum + value * x[k]!, 0.2 * random()),
      ),
    );
  });
}

/** Mean and population standard deviation of each unit over the rows. */
export function momentsOf(samples: readonly number[][]): { mean: number[]; std: number[] } {
  const units = Array.from({ length: samples[0]?.length ?? 0 }, (_, i) => i);
  const mean = units.map((i) => samples.reduce((sum, row) => sum + row[i]!, 0) / samples.length);
  const std = units.map((i) =>
    Math.sqrt(samples.reduce((sum, row) => sum + (row[i]! - mean[i]!) ** 2, 0) / samples.length),
  );
  return { mean, std };
}

/** Samples standardised by `by`; 0 where its standard deviation is 0. */
export function standardise(samples: readonly number[][], by: { mean: number[]; std: number[] }): number[][] {
  return samples.map((row) => row.map((x, i) => (by.std[i] === 0 ? 0 : (x - by.mean[i]!) / by.std[i]!)));
}

/** Σ z zᵀ [n × n] over the rows. */
export function secondMoments(z: readonly number[][]): Float64Array {
  const n = z[0]?.length ?? 0;
  const second = new Float64Array(n * n);
  for (const row of z) for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) second[i * n + j]! += row[i]! * row[j]!;
  return second;
}

/** Pearson r [n × n] of samples, clipped, with 1 on the diagonal of live units and 0 for constant ones. */
export function pearson(samples: readonly number[][]): Float64Array {
  const { mean, std } = momentsOf(samples);
  const second = secondMoments(standardise(samples, { mean, std }));
  const n = std.length;
  return second.map((sum, at) => {
    if (Math.floor(at / n) === at % n) return std[at % n] === 0 ? 0 : 1;
    return Math.max(-1, Math.min(1, sum / samples.length));
  });
}

const constantUnits = (samples: readonly number[][]): Uint8Array =>
  Uint8Array.from(samples[0] ?? [], (first, i) => (samples.every((row) => row[i] === first) ? 1 : 0));

/** Statistics of the units of samples [rows × units] whose first `fitRows` rows are fitted, the others scored. */
function statsOf(samples: readonly number[][], fitRows: number): UnitStats {
  const { mean, std } = momentsOf(samples);
  const z = standardise(samples.slice(fitRows), momentsOf(samples.slice(0, fitRows)));
  const sumOf = (power: number) => Float64Array.from(std, (_, i) => z.reduce((sum, row) => sum + row[i]! ** power, 0));
  return {
    mean: Float64Array.from(mean),
    std: Float64Array.from(std),
    dead: constantUnits(samples),
    varianceLost: new Uint8Array(std.length),
    meanShift: new Float64Array(std.length),
    fitConstant: constantUnits(samples.slice(0, fitRows)),
    heldOut:
      z.length === 0 ? null : { sum: sumOf(1), square: sumOf(2), constant: constantUnits(samples.slice(fitRows)) },
  };
}

/** A block of a square matrix. */
export function blockOf(matrix: Float64Array, rows: ArrayLike<number>, columns: ArrayLike<number>): Float64Array {
  const n = Math.sqrt(matrix.length);
  return Float64Array.from(Array.from(rows).flatMap((i) => Array.from(columns, (j) => matrix[i * n + j]!)));
}

/**
 * What predicting b's units from a's needs, of samples [rows × (unitsA + unitsB)] whose first `fitRows` rows are
 * fitted, the others scored; `chosen` among b's units, default all.
 */
export function inputOf(
  samples: readonly number[][],
  unitsA: number,
  fitRows: number,
  chosen?: readonly number[],
): PredictionInput {
  const units = samples[0]?.length ?? 0;
  const fitted = samples.slice(0, fitRows);
  const scored = samples.slice(fitRows);
  const fitR = pearson(fitted);
  const second = secondMoments(standardise(scored, momentsOf(fitted)));
  const a = Array.from({ length: unitsA }, (_, i) => i);
  const targets = chosen ?? Array.from({ length: units - unitsA }, (_, t) => t);
  const b = targets.map((t) => unitsA + t);
  return {
    sources: statsOf(
      samples.map((row) => row.slice(0, unitsA)),
      fitRows,
    ),
    targets: statsOf(
      samples.map((row) => row.slice(unitsA)),
      fitRows,
    ),
    chosen: Int32Array.from(targets),
    memory: memoryOf(blockOf(fitR, a, a), unitsA),
    fitCross: blockOf(fitR, b, a),
    heldOutGram: scored.length === 0 ? null : blockOf(second, a, a),
    heldOutCross: scored.length === 0 ? null : blockOf(second, b, a),
    heldOutSamples: scored.length,
  };
}
