/**
 * Predict stage, a branch of reduce. Takes one Correlation and a direction; gives, per α, the LASSO
 * weights from all units of one network to each unit of the other, and how well they predict.
 * Guarantees: the fit part alone decides the weights; whatever isn't scored is 0.
 */
import type { Correlation, HeldOutPart } from '../correlation.ts';
import { LassoPath } from './lasso.ts';

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

/** Which network predicts: a the units of b, or b those of a. */
export type Direction = 'aToB' | 'bToA';

/** One α of a Prediction: plain means over the scored targets, and their largest violation; null where none is scored. */
export interface PredictionSummary {
  alpha: number;
  r2_fit: number | null;
  r2_held_out: number | null;
  mean_nonzero: number | null;
  max_kkt: number | null;
}

/**
 * Predicts each unit of one network from few units of the other: ½·MSE + α‖w‖₁ in units standardised by the
 * fit part, for each of `alphas` (> 0, distinct, in any order). R² is 1 − SSE/SST on the part's own samples,
 * SST about that part's mean. A unit that is dead or constant in the fit part is neither predictor nor
 * scored target, one constant in the held-out part no scored target. Without predictors all weights are 0 and
 * the mean of the fit part is what predicts. Cost: see {@link LassoPath}, for each scored target.
 */
export function predictUnits(correlation: Correlation, direction: Direction, alphas: readonly number[]): Prediction {
  const { unitsA, unitsB, fit, heldOut } = correlation;
  const [sources, targets] = direction === 'aToB' ? [unitsA, unitsB] : [unitsB, unitsA];
  const [firstSource, firstTarget] = direction === 'aToB' ? [0, unitsA] : [unitsA, 0];
  const n = unitsA + unitsB;
  const rising = Float64Array.from(alphas).sort();
  const scored = new Uint8Array(targets);
  for (let t = 0; t < targets; t++) {
    const unit = firstTarget + t;
    scored[t] = isLive(correlation, unit) && (heldOut === null || totalHeldOut(heldOut, n, unit) > 0) ? 1 : 0;
  }
  const predictors = new Uint8Array(sources);
  for (let s = 0; s < sources; s++) predictors[s] = isLive(correlation, firstSource + s) ? 1 : 0;
  const prediction: Prediction = {
    alphas: rising,
    sources,
    targets,
    scored,
    predictors,
    weights: new Float64Array(rising.length * targets * sources),
    r2Fit: new Float64Array(rising.length * targets),
    r2HeldOut: heldOut && new Float64Array(rising.length * targets),
    nonzero: new Int32Array(rising.length * targets),
    kkt: new Float64Array(rising.length * targets),
  };

  // the Gram matrix of the predictors alone
  const units = Int32Array.from(predictors.keys())
    .filter((s) => predictors[s] === 1)
    .map((s) => firstSource + s);
  const gram = new Float64Array(units.length * units.length);
  for (const [i, unit] of units.entries()) gather(fit.r, unit * n, units, gram.subarray(i * units.length));

  // one target after another, each along α falling
  const path = new LassoPath(gram, units.length);
  const c = new Float64Array(units.length);
  const support = new Int32Array(units.length);
  for (let t = 0; t < targets; t++) {
    if (scored[t] === 0) continue;
    gather(fit.r, (firstTarget + t) * n, units, c);
    path.start(c);
    for (let a = rising.length - 1; a >= 0; a--) {
      const at = a * targets + t;
      prediction.kkt[at] = path.moveTo(rising[a]!);
      let nonzero = 0;
      let explained = 0;
      for (let j = 0; j < units.length; j++) {
        const weight = path.weights[j]!;
        if (weight === 0) continue;
        prediction.weights[at * sources + units[j]! - firstSource] = weight;
        // Σ over samples / samples: SST is 1, SSE is 1 − 2 w·c + wᵀGw = 1 − w·(c + g)
        explained += weight * (c[j]! + path.gradient[j]!);
        support[nonzero++] = units[j]!;
      }
      prediction.nonzero[at] = nonzero;
      prediction.r2Fit[at] = explained;
      if (heldOut !== null && prediction.r2HeldOut !== null) {
        const weights = prediction.weights.subarray(at * sources, (at + 1) * sources);
        const unexplained = errorHeldOut(
          heldOut,
          n,
          firstTarget + t,
          support.subarray(0, nonzero),
          weights,
          firstSource,
        );
        prediction.r2HeldOut[at] = 1 - unexplained / totalHeldOut(heldOut, n, firstTarget + t);
      }
    }
  }
  return prediction;
}

/** The summary of each α, in the prediction's order. */
export function summarisePrediction(prediction: Prediction): PredictionSummary[] {
  const { alphas, targets, scored, r2Fit, r2HeldOut, nonzero, kkt } = prediction;
  const chosen = Array.from(scored.keys()).filter((t) => scored[t] === 1);
  return Array.from(alphas, (alpha, a) => {
    const of = (values: Float64Array | Int32Array): number[] => chosen.map((t) => values[a * targets + t]!);
    return {
      alpha,
      r2_fit: meanOf(of(r2Fit)),
      r2_held_out: r2HeldOut && meanOf(of(r2HeldOut)),
      mean_nonzero: meanOf(of(nonzero)),
      max_kkt: chosen.length === 0 ? null : of(kkt).reduce((worst, value) => Math.max(worst, value), 0),
    };
  });
}

function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function isLive(correlation: Correlation, unit: number): boolean {
  return correlation.dead[unit] === 0 && correlation.fit.constant[unit] === 0;
}

// one row of an n × n matrix at the columns of `units`
function gather(matrix: Float64Array, start: number, units: Int32Array, to: Float64Array): void {
  for (let j = 0; j < units.length; j++) to[j] = matrix[start + units[j]!]!;
}

// SST of a unit on the held-out part, about that part's mean; 0 where the unit is constant there
function totalHeldOut(heldOut: HeldOutPart, n: number, unit: number): number {
  if (heldOut.constant[unit] === 1) return 0;
  return heldOut.second[unit * n + unit]! - heldOut.sum[unit]! ** 2 / heldOut.samples;
}

// SSE on the held-out part, Σ (z_target − w·z)², from its second moments
function errorHeldOut(
  heldOut: HeldOutPart,
  n: number,
  target: number,
  support: Int32Array,
  weights: Float64Array,
  firstSource: number,
): number {
  const { second } = heldOut;
  let sum = second[target * n + target]!;
  for (let i = 0; i < support.length; i++) {
    const row = support[i]! * n;
    let product = -2 * second[row + target]!;
    for (let j = 0; j < support.length; j++)
      product += second[row + support[j]!]! * weights[support[j]! - firstSource]!;
    sum += weights[support[i]! - firstSource]! * product;
  }
  return sum;
}
