import { describe, expect, it } from 'vitest';
import { solveAssignment } from '../../../../src/reduce/match/assignment.ts';
import { assertOptimal } from '../../../../src/reduce/match/certificate.ts';
import { startingPrices } from '../../../../src/reduce/match/prices.ts';
import { matrixOf, uniforms } from './problems.ts';

/** v_ij = r_i + c_j + a_i b_j + noise. */
function oneFactor(n: number, seed: number, noise: number, means: number): Float64Array {
  const u = uniforms(seed, 4 * n + n * n).map((x) => x - 0.5);
  const [r, c, a, b] = [0, 1, 2, 3].map((k) => u.subarray(k * n, (k + 1) * n)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return means * (r[i]! + c[j]!) + a[i]! * b[j]! + noise * u[4 * n + at]!;
  });
}

describe('startingPrices(values, n)', () => {
  it.each([0, 1])('one factor without noise, means × %d: the prices are a dual of the pairs in order', (means) => {
    const n = 60;
    const values = oneFactor(n, 1, 0, means);
    const price = startingPrices(values, n);
    expect(price.some((p) => p > 0)).toBe(true);
    expect(Math.min(...price)).toBe(0);
    // Σ of the rows' best margins + Σ prices bounds every matching: an optimal one reaches it
    const { columnOf } = solveAssignment(values, n, n);
    let [primal, dual] = [0, price.reduce((sum, p) => sum + p, 0)];
    for (let i = 0; i < n; i++) {
      primal += values[i * n + columnOf[i]!]!;
      dual += Math.max(...price.map((p, j) => values[i * n + j]! - p));
    }
    expect(dual - primal).toBeLessThan(1e-12);
    expect(dual - primal).toBeGreaterThan(-1e-12);
  });

  it.each(['uniform', 'signed', 'integer', 'correlation'] as const)('%s: no factor rules, all 0', (kind) => {
    expect(startingPrices(matrixOf(kind, 90, 90, 2), 90).every((p) => p === 0)).toBe(true);
  });

  it.each([
    ['one value', Float64Array.of(0.3), 1],
    ['all 0', new Float64Array(25), 5],
    ['all equal', new Float64Array(25).fill(0.4), 5],
  ])('%s: finite', (_, values, n) => {
    expect(startingPrices(values, n).every((p) => p >= 0 && Number.isFinite(p))).toBe(true);
  });

  it('assignments that start from them are optimal, whatever the noise', () => {
    for (const [seed, noise] of [0, 1e-3, 0.02, 0.1].entries()) {
      for (const n of [2, 3, 40, 150]) {
        const values = oneFactor(n, seed, noise, 0.5);
        expect(() => assertOptimal(values, n, n, solveAssignment(values, n, n))).not.toThrow();
      }
    }
  });
});
