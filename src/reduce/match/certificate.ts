/**
 * Certificate of an assignment: weak duality. Any row and column dual with rowDual[i] + columnDual[j] ≥ value_ij,
 * and columnDual (rowDual, where there are more rows) ≥ 0, bounds every matching's Σ value from above;
 * a matching that reaches the bound is optimal. Needs nothing of how the assignment was found.
 */
import { PipelineError } from '../../errors.ts';
import type { Assignment } from './assignment.ts';

export interface AssignmentGap {
  /** Σ value over the pairs. */
  primal: number;
  /** Σ rowDual + Σ columnDual. */
  dual: number;
  /** dual − primal: 0 up to rounding for an optimum. */
  gap: number;
  /**
   * Largest violation of the dual's conditions, 0 where they all hold: value_ij − rowDual[i] − columnDual[j],
   * and on the longer side of a rectangle −dual, and |dual| where unmatched.
   */
  infeasibility: number;
  /** Largest |rowDual[i] + columnDual[j] − value_ij| on a matched pair (complementary slackness). */
  slackness: number;
}

/** How far an assignment is from proven optimal. O(rows · columns); NaN anywhere gives NaN. */
export function assignmentGap(
  values: Float64Array,
  rows: number,
  columns: number,
  { columnOf, rowDual, columnDual }: Assignment,
): AssignmentGap {
  let primal = 0;
  let dual = 0;
  let infeasibility = 0;
  let slackness = 0;
  const columnMatched = new Uint8Array(columns);
  for (let i = 0; i < rows; i++) {
    const u = rowDual[i]!;
    let worst = 0;
    for (let j = 0; j < columns; j++) {
      const excess = values[i * columns + j]! - u - columnDual[j]!;
      // once NaN, it stays
      if (excess > worst || Number.isNaN(excess)) worst = excess;
    }
    infeasibility = Math.max(infeasibility, worst);
    dual += u;
    const j = columnOf[i]!;
    if (j < 0) {
      if (rows > columns) infeasibility = Math.max(infeasibility, Math.abs(u));
      continue;
    }
    columnMatched[j] = 1;
    primal += values[i * columns + j]!;
    slackness = Math.max(slackness, Math.abs(u + columnDual[j]! - values[i * columns + j]!));
    if (rows > columns) infeasibility = Math.max(infeasibility, -u);
  }
  for (let j = 0; j < columns; j++) {
    const v = columnDual[j]!;
    dual += v;
    if (rows < columns) infeasibility = Math.max(infeasibility, columnMatched[j] === 1 ? -v : Math.abs(v));
  }
  return { primal, dual, gap: dual - primal, infeasibility, slackness };
}

/** Share of the largest |value| that rounding may take in one pair. */
const ROUNDING = 1e-9;

/**
 * Asserts that an assignment pairs min(rows, columns) rows with different columns, and is optimal up to rounding.
 * @throws internal where it is not: a fault of the solver, or values that are not finite.
 */
export function assertOptimal(values: Float64Array, rows: number, columns: number, assignment: Assignment): void {
  const pairs = Math.min(rows, columns);
  const used = new Set(assignment.columnOf.filter((j) => j >= 0));
  const matched = assignment.columnOf.reduce((count, j) => count + (j >= 0 ? 1 : 0), 0);
  let scale = 0;
  for (let t = 0; t < values.length; t++) {
    const size = Math.abs(values[t]!);
    if (size > scale) scale = size;
  }
  const { gap, infeasibility } = assignmentGap(values, rows, columns, assignment);
  const tolerance = ROUNDING * scale;
  if (matched === pairs && used.size === pairs && Math.abs(gap) <= tolerance * pairs && infeasibility <= tolerance)
    return;
  throw new PipelineError(
    'internal',
    `the matching of ${rows} × ${columns} units is not optimal: expected ${pairs} pairs and a duality gap of 0, ` +
      `found ${matched} pairs, gap ${gap}, dual infeasibility ${infeasibility} (allowed ${tolerance})`,
  );
}
