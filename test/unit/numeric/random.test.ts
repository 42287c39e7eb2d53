import { describe, expect, it } from 'vitest';
import { drawSample, randomFrom } from '../../../src/numeric/random.ts';

const draws = (seed: number, label: string, count = 8) => {
  const random = randomFrom(seed, label);
  return Array.from({ length: count }, () => random.uniform());
};

describe('randomFrom(seed, label)', () => {
  it('gives the same stream for the same seed and purpose, here as everywhere', () => {
    expect(draws(1, 'k-means')).toEqual(draws(1, 'k-means'));
    // promised to the byte: a change of these changes every result that is drawn
    const random = randomFrom(1, 'k-means');
    expect([random.uniform(), random.below(1000), random.below(1000)]).toMatchInlineSnapshot(`
      [
        0.6599340980752303,
        144,
        156,
      ]
    `);
  });

  it('gives another one for another seed or another purpose', () => {
    const streams = [
      draws(1, 'a'),
      draws(2, 'a'),
      draws(1, 'b'),
      draws(1, 'ab'),
      draws(1 + 2 ** 32, 'a'),
      draws(0, ''),
    ];
    expect(new Set(streams.map(String)).size).toBe(streams.length);
  });

  it('gives first draws that have nothing to do with each other, for like labels and for like seeds', () => {
    for (const first of [
      (i: number) => draws(1, `positions ${i}`, 1)[0]!,
      (i: number) => draws(i, 'positions', 1)[0]!,
    ]) {
      const u = Array.from({ length: 400 }, (_, i) => first(i));
      // lag-one correlation of independent uniforms: standard error 1 / √400
      const covariance = u.slice(1).reduce((sum, x, i) => sum + (x - 0.5) * (u[i]! - 0.5), 0) / u.length;
      expect(Math.abs(12 * covariance)).toBeLessThan(5 / Math.sqrt(u.length));
    }
  });

  it('uniform(): in [0, 1), with the moments of a uniform variable', () => {
    const u = draws(3, 'moments', 20_000);
    expect(u.every((x) => x >= 0 && x < 1)).toBe(true);
    const mean = u.reduce((sum, x) => sum + x, 0) / u.length;
    const square = u.reduce((sum, x) => sum + x * x, 0) / u.length;
    // five standard errors
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(5 * Math.sqrt(1 / 12 / u.length));
    expect(Math.abs(square - 1 / 3)).toBeLessThan(5 * Math.sqrt(4 / 45 / u.length));
    expect(u.every((x) => Number.isInteger(x * 2 ** 53))).toBe(true);
  });

  it('below(count): each of 0 … count − 1 about as often', () => {
    const random = randomFrom(4, 'below');
    const seen = new Int32Array(7);
    for (let draw = 0; draw < 14_000; draw++) seen[random.below(7)]!++;
    // six standard deviations of a binomial count
    expect(seen.every((count) => Math.abs(count - 2000) < 6 * Math.sqrt(2000 * (6 / 7)))).toBe(true);
    expect(random.below(1)).toBe(0);
  });
});

describe('drawSample(random, size, count)', () => {
  it.each([
    [5, 0],
    [5, 1],
    [5, 5],
    [1000, 30],
  ])('of %i, %i different ones, rising', (size, count) => {
    const sample = drawSample(randomFrom(1, 'sample'), size, count);
    expect(sample.length).toBe(count);
    expect(sample).toEqual([...new Set(sample)].sort((a, b) => a - b));
    expect(sample.every((x) => x >= 0 && x < size && Number.isInteger(x))).toBe(true);
  });

  it('takes each number equally often', () => {
    const random = randomFrom(2, 'sample');
    const seen = new Int32Array(10);
    for (let draw = 0; draw < 5000; draw++) for (const x of drawSample(random, 10, 3)) seen[x]!++;
    expect(seen.every((count) => Math.abs(count - 1500) < 6 * Math.sqrt(1500 * 0.7))).toBe(true);
  });
});
