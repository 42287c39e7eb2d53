/**
 * Cholesky factor of a principal submatrix that grows and shrinks: the Gram matrix of a sparse solution's
 * support. L Lᵀ = A[order, order] for a symmetric A [n × n]; L is packed by rows.
 * Append: Golub & Van Loan, "Matrix Computations", 4th ed. 2013, §4.2.9; remove: §6.5.3, by Givens rotations.
 * differs: rows are appended four at a time and set against two rows of L at a time, and systems are solved by four
 * rows of L at a time, for fewer loads per product; a removal is one pass over the packed rows below it.
 */

const LANES = 4;

/** A growing factor; reads A, never changes it, and owns all else. Buffers grow with the largest size held. */
export class Cholesky {
  /** Rows and columns of A held, in the factor's order; the first `size` entries count. */
  readonly order: Int32Array;
  size = 0;
  private readonly matrix: Float64Array;
  private readonly n: number;
  private factor = new Float64Array(0);
  // up to LANES new rows, interleaved: panel[k · LANES + lane]
  private readonly panel: Float64Array;
  private readonly cosine: Float64Array;
  private readonly sine: Float64Array;

  constructor(matrix: Float64Array, n: number) {
    this.matrix = matrix;
    this.n = n;
    this.order = new Int32Array(n);
    this.panel = new Float64Array((n + LANES) * LANES);
    this.cosine = new Float64Array(n);
    this.sine = new Float64Array(n);
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
    this.reserve(this.size + count);
    let leftOut = 0;
    for (let first = 0; first < count; first += LANES) {
      const lanes = Math.min(LANES, count - first);
      if (lanes === 1) {
        if (!this.appendOne(rows[first]!, pivotLeast)) rows[leftOut++] = rows[first]!;
        continue;
      }
      const held = this.size;
      this.solvePanel(rows, first, lanes);
      for (let lane = 0; lane < lanes; lane++) {
        const row = rows[first + lane]!;
        if (!this.appendLane(row, lane, held, pivotLeast)) rows[leftOut++] = row;
      }
    }
    return leftOut;
  }

  /** Removes the row at place `k` of `order`; those behind it move up by one. O((size − k)²). */
  remove(k: number): void {
    const { factor, cosine, sine } = this;
    this.size--;
    this.order.copyWithin(k, k + 1, this.size + 1);
    for (let r = k; r < this.size; r++) {
      // old row r + 1 becomes row r: the rotations of the rows before it, then one of its own
      let from = ((r + 1) * (r + 2)) / 2;
      let to = (r * (r + 1)) / 2;
      for (let c = 0; c < k; c++) factor[to++] = factor[from++]!;
      let left = factor[from++]!;
      for (let c = k; c < r; c++) {
        const right = factor[from++]!;
        factor[to++] = cosine[c]! * left + sine[c]! * right;
        left = cosine[c]! * right - sine[c]! * left;
      }
      const right = factor[from]!;
      const length = Math.sqrt(left * left + right * right);
      factor[to] = length;
      cosine[r] = left / length;
      sine[r] = right / length;
    }
  }

  /** Solves A[order, order] x = b in place, `b` in the factor's order; it may be longer. O(size²). */
  solve(b: Float64Array): void {
    this.solveLower(b);
    // Lᵀ x = y by the rows of L from the last, four at a time
    const { size, factor } = this;
    let i = size - 1;
    for (; i >= LANES - 1; i -= LANES) {
      const r0 = (i * (i + 1)) / 2;
      const r1 = r0 - i;
      const r2 = r1 - i + 1;
      const r3 = r2 - i + 2;
      const x0 = b[i]! / factor[r0 + i]!;
      const x1 = (b[i - 1]! - x0 * factor[r0 + i - 1]!) / factor[r1 + i - 1]!;
      const x2 = (b[i - 2]! - x0 * factor[r0 + i - 2]! - x1 * factor[r1 + i - 2]!) / factor[r2 + i - 2]!;
      const above = x0 * factor[r0 + i - 3]! + x1 * factor[r1 + i - 3]! + x2 * factor[r2 + i - 3]!;
      const x3 = (b[i - 3]! - above) / factor[r3 + i - 3]!;
      b[i] = x0;
      b[i - 1] = x1;
      b[i - 2] = x2;
      b[i - 3] = x3;
      for (let k = 0; k < i - 3; k++) {
        b[k] = b[k]! - (x0 * factor[r0 + k]! + x1 * factor[r1 + k]! + x2 * factor[r2 + k]! + x3 * factor[r3 + k]!);
      }
    }
    for (let start = (i * (i + 1)) / 2; i >= 0; start -= i--) {
      const x = b[i]! / factor[start + i]!;
      b[i] = x;
      for (let k = 0; k < i; k++) b[k] = b[k]! - x * factor[start + k]!;
    }
  }

