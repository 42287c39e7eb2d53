/** Seeded samples for the tests of prediction, and the Correlation of samples by two passes. */
import type { Correlation } from '../../../../src/reduce/correlation.ts';

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

/** The Correlation of samples [rows × (unitsA + unitsB)] whose first `fitRows` rows are fitted, the others scored. */
export function correlationOf(samples: readonly number[][], unitsA: number, fitRows: number): Correlation {
  const fitted = samples.slice(0, fitRows);
  const scored = samples.slice(fitRows);
  const all = momentsOf(samples);
  const z = standardise(scored, momentsOf(fitted));
  const n = all.std.length;
  return {
    unitsA,
    unitsB: n - unitsA,
    rows: samples.length,
    samples: samples.length,
    mean: Float64Array.from(all.mean),
    std: Float64Array.from(all.std),
    dead: constantUnits(samples),
    varianceLost: new Uint8Array(n),
    meanShift: new Float64Array(n),
    r: pearson(samples),
    fit: { rows: fitRows, samples: fitRows, r: pearson(fitted), constant: constantUnits(fitted) },
    heldOut:
      scored.length === 0
        ? null
        : {
            rows: scored.length,
            samples: scored.length,
            sum: Float64Array.from({ length: n }, (_, i) => z.reduce((sum, row) => sum + row[i]!, 0)),
            second: secondMoments(z),
            constant: constantUnits(scored),
          },
  };
}
