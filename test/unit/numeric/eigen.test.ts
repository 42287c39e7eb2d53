import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lowestEigenpairs } from '../../../src/numeric/eigen.ts';
import { lowestByLanczos } from '../../../src/numeric/lanczos.ts';
import { randomFrom } from '../../../src/numeric/random.ts';
import { lowestOfTridiagonal, type Eigenpairs } from '../../../src/numeric/tridiagonal.ts';

/** A symmetric matrix with these eigenvalues: reflected by `reflections` random Householder matrices. */
function withValues(values: readonly number[], seed: number, reflections = 3): Float64Array {
  const n = values.length;
  const random = randomFrom(seed, 'matrix');
  const a = new Float64Array(n * n);
  values.forEach((value, i) => (a[i * n + i] = value));
  for (let t = 0; t < reflections; t++) {
    const u = Float64Array.from({ length: n }, () => random.uniform() - 0.5);
    const square = u.reduce((sum, x) => sum + x * x, 0);
    // P A P, P = I − 2 u uᵀ / uᵀu
    const p = Float64Array.from(u, (_, i) => (2 / square) * u.reduce((sum, x, j) => sum + a[i * n + j]! * x, 0));
    const k = u.reduce((sum, x, i) => sum + x * p[i]!, 0) / square;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) a[i * n + j]! -= u[i]! * (p[j]! - k * u[j]!) + (p[i]! - k * u[i]!) * u[j]!;
  }
  // exactly symmetric
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[i * n + j] = a[j * n + i]!;
  return a;
}

const multiplyBy =
  (a: Float64Array, n: number) =>
  (x: Float64Array, y: Float64Array): void => {
    for (let i = 0; i < n; i++) y[i] = a.subarray(i * n, i * n + n).reduce((sum, value, j) => sum + value * x[j]!, 0);
  };

/** Checks residuals, orthonormality, order and signs. */
function expectEigenpairs(
  a: Float64Array,
  n: number,
  k: number,
  { values, vectors }: Eigenpairs,
  allowed: number,
): void {
  expect([values.length, vectors.length]).toEqual([k, k]);
  const image = new Float64Array(n);
  vectors.forEach((v, index) => {
    multiplyBy(a, n)(v, image);
    const residual = Math.sqrt(image.reduce((sum, y, i) => sum + (y - values[index]! * v[i]!) ** 2, 0));
    expect(residual).toBeLessThanOrEqual(allowed);
    vectors.forEach((w, other) => {
      const dot = v.reduce((sum, x, i) => sum + x * w[i]!, 0);
      expect(Math.abs(dot - (other === index ? 1 : 0))).toBeLessThan(1e-12);
    });
    if (index > 0) expect(values[index]).toBeGreaterThanOrEqual(values[index - 1]!);
    const most = v.reduce((size, x) => Math.max(size, Math.abs(x)), 0);
    expect(v.find((x) => Math.abs(x) >= most * (1 - 1e-8))).toBeGreaterThan(0);
  });
}

const spectra: [string, number[]][] = [
  ['n = 1', [-2]],
  ['n = 2', [3, -1]],
  ['n = 2, equal', [5, 5]],
  ['zero', [0, 0, 0, 0]],
  ['the identity', [1, 1, 1, 1, 1, 1]],
  ['0 three times', [0, 0, 0, 0.4, 0.5, 1, 1, 1, 1.7]],
  ['all but two equal', [-1, ...Array.from({ length: 40 }, () => 0.25), 3]],
  ['apart by an ulp', [1, 1 + 2 ** -52, 1 + 2 ** -51, 2, 4]],
  ['a cluster 1e-9 wide', [...Array.from({ length: 12 }, (_, i) => 1 + i * 1e-10), 2, 3]],
  ['fifteen orders of magnitude', Array.from({ length: 16 }, (_, i) => 10 ** -i)],
  ['large', [1e200, -1e200, 3e199, 0]],
  ['small', [1e-200, -1e-200, 3e-201, 0]],
  ['many', Array.from({ length: 90 }, (_, i) => Math.floor(i / 3) / 10)],
];

describe('lowestEigenpairs(matrix, n, k)', () => {
  it.each(spectra)('%s: every k, to rounding', (_, spectrum) => {
    const n = spectrum.length;
    const sorted = [...spectrum].sort((a, b) => a - b);
    const size = Math.max(...spectrum.map(Math.abs));
    const a = withValues(spectrum, 1);
    for (const k of new Set([0, 1, 2, Math.ceil(n / 2), n].filter((few) => few <= n))) {
      const pairs = lowestEigenpairs(a.slice(), n, k);
      // scaled, so that squares of the residual neither over- nor underflow
      const scaled = { values: pairs.values.map((x) => x / (size || 1)), vectors: pairs.vectors };
      expectEigenpairs(
        a.map((x) => x / (size || 1)),
        n,
        k,
        scaled,
        1e-13,
      );
      pairs.values.forEach((value, i) => expect(Math.abs(value - sorted[i]!)).toBeLessThanOrEqual(1e-13 * size));
    }
  });

  it('any symmetric matrix', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(1e6), fc.constantFrom(2, 3, 1e9), (n, seed, levels) => {
        const random = randomFrom(seed, 'any');
        const a = new Float64Array(n * n);
        for (let i = 0; i < n; i++)
          for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = random.below(levels) / levels;
        const pairs = lowestEigenpairs(a.slice(), n, n);
        expectEigenpairs(a, n, n, pairs, 1e-13 * n);
        const trace = a.reduce((sum, value, at) => (at % (n + 1) === 0 ? sum + value : sum), 0);
        expect(pairs.values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(trace, 11);
      }),
      { seed: 1 },
    );
  });

  it('reads the lower triangle only', () => {
    const lower = lowestEigenpairs(Float64Array.of(2, NaN, NaN, 1, 2, NaN, 0, 1, 2), 3, 3);
    expect(lower.values[0]).toBeCloseTo(2 - Math.SQRT2, 14);
    expect(lower.values[2]).toBeCloseTo(2 + Math.SQRT2, 14);
  });
});

