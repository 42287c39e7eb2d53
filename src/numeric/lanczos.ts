/**
 * Lowest eigenpairs of a symmetric operator known by its product with a vector: Lanczos with full
 * reorthogonalisation. For few pairs of a large sparse matrix; eigen.ts is the direct way.
 * Golub and Van Loan, "Matrix Computations", 4th ed. 2013, §10.3; Parlett, "The Symmetric Eigenvalue
 * Problem", 1998, §13.2 (the residual of a Ritz pair) and §6.9 ("twice is enough").
 * differs: one Krylov space holds one vector of each eigenspace, so converged pairs are locked and the search
 * begins again beside them, until it finds nothing lower: multiple eigenvalues come out whole.
 */
import { fixSign } from './eigen.ts';
import type { Random } from './random.ts';
import { lastComponent, lowestOfTridiagonal, type Eigenpairs } from './tridiagonal.ts';

/** A x, written to y. Must give the same for the same x. */
export type Product = (x: Float64Array, y: Float64Array) => void;

export interface LanczosOptions {
  /** Orthonormal vectors to stay orthogonal to, as if they weren't in the space. Read only. */
  locked: readonly Float64Array[];
  /** Allowed ‖Av − λv‖; well above rounding in one product. */
  tolerance: number;
  /** Products of all searches together before it gives up. */
  mostSteps: number;
  random: Random;
}

/**
 * The k lowest eigenpairs of A in the space orthogonal to `locked`, values rising, vectors orthonormal, signs as
 * in eigen.ts; null if that took more than `mostSteps`. O(steps · (product + steps · n)), memory steps · n.
 *
 * @param k at most n − locked.length.
 */
export function lowestByLanczos(multiply: Product, n: number, k: number, options: LanczosOptions): Eigenpairs | null {
  const { locked, tolerance, mostSteps, random } = options;
  let found: { value: number; vector: Float64Array }[] = [];
  let stepsLeft = mostSteps;
  while (k > 0 && locked.length + found.length < n) {
    // once there are k, one search more: it shows that nothing lower is left, or finds it
    const missing = k - found.length;
    const highest = missing > 0 ? Infinity : found[k - 1]!.value - tolerance;
    const beside = [...locked, ...found.map(({ vector }) => vector)];
    const search = searchBeside(multiply, n, beside, Math.max(missing, 1), { highest, tolerance, stepsLeft, random });
    if (search === null) return null;
    stepsLeft -= search.steps;
    let lower = 0;
    for (; lower < search.values.length && search.values[lower]! < highest; lower++) {
      found.push({ value: search.values[lower]!, vector: search.vectors[lower]! });
    }
    if (lower === 0) break;
    found = found.sort((a, b) => a.value - b.value).slice(0, k);
  }
  for (const { vector } of found) fixSign(vector);
  return { values: Float64Array.from(found, ({ value }) => value), vectors: found.map(({ vector }) => vector) };
}

interface SearchLimits {
  highest: number;
  tolerance: number;
  stepsLeft: number;
  random: Random;
}

/**
 * Grows one Krylov space from a random vector orthogonal to `beside`, until its `count` lowest Ritz pairs are
 * eigenpairs; fewer where the space turns out invariant. Where even the lowest comes no lower than `highest`
 * it needs to be known only roughly. Null when the steps run out.
 */
function searchBeside(
  multiply: Product,
  n: number,
  beside: readonly Float64Array[],
  count: number,
  { highest, tolerance, stepsLeft, random }: SearchLimits,
): (Eigenpairs & { steps: number }) | null {
  // what to stay orthogonal to, then the Krylov vectors
  const basis = [...beside, startVector(n, beside, random)];
  const first = beside.length;
  const diagonal: number[] = [];
  const off: number[] = [];
  let check = Math.max(2 * count + 8, 20);
  for (let steps = 1; steps <= stepsLeft; steps++) {
    const vector = basis[first + steps - 1]!;
    const next = new Float64Array(n);
    multiply(vector, next);
    diagonal.push(dot(vector, next));
    addMultiple(next, vector, -diagonal[steps - 1]!);
    if (steps > 1) addMultiple(next, basis[first + steps - 2]!, -off[steps - 2]!);
    const length = orthogonalise(next, basis);
    const invariant = basis.length === n || length < 1e-3 * tolerance;
    if (steps >= check || invariant) {
      check = steps + 4 + (steps >> 3);
      const limits = { residual: invariant ? 0 : length, highest, tolerance };
      const ritz = convergedPairs(Float64Array.from(diagonal), Float64Array.from(off), steps, count, limits);
      if (ritz !== null) {
        return { values: ritz.values, vectors: ritz.vectors.map((weights) => combine(basis, first, weights)), steps };
      }
    }
    off.push(length);
    scale(next, 1 / length);
    basis.push(next);
  }
  return null;
}

