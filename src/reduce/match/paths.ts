/**
 * Shortest augmenting paths of the assignment (Dijkstra by reduced costs, prices as potentials), in two
 * searches that give the same: one through the candidate lists and a heap, and a dense one for
 * matrices whose rows all want the same columns, where lists only cost.
 * Innermost loops are functions of their own: compiled whole, they are fast from the first matrix on.
 */
import type { CandidateLists } from './candidates.ts';
import { IndexedHeap } from './heap.ts';

/** What an assignment works on; rows ≤ columns. Prices are ≥ 0 and never fall; that of a free column is 0. */
export interface State {
  /** [rows × columns], row-major. */
  values: Float64Array;
  rows: number;
  columns: number;
  lists: CandidateLists;
  price: Float64Array;
  /** [rows] and [columns], −1 where free. */
  columnOf: Int32Array;
  rowOf: Int32Array;
}

/** A search through lists gives up when it has read more than these shares of all rows, and of the rows it met, in full. */
const FULL_OF_ALL = 1 / 4;
const FULL_OF_MET = 2 / 3;

/**
 * Search through the lists. The heap holds the columns reached, and the rows searched through their list
 * only, as id columns + row, at the least distance that any column outside the list can have.
 */
export class CandidateSearch {
  /** After a search: the free column found, and by column the row it was reached from. */
  end = -1;
  readonly fromRow: Int32Array;
  private readonly state: State;
  private readonly heap: IndexedHeap;
  private readonly settled: Int32Array;
  // per row met: its distance + its best margin, so that column j lies at base − (value − price)
  private readonly base: Float64Array;
  /** Distance of what was popped last, and of the nearest free column so far. */
  private reach = 0;
  private endDistance = Infinity;

  constructor(state: State) {
    this.state = state;
    this.heap = new IndexedHeap(state.columns + state.rows);
    this.fromRow = new Int32Array(state.columns);
    this.settled = new Int32Array(state.columns);
    this.base = new Float64Array(state.rows);
  }

  /** Finds the path from the free row `start` and raises prices along it; false, and no price changed, if it gave up. */
  search(start: number): boolean {
    const { values, rows, columns, lists, price, rowOf } = this.state;
    const { heap, settled, base } = this;
    this.reach = 0;
    this.endDistance = Infinity;
    let settledCount = 0;
    let fullCount = 0;
    base[start] = this.bestMargin(start);
    for (let row = start; row >= 0;) {
      this.searchList(row);
      const outside = Math.max(this.reach, base[row]! - lists.bound[row]!);
      if (outside < this.endDistance) heap.lower(columns + row, outside);

      // to the row of the nearest column; rows that come before it are read in full
      row = -1;
      while (row < 0 && heap.lowest() < this.endDistance) {
        const id = heap.pop();
        const distance = heap.key[id]!;
        this.reach = distance;
        if (id < columns) {
          settled[settledCount++] = id;
          row = rowOf[id]!;
          base[row] = distance + values[row * columns + id]! - price[id]!;
          continue;
        }
        if (++fullCount > FULL_OF_ALL * rows && fullCount > FULL_OF_MET * settledCount) {
          heap.clear();
          return false;
        }
        this.searchAll(id - columns);
        lists.rebuild(id - columns);
      }
    }
    // each settled column's price rises by what it lies before the end of the path
    for (let t = 0; t < settledCount; t++) price[settled[t]!]! += this.endDistance - heap.key[settled[t]!]!;
    heap.clear();
    return true;
  }

  // at least the best margin of a row: its list's best, or the bound of what is outside
  private bestMargin(row: number): number {
    const { lists, price } = this.state;
    let best = lists.bound[row]!;
    for (let t = row * lists.capacity, stop = t + lists.length[row]!; t < stop; t++) {
      best = Math.max(best, lists.value[t]! - price[lists.column[t]!]!);
    }
    return best;
  }

  private searchList(row: number): void {
    const { lists, price } = this.state;
    const { column, value } = lists;
    const distance = this.heap.key;
    const base = this.base[row]!;
    for (let t = row * lists.capacity, stop = t + lists.length[row]!; t < stop; t++) {
      const j = column[t]!;
      const d = base - value[t]! + price[j]!;
      if (d < distance[j]! && d < this.endDistance) this.reachColumn(j, row, d);
    }
  }

  private searchAll(row: number): void {
    const { values, columns, price } = this.state;
    const distance = this.heap.key;
    const base = this.base[row]!;
    const offset = row * columns;
    for (let j = 0; j < columns; j++) {
      const d = base - values[offset + j]! + price[j]!;
      if (d < distance[j]! && d < this.endDistance) this.reachColumn(j, row, d);
    }
  }

  private reachColumn(j: number, row: number, exact: number): void {
    const { heap, state } = this;
    // rounding must not put a column before what is settled
    const d = Math.max(this.reach, exact);
    if (d >= heap.key[j]!) return;
    this.fromRow[j] = row;
    if (state.rowOf[j]! >= 0) heap.lower(j, d);
    else {
      heap.mark(j, d);
      this.end = j;
      this.endDistance = d;
    }
  }
}

/** Search that reads every row met in full, as Crouse 2016 has it. */
export class DenseSearch {
  /** As in {@link CandidateSearch}. */
  end = -1;
  readonly fromRow: Int32Array;
  private readonly state: State;
  private readonly distance: Float64Array;
  // all columns, the open ones first; the settled ones from the end on
  private readonly order: Int32Array;

  constructor(state: State) {
    this.state = state;
    this.fromRow = new Int32Array(state.columns);
    this.distance = new Float64Array(state.columns);
    this.order = Int32Array.from({ length: state.columns }, (_, j) => j);
  }

  /** Finds the path from the free row `start` and raises prices along it. */
  search(start: number): void {
    const { values, columns, price, rowOf } = this.state;
    const { distance, order } = this;
    distance.fill(Infinity);
    let base = -Infinity;
    for (let j = 0; j < columns; j++) base = Math.max(base, values[start * columns + j]! - price[j]!);
    let reach = 0;
    let openCount = columns;
    for (let row = start; ;) {
      const at = this.searchOpen(row, base, openCount);
      const nearest = order[at]!;
      // rounding must not put a column before what is settled
      reach = Math.max(reach, distance[nearest]!);
      distance[nearest] = reach;
      this.end = nearest;
      row = rowOf[nearest]!;
      if (row < 0) break;
      order[at] = order[--openCount]!;
      order[openCount] = nearest;
      base = reach + values[row * columns + nearest]! - price[nearest]!;
    }
    for (let t = openCount; t < columns; t++) price[order[t]!]! += reach - distance[order[t]!]!;
  }

  // to all open columns from one more row; where the nearest of them then stands in `order`
  private searchOpen(row: number, base: number, openCount: number): number {
    const { values, columns, price } = this.state;
    const { fromRow, distance, order } = this;
    const offset = row * columns;
    let least = Infinity;
    let nearest = -1;
    for (let t = 0; t < openCount; t++) {
      const j = order[t]!;
      let d = distance[j]!;
      const through = base - values[offset + j]! + price[j]!;
      if (through < d) {
        d = through;
        distance[j] = d;
        fromRow[j] = row;
      }
      if (d < least) {
        least = d;
        nearest = t;
      }
    }
    return nearest;
  }
}
