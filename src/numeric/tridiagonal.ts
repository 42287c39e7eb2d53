/**
 * Lowest eigenpairs of a symmetric tridiagonal matrix: eigenvalues by bisection on Sturm counts, vectors by
 * inverse iteration with reorthogonalisation. The last step of eigen.ts and lanczos.ts.
 * Golub and Van Loan, "Matrix Computations", 4th ed. 2013, §8.4.1 and §8.2.2; LAPACK dstebz and dstein.
 * differs: no splitting into blocks (pivoting copes with zeros beside the diagonal).
 */
import { PipelineError } from '../errors.ts';
import { randomFrom } from './random.ts';

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

/**
 * The k lowest eigenpairs of T, O(n k) beside reorthogonalisation. Residuals are a few ε‖T‖ · √n.
 *
 * @param diagonal [n]; `off` [≥ n − 1], off[i] = T[i, i + 1]; both finite, read only. 0 ≤ k ≤ n.
 * @throws internal if a vector doesn't converge.
 */
export function lowestOfTridiagonal(diagonal: Float64Array, off: Float64Array, n: number, k: number): Eigenpairs {
  const values = lowestValues(diagonal, off, n, k);
  const norm = normOf(diagonal, off, n);
  const solver = new ShiftedSolver(diagonal, off, n, norm);
  const random = randomFrom(0, 'tridiagonal');
  const vectors: Float64Array[] = [];
  const enough = 8 * Number.EPSILON * norm * Math.sqrt(n);
  for (let index = 0; index < k; index++) {
    const value = values[index]!;
    const near = vectors.filter((_, other) => value - values[other]! <= NEAR * norm);
    const vector = new Float64Array(n);
    solver.factor(value);
    let settled = false;
    for (let iteration = 0; iteration < MOST_ITERATIONS && !settled; iteration++) {
      // a start that lay in the span of the vectors found is replaced
      if (iteration % 4 === 0) for (let i = 0; i < n; i++) vector[i] = random.uniform() - 0.5;
      solver.solve(vector);
      normalise(vector);
      for (let pass = 0; pass < 2; pass++) for (const other of near) subtractProjection(vector, other);
      normalise(vector);
      settled = iteration > 0 && residualOf(diagonal, off, n, value, vector) <= enough;
    }
    if (!settled) {
      throw new PipelineError(
        'internal',
        `expected an eigenvector of ${value}; inverse iteration found none (n = ${n})`,
      );
    }
    vectors.push(vector);
  }
  return { values, vectors };
}

/** The k lowest eigenvalues of T, rising, each to the last bits of ‖T‖. O(n k). */
export function lowestValues(diagonal: Float64Array, off: Float64Array, n: number, k: number): Float64Array {
  const norm = normOf(diagonal, off, n);
  const squares = Float64Array.from({ length: n }, (_, i) => (i === 0 ? 0 : off[i - 1]! * off[i - 1]!));
  // as LAPACK's pivmin: what a pivot must not fall below
  const least = Number.MIN_VALUE * 2 ** 60 + Number.EPSILON * Number.EPSILON * norm * norm * 2 ** -40;
  const values = new Float64Array(k);
  const slack = 4 * Number.EPSILON * norm + Number.MIN_VALUE;
  let low = -norm - slack;
  // upper[i] > eigenvalue i, from the counts taken for those below it
  const upper = new Float64Array(k).fill(norm + slack);
  for (let index = 0; index < k; index++) {
    let a = low;
    let b = upper[index]!;
    for (;;) {
      const middle = a + (b - a) / 2;
      if (middle <= a || middle >= b || b - a <= slack / 4) break;
      const count = countBelow(diagonal, squares, n, middle, least);
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
function countBelow(diagonal: Float64Array, squares: Float64Array, n: number, x: number, least: number): number {
  let count = 0;
  let pivot = 1;
  for (let i = 0; i < n; i++) {
    pivot = diagonal[i]! - x - squares[i]! / pivot;
    if (Math.abs(pivot) < least) pivot = -least;
    if (pivot < 0) count++;
  }
  return count;
}

/** LU factors, with row exchanges, of T − λ: U has two diagonals above the main one. */
class ShiftedSolver {
  private readonly diagonal: Float64Array;
  private readonly off: Float64Array;
  private readonly n: number;
  private readonly least: number;
  private readonly pivot: Float64Array;
  private readonly first: Float64Array;
  private readonly second: Float64Array;
  private readonly multiplier: Float64Array;
  private readonly exchanged: Uint8Array;

  constructor(diagonal: Float64Array, off: Float64Array, n: number, norm: number) {
    this.diagonal = diagonal;
    this.off = off;
    this.n = n;
    this.least = Number.EPSILON * norm || Number.MIN_VALUE * 2 ** 60;
    this.pivot = new Float64Array(n);
    this.first = new Float64Array(n);
    this.second = new Float64Array(n);
    this.multiplier = new Float64Array(n);
    this.exchanged = new Uint8Array(n);
  }

  factor(shift: number): void {
    const { diagonal, off, n, least, pivot, first, second, multiplier, exchanged } = this;
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

  /** Replaces x by (T − λ)⁻¹ x, up to a factor that keeps it finite. */
  solve(x: Float64Array): void {
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

function residualOf(diagonal: Float64Array, off: Float64Array, n: number, value: number, x: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    let y = (diagonal[i]! - value) * x[i]!;
    if (i > 0) y += off[i - 1]! * x[i - 1]!;
    if (i + 1 < n) y += off[i]! * x[i + 1]!;
    sum += y * y;
  }
  return Math.sqrt(sum);
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
