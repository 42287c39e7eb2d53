/**
 * The linear system of a large support, solved through what is left out of it: with H = G⁻¹, made once for all
 * targets, G_SS x = b is x = H_SS b − H_SC H_CC⁻¹ H_CS b, and only the few rows outside, C, need a factor.
 * Part of the LASSO kernel; stands in for numeric/cholesky.ts there.
 */
import { Cholesky } from '../../numeric/cholesky.ts';

/** A support S that grows and shrinks, and its system. {@link Cholesky} is the other one. */
export interface SupportSystem {
  /** Units of S; the first `size` entries count. */
  readonly order: Int32Array;
  readonly size: number;
  clear(): void;
  /** As {@link Cholesky.append}. */
  append(units: Int32Array, count: number, pivotLeast: number): number;
  remove(k: number): void;
  /** Solves G_SS x = b in place, both in S's order. */
  solve(b: Float64Array): void;
}

/** Least pivot of G's factor: with smaller ones the inverse has too few digits to be of use. */
const PIVOT_LEAST = 1e-4;

/** G⁻¹ [n × n] of a correlation matrix; null where G is singular, or near it. O(n³), memory 1.5 n² more while it lasts. */
export function inverseOf(gram: Float64Array, n: number): Float64Array | null {
  const factor = new Cholesky(gram, n);
  const units = Int32Array.from({ length: n }, (_, unit) => unit);
  if (factor.append(units, n, PIVOT_LEAST) > 0) return null;
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = inverse.subarray(i * n, (i + 1) * n);
    row[i] = 1;
    factor.solve(row);
  }
  return inverse;
}

/** Reads the inverse H; owns all else: at most half of H's size again, where S is empty. */
export class Complement implements SupportSystem {
  readonly order: Int32Array;
  size = 0;
  private readonly inverse: Float64Array;
  private readonly n: number;
  private readonly inside: Uint8Array; // [n], 1 for units of S
  private readonly outside: Cholesky; // of H, rows C: brought up to date before it is used
  private readonly held: Uint8Array; // [n], 1 for units it has
  private readonly joining: Int32Array;
  private readonly given: Float64Array; // [n] by unit, 0 outside S: the last b
  private readonly image: Float64Array; // [n] H times that
  private readonly changed: Int32Array;
  private readonly change: Float64Array; // [n], in the order of those changed
  private readonly x: Float64Array; // [n] by unit
  private readonly rest: Float64Array; // [n], in the factor's order

  constructor(inverse: Float64Array, n: number) {
    this.inverse = inverse;
    this.n = n;
    this.order = new Int32Array(n);
    this.inside = new Uint8Array(n);
    this.outside = new Cholesky(inverse, n);
    this.held = new Uint8Array(n);
    this.joining = new Int32Array(n);
    this.given = new Float64Array(n);
    this.image = new Float64Array(n);
    this.changed = new Int32Array(n);
    this.change = new Float64Array(n);
    this.x = new Float64Array(n);
    this.rest = new Float64Array(n);
  }

  clear(): void {
    this.size = 0;
    this.inside.fill(0);
  }

  /** No unit depends on others: none is left out. */
  append(units: Int32Array, count: number): number {
    for (let k = 0; k < count; k++) {
      this.order[this.size++] = units[k]!;
      this.inside[units[k]!] = 1;
    }
    return 0;
  }

  remove(k: number): void {
    this.inside[this.order[k]!] = 0;
    this.order.copyWithin(k, k + 1, this.size--);
  }

  /** O(n²), less where b is nearly the last one, and what changed outside since then as in {@link Cholesky}. */
  solve(b: Float64Array): void {
    const { order, size, inverse, n, image, outside, rest, x } = this;
    this.holdOutside();
    this.makeImage(b);
    x.set(image);
    for (let k = 0; k < outside.size; k++) rest[k] = image[outside.order[k]!]!;
    outside.solve(rest);
    addRows(inverse, n, outside.order, outside.size, rest, -1, x);
    for (let k = 0; k < size; k++) b[k] = x[order[k]!]!;
  }

  // from the last one where few values changed: for the same α those of units that joined or left, or whose sign did
  private makeImage(b: Float64Array): void {
    const { order, size, inverse, n, inside, given, image, changed, change } = this;
    let count = 0;
    for (let unit = 0; unit < n; unit++) {
      if (inside[unit] === 1 || given[unit] === 0) continue;
      changed[count] = unit;
      change[count++] = -given[unit]!;
      given[unit] = 0;
    }
    for (let k = 0; k < size; k++) {
      const unit = order[k]!;
      if (given[unit] === b[k]) continue;
      changed[count] = unit;
      change[count++] = b[k]! - given[unit]!;
      given[unit] = b[k]!;
    }
    if (2 * count < size) {
      addRows(inverse, n, changed, count, change, 1, image);
    } else {
      image.fill(0);
      addRows(inverse, n, order, size, b, 1, image);
    }
  }

  private holdOutside(): void {
    const { n, inside, outside, held, joining } = this;
    let leaving = 0;
    for (let k = 0; k < outside.size; k++) leaving += inside[outside.order[k]!]!;
    if (2 * leaving > outside.size) {
      held.fill(0);
      outside.clear();
    }
    for (let k = outside.size - 1; k >= 0; k--) {
      const unit = outside.order[k]!;
      if (inside[unit] === 0) continue;
      held[unit] = 0;
      outside.remove(k);
    }
    let count = 0;
    for (let unit = 0; unit < n; unit++) {
      if (inside[unit] === 1 || held[unit] === 1) continue;
      held[unit] = 1;
      joining[count++] = unit;
    }
    // a principal submatrix of a positive definite matrix is one
    outside.append(joining, count, 0);
  }
}

// to += sign · Σ factors[k] · row of order[k], over the first `count`, four rows at a time
function addRows(
  matrix: Float64Array,
  n: number,
  order: Int32Array,
  count: number,
  factors: Float64Array,
  sign: number,
  to: Float64Array,
): void {
  for (let k = 0; k < count; k += 4) addFour(matrix, n, order, k, Math.min(4, count - k), factors, sign, to);
}

// up to four of them from `first` on; apart, so that its loop is compiled as a whole
function addFour(
  matrix: Float64Array,
  n: number,
  order: Int32Array,
  first: number,
  count: number,
  factors: Float64Array,
  sign: number,
  to: Float64Array,
): void {
  const r0 = order[first]! * n;
  const r1 = count > 1 ? order[first + 1]! * n : 0;
  const r2 = count > 2 ? order[first + 2]! * n : 0;
  const r3 = count > 3 ? order[first + 3]! * n : 0;
  const f0 = sign * factors[first]!;
  const f1 = count > 1 ? sign * factors[first + 1]! : 0;
  const f2 = count > 2 ? sign * factors[first + 2]! : 0;
  const f3 = count > 3 ? sign * factors[first + 3]! : 0;
  for (let j = 0; j < n; j++) {
    to[j]! += f0 * matrix[r0 + j]! + f1 * matrix[r1 + j]! + (f2 * matrix[r2 + j]! + f3 * matrix[r3 + j]!);
  }
}
