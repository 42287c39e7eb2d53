/**
 * Prices to start an assignment from, where one factor rules the values: v_ij ≈ r_i + c_j + a_i b_j, as in layers whose
 * units mostly follow one common signal. All rows want the same columns there, and bids from 0 take long to part them.
 * Without r and c, which change no matching's rank, such values are Monge once rows and columns are sorted: pairs in
 * order are best, and the prices that prove it rise by what lies between the bids of two neighbours (Burkard, Klinz
 * and Rudolf 1996, "Perspectives of Monge properties in optimization", doi:10.1016/0166-218X(95)00103-X).
 */

/** Share of the variance that the factor must explain. */
const LEAST_FIT = 0.7;
/** Rows of which the largest begins the search for the factor, and values at which it is tried. */
const ROWS_TRIED = 16;
const VALUES_TRIED = 4096;

/** What row and column alone explain of a value, v_ij − row[i] − column[j], and one factor of the rest; all [n]. */
interface Model {
  row: Float64Array;
  column: Float64Array;
  a: Float64Array;
  b: Float64Array;
}

/**
 * [n] prices ≥ 0; all 0 where no factor rules. Any prices are right to start a square problem from, these are
 * good ones. O(n²).
 *
 * @param values [n × n], row-major.
 */
export function startingPrices(values: Float64Array, n: number): Float64Array<ArrayBuffer> {
  const prices = new Float64Array(n);
  const model = leadingFactor(values, n);
  if (!fits(values, n, model)) return prices;

  // the i-th smallest of a to the i-th smallest of b; the price between two neighbours lies between what both would pay
  const { column, b } = model;
  const a = model.a.toSorted();
  const order = Int32Array.from(b.keys()).sort((i, j) => b[i]! - b[j]! || i - j);
  let factorPrice = 0;
  let least = Infinity;
  for (let k = 0; k < n; k++) {
    const j = order[k]!;
    if (k > 0) factorPrice += ((a[k - 1]! + a[k]!) / 2) * (b[j]! - b[order[k - 1]!]!);
    prices[j] = column[j]! + factorPrice;
    least = Math.min(least, prices[j]!);
  }
  return prices.map((price) => price - least);
}

// row and column means, then one step of the power iteration from the largest of some rows
function leadingFactor(values: Float64Array, n: number): Model {
  const row = new Float64Array(n);
  const column = new Float64Array(n);
  for (let i = 0; i < n; i++) row[i] = addRow(values, i * n, 1 / n, column) / n;
  const mean = row.reduce((sum, x) => sum + x, 0) / n;
  for (let j = 0; j < n; j++) column[j]! -= mean;

  let most = -1;
  let first = column;
  for (let i = 0; i < n; i += Math.max(1, Math.floor(n / ROWS_TRIED))) {
    const centred = column.map((c, j) => values[i * n + j]! - row[i]! - c);
    const square = dot(centred, 0, centred);
    if (square <= most) continue;
    most = square;
    first = centred;
  }

  // b = Vᵀ V first, a = V b / b·b with V the values without their means; sums over `first` and b are 0
  const b = new Float64Array(n);
  const columnFirst = dot(column, 0, first);
  let weights = 0;
  let weightedRows = 0;
  for (let i = 0; i < n; i++) {
    const weight = dot(values, i * n, first) - columnFirst;
    addRow(values, i * n, weight, b);
    weights += weight;
    weightedRows += weight * row[i]!;
  }
  for (let j = 0; j < n; j++) b[j]! -= weightedRows + weights * column[j]!;
  const square = dot(b, 0, b);
  const columnB = dot(column, 0, b);
  const a = row.map((_, i) => (square > 0 ? (dot(values, i * n, b) - columnB) / square : 0));
  return { row, column, a, b };
}

// whether the factor explains most of what the means leave, at a sample of the values
function fits(values: Float64Array, n: number, { row, column, a, b }: Model): boolean {
  const stride = Math.max(1, Math.floor((n * n) / VALUES_TRIED)) | 1;
  let total = 0;
  let left = 0;
  for (let at = 0; at < n * n; at += stride) {
    const i = Math.floor(at / n);
    const j = at % n;
    const value = values[at]! - row[i]! - column[j]!;
    total += value * value;
    left += (value - a[i]! * b[j]!) ** 2;
  }
  return left <= (1 - LEAST_FIT) * total;
}

// to += factor · a row of values; gives the row's sum
function addRow(values: Float64Array, start: number, factor: number, to: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < to.length; j++) {
    const value = values[start + j]!;
    sum += value;
    to[j]! += factor * value;
  }
  return sum;
}

function dot(values: Float64Array, start: number, other: Float64Array): number {
  let even = 0;
  let odd = 0;
  let j = 0;
  for (; j + 1 < other.length; j += 2) {
    even += values[start + j]! * other[j]!;
    odd += values[start + j + 1]! * other[j + 1]!;
  }
  return j < other.length ? even + odd + values[start + j]! * other[j]! : even + odd;
}
