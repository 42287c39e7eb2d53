import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addMoments, emptyMoments } from '../../../src/accumulate/partial.ts';
import type { LayerMoments, Partial } from '../../../src/accumulate/partial.ts';
import { correlatePair } from '../../../src/reduce/correlate.ts';
import { mergePartials } from '../../../src/reduce/merge.ts';

/** Moments of samples [n × units] about `means`, in float64, as a partial of one layer. */
function partialOf(samples: number[][], means: Float32Array, rows: number): Partial {
  const layer = momentsOf(samples, means);
  return { rows, meansHash: new Uint8Array(32), layers: new Map([[0, layer]]) };
}

function momentsOf(samples: number[][], means: Float32Array): LayerMoments {
  const layer = emptyMoments(means.length);
  layer.samples = samples.length;
  for (const sample of samples) {
    const y = [...sample.map((value, i) => value - means[i]!), 1];
    let at = 0;
    for (let i = 0; i < y.length; i++) for (let j = i; j < y.length; j++) layer.moments[at++]! += y[i]! * y[j]!;
    sample.forEach((value, i) => {
      layer.min[i] = Math.min(layer.min[i]!, value);
      layer.max[i] = Math.max(layer.max[i]!, value);
    });
  }
  return layer;
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

/** Two-pass mean, population standard deviation and Pearson r. */
function twoPass(samples: number[][]): { mean: number[]; std: number[]; r: (i: number, j: number) => number } {
  const n = samples.length;
  const units = samples[0]!.length;
  const mean = Array.from({ length: units }, (_, i) => samples.reduce((total, sample) => total + sample[i]!, 0) / n);
  const covariance = (i: number, j: number): number =>
    samples.reduce((total, s) => total + (s[i]! - mean[i]!) * (s[j]! - mean[j]!), 0) / n;
  const std = mean.map((_, i) => Math.sqrt(covariance(i, i)));
  return { mean, std, r: (i, j) => covariance(i, j) / (std[i]! * std[j]!) };
}

const pair = { total: 5, startA: 1, unitsA: 2, startB: 3, unitsB: 2 };
const column = (sample: number[], unit: number): number => sample[unit + 1]!;
// float32 values, as activations are, so that min and max are exact
const samplesArbitrary = fc.array(
  fc.array(fc.double({ min: -8, max: 8, noNaN: true }).map(Math.fround), { minLength: 5, maxLength: 5 }),
  { minLength: 12, maxLength: 40 },
);

describe('correlatePair(groups, layer, pair, means, fitGroups)', () => {
  it('equals two-pass statistics for any samples, groups and provisional means', async () => {
    await fc.assert(
      fc.asyncProperty(
        samplesArbitrary,
        fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 5, maxLength: 5 }),
        async (samples, shift) => {
          const means = Float32Array.from(shift);
          const third = Math.floor(samples.length / 3);
          const parts = [samples.slice(0, third), samples.slice(third, 2 * third), samples.slice(2 * third)];
          const groups = parts.map((part) => partialOf(part, means, part.length));
          const correlation = await correlatePair(each(groups), 0, pair, means, 2);
          const reference = twoPass(samples.map((sample) => [0, 1, 2, 3].map((unit) => column(sample, unit))));
          expect(correlation.samples).toBe(samples.length);
          expect(correlation.fit.samples).toBe(2 * third);
          for (let i = 0; i < 4; i++) {
            expect(correlation.mean[i]).toBeCloseTo(reference.mean[i]!, 10);
            if (reference.std[i]! < 1e-3) continue;
            expect(correlation.std[i]).toBeCloseTo(reference.std[i]!, 8);
            expect(correlation.r[i * 4 + i]).toBe(1);
            for (let j = 0; j < 4; j++) {
              if (i === j || reference.std[j]! < 1e-3) continue;
              expect(correlation.r[i * 4 + j]).toBeCloseTo(reference.r(i, j), 6);
              expect(correlation.r[j * 4 + i]).toBe(correlation.r[i * 4 + j]);
            }
          }
        },
      ),
      { numRuns: 80, seed: 3 },
    );
  });

  it('standardises the held-out part by the fit part', async () => {
    const samples = Array.from({ length: 30 }, (_, k) =>
      [0, 1, 2, 3, 4].map((unit) => Math.sin(k * (unit + 1)) + unit),
    );
    const means = Float32Array.from([0, 1, 2, 3, 4]);
    const [fit, held] = [samples.slice(0, 20), samples.slice(20)];
    const correlation = await correlatePair(
      each([partialOf(fit, means, 20), partialOf(held, means, 10)]),
      0,
      pair,
      means,
      1,
    );
    const reference = twoPass(fit.map((sample) => [0, 1, 2, 3].map((unit) => column(sample, unit))));
    const z = held.map((sample) =>
      [0, 1, 2, 3].map((unit) => (column(sample, unit) - reference.mean[unit]!) / reference.std[unit]!),
    );
    for (let i = 0; i < 4; i++) {
      expect(correlation.heldOut!.sum[i]).toBeCloseTo(
        z.reduce((total, row) => total + row[i]!, 0),
        9,
      );
      for (let j = 0; j < 4; j++) {
        expect(correlation.heldOut!.second[i * 4 + j]).toBeCloseTo(
          z.reduce((total, row) => total + row[i]! * row[j]!, 0),
          9,
        );
      }
    }
  });

  it('takes a unit whose max is its min for dead: std exactly 0, r 0 everywhere, whatever rounding left', async () => {
    const samples = Array.from({ length: 9 }, (_, k) => [0, 0.1, k, k * k, -k]);
    const means = new Float32Array(5);
    const group = partialOf(
      samples.map((sample) => sample.map(Math.fround)),
      means,
      9,
    );
    const { dead, std, r, varianceLost } = await correlatePair(each([group]), 0, pair, means, 1);
    expect([...dead]).toEqual([1, 0, 0, 0]);
    expect(std[0]).toBe(0);
    expect([...r.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
    expect([...varianceLost]).toEqual([0, 0, 0, 0]);
  });

  it('says where a variance was lost to rounding', async () => {
    // max ≠ min, but the products say Σ y² = (Σ y)²/n
    const group = partialOf([[0, 1, 2, 3, 4]], new Float32Array(5), 1);
    group.layers.get(0)!.max[1] = 1.5;
    const { varianceLost, dead } = await correlatePair(each([group]), 0, pair, new Float32Array(5), 1);
    expect([...varianceLost]).toEqual([1, 0, 0, 0]);
    expect([...dead]).toEqual([1, 1, 1, 1]);
  });
});

describe('mergePartials(partials, layer, units)', () => {
  it('adds moments, counts and extremes; any split gives what the whole gives', async () => {
    const samples = Array.from({ length: 20 }, (_, k) => [k, -k, (k * 7) % 5]);
    const means = Float32Array.from([9, -9, 2]);
    const parts = [samples.slice(0, 3), samples.slice(3, 4), samples.slice(4)].map((part) =>
      partialOf(part, means, part.length),
    );
    const merged = await mergePartials(each(parts), 0, 3);
    expect(merged.rows).toBe(20);
    // integers: float64 sums are exact in any order
    expect(merged.layers.get(0)).toEqual(momentsOf(samples, means));
  });

  it('never adds partials that were shifted by different means', async () => {
    const a = partialOf([[1, 2]], new Float32Array(2), 1);
    const b = { ...partialOf([[1, 2]], new Float32Array(2), 1), meansHash: new Uint8Array(32).fill(1) };
    await expect(mergePartials(each([a, b]), 0, 2)).rejects.toThrow('(means-differ)');
  });

  it('refuses moments of another width', () => {
    expect(() => addMoments(emptyMoments(2), emptyMoments(3))).toThrow('(internal)');
  });
});
