/**
 * The linear system of a large support, solved through what is left out of it: with H = G⁻¹, made once for all
 * targets, G_SS x = b is x = H_SS b − H_SC H_CC⁻¹ H_CS b, and only the few rows outside, C, need a factor.
 * Part of the LASSO kernel; stands in for numeric/cholesky.ts there.
 */
import { Cholesky } from '../../numeric/cholesky.ts';
import type { RowMemory } from '../../numeric/rowMemory.ts';
import type { LassoMemory } from './lassoMemory.ts';

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

/** G⁻¹ in a memory of its own, [n × n], and vectors beside it, [n]. */
export interface Inverse {
  values: Float64Array;
  image: Float64Array;
  change: Float64Array;
  x: Float64Array;
}

/** The inverse of a correlation matrix, `memory`'s; null where it is singular, or near it. O(n³), memory n² and, for its factor, ½ n². */
export function inverseOf(memory: LassoMemory, n: number): Inverse | null {
  // what is outside comes to stand there
  const factor = new Cholesky(memory.outside, memory.gram, n);
  const units = Int32Array.from({ length: n }, (_, unit) => unit);
  if (factor.append(units, n, PIVOT_LEAST) > 0) return null;
  const [values, image, change, x] = memory.inverse.arrays(n * n, n, n, n);
  for (let i = 0; i < n; i++) {
    const row = values.subarray(i * n, (i + 1) * n);
    row[i] = 1;
    factor.solve(row);
  }
  return { values, image, change, x };
}

/** Reads the inverse H; owns all else: at most half of H's size again, where S is empty. */
export class Complement implements SupportSystem {
  readonly order: Int32Array;
  size = 0;
  private readonly memory: RowMemory; // of the inverse, and of vectors with `in memory`
  private readonly inverse: Float64Array;
  private readonly n: number;
  private readonly inside: Uint8Array; // [n], 1 for units of S
  private readonly outside: Cholesky; // of H, rows C: brought up to date before it is used
  private readonly held: Uint8Array; // [n], 1 for units it has
  private readonly joining: Int32Array;
  private readonly given: Float64Array; // [n] by unit, 0 outside S: the last b
  private readonly image: Float64Array; // [n] H times that; in memory
  private readonly change: Float64Array; // [n] by unit, 0 where none; in memory
  private readonly x: Float64Array; // [n] by unit; in memory
  private readonly rest: Float64Array; // [n], in the factor's order

  constructor(memory: LassoMemory, { values, image, change, x }: Inverse) {
    const n = x.length;
    this.memory = memory.inverse;
    this.inverse = values;
    this.n = n;
    this.order = new Int32Array(n);
    this.inside = new Uint8Array(n);
    this.outside = new Cholesky(memory.outside, values, n);
    this.held = new Uint8Array(n);
    this.joining = new Int32Array(n);
    this.given = new Float64Array(n);
    this.image = image;
    this.change = change;
    this.x = x;
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
    const { order, size, image, change, outside, rest, x } = this;
    this.holdOutside();
    this.makeImage(b);
    x.set(image);
    for (let k = 0; k < outside.size; k++) rest[k] = image[outside.order[k]!]!;
    outside.solve(rest);
    change.fill(0);
    for (let k = 0; k < outside.size; k++) change[outside.order[k]!] = rest[k]!;
    this.addImage(x, -1);
    for (let k = 0; k < size; k++) b[k] = x[order[k]!]!;
  }

  // from the last one where few values changed: for the same α those of units that joined or left, or whose sign did
  private makeImage(b: Float64Array): void {
    const { order, size, n, inside, given, image, change } = this;
    for (let unit = 0; unit < n; unit++) {
      change[unit] = inside[unit] === 1 ? 0 : -given[unit]!;
      if (inside[unit] === 0) given[unit] = 0;
    }
    for (let k = 0; k < size; k++) {
      const unit = order[k]!;
      change[unit] = b[k]! - given[unit]!;
      given[unit] = b[k]!;
    }
    let count = 0;
    for (let unit = 0; unit < n; unit++) if (change[unit] !== 0) count++;
    if (2 * count >= size) {
      image.fill(0);
      change.set(given);
    }
    this.addImage(image, 1);
  }

  // to += sign · H · change
  private addImage(to: Float64Array, sign: number): void {
    const { n, inverse, change, memory } = this;
    memory.kernel.addRows(to.byteOffset, n, inverse.byteOffset, change.byteOffset, sign);
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
