/**
 * Predict stage, a branch of reduce. Takes one Correlation and a direction; gives, per α, the LASSO
 * weights from all units of one network to each unit of the other, and how well they predict.
 */

/** One direction of one pair at one layer; alphas rise. Matrices row-major, float64. */
export interface Prediction {
  alphas: Float64Array;
  /** Units of the predicting network (sources) and of the predicted one (targets). */
  sources: number;
  targets: number;
  /** [targets], 1 where the target is live in the fit part and in the scored part, so that it is scored. */
  scored: Uint8Array;
  /** [sources], 1 where the unit takes part as predictor (not constant in the fit part). */
  predictors: Uint8Array;
  /** [alphas × targets × sources], 0 for targets not scored and predictors left out. */
  weights: Float64Array;
  /** [alphas × targets], 0 where not scored. r2HeldOut is null where nothing is held out. */
  r2Fit: Float64Array;
  r2HeldOut: Float64Array | null;
  nonzero: Int32Array;
  /** [alphas × targets] largest violation of the KKT conditions. */
  kkt: Float64Array;
}
