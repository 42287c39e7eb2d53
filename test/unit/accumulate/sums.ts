/** Sums over samples in float64, and how far float32 products may be from them. */
import { expect } from 'vitest';
import type { LayerUnits, Moments } from '../../../src/accumulate/moments.ts';

/**
 * Expects the sums of `found` to be those of `y` [samples][units of all networks], already shifted and float32.
 *
 * A float32 dot product of k terms, in any order, is within k · 2⁻²⁴ · Σ|a b| of the true one, to first order (Higham
 * 2002, Accuracy and Stability of Numerical Algorithms, section 3.1); what is added across products is float64.
 * @param k samples of one product, at most
 */
export function expectSums(found: Moments, { networks, units, offsets }: LayerUnits, y: number[][], k: number): void {
  expect(found.samples).toBe(y.length);
  const bound = (k + 2) * 2 ** -24;
  const check = (value: number, a: (sample: number[]) => number, b: (sample: number[]) => number): void => {
    let [sum, size] = [0, 0];
    for (const sample of y) {
      sum += a(sample) * b(sample);
      size += Math.abs(a(sample) * b(sample));
    }
    // not-a-number must not pass
    if (!(Math.abs(value - sum) <= bound * size)) expect.fail(`expected ${sum} ± ${bound * size}; found ${value}`);
  };
  expect([...found.sums.keys()]).toEqual(networks);
  expect([...found.squares.keys()]).toEqual(networks);
  for (const [at, i] of networks.entries()) {
    const [p, first] = [units[at]!, offsets[at]!];
    expect([found.sums.get(i)!.length, found.squares.get(i)!.length]).toEqual([p, p]);
    for (let unit = 0; unit < p; unit++) {
      check(
        found.sums.get(i)![unit]!,
        (sample) => sample[first + unit]!,
        () => 1,
      );
      check(
        found.squares.get(i)![unit]!,
        (sample) => sample[first + unit]!,
        (sample) => sample[first + unit]!,
      );
    }
    for (let other = at; other < networks.length; other++) {
      const block = found.blocks.get(`${i}_${networks[other]!}`);
      if (!block) continue;
      const [q, second] = [units[other]!, offsets[other]!];
      expect(block.length).toBe(at === other ? (p * (p + 1)) / 2 : p * q);
      let next = 0;
      for (let a = 0; a < p; a++) {
        for (let b = at === other ? a : 0; b < q; b++) {
          check(
            block[next++]!,
            (sample) => sample[first + a]!,
            (sample) => sample[second + b]!,
          );
        }
      }
    }
  }
}

/** Two-pass mean, population standard deviation, and Pearson r of two sets of units; 0 for constant ones. */
export function twoPass(
  x: number[][],
  y: number[][],
): { mean: number[]; std: number[]; r: (i: number, j: number) => number } {
  const meansOf = (samples: number[][]): number[] =>
    samples[0]!.map((_, unit) => samples.reduce((sum, sample) => sum + sample[unit]!, 0) / samples.length);
  const [mean, other] = [meansOf(x), meansOf(y)];
  const covariance = (a: number[][], ma: number[], i: number, b: number[][], mb: number[], j: number): number =>
    a.reduce((sum, sample, k) => sum + (sample[i]! - ma[i]!) * (b[k]![j]! - mb[j]!), 0) / a.length;
  const constant = (samples: number[][], unit: number): boolean =>
    samples.every((sample) => sample[unit] === samples[0]![unit]);
  const stdOf = (samples: number[][], means: number[], unit: number): number =>
    constant(samples, unit) ? 0 : Math.sqrt(covariance(samples, means, unit, samples, means, unit));
  const std = mean.map((_, unit) => stdOf(x, mean, unit));
  const otherStd = other.map((_, unit) => stdOf(y, other, unit));
  return {
    mean,
    std,
    r: (i, j) =>
      std[i] === 0 || otherStd[j] === 0 ? 0 : covariance(x, mean, i, y, other, j) / (std[i]! * otherStd[j]!),
  };
}
