/**
 * Match stage, a branch of reduce. Takes the between-net correlations of one pair at one layer;
 * gives semi-matchings in both directions and the one-to-one matching with its dual.
 */

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
  /** Dual of the assignment, [unitsA] and [unitsB]: dualA[i] + dualB[j] ≥ r_ij, equal on matched pairs, ≥ 0 … see assignment.ts. */
  dualA: Float64Array;
  dualB: Float64Array;
}
