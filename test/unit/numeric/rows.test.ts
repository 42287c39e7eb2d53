/** rows.wat against plain loops: every size to beyond two blocks of a sweep, so that each remainder of a loop occurs. */
import { describe, expect, it } from 'vitest';
import { RowMemory } from '../../../src/numeric/rowMemory.ts';
import { rowKernel } from './kernel.ts';

const kernel = await rowKernel();
const SIZES = Array.from({ length: 20 }, (_, n) => n);

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

const drawn = (length: number, random: () => number): Float64Array => Float64Array.from({ length }, random);

/** A correlation matrix [n × n], positive definite. */
function gramOf(n: number, random: () => number): Float64Array {
  const rows = Array.from({ length: n }, () => {
    const row = drawn(2 * n + 2, random);
    const length = Math.hypot(...row);
    return row.map((x) => x / length);
  });
  return Float64Array.from(rows.flatMap((a) => rows.map((b) => a.reduce((sum, x, k) => sum + x * b[k]!, 0))));
}

/** A factor's rows, well conditioned, packed. */
function factorOf(size: number, random: () => number): Float64Array {
  const rows = Array.from({ length: size }, (_, i) => [...drawn(i, random).map((x) => x / 4), 1 + Math.abs(random())]);
  return Float64Array.from(rows.flat());
}

const at = (factor: Float64Array, i: number, j: number): number => (j > i ? 0 : factor[(i * (i + 1)) / 2 + j]!);

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(found.length).toBe(expected.length);
  for (let k = 0; k < found.length; k++) expect(Math.abs(found[k]! - expected[k]!)).toBeLessThan(1e-12);
}

describe('addRows', () => {
  it.each(SIZES)('%i rows, all, every third and none of them', (n) => {
    const random = randomFrom(n + 1);
    for (const every of [1, 3, Infinity]) {
      const memory = new RowMemory(kernel);
      const [matrix, to, coefficients, behind] = memory.arrays(n * n, n, n, 1);
      matrix.set(drawn(n * n, random));
      to.set(drawn(n, random));
      coefficients.set(drawn(n, random).map((x, j) => (j % every === 0 ? x : 0)));
      behind.fill(7);
      const expected = to.map((x, i) => coefficients.reduce((sum, f, j) => sum - f * matrix[j * n + i]!, x));
      memory.kernel.addRows(to.byteOffset, n, matrix.byteOffset, coefficients.byteOffset, -1);
      expectClose(to, expected);
      expect(behind[0]).toBe(7);
    }
  });

  it('reads no row whose coefficient is 0; NaN is one', () => {
    const memory = new RowMemory(kernel);
    const [matrix, to, coefficients] = memory.arrays(4, 2, 2);
    matrix.set([NaN, Infinity, 1, 2]);
    coefficients.set([0, 3]);
    memory.kernel.addRows(to.byteOffset, 2, matrix.byteOffset, coefficients.byteOffset, 1);
    expect([...to]).toEqual([3, 6]);
    coefficients.set([0, NaN]);
    memory.kernel.addRows(to.byteOffset, 2, matrix.byteOffset, coefficients.byteOffset, 1);
    expect([...to]).toEqual([NaN, NaN]);
  });
});

describe('sweep', () => {
  it.each(SIZES)('%i units: weights, gradient and count as coordinate descent gives them', (n) => {
    const random = randomFrom(n + 50);
    for (const [alpha, holding] of [
      [0.01, 0],
      [0.2, 0.4],
      [2, 0],
    ] as const) {
      const memory = new RowMemory(kernel);
      const [gram, g, weights, held] = memory.arrays(n * n, n, n, n);
      gram.set(gramOf(n, random));
      weights.set(drawn(n, random).map((w) => (w > 0 ? w / 4 : 0)));
      held.set(drawn(n, random).map((x) => (Math.abs(x) < holding ? 1 : 0)));
      const c = drawn(n, random);
      const gradientOf = (w: Float64Array): Float64Array =>
        c.map((value, i) => w.reduce((sum, weight, j) => sum - weight * gram[i * n + j]!, value));
      g.set(gradientOf(weights));

      const expected = weights.slice();
      let changed = 0;
      for (let j = 0; j < n; j++) {
        if (held[j] === 1) continue;
        const z = gradientOf(expected)[j]! + gram[j * n + j]! * expected[j]!;
        const next = (Math.sign(z) * Math.max(0, Math.abs(z) - alpha)) / gram[j * n + j]!;
        if (Math.abs(next - expected[j]!) > 1e-13) changed++;
        expected[j] = next;
      }
      const places = [gram, g, weights, held].map((array) => array.byteOffset) as [number, number, number, number];
      expect(memory.kernel.sweep(n, ...places, alpha, 1e-13)).toBe(changed);
      expectClose(weights, expected);
      expectClose(g, gradientOf(expected));
    }
  });

  it('keeps a weight that would change by no more than the least, and takes NaN for a change', () => {
    const memory = new RowMemory(kernel);
    const [gram, g, weights, held] = memory.arrays(1, 1, 1, 1);
    const sweep = (least: number): number =>
      memory.kernel.sweep(1, gram.byteOffset, g.byteOffset, weights.byteOffset, held.byteOffset, 0.25, least);
    gram[0] = 1;
    g[0] = 0.5;
    expect(sweep(0.25)).toBe(0);
    expect([weights[0], g[0]]).toEqual([0, 0.5]);
    expect(sweep(0.24)).toBe(1);
    expect([weights[0], g[0]]).toEqual([0.25, 0.25]);
    g[0] = NaN;
    gram[0] = NaN;
    expect(sweep(0.24)).toBe(1);
  });
});