/**
 * The `count` lowest Ritz pairs (all, where there are fewer) once they are eigenpairs to the tolerance, else null;
 * `residual` times the last component of a Ritz vector is what it lacks.
 */
function convergedPairs(
  diagonal: Float64Array,
  off: Float64Array,
  steps: number,
  count: number,
  { residual, highest, tolerance }: { residual: number; highest: number; tolerance: number },
): Eigenpairs | null {
  const last = Math.min(count, steps) - 1;
  // the last pair converges last: as long as it hasn't nearly, the others needn't be looked at
  if (residual > 0 && residual * lastComponent(diagonal, off, steps, last) > Math.sqrt(tolerance)) return null;
  const ritz = lowestOfTridiagonal(diagonal, off, steps, last + 1);
  const allowed = ritz.values[0]! >= highest ? Math.sqrt(tolerance) : tolerance;
  return ritz.vectors.every((weights) => residual * Math.abs(weights[steps - 1]!) <= allowed) ? ritz : null;
}

function startVector(n: number, beside: readonly Float64Array[], random: Random): Float64Array {
  const vector = new Float64Array(n);
  for (;;) {
    for (let i = 0; i < n; i++) vector[i] = random.uniform() - 0.5;
    const length = orthogonalise(vector, beside);
    // next to nothing lies beside those: what is left would be rounding
    if (length < 1e-8) continue;
    scale(vector, 1 / length);
    return vector;
  }
}

// Σ weights[j] · basis[first + j]; four at a time, for fewer stores
function combine(basis: readonly Float64Array[], first: number, weights: Float64Array): Float64Array {
  const vector = new Float64Array(basis[0]!.length);
  let j = 0;
  for (; j + 4 <= weights.length; j += 4) addFour(vector, basis, first + j, weights.subarray(j, j + 4));
  for (; j < weights.length; j++) addMultiple(vector, basis[first + j]!, weights[j]!);
  scale(vector, 1 / Math.sqrt(dot(vector, vector)));
  return vector;
}

function addFour(x: Float64Array, basis: readonly Float64Array[], at: number, [p, q, r, s]: Float64Array): void {
  const [a, b, c, d] = [basis[at]!, basis[at + 1]!, basis[at + 2]!, basis[at + 3]!];
  for (let i = 0; i < x.length; i++) x[i]! += p! * a[i]! + q! * b[i]! + r! * c[i]! + s! * d[i]!;
}

/** Takes from x its part in the span of orthonormal `basis` and returns the length of what is left, exact to rounding. */
function orthogonalise(x: Float64Array, basis: readonly Float64Array[]): number {
  let before = Math.sqrt(dot(x, x));
  for (;;) {
    // four vectors at a time, for fewer loads of x
    let j = 0;
    for (; j + 4 <= basis.length; j += 4) subtractFour(x, basis[j]!, basis[j + 1]!, basis[j + 2]!, basis[j + 3]!);
    for (; j < basis.length; j++) addMultiple(x, basis[j]!, -dot(x, basis[j]!));
    const after = Math.sqrt(dot(x, x));
    // again only where so much was taken that rounding shows
    if (after > 0.7 * before || after < 1e-150) return after;
    before = after;
  }
}

function subtractFour(x: Float64Array, a: Float64Array, b: Float64Array, c: Float64Array, d: Float64Array): void {
  let xa = 0;
  let xb = 0;
  let xc = 0;
  let xd = 0;
  for (let i = 0; i < x.length; i++) {
    const value = x[i]!;
    xa += value * a[i]!;
    xb += value * b[i]!;
    xc += value * c[i]!;
    xd += value * d[i]!;
  }
  for (let i = 0; i < x.length; i++) x[i]! -= xa * a[i]! + xb * b[i]! + xc * c[i]! + xd * d[i]!;
}

// two sums, so that additions don't wait for each other
function dot(x: Float64Array, y: Float64Array): number {
  let even = 0;
  let odd = 0;
  for (let i = 0; i + 1 < x.length; i += 2) {
    even += x[i]! * y[i]!;
    odd += x[i + 1]! * y[i + 1]!;
  }
  return x.length % 2 === 0 ? even + odd : even + odd + x[x.length - 1]! * y[x.length - 1]!;
}

function addMultiple(x: Float64Array, y: Float64Array, factor: number): void {
  for (let i = 0; i < x.length; i++) x[i]! += factor * y[i]!;
}

function scale(x: Float64Array, factor: number): void {
  for (let i = 0; i < x.length; i++) x[i]! *= factor;
}
