/**
 * Match stage, a branch of reduce. Takes the between-net correlations of one pair at one layer;
 * gives semi-matchings in both directions and the one-to-one matching with its dual.
 * Guarantees that the matching is optimal: it is checked against its dual before it is returned.
 */
import { PipelineError } from '../../errors.ts';
import { solveAssignment } from './assignment.ts';
import { assertOptimal } from './certificate.ts';

/** Best partner of each unit, with replacement: lowest index on ties. */
export interface SemiMatching {
  /** [units] index of the best unit in the other network. */
  partner: Int32Array;
  /** [units] r with it. */
  r: Float64Array;
}

export interface Matching {
  semiA: SemiMatching;
  semiB: SemiMatching;
  /** [m] matched units, m = min(unitsA, unitsB), rising by unit of a. */
  pairsA: Int32Array;
  pairsB: Int32Array;
  /** [m] r of each matched pair. */
  r: Float64Array;
  /**
   * Dual of the assignment, [unitsA] and [unitsB]: dualA[i] + dualB[j] ≥ r_ij up to rounding, equal on matched
   * pairs. In the wider network (b where both are as wide) it is ≥ 0, and 0 for unmatched units; in the other
   * its sign is free. Σ dualA + Σ dualB = Σ r.
   */
  dualA: Float64Array;
  dualB: Float64Array;
}

/**
 * Matches the units of two networks by their correlations; dead units take part with r = 0.
 *
 * @param between [unitsA × unitsB] signed Pearson r, row-major, finite; read only. O(unitsA · unitsB) beside the
 *   assignment; takes as much memory again where unitsA > unitsB.
 * @throws internal if `between` has another size or a value that isn't finite.
 */
export function matchUnits(between: Float64Array, unitsA: number, unitsB: number): Matching {
  if (between.length !== unitsA * unitsB || unitsA < 1 || unitsB < 1) {
    throw new PipelineError(
      'internal',
      `expected ${unitsA} × ${unitsB} correlations of at least one unit each, found ${between.length} values`,
    );
  }
  const { semiA, semiB } = semiMatch(between, unitsA, unitsB);
  const assignment = solveAssignment(between, unitsA, unitsB);
  assertOptimal(between, unitsA, unitsB, assignment);

  const pairs = Math.min(unitsA, unitsB);
  const pairsA = new Int32Array(pairs);
  const pairsB = new Int32Array(pairs);
  const r = new Float64Array(pairs);
  let pair = 0;
  for (let i = 0; i < unitsA; i++) {
    const j = assignment.columnOf[i]!;
    if (j < 0) continue;
    pairsA[pair] = i;
    pairsB[pair] = j;
    r[pair++] = between[i * unitsB + j]!;
  }
  return { semiA, semiB, pairsA, pairsB, r, dualA: assignment.rowDual, dualB: assignment.columnDual };
}

// both semi-matchings in one pass over the matrix
function semiMatch(
  between: Float64Array,
  unitsA: number,
  unitsB: number,
): { semiA: SemiMatching; semiB: SemiMatching } {
  const semiA = { partner: new Int32Array(unitsA), r: new Float64Array(unitsA) };
  const semiB = { partner: new Int32Array(unitsB), r: new Float64Array(unitsB).fill(-Infinity) };
  const bestOfB = semiB.r;
  for (let i = 0; i < unitsA; i++) {
    let best = -Infinity;
    let partner = 0;
    // a sum that isn't finite has a term that isn't; correlations are too small to overflow it
    let sum = 0;
    for (let j = 0; j < unitsB; j++) {
      const value = between[i * unitsB + j]!;
      sum += value;
      if (value > best) {
        best = value;
        partner = j;
      }
      if (value > bestOfB[j]!) {
        bestOfB[j] = value;
        semiB.partner[j] = i;
      }
    }
    if (!Number.isFinite(sum)) {
      throw new PipelineError('internal', `expected finite correlations; found another value in row ${i}`);
    }
    semiA.r[i] = best;
    semiA.partner[i] = partner;
  }
  return { semiA, semiB };
}
