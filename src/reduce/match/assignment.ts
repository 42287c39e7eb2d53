/**
 * Rectangular linear sum assignment: the one-to-one pairs with the largest Σ r, and the dual that
 * proves it. A kernel of match; knows nothing of units or networks.
 *
 * Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
 * problems", Computing 38 (1987) 325–340: augmenting row reduction, then shortest augmenting paths;
 * the rectangular case after Crouse 2016, doi:10.1109/TAES.2016.140952, section II.
 * differs: maximises; no column reduction (prices start at 0, so that unmatched columns keep price 0);
 * more row reduction; rows are searched through candidate lists, exactly (candidates.ts), and paths by a heap.
 */
import { CandidateLists } from './candidates.ts';
import { CandidateSearch, DenseSearch, type State } from './paths.ts';
import { startingPrices } from './prices.ts';

/** A matching of min(rows, columns) pairs, and its dual. */
export interface Assignment {
  /** [rows] column of each row, −1 where unmatched. */
  columnOf: Int32Array;
  /**
   * [rows] and [columns] dual of the assignment: rowDual[i] + columnDual[j] ≥ value_ij up to rounding, equal on
   * matched pairs. On the longer side (the columns of a square) it is ≥ 0, and 0 where unmatched; on the
   * other side its sign is free. Σ rowDual + Σ columnDual is then the largest possible Σ value.
   */
  rowDual: Float64Array;
  columnDual: Float64Array;
}

/** Bids per row in the row reduction, on average; more cost more than the paths that they spare. */
const BIDS_PER_ROW = 20;

/**
 * The assignment maximising Σ value over min(rows, columns) pairs. Deterministic; with ties one of the
 * best, which one is unspecified. O(n²m) at worst, n = min, m = max; on correlation matrices close to O(nm).
 *
 * @param values [rows × columns], row-major, finite; read only. Copied transposed where rows > columns.
 */
export function solveAssignment(values: Float64Array, rows: number, columns: number): Assignment {
  if (rows <= columns) {
    const { columnOf, rowDual, price } = solveWide(values, rows, columns);
    return { columnOf, rowDual, columnDual: price };
  }
  const turned = solveWide(transpose(values, rows, columns), columns, rows);
  const columnOf = new Int32Array(rows).fill(-1);
  turned.columnOf.forEach((row, column) => (columnOf[row] = column));
  return { columnOf, rowDual: turned.price, columnDual: turned.rowDual };
}

function solveWide(values: Float64Array, rows: number, columns: number) {
  // every column of a square is matched, so that its price may start anywhere
  const price = rows === columns ? startingPrices(values, rows) : new Float64Array(columns);
  const columnOf = new Int32Array(rows).fill(-1);
  const rowOf = new Int32Array(columns).fill(-1);
  const lists = new CandidateLists(values, rows, columns, price);
  const state = { values, rows, columns, lists, price, columnOf, rowOf };
  augment(state, reduceRows(state));
  const rowDual = new Float64Array(rows);
  for (let i = 0; i < rows; i++) rowDual[i] = values[i * columns + columnOf[i]!]! - price[columnOf[i]!]!;
  return { columnOf, rowDual, price };
}

/**
 * Augmenting row reduction: each free row takes its best column at the price that makes its second
 * best as good, and the row that lost the column bids again at once. Two rounds; returns the rows left.
 */
function reduceRows({ rows, lists, price, columnOf, rowOf }: State): Int32Array {
  const free = Int32Array.from({ length: rows }, (_, i) => i);
  let freeCount = rows;
  for (let round = 0; round < 2 && freeCount > 0; round++) {
    const roundCount = freeCount;
    freeCount = 0;
    let bids = (BIDS_PER_ROW / 2) * rows;
    let next = 0;
    while (next < roundCount) {
      const row = free[next++]!;
      bids--;
      lists.findBest(row);
      let column = lists.bestColumn;
      const raised = price[column]! + (lists.best - lists.second);
      // a bid that changes no price could go round for ever: take the second best, let its row wait
      const rises = lists.secondColumn >= 0 && raised > price[column]!;
      if (rises) price[column] = raised;
      else if (lists.secondColumn >= 0 && rowOf[column]! >= 0) column = lists.secondColumn;
      const loser = rowOf[column]!;
      rowOf[column] = row;
      columnOf[row] = column;
      if (loser < 0) continue;
      columnOf[loser] = -1;
      if (rises && bids > 0) free[--next] = loser;
      else free[freeCount++] = loser;
    }
  }
  return free.subarray(0, freeCount);
}

/** Shortest augmenting paths, one from each free row: searched by candidates, densely where those do not help. */
function augment(state: State, free: Int32Array): void {
  const byCandidates = new CandidateSearch(state);
  const densely = new DenseSearch(state);
  // the more often in a row the candidates did not help, the more searches go by without them
  let failures = 0;
  let without = 0;
  for (const start of free) {
    let search: CandidateSearch | DenseSearch = densely;
    if (without > 0) without--;
    else if (byCandidates.search(start)) {
      search = byCandidates;
      failures = 0;
    } else without = 2 ** Math.min(failures++, 6) - 1;
    if (search === densely) densely.search(start);
    // flip the path
    for (let j = search.end; j >= 0;) {
      const taker = search.fromRow[j]!;
      const given = state.columnOf[taker]!;
      state.rowOf[j] = taker;
      state.columnOf[taker] = j;
      j = given;
    }
  }
}

// [rows × columns] to [columns × rows], by blocks that stay in cache
function transpose(values: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  const block = 32;
  for (let i0 = 0; i0 < rows; i0 += block) {
    for (let j0 = 0; j0 < columns; j0 += block) {
      const i1 = Math.min(rows, i0 + block);
      const j1 = Math.min(columns, j0 + block);
      for (let j = j0; j < j1; j++) for (let i = i0; i < i1; i++) out[j * rows + i] = values[i * columns + j]!;
    }
  }
  return out;
}