describe('lowestOfTridiagonal(diagonal, off, n, k)', () => {
  it('a path’s: 2 − 2 cos(jπ / (n + 1)), and its sines', () => {
    const n = 257;
    const { values, vectors } = lowestOfTridiagonal(new Float64Array(n).fill(2), new Float64Array(n).fill(-1), n, 9);
    for (let j = 0; j < 9; j++) {
      const angle = ((j + 1) * Math.PI) / (n + 1);
      expect(Math.abs(values[j]! - (2 - 2 * Math.cos(angle)))).toBeLessThan(1e-14);
      const scale = Math.sqrt(2 / (n + 1)) * Math.sign(vectors[j]![0]!);
      vectors[j]!.forEach((x, i) => expect(Math.abs(x - scale * Math.sin((i + 1) * angle))).toBeLessThan(1e-10));
    }
  });

  it.each([
    ['nearly apart', 21, 5, 1e-14],
    ['apart', 11, 12, 0],
  ])('Wilkinson’s matrices, glued %s: eigenvalues in tight clusters', (_, size, copies, glue) => {
    const n = size * copies;
    const diagonal = Float64Array.from({ length: n }, (__, i) => Math.abs((i % size) - (size - 1) / 2));
    const off = Float64Array.from({ length: n }, (__, i) => (i % size === size - 1 ? glue : 1));
    const { values, vectors } = lowestOfTridiagonal(diagonal, off, n, n);
    vectors.forEach((v, index) => {
      const image = v.map(
        (x, i) => diagonal[i]! * x + (i > 0 ? off[i - 1]! * v[i - 1]! : 0) + off[i]! * (v[i + 1] ?? 0),
      );
      expect(Math.hypot(...image.map((y, i) => y - values[index]! * v[i]!))).toBeLessThan(1e-12);
      vectors
        .slice(0, index)
        .forEach((w) => expect(Math.abs(w.reduce((sum, x, i) => sum + x * v[i]!, 0))).toBeLessThan(1e-12));
    });
  });

  it('counts each eigenvalue of a matrix in blocks', () => {
    const { values } = lowestOfTridiagonal(Float64Array.of(1, 1, 2, 1, 1), Float64Array.of(1, 0, 0, 1), 5, 5);
    [0, 0, 2, 2, 2].forEach((value, i) => expect(values[i]).toBeCloseTo(value, 14));
  });
});

describe('lowestByLanczos(multiply, n, k, options)', () => {
  const options = (seed = 1) => ({
    locked: [],
    tolerance: 1e-11,
    mostSteps: 2000,
    random: randomFrom(seed, 'lanczos'),
  });

  it.each(spectra.filter(([name]) => name !== 'large' && name !== 'small'))(
    '%s: multiple ones whole',
    (_, spectrum) => {
      const n = spectrum.length;
      const sorted = [...spectrum].sort((a, b) => a - b);
      const a = withValues(spectrum, 2);
      for (const k of new Set([0, 1, 2, 5, n].filter((few) => few <= n))) {
        const pairs = lowestByLanczos(multiplyBy(a, n), n, k, options())!;
        expectEigenpairs(a, n, k, pairs, 1e-10);
        pairs.values.forEach((value, i) => expect(Math.abs(value - sorted[i]!)).toBeLessThan(1e-10));
      }
    },
  );

  it('few of many: as the direct way', () => {
    const n = 240;
    const a = withValues(
      Array.from({ length: n }, (_, i) => Math.sqrt(i)),
      3,
    );
    const pairs = lowestByLanczos(multiplyBy(a, n), n, 6, options())!;
    expectEigenpairs(a, n, 6, pairs, 1e-10);
    const direct = lowestEigenpairs(a.slice(), n, 6);
    pairs.vectors.forEach((v, index) => {
      v.forEach((x, i) => expect(Math.abs(x - direct.vectors[index]![i]!)).toBeLessThan(1e-9));
    });
  });

  it('stays beside what is locked', () => {
    const spectrum = Array.from({ length: 60 }, (_, i) => i / 10);
    const a = withValues(spectrum, 4);
    const locked = lowestEigenpairs(a.slice(), 60, 3).vectors;
    const pairs = lowestByLanczos(multiplyBy(a, 60), 60, 2, { ...options(), locked })!;
    expect([...pairs.values].map((value) => Number(value.toFixed(9)))).toEqual([0.3, 0.4]);
    for (const v of pairs.vectors)
      for (const w of locked) expect(Math.abs(v.reduce((s, x, i) => s + x * w[i]!, 0))).toBeLessThan(1e-10);
  });

  it('gives up after mostSteps', () => {
    const a = withValues(
      Array.from({ length: 60 }, (_, i) => i),
      5,
    );
    expect(lowestByLanczos(multiplyBy(a, 60), 60, 3, { ...options(), mostSteps: 10 })).toBeNull();
  });

  it('gives the same for the same stream', () => {
    const a = withValues(
      Array.from({ length: 50 }, (_, i) => i % 9),
      6,
    );
    expect(lowestByLanczos(multiplyBy(a, 50), 50, 4, options(7))).toEqual(
      lowestByLanczos(multiplyBy(a, 50), 50, 4, options(7)),
    );
  });
});
