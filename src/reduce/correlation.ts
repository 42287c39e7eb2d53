/**
 * Correlation: the document between the moments and the three alignments. Statistics of each network's units at one
 * layer, and one block of correlations for each two networks i ≤ j (i = j: within one network). Blocks are apart, so
 * that a wide layer's fit a provider one by one, and networks share their within-blocks among pairs. All float64.
 */

/** Rows (images) and samples (rows × positions) of all groups, of those fitted on, and of those held out. */
export interface SampleCounts {
  rows: number;
  samples: number;
  fitRows: number;
  fitSamples: number;
  heldOutRows: number;
  heldOutSamples: number;
}

/** One network's units at one layer; every array is [units]. */
export interface UnitStats {
  /** Population standard deviation, exactly 0 for a dead unit. */
  mean: Float64Array;
  std: Float64Array;
  /** 1 where the unit is dead (contract: max = min, or a computed variance ≤ 0). */
  dead: Uint8Array;
  /** 1 where a dead unit's max differs from its min, but the computed variance is ≤ 0: worth a warning. */
  varianceLost: Uint8Array;
  /** |provisional − true mean| in standard deviations, 0 for dead units; beyond 0.5 float32 sums lose digits. */
  meanShift: Float64Array;
  /** 1 where the unit is constant in the part that is fitted on. */
  fitConstant: Uint8Array;
  /** The scored part, in units standardised by the *fit* part, z = (x − mean_fit) / std_fit; null where holdout is 0. */
  heldOut: HeldOutStats | null;
}

export interface HeldOutStats {
  /** Σ z and Σ z² over the part's samples. */
  sum: Float64Array;
  square: Float64Array;
  /** 1 where the unit is constant in this part. */
  constant: Uint8Array;
}

/** Units of network i (rows) against units of network j (columns), row-major [units_i × units_j]; symmetric where i = j. */
export interface CorrelationBlock {
  /** Signed Pearson r over all rows, clipped to [−1, 1]; diagonal of a live unit exactly 1; 0 for dead units. */
  r: Float64Array;
  /** The same over the fit part alone; the same array where nothing is held out. */
  fitR: Float64Array;
  /** Σ z_i z_j over the held-out part, not centred; null where nothing is held out. */
  heldOutSecond: Float64Array | null;
}
