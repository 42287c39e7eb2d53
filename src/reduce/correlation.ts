/**
 * Correlation: the document between the moments and the three alignments. Everything that match,
 * predict and cluster need of one pair of networks at one layer; units of a come first, then units of b.
 */

/** One pair at one layer. Square matrices are row-major [n × n], n = unitsA + unitsB; all float64. */
export interface Correlation {
  unitsA: number;
  unitsB: number;
  /** Rows (images) and samples (rows × positions) over all groups. */
  rows: number;
  samples: number;
  /** [n], population standard deviation, exactly 0 for a dead unit. */
  mean: Float64Array;
  std: Float64Array;
  /** [n], 1 where the unit is dead (contract: max = min, or a computed variance ≤ 0). */
  dead: Uint8Array;
  /** [n], 1 where a dead unit's max differs from its min, but the computed variance is ≤ 0: worth a warning. */
  varianceLost: Uint8Array;
  /** [n] |provisional − true mean| in standard deviations, 0 for dead units; beyond 0.5 float32 sums lose digits. */
  meanShift: Float64Array;
  /** [n × n] signed Pearson r, clipped to [−1, 1]; diagonal of a live unit exactly 1; rows and columns of dead units 0. */
  r: Float64Array;
  /** The part the sparse prediction is fitted on. */
  fit: FitPart;
  /** The part it is scored on; null where holdout is 0. */
  heldOut: HeldOutPart | null;
}

/** Units standardised by this part's own mean and standard deviation. */
export interface FitPart {
  rows: number;
  samples: number;
  /** [n × n], as Correlation.r, of the fit part alone. */
  r: Float64Array;
  /** [n], 1 where the unit is constant in this part. */
  constant: Uint8Array;
}

/** The scored part, in units standardised by the *fit* part: z = (x − mean_fit) / std_fit. */
export interface HeldOutPart {
  rows: number;
  samples: number;
  /** [n] Σ z over the part's samples. */
  sum: Float64Array;
  /** [n × n] Σ z zᵀ over the part's samples, not centred. */
  second: Float64Array;
  /** [n], 1 where the unit is constant in this part. */
  constant: Uint8Array;
}
