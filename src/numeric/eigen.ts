/**
 * Lowest eigenpairs of a dense symmetric matrix, directly: Householder reduction to tridiagonal form, then
 * tridiagonal.ts, then the reflections backwards on the k vectors. Copes with every multiplicity.
 * Golub and Van Loan, "Matrix Computations", 4th ed. 2013, §8.3.1; the order of EISPACK's tred2.
 * differs: reads and writes the lower triangle only, two rows at a time, along rows.
 */
import { lowestOfTridiagonal, type Eigenpairs } from './tridiagonal.ts';

/**
 * The k lowest eigenpairs of A, values rising, vectors orthonormal; of each vector the first component within
 * 1e-8 of its largest |component| is positive. Residuals ‖Av − λv‖ are a few ε‖A‖ · √n. O(n³).
 *
 * @param matrix [n × n] symmetric, row-major, finite; its lower triangle is read and **overwritten**. 0 ≤ k ≤ n.
 * @throws internal if a vector doesn't converge.
 */
export function lowestEigenpairs(matrix: Float64Array, n: number, k: number): Eigenpairs {
  const diagonal = new Float64Array(n);
  const off = new Float64Array(n);
  const halfSquares = tridiagonalise(matrix, n, diagonal, off);
  const { values, vectors } = lowestOfTridiagonal(diagonal, off, n, k);
  // v = P(n−1) … P(1) x, P(i) = I − u uᵀ / h with u in the first i entries of row i
  for (let first = 0; first < k; first += 4) {
    const four = [0, 1, 2, 3].map((lane) => vectors[first + lane] ?? new Float64Array(n));
    for (let i = 1; i < n; i++) if (halfSquares[i] !== 0) reflect(matrix, i * n, i, halfSquares[i]!, four);
  }
  vectors.forEach(fixSign);
  return { values, vectors };
}

// four vectors at a time: u is loaded once for them, and their sums don't wait for each other
function reflect(u: Float64Array, start: number, length: number, h: number, vectors: readonly Float64Array[]): void {
  const [a, b, c, d] = vectors as [Float64Array, Float64Array, Float64Array, Float64Array];
  let ua = 0;
  let ub = 0;
  let uc = 0;
  let ud = 0;
  for (let j = 0; j < length; j++) {
    const value = u[start + j]!;
    ua += value * a[j]!;
    ub += value * b[j]!;
    uc += value * c[j]!;
    ud += value * d[j]!;
  }
  ua /= h;
  ub /= h;
  uc /= h;
  ud /= h;
  for (let j = 0; j < length; j++) {
    const value = u[start + j]!;
    a[j]! -= ua * value;
    b[j]! -= ub * value;
    c[j]! -= uc * value;
    d[j]! -= ud * value;
  }
}

/** Turns a vector so that the first of its (nearly) largest components is positive. */
export function fixSign(vector: Float64Array): void {
  let most = 0;
  for (let i = 0; i < vector.length; i++) most = Math.max(most, Math.abs(vector[i]!));
  const first = vector.find((x) => Math.abs(x) >= most * (1 - 1e-8)) ?? 0;
  if (first < 0) for (let i = 0; i < vector.length; i++) vector[i] = -vector[i]!;
}

// rows from the last to the second: row i's first i entries become u, and (0 … 0, off[i − 1]) of T; gives the h of each
function tridiagonalise(a: Float64Array, n: number, diagonal: Float64Array, off: Float64Array): Float64Array {
  const halfSquares = new Float64Array(n);
  const p = new Float64Array(n);
  for (let i = n - 1; i >= 1; i--) {
    const u = a.subarray(i * n, i * n + i);
    diagonal[i] = a[i * n + i]!;
    let most = 0;
    for (let j = 0; j < i - 1; j++) most = Math.max(most, Math.abs(u[j]!));
    const last = u[i - 1]!;
    if (most === 0) {
      off[i - 1] = last;
      continue;
    }
    // scaled, so that no square over- or underflows
    most = Math.max(most, Math.abs(last));
    let square = 0;
    for (let j = 0; j < i; j++) {
      u[j]! /= most;
      square += u[j]! * u[j]!;
    }
    const length = last > 0 ? -Math.sqrt(square) : Math.sqrt(square);
    off[i - 1] = length * most;
    const h = square - length * u[i - 1]!;
    halfSquares[i] = h;
    u[i - 1]! -= length;

    multiplySymmetric(a, n, i, u, p);
    let dot = 0;
    for (let j = 0; j < i; j++) {
      p[j]! /= h;
      dot += p[j]! * u[j]!;
    }
    dot /= 2 * h;
    for (let j = 0; j < i; j++) p[j]! -= dot * u[j]!;
    subtractSymmetric(a, n, i, u, p);
  }
  if (n > 0) diagonal[0] = a[0]!;
  return halfSquares;
}

// p = A u over the leading m × m block
function multiplySymmetric(a: Float64Array, n: number, m: number, u: Float64Array, p: Float64Array): void {
  p.fill(0, 0, m);
  let i = 0;
  for (; i + 1 < m; i += 2) {
    const row0 = i * n;
    const row1 = row0 + n;
    const u0 = u[i]!;
    const u1 = u[i + 1]!;
    let sum0 = 0;
    let sum1 = 0;
    for (let j = 0; j < i; j++) {
      const a0 = a[row0 + j]!;
      const a1 = a[row1 + j]!;
      const uj = u[j]!;
      sum0 += a0 * uj;
      sum1 += a1 * uj;
      p[j]! += a0 * u0 + a1 * u1;
    }
    const beside = a[row1 + i]!;
    p[i]! += sum0 + a[row0 + i]! * u0 + beside * u1;
    p[i + 1]! += sum1 + beside * u0 + a[row1 + i + 1]! * u1;
  }
  if (i < m) {
    let sum = 0;
    for (let j = 0; j < i; j++) {
      sum += a[i * n + j]! * u[j]!;
      p[j]! += a[i * n + j]! * u[i]!;
    }
    p[i]! += sum + a[i * n + i]! * u[i]!;
  }
}

// A −= u qᵀ + q uᵀ over the lower triangle of the leading m × m block
function subtractSymmetric(a: Float64Array, n: number, m: number, u: Float64Array, q: Float64Array): void {
  let i = 0;
  for (; i + 1 < m; i += 2) {
    const row0 = i * n;
    const row1 = row0 + n;
    const u0 = u[i]!;
    const u1 = u[i + 1]!;
    const q0 = q[i]!;
    const q1 = q[i + 1]!;
    for (let j = 0; j <= i; j++) {
      const uj = u[j]!;
      const qj = q[j]!;
      a[row0 + j]! -= u0 * qj + q0 * uj;
      a[row1 + j]! -= u1 * qj + q1 * uj;
    }
    a[row1 + i + 1]! -= 2 * u1 * q1;
  }
  if (i < m) for (let j = 0; j <= i; j++) a[i * n + j]! -= u[i]! * q[j]! + q[i]! * u[j]!;
}