describe('a factor’s rows', () => {
  it.each(SIZES)('%i of them: solveLower, solve, solvePanel, copyColumn', (size) => {
    const random = randomFrom(size + 100);
    const memory = new RowMemory(kernel);
    // a panel of one row more, as a factor of one row more
    const [panel, products, x, row] = memory.arrays(4 * (size + 4), 16, size, size);
    const [factor] = memory.withTail(((size + 1) * (size + 2)) / 2);
    factor.set(factorOf(size, random));
    const rest = factor.slice((size * (size + 1)) / 2);

    const solution = drawn(size, random);
    const lower = (y: ArrayLike<number>): Float64Array =>
      Float64Array.from({ length: size }, (_, i) => Array.from(y).reduce((sum, v, j) => sum + at(factor, i, j) * v, 0));
    const upper = (y: ArrayLike<number>): Float64Array =>
      Float64Array.from({ length: size }, (_, i) => Array.from(y).reduce((sum, v, j) => sum + at(factor, j, i) * v, 0));
    x.set(lower(solution));
    const square = memory.kernel.solveLower(size, factor.byteOffset, x.byteOffset);
    expectClose(x, solution);
    expectClose([square], [solution.reduce((sum, v) => sum + v * v, 0)]);
    x.set(lower(upper(solution)));
    memory.kernel.solve(size, factor.byteOffset, x.byteOffset);
    expectClose(x, solution);

    const columns = Array.from({ length: 4 }, () => drawn(size, random));
    for (const [lane, column] of columns.entries()) {
      for (const [k, value] of lower(column).entries()) panel[4 * k + lane] = value;
    }
    memory.kernel.solvePanel(size, factor.byteOffset, panel.byteOffset, products.byteOffset);
    for (const [lane, column] of columns.entries()) {
      memory.kernel.copyColumn(size, panel.byteOffset + 8 * lane, row.byteOffset);
      expectClose(row, column);
      for (let other = 0; other <= lane; other++) {
        const product = column.reduce((sum, v, k) => sum + v * columns[other]![k]!, 0);
        expectClose([products[4 * lane + other]!], [product]);
      }
    }
    // nothing is written where the next row will stand
    expect(factor.slice((size * (size + 1)) / 2)).toEqual(rest);
  });

  it.each(SIZES)('of %i and one more, any is taken out', (size) => {
    const random = randomFrom(size + 200);
    for (let k = 0; k <= size; k++) {
      const memory = new RowMemory(kernel);
      const [cosine, sine] = memory.arrays(size, size);
      const before = factorOf(size + 1, random);
      const [factor] = memory.withTail(before.length);
      factor.set(before);
      memory.kernel.removeRow(k, size, factor.byteOffset, cosine.byteOffset, sine.byteOffset);
      // L Lᵀ is as it was, without row and column k
      const product = (of: Float64Array, i: number, j: number): number => {
        let sum = 0;
        for (let c = 0; c <= Math.min(i, j); c++) sum += at(of, i, c) * at(of, j, c);
        return sum;
      };
      const old = (i: number): number => (i < k ? i : i + 1);
      for (let i = 0; i < size; i++) {
        expect(at(factor, i, i)).toBeGreaterThan(0);
        for (let j = 0; j <= i; j++) expectClose([product(factor, i, j)], [product(before, old(i), old(j))]);
      }
    }
  });
});

describe('RowMemory', () => {
  it('gives arrays that are 0 and apart, whatever stood there', () => {
    const memory = new RowMemory(kernel);
    for (const view of memory.arrays(100, 3)) view.fill(NaN);
    memory.withTail(20_000)[0].fill(NaN);
    const [a, none, b] = memory.arrays(5, 0, 9000);
    expect([...a, ...none, ...b].every((x) => x === 0)).toBe(true);
    a.fill(1);
    expect(b.every((x) => x === 0)).toBe(true);
  });

  it('keeps arrays and tail while the tail grows', () => {
    const memory = new RowMemory(kernel);
    const [a] = memory.arrays(3);
    a.set([1, 2, 3]);
    memory.withTail<[number]>(2)[0].set([4, 5]);
    const [tail, again] = memory.withTail<[number]>(100_000);
    expect(tail).toHaveLength(100_000);
    expect([...tail.subarray(0, 2)]).toEqual([4, 5]);
    expect([...again]).toEqual([1, 2, 3]);
  });

  it('says what there is no room for', () => {
    expect(() => new RowMemory(kernel).arrays(2 ** 29)).toThrow(/^\(plan-too-large\) expected 4294967/);
  });
});
