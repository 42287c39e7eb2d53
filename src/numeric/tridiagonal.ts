/**
 * Lowest eigenpairs of a symmetric tridiagonal matrix: eigenvalues by bisection on Sturm counts, vectors by
 * inverse iteration with reorthogonalisation. The last step of eigen.ts and lanczos.ts.
 * Golub and Van Loan, "Matrix Computations", 4th ed. 2013, §8.4.1 and §8.2.2; LAPACK dstebz and dstein.
 * differs: no splitting into blocks (pivoting copes with zeros beside the diagonal).
 */
import { PipelineError } from '../errors.ts';
import { randomFrom, type Random } from './random.ts';

/** k eigenpairs, values rising. */
export interface Eigenpairs {
  /** [k] */
  values: Float64Array;
  /** k orthonormal vectors of length n. */
  vectors: Float64Array[];
}

/** Vectors whose eigenvalues lie closer than this share of the norm are set orthogonal to each other (dstein: 1e-3). */
const NEAR = 1e-3;
/** Inverse iterations before a vector counts as failed; two are the rule. */
const MOST_ITERATIONS = 12;
/** What a pivot of a Sturm count is raised to, for a norm near 1. */
const LEAST_PIVOT = 2 ** -1000;

/**
 * The k lowest eigenpairs of T, O(n k) beside reorthogonalisation. Residuals are a few ε‖T‖ · √n.
 *
 * @param diagonal [≥ n]; `off` [≥ n − 1], off[i] = T[i, i + 1]; both finite, read only. 0 ≤ k ≤ n.
 * @throws internal if a vector doesn't converge.
 */
export function lowestOfTridiagonal(diagonal: Float64Array, off: Float64Array, n: number, k: number): Eigenpairs {
  // by a power of two to a norm near 1, so that squares neither over- nor underflow
  const scale = 2 ** -Math.max(-1000, Math.min(1000, Math.round(Math.log2(normOf(diagonal, off, n)) || 0)));
  const scaled = new Tridiagonal(diagonal.subarray(0, n), off.subarray(0, n - 1), scale);
  const values = scaled.lowestValues(k);
  const random = randomFrom(0, 'tridiagonal');
  const vectors: Float64Array[] = [];
  for (let index = 0; index < k; index++) {
    const value = values[index]!;
    const near = vectors.filter((_, other) => value - values[other]! <= NEAR * scaled.norm);
    const vector = scaled.vectorOf(value, near, random);
    if (vector === null) {
      throw new PipelineError('internal', `expected an eigenvector of ${value / scale}, found none (n = ${n})`);
    }
    vectors.push(vector);
  }
  return { values: values.map((value) => value / scale), vectors };
}

/**
 * |Last component| of the eigenvector of eigenvalue number `index` (from the lowest), which for a Lanczos process is
 * the residual of its Ritz pair but for a factor; up to rounding, and up to multiplicity. O(n).
 */
export function lastComponent(diagonal: Float64Array, off: Float64Array, n: number, index: number): number {
  const scale = 2 ** -Math.max(-1000, Math.min(1000, Math.round(Math.log2(normOf(diagonal, off, n)) || 0)));
  const scaled = new Tridiagonal(diagonal.subarray(0, n), off.subarray(0, n - 1), scale);
  const vector = scaled.vectorOf(scaled.valueAt(index), [], randomFrom(0, 'tridiagonal'));
  return vector === null ? Infinity : Math.abs(vector[n - 1]!);
}

class Tridiagonal {
  readonly norm: number;
  private readonly n: number;
  private readonly diagonal: Float64Array;
  private readonly off: Float64Array;
  // LU factors of T − λ with row exchanges; U has two diagonals above the main one
  private readonly pivot: Float64Array;
  private readonly first: Float64Array;
  private readonly second: Float64Array;
  private readonly multiplier: Float64Array;
  private readonly exchanged: Uint8Array;

  constructor(diagonal: Float64Array, off: Float64Array, scale: number) {
    const n = diagonal.length;
    this.n = n;
    this.diagonal = diagonal.map((x) => x * scale);
    this.off = off.map((x) => x * scale);
    this.norm = normOf(this.diagonal, this.off, n);
    this.pivot = new Float64Array(n);
    this.first = new Float64Array(n);
    this.second = new Float64Array(n);
    this.multiplier = new Float64Array(n);
    this.exchanged = new Uint8Array(n);
  }

  /** Eigenvalue number `index` from the lowest, to the last bits of the norm. */
  valueAt(index: number): number {
    const squares = this.off.map((x) => x * x);
    const enough = Number.EPSILON * this.norm;
    let a = -this.norm - 4 * enough;
    let b = -a;
    while (b - a > enough) {
      const middle = a + (b - a) / 2;
      if (middle <= a || middle >= b) break;
      if (this.countBelow(middle, squares) <= index) a = middle;
      else b = middle;
    }
    return a + (b - a) / 2;
  }

  /** The k lowest eigenvalues, rising, each to the last bits of the norm. */
  lowestValues(k: number): Float64Array {
    const { norm } = this;
    const values = new Float64Array(k);
    if (norm === 0) return values;
    const squares = this.off.map((x) => x * x);
    const enough = Number.EPSILON * norm;
    let low = -norm - 4 * enough;
    // upper[i] > eigenvalue i, from the counts taken for those below it
    const upper = new Float64Array(k).fill(norm + 4 * enough);
    for (let index = 0; index < k; index++) {
      let a = low;
      let b = upper[index]!;
      while (b - a > enough) {
        const middle = a + (b - a) / 2;
        if (middle <= a || middle >= b) break;
        const count = this.countBelow(middle, squares);
        if (count <= index) a = middle;
        else {
          b = middle;
          for (let other = index; other < Math.min(count, k); other++) upper[other] = Math.min(upper[other]!, middle);
        }
      }
      values[index] = a + (b - a) / 2;
      low = a;
    }
    return values;
  }

