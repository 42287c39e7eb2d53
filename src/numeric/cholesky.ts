/**
 * Cholesky factor of a principal submatrix that grows and shrinks: the Gram matrix of a sparse solution's
 * support. L Lᵀ = A[order, order] for a symmetric A [n × n]; L is packed by rows.
 * Append: Golub & Van Loan, "Matrix Computations", 4th ed. 2013, §4.2.9; remove: §6.5.3, by Givens rotations.
 * differs: rows are appended four at a time, first against L, then among themselves; a removal is one pass over the
 * packed rows below it. What is O(size²) is done by the kernel (rows.wat).
 */
import type { RowMemory } from './rowMemory.ts';

/** Rows appended at a time: the columns of the kernel's panel. */
const LANES = 4;
/** Rows for which room is made at a time. */
const ROOM_ROWS = 32;

/** What stands beside the factor. */
type Beside = [panel: number, products: number, x: number, cosine: number, sine: number];

/** A growing factor; reads A, never changes it. `memory` is its own, and grows with the largest size held. */
export class Cholesky {
  /** Rows and columns of A held, in the factor's order; the first `size` entries count. */
  readonly order: Int32Array;
  size = 0;
  private readonly matrix: Float64Array;
  private readonly n: number;
  private readonly memory: RowMemory;
  private readonly joined = new Int32Array(LANES); // lanes of the rows that a panel has added
  // all that follow stand in `memory`
  private factor = new Float64Array(0); // packed by rows
  private panel!: Float64Array; // up to LANES new rows, interleaved: panel[k · LANES + lane]
  private products!: Float64Array; // [LANES × LANES] of the panel's rows, lower triangle
  private x!: Float64Array; // [n]
  private cosine!: Float64Array; // [n]
  private sine!: Float64Array; // [n]

  constructor(memory: RowMemory, matrix: Float64Array, n: number) {
    this.memory = memory;
    this.matrix = matrix;
    this.n = n;
    this.order = new Int32Array(n);
    memory.arrays<Beside>((n + LANES) * LANES, LANES * LANES, n, n, n);
    this.reserve(1);
  }

  /** Forgets all rows. */
  clear(): void {
    this.size = 0;
  }

  /**
   * Appends the first `count` of `rows`, none of which is held. A row whose pivot falls below `pivotLeast` is
   * left out: it is a combination of those held, or A isn't positive definite. Those left out are moved
   * to the front of `rows`; returns their number. O(count · size²/2).
   */
  append(rows: Int32Array, count: number, pivotLeast: number): number {
    // beside the rows themselves one more, which the kernel reads for what comes to nothing
    this.reserve(this.size + count + 1);
    let leftOut = 0;
    for (let first = 0; first < count; first += LANES) {
      const lanes = Math.min(LANES, count - first);
      if (lanes > 1) leftOut = this.appendPanel(rows, first, lanes, pivotLeast, leftOut);
      else if (!this.appendOne(rows[first]!, pivotLeast)) rows[leftOut++] = rows[first]!;
    }
    return leftOut;
  }

  /** Removes the row at place `k` of `order`; those behind it move up by one. O((size − k)²). */
  remove(k: number): void {
    this.size--;
    this.order.copyWithin(k, k + 1, this.size + 1);
    const { factor, cosine, sine, memory } = this;
    memory.kernel.removeRow(k, this.size, factor.byteOffset, cosine.byteOffset, sine.byteOffset);
  }

  /** Solves A[order, order] x = b in place, `b` in the factor's order; it may be longer. O(size²). */
  solve(b: Float64Array): void {
    const { size, factor, x, memory } = this;
    for (let k = 0; k < size; k++) x[k] = b[k]!;
    memory.kernel.solve(size, factor.byteOffset, x.byteOffset);
    for (let k = 0; k < size; k++) b[k] = x[k]!;
  }

  // one row alone
  private appendOne(row: number, pivotLeast: number): boolean {
    const { size, order, factor, x, matrix, n, memory } = this;
    for (let i = 0; i < size; i++) x[i] = matrix[row * n + order[i]!]!;
    const explained = memory.kernel.solveLower(size, factor.byteOffset, x.byteOffset);
    const pivot = matrix[row * n + row]! - explained;
    if (!(pivot >= pivotLeast)) return false;
    const start = startOf(size);
    for (let i = 0; i < size; i++) factor[start + i] = x[i]!;
    factor[start + size] = Math.sqrt(pivot);
    order[size] = row;
    this.size = size + 1;
    return true;
  }

  // several rows at once against L, then one by one against each other; gives how many were left out so far
  private appendPanel(rows: Int32Array, first: number, lanes: number, pivotLeast: number, leftOut: number): number {
    const { size: held, order, joined, factor, panel, products, matrix, n, memory } = this;
    for (let lane = 0; lane < LANES; lane++) {
      const start = lane < lanes ? rows[first + lane]! * n : -1;
      for (let k = 0; k < held; k++) panel[k * LANES + lane] = start < 0 ? 0 : matrix[start + order[k]!]!;
    }
    memory.kernel.solvePanel(held, factor.byteOffset, panel.byteOffset, products.byteOffset);
    for (let lane = 0; lane < lanes; lane++) {
      const row = rows[first + lane]!;
      const { size } = this;
      const start = startOf(size);
      memory.kernel.copyColumn(held, panel.byteOffset + 8 * lane, factor.byteOffset + 8 * start);
      let pivot = matrix[row * n + row]! - products[lane * LANES + lane]!;
      for (let i = held; i < size; i++) {
        const above = startOf(i);
        let entry = matrix[row * n + order[i]!]! - products[lane * LANES + joined[i - held]!]!;
        for (let k = held; k < i; k++) entry -= factor[start + k]! * factor[above + k]!;
        entry /= factor[above + i]!;
        factor[start + i] = entry;
        pivot -= entry * entry;
      }
      if (!(pivot >= pivotLeast)) {
        rows[leftOut++] = row;
        continue;
      }
      factor[start + size] = Math.sqrt(pivot);
      order[size] = row;
      joined[size - held] = lane;
      this.size = size + 1;
    }
    return leftOut;
  }

  private reserve(rows: number): void {
    const room = startOf(ROOM_ROWS * Math.ceil(rows / ROOM_ROWS));
    if (room <= this.factor.length) return;
    const [factor, ...beside] = this.memory.withTail<Beside>(room);
    this.factor = factor;
    [this.panel, this.products, this.x, this.cosine, this.sine] = beside;
  }
}

/** Where a row begins in the packed factor. */
function startOf(row: number): number {
  return (row * (row + 1)) / 2;
}
