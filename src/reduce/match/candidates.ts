/**
 * Candidate lists of the assignment: per row the few columns worth bidding for, and a bound on all
 * others, so that a row is read in full only where the bound says that it may matter. After
 * Bertsekas, "Linear Network Optimization", 1991, section 4.1 (the third-best value of a row).
 *
 * Rests on prices that never fall: `bound[i]` ≥ value − price of every column outside list i then
 * stays true after the list was made. Values row-major [rows × columns]; the caller owns them and `price`.
 */

/** Columns kept when a list runs over. A list holds at most twice as many. */
const KEEP = 32;
/** The threshold of a list is the `RANK`-th largest of every `STRIDE`-th value: some RANK · STRIDE columns pass it. */
const RANK = 4;
const STRIDE = 8;

export class CandidateLists {
  /** Entries of list i stand at i · capacity … i · capacity + length[i] − 1. */
  readonly capacity: number;
  readonly length: Int32Array;
  readonly column: Int32Array;
  readonly value: Float64Array;
  readonly bound: Float64Array;
  /** What {@link findBest} found: the two largest margins of a row and their columns; −Infinity and −1 without a second. */
  best = -Infinity;
  second = -Infinity;
  bestColumn = -1;
  secondColumn = -1;
  private readonly values: Float64Array;
  private readonly columns: number;
  private readonly price: Float64Array;
  private readonly pickColumn: Int32Array;
  private readonly pickMargin: Float64Array;
  private readonly sample = new Float64Array(RANK);

  constructor(values: Float64Array, rows: number, columns: number, price: Float64Array) {
    this.values = values;
    this.columns = columns;
    this.price = price;
    this.capacity = Math.min(2 * KEEP, columns);
    this.length = new Int32Array(rows);
    this.column = new Int32Array(rows * this.capacity);
    this.value = new Float64Array(rows * this.capacity);
    this.bound = new Float64Array(rows);
    this.pickColumn = new Int32Array(this.capacity);
    this.pickMargin = new Float64Array(this.capacity);
    for (let row = 0; row < rows; row++) this.rebuild(row);
  }

  /** The two best columns of a row at the present prices; makes its list anew where that no longer tells them. */
  findBest(row: number): void {
    this.scan(row);
    if (this.second >= this.bound[row]!) return;
    this.rebuild(row);
    this.scan(row);
  }

  private scan(row: number): void {
    const { column, value, price } = this;
    let best = -Infinity;
    let second = -Infinity;
    let bestColumn = -1;
    let secondColumn = -1;
    for (let t = row * this.capacity, end = t + this.length[row]!; t < end; t++) {
      const j = column[t]!;
      const margin = value[t]! - price[j]!;
      if (margin <= second) continue;
      if (margin > best) {
        second = best;
        secondColumn = bestColumn;
        best = margin;
        bestColumn = j;
      } else {
        second = margin;
        secondColumn = j;
      }
    }
    this.best = best;
    this.second = second;
    this.bestColumn = bestColumn;
    this.secondColumn = secondColumn;
  }

  /**
   * Makes list `row` anew from the present prices: every column whose margin (value − price) is above
   * the bound is in it, and the two best columns always are. O(columns).
   */
  rebuild(row: number): void {
    const { values, price, columns, capacity, pickColumn, pickMargin } = this;
    const from = row * columns;
    let threshold = columns > capacity ? this.threshold(from) : -Infinity;
    let count = 0;
    for (let j = 0; j < columns; j++) {
      const margin = values[from + j]! - price[j]!;
      if (margin < threshold) continue;
      if (count === capacity && columns > capacity) {
        // the list runs over: keep its best, and let in from now on only what is as good
        partition(pickMargin, pickColumn, count, KEEP);
        threshold = Infinity;
        for (let t = 0; t < KEEP; t++) threshold = Math.min(threshold, pickMargin[t]!);
        count = KEEP;
        if (margin < threshold) continue;
      }
      pickColumn[count] = j;
      pickMargin[count++] = margin;
    }
    const to = row * capacity;
    for (let t = 0; t < count; t++) {
      const j = pickColumn[t]!;
      this.column[to + t] = j;
      this.value[to + t] = values[from + j]!;
    }
    this.length[row] = count;
    // what was left out, first or later, is no better than that
    this.bound[row] = threshold;
  }

  // the RANK-th largest margin of a sample of the row, best first in `sample`
  private threshold(from: number): number {
    const { values, price, columns, sample } = this;
    sample.fill(-Infinity);
    let least = -Infinity;
    for (let j = 0; j < columns; j += STRIDE) {
      const margin = values[from + j]! - price[j]!;
      if (margin <= least) continue;
      let at = RANK - 1;
      while (at > 0 && sample[at - 1]! < margin) {
        sample[at] = sample[at - 1]!;
        at--;
      }
      sample[at] = margin;
      least = sample[RANK - 1]!;
    }
    return least;
  }
}

// quickselect (Hoare 1961): reorders so that the `keep` largest of the first `count` margins come first
function partition(margin: Float64Array, column: Int32Array, count: number, keep: number): void {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const pivot = margin[(low + high) >> 1]!;
    let i = low;
    let j = high;
    while (i <= j) {
      while (margin[i]! > pivot) i++;
      while (margin[j]! < pivot) j--;
      if (i > j) break;
      const m = margin[i]!;
      margin[i] = margin[j]!;
      margin[j] = m;
      const c = column[i]!;
      column[i++] = column[j]!;
      column[j--] = c;
    }
    if (keep - 1 <= j) high = j;
    else if (keep - 1 >= i) low = i;
    else break;
  }
}