  // L y = b in place by rows of L, four at a time
  private solveLower(b: Float64Array): void {
    const { size, factor } = this;
    let i = 0;
    for (; i + LANES <= size; i += LANES) {
      const r0 = (i * (i + 1)) / 2;
      const r1 = r0 + i + 1;
      const r2 = r1 + i + 2;
      const r3 = r2 + i + 3;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let k = 0; k < i; k++) {
        const y = b[k]!;
        s0 += factor[r0 + k]! * y;
        s1 += factor[r1 + k]! * y;
        s2 += factor[r2 + k]! * y;
        s3 += factor[r3 + k]! * y;
      }
      const y0 = (b[i]! - s0) / factor[r0 + i]!;
      const y1 = (b[i + 1]! - s1 - factor[r1 + i]! * y0) / factor[r1 + i + 1]!;
      const y2 = (b[i + 2]! - s2 - factor[r2 + i]! * y0 - factor[r2 + i + 1]! * y1) / factor[r2 + i + 2]!;
      const before = factor[r3 + i]! * y0 + factor[r3 + i + 1]! * y1 + factor[r3 + i + 2]! * y2;
      b[i] = y0;
      b[i + 1] = y1;
      b[i + 2] = y2;
      b[i + 3] = (b[i + 3]! - s3 - before) / factor[r3 + i + 3]!;
    }
    for (let start = (i * (i + 1)) / 2; i < size; start += ++i) {
      let rest = b[i]!;
      for (let k = 0; k < i; k++) rest -= factor[start + k]! * b[k]!;
      b[i] = rest / factor[start + i]!;
    }
  }

  // one row alone, its entries in the panel side by side
  private appendOne(row: number, pivotLeast: number): boolean {
    const { size, order, factor, panel, matrix, n } = this;
    for (let i = 0; i < size; i++) panel[i] = matrix[row * n + order[i]!]!;
    this.solveLower(panel);
    let pivot = matrix[row * n + row]!;
    for (let i = 0; i < size; i++) pivot -= panel[i]! ** 2;
    if (!(pivot >= pivotLeast)) return false;
    const start = (size * (size + 1)) / 2;
    factor.set(panel.subarray(0, size), start);
    factor[start + size] = Math.sqrt(pivot);
    order[size] = row;
    this.size = size + 1;
    return true;
  }

  // L X = A[order, rows] for up to LANES new rows
  private solvePanel(rows: Int32Array, first: number, lanes: number): void {
    const { size, order, factor, panel, matrix, n } = this;
    for (let lane = 0; lane < LANES; lane++) {
      const start = lane < lanes ? rows[first + lane]! * n : -1;
      for (let k = 0; k < size; k++) panel[k * LANES + lane] = start < 0 ? 0 : matrix[start + order[k]!]!;
    }
    // two rows of L against four lanes
    let i = 0;
    for (; i + 1 < size; i += 2) {
      const upper = (i * (i + 1)) / 2;
      const lower = upper + i + 1;
      let u0 = 0;
      let u1 = 0;
      let u2 = 0;
      let u3 = 0;
      let l0 = 0;
      let l1 = 0;
      let l2 = 0;
      let l3 = 0;
      for (let k = 0, x = 0; k < i; k++, x += LANES) {
        const u = factor[upper + k]!;
        const l = factor[lower + k]!;
        const x0 = panel[x]!;
        const x1 = panel[x + 1]!;
        const x2 = panel[x + 2]!;
        const x3 = panel[x + 3]!;
        u0 += u * x0;
        u1 += u * x1;
        u2 += u * x2;
        u3 += u * x3;
        l0 += l * x0;
        l1 += l * x1;
        l2 += l * x2;
        l3 += l * x3;
      }
      const x = i * LANES;
      const pivot = factor[upper + i]!;
      const below = factor[lower + i]!;
      const pivotBelow = factor[lower + i + 1]!;
      const y0 = (panel[x]! - u0) / pivot;
      const y1 = (panel[x + 1]! - u1) / pivot;
      const y2 = (panel[x + 2]! - u2) / pivot;
      const y3 = (panel[x + 3]! - u3) / pivot;
      panel[x] = y0;
      panel[x + 1] = y1;
      panel[x + 2] = y2;
      panel[x + 3] = y3;
      panel[x + 4] = (panel[x + 4]! - l0 - below * y0) / pivotBelow;
      panel[x + 5] = (panel[x + 5]! - l1 - below * y1) / pivotBelow;
      panel[x + 6] = (panel[x + 6]! - l2 - below * y2) / pivotBelow;
      panel[x + 7] = (panel[x + 7]! - l3 - below * y3) / pivotBelow;
    }
    if (i < size) for (let lane = 0; lane < lanes; lane++) this.extendLane(lane, i, panel[i * LANES + lane]!);
  }

  // one lane's entries against the rows that its panel has added before it, its pivot, and its place in L
  private appendLane(row: number, lane: number, held: number, pivotLeast: number): boolean {
    const { size, order, factor, panel, matrix, n } = this;
    for (let i = held; i < size; i++) this.extendLane(lane, i, matrix[row * n + order[i]!]!);
    let pivot = matrix[row * n + row]!;
    for (let k = 0; k < size; k++) pivot -= panel[k * LANES + lane]! ** 2;
    if (!(pivot >= pivotLeast)) return false;
    const start = (size * (size + 1)) / 2;
    for (let k = 0; k < size; k++) factor[start + k] = panel[k * LANES + lane]!;
    factor[start + size] = Math.sqrt(pivot);
    order[size] = row;
    this.size = size + 1;
    return true;
  }

  // the entry of one lane at row i of L, from its product with that row
  private extendLane(lane: number, i: number, product: number): void {
    const { factor, panel } = this;
    const start = (i * (i + 1)) / 2;
    let rest = product;
    for (let k = 0; k < i; k++) rest -= factor[start + k]! * panel[k * LANES + lane]!;
    panel[i * LANES + lane] = rest / factor[start + i]!;
  }

  private reserve(rows: number): void {
    if ((rows * (rows + 1)) / 2 <= this.factor.length) return;
    const capacity = Math.min(this.n, Math.max(64, 2 * rows));
    const factor = new Float64Array((capacity * (capacity + 1)) / 2);
    factor.set(this.factor);
    this.factor = factor;
  }
}
