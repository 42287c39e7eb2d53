/**
 * Shortest augmenting paths of the assignment (Dijkstra by reduced costs, prices as potentials), in two
 * searches that give the same: one through the candidate lists and a heap, and a dense one for
 * matrices whose rows all want the same columns, where lists only cost.
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
const FULL_OF_ALL = 1 / 8;
const FULL_OF_MET = 1 / 3;

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

  constructor(state: State) {
    this.state = state;
    this.heap = new IndexedHeap(state.columns + state.rows);
    this.fromRow = new Int32Array(state.columns);
    this.settled = new Int32Array(state.columns);
    this.base = new Float64Array(state.rows);
  }

  /** Finds the path from the free row `start` and raises prices along it; false (and nothing changed) if it gave up. */
  search(start: number): boolean {
    const { values, rows, columns, lists, price, rowOf } = this.state;
    const { capacity, column, value, length, bound } = lists;
    const { heap, fromRow, settled, base } = this;
    const distance = heap.key;
    let settledCount = 0;
    let fullCount = 0;
    let reach = 0;
    let end = -1;
    let endDistance = Infinity;
    let best = bound[start]!;
    for (let t = start * capacity, stop = t + length[start]!; t < stop; t++) {
      best = Math.max(best, value[t]! - price[column[t]!]!);
    }
    base[start] = best;
    for (let row = start; row >= 0;) {
      // from the row's candidates
      const rowBase = base[row]!;
      for (let t = row * capacity, stop = t + length[row]!; t < stop; t++) {
        const j = column[t]!;
        const d = Math.max(reach, rowBase - value[t]! + price[j]!);
        if (d >= endDistance || d >= distance[j]!) continue;
        fromRow[j] = row;
        if (rowOf[j]! >= 0) heap.lower(j, d);
        else {
          heap.mark(j, d);
          end = j;
          endDistance = d;
        }
      }
      const outside = Math.max(reach, rowBase - bound[row]!);
      if (outside < endDistance) heap.lower(columns + row, outside);

      // to the row of the nearest column; rows that come before it are read in full
      row = -1;
      while (row < 0 && heap.lowest() < endDistance) {
        const id = heap.pop();
        reach = distance[id]!;
        if (id < columns) {
          settled[settledCount++] = id;
          row = rowOf[id]!;
          base[row] = reach + values[row * columns + id]! - price[id]!;
          continue;
        }
        if (++fullCount > FULL_OF_ALL * rows && fullCount > FULL_OF_MET * settledCount) {
          heap.clear();
          return false;
        }
        const full = id - columns;
        const fullBase = base[full]!;
        const offset = full * columns;
        for (let j = 0; j < columns; j++) {
          const exact = fullBase - values[offset + j]! + price[j]!;
          if (exact >= endDistance || exact >= distance[j]!) continue;
          const d = Math.max(reach, exact);
          if (d >= distance[j]!) continue;
          fromRow[j] = full;
          if (rowOf[j]! >= 0) heap.lower(j, d);
          else {
            heap.mark(j, d);
            end = j;
            endDistance = d;
          }
        }
        lists.rebuild(full);
      }
    }
    // each settled column's price rises by what it lies before the end of the path
    for (let t = 0; t < settledCount; t++) price[settled[t]!]! += endDistance - distance[settled[t]!]!;
    heap.clear();
    this.end = end;
    return true;
  }
}

/** Search that reads every row met in full, as Crouse 2016 has it. */
export class DenseSearch {
  /** As in {@link CandidateSearch}. */
  end = -1;
  readonly fromRow: Int32Array;
  private readonly state: State;
  private readonly distance: Float64Array;
  // the price of an open column; Infinity for a settled one, which so is never reached again
  private readonly openPrice: Float64Array;
  private readonly settled: Int32Array;
  private readonly settledDistance: Float64Array;

  constructor(state: State) {
    this.state = state;
    this.fromRow = new Int32Array(state.columns);
    this.distance = new Float64Array(state.columns);
    this.openPrice = new Float64Array(state.columns);
    this.settled = new Int32Array(state.columns);
    this.settledDistance = new Float64Array(state.columns);
  }

  /** Finds the path from the free row `start` and raises prices along it. */
  search(start: number): void {
    const { values, columns, price, rowOf } = this.state;
    const { fromRow, distance, openPrice, settled, settledDistance } = this;
    distance.fill(Infinity);
    openPrice.set(price);
    let base = -Infinity;
    for (let j = 0; j < columns; j++) base = Math.max(base, values[start * columns + j]! - price[j]!);
    let reach = 0;
    let settledCount = 0;
    let row = start;
    for (;;) {
      const offset = row * columns;
      let least = Infinity;
      let nearest = -1;
      for (let j = 0; j < columns; j++) {
        let d = distance[j]!;
        const through = base - values[offset + j]! + openPrice[j]!;
        if (through < d) {
          d = through;
          distance[j] = d;
          fromRow[j] = row;
        }
        if (d < least) {
          least = d;
          nearest = j;
        }
      }
      reach = Math.max(reach, least);
      if (rowOf[nearest]! < 0) {
        this.end = nearest;
        break;
      }
      settled[settledCount] = nearest;
      settledDistance[settledCount++] = reach;
      distance[nearest] = Infinity;
      openPrice[nearest] = Infinity;
      row = rowOf[nearest]!;
      base = reach + values[row * columns + nearest]! - price[nearest]!;
    }
    for (let t = 0; t < settledCount; t++) price[settled[t]!]! += reach - settledDistance[t]!;
  }
}