  // eigenvalues below x: negative pivots of T − x (Sylvester)
  private countBelow(x: number, squares: Float64Array): number {
    const { n, diagonal } = this;
    let pivot = 1;
    let count = 0;
    for (let i = 0; i < n; i++) {
      pivot = diagonal[i]! - x - (i === 0 ? 0 : squares[i - 1]! / pivot);
      // a pivot of 0 counts as negative, here and in the next one
      if (Math.abs(pivot) < LEAST_PIVOT) pivot = -LEAST_PIVOT;
      if (pivot < 0) count++;
    }
    return count;
  }

  /** A unit eigenvector of `value`, orthogonal to `near`; null if none came out. */
  vectorOf(value: number, near: readonly Float64Array[], random: Random): Float64Array | null {
    const { n, norm } = this;
    const vector = new Float64Array(n);
    const enough = 8 * Number.EPSILON * norm * Math.sqrt(n);
    this.factor(value);
    for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
      // a start that lay in the span of the vectors found is replaced
      if (iteration % 4 === 0) for (let i = 0; i < n; i++) vector[i] = random.uniform() - 0.5;
      this.solve(vector);
      normalise(vector);
      for (let pass = 0; pass < 2; pass++) for (const other of near) subtractProjection(vector, other);
      normalise(vector);
      if (iteration > 0 && this.residual(value, vector) <= enough) return vector;
    }
    return null;
  }

  private factor(shift: number): void {
    const { diagonal, off, n, pivot, first, second, multiplier, exchanged } = this;
    const least = Number.EPSILON * this.norm || LEAST_PIVOT;
    // the row being eliminated: (main, above) at columns i, i + 1
    let main = diagonal[0]! - shift;
    let above = n > 1 ? off[0]! : 0;
    for (let i = 0; i < n; i++) {
      const below = i + 1 < n ? off[i]! : 0;
      const nextMain = i + 1 < n ? diagonal[i + 1]! - shift : 0;
      const nextAbove = i + 2 < n ? off[i + 1]! : 0;
      if (Math.abs(main) >= Math.abs(below)) {
        if (Math.abs(main) < least) main = main < 0 ? -least : least;
        exchanged[i] = 0;
        pivot[i] = main;
        first[i] = above;
        second[i] = 0;
        multiplier[i] = below / main;
        main = nextMain - multiplier[i]! * above;
        above = nextAbove;
      } else {
        exchanged[i] = 1;
        pivot[i] = below;
        first[i] = nextMain;
        second[i] = nextAbove;
        multiplier[i] = main / below;
        main = above - multiplier[i]! * nextMain;
        above = -multiplier[i]! * nextAbove;
      }
    }
  }

  // replaces x by (T − λ)⁻¹ x, up to a factor that keeps it finite
  private solve(x: Float64Array): void {
    const { n, pivot, first, second, multiplier, exchanged } = this;
    for (let i = 0; i + 1 < n; i++) {
      if (exchanged[i] === 1) {
        const held = x[i]!;
        x[i] = x[i + 1]!;
        x[i + 1] = held;
      }
      x[i + 1]! -= multiplier[i]! * x[i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      let value = x[i]!;
      if (i + 1 < n) value -= first[i]! * x[i + 1]!;
      if (i + 2 < n) value -= second[i]! * x[i + 2]!;
      x[i] = value / pivot[i]!;
      if (Math.abs(x[i]!) > 2 ** 500) for (let j = 0; j < n; j++) x[j]! *= 2 ** -500;
    }
  }

  private residual(value: number, x: Float64Array): number {
    const { n, diagonal, off } = this;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      let y = (diagonal[i]! - value) * x[i]!;
      if (i > 0) y += off[i - 1]! * x[i - 1]!;
      if (i + 1 < n) y += off[i]! * x[i + 1]!;
      sum += y * y;
    }
    return Math.sqrt(sum);
  }
}

// bound of the largest |eigenvalue| (Gershgorin)
function normOf(diagonal: Float64Array, off: Float64Array, n: number): number {
  let norm = 0;
  for (let i = 0; i < n; i++) {
    const beside = (i > 0 ? Math.abs(off[i - 1]!) : 0) + (i + 1 < n ? Math.abs(off[i]!) : 0);
    norm = Math.max(norm, Math.abs(diagonal[i]!) + beside);
  }
  return norm;
}

function normalise(x: Float64Array): void {
  let most = 0;
  for (let i = 0; i < x.length; i++) most = Math.max(most, Math.abs(x[i]!));
  if (most === 0) return;
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i]! / most) * (x[i]! / most);
  const scale = 1 / Math.sqrt(sum);
  for (let i = 0; i < x.length; i++) x[i] = (x[i]! / most) * scale;
}

function subtractProjection(x: Float64Array, unit: Float64Array): void {
  let dot = 0;
  for (let i = 0; i < x.length; i++) dot += x[i]! * unit[i]!;
  for (let i = 0; i < x.length; i++) x[i]! -= dot * unit[i]!;
}
