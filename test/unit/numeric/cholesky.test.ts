import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cholesky } from '../../../src/numeric/cholesky.ts';
import { RowMemory } from '../../../src/numeric/rowMemory.ts';
import { rowKernel } from './kernel.ts';

const PIVOT_LEAST = 1e-10;
const kernel = await rowKernel();

/** A factor in a memory of its own. */
const factorOf = (a: Float64Array, n: number): Cholesky => new Cholesky(new RowMemory(kernel), a, n);

/** A positive definite matrix [n × n] from a seed: correlations of random samples with a common part. */
function definite(n: number, seed: number): Float64Array {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const samples = Array.from({ length: n + 8 }, () => {
    const common = random();
    return Array.from({ length: n }, () => random() + common);
  });
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++)
      a[i * n + j] = samples.reduce((sum, row) => sum + row[i]! * row[j]!, 0) / samples.length;
  }
  return a;
}

/** The largest entry of A[order, order] x − b for the factor's x, with b_k = 1 + order[k]. */
function residual(factor: Cholesky, a: Float64Array, n: number): number {
  const order = factor.order.subarray(0, factor.size);
  const x = Float64Array.from(order, (row) => 1 + row);
  factor.solve(x);
  let worst = 0;
  for (const row of order) {
    const product = order.reduce((sum, column, k) => sum + a[row * n + column]! * x[k]!, 0);
    worst = Math.max(worst, Math.abs(product - 1 - row));
  }
  return worst;
}

describe('Cholesky', () => {
  it('any sequence of appends and removals: solves for exactly the rows held, in its order', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(8), fc.nat(1000)), { minLength: 1, maxLength: 25 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(2 ** 31), steps, (n, seed, sequence) => {
        const a = definite(n, seed);
        const factor = factorOf(a, n);
        const held: number[] = [];
        for (const [append, count, at] of sequence) {
          if (append) {
            const rows = Array.from({ length: n }, (_, i) => (i * 7 + at) % n);
            const unheld = [...new Set(rows)].filter((row) => !held.includes(row)).slice(0, count);
            expect(factor.append(Int32Array.from(unheld), unheld.length, PIVOT_LEAST)).toBe(0);
            held.push(...unheld);
          } else if (held.length > 0) {
            factor.remove(at % held.length);
            held.splice(at % held.length, 1);
          }
          expect([...factor.order.subarray(0, factor.size)]).toEqual(held);
          // rounding grows with the condition, at most about 1e4 here, and the size
          expect(residual(factor, a, n)).toBeLessThan(1e-10);
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('grows past its first buffer, by one row or by many', () => {
    const n = 150;
    const a = definite(n, 5);
    const all = Int32Array.from({ length: n }, (_, i) => n - 1 - i);
    const atOnce = factorOf(a, n);
    atOnce.append(all.slice(), n, PIVOT_LEAST);
    const oneByOne = factorOf(a, n);
    for (let k = 0; k < n; k++) oneByOne.append(all.slice(k, k + 1), 1, PIVOT_LEAST);
    for (const factor of [atOnce, oneByOne]) {
      expect(factor.size).toBe(n);
      expect(residual(factor, a, n)).toBeLessThan(1e-9);
    }
  });

  it('leaves out rows that depend on those held, also within one append, and names them', () => {
    // rows 4 … 7 repeat rows 0 … 3, two of them negated
    const n = 8;
    const base = definite(4, 3);
    const sign = [1, 1, 1, 1, 1, -1, 1, -1];
    const a = Float64Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      return sign[i]! * sign[j]! * base[(i % 4) * 4 + (j % 4)]!;
    });
    const factor = factorOf(a, n);
    const rows = Int32Array.of(0, 4, 5, 1, 7, 2, 6, 3);
    expect(factor.append(rows, 8, PIVOT_LEAST)).toBe(4);
    expect([...rows.subarray(0, 4)]).toEqual([4, 1, 6, 3]);
    expect([...factor.order.subarray(0, factor.size)]).toEqual([0, 5, 7, 2]);
    expect(residual(factor, a, n)).toBeLessThan(1e-12);
    // once what it depends on is gone, it is welcome
    factor.remove(1);
    expect(factor.append(Int32Array.of(1), 1, PIVOT_LEAST)).toBe(0);
    expect(residual(factor, a, n)).toBeLessThan(1e-12);
  });

  it('the pivot decides exactly: at the least it is held, one ulp below it isn’t', () => {
    for (const [diagonal, leftOut] of [
      [0.25, 0],
      [0.25 - 2 ** -54, 1],
    ] as const) {
      expect(factorOf(Float64Array.of(diagonal), 1).append(Int32Array.of(0), 1, 0.25)).toBe(leftOut);
    }
  });

  it('leaves out a row of an indefinite matrix, and one with NaN, and goes on as before', () => {
    const indefinite = Float64Array.of(1, 2, NaN, 2, 1, 0, NaN, 0, 1);
    const factor = factorOf(indefinite, 3);
    expect(factor.append(Int32Array.of(0, 1, 2), 3, PIVOT_LEAST)).toBe(2);
    expect(factor.size).toBe(1);
    const b = Float64Array.of(3);
    factor.solve(b);
    expect(b[0]).toBe(3);
  });

  it('empty: solves nothing, and clear empties', () => {
    const factor = factorOf(definite(3, 1), 3);
    const b = Float64Array.of(1, 2, 3);
    factor.solve(b);
    expect([...b]).toEqual([1, 2, 3]);
    expect(factor.append(new Int32Array(0), 0, PIVOT_LEAST)).toBe(0);
    factor.append(Int32Array.of(2), 1, PIVOT_LEAST);
    factor.clear();
    expect(factor.size).toBe(0);
    expect(factorOf(new Float64Array(0), 0).size).toBe(0);
  });
});
