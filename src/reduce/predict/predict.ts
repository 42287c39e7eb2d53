/**
 * Predict stage, a branch of reduce. Takes one direction of a pair at one layer: statistics of both networks' units and
 * the blocks of correlations that the chosen targets need; gives, per α, the LASSO weights from all units of one
 * network to each chosen unit of the other, and how well they predict.
 * Guarantees: the fit part alone decides the weights; whatever isn't scored is 0.
 */
import { PipelineError } from '../../errors.ts';
import type { UnitStats } from '../correlation.ts';
import { LassoPath } from './lasso.ts';
import type { LassoMemory } from './lassoMemory.ts';
import { WeightsBuilder } from './weights.ts';
import type { SparseWeights } from './weights.ts';

/** What one direction needs; p sources, q targets, all matrices row-major float64. */
export interface PredictionInput {
  /** Units of the predicting network, and of the predicted one. */
  sources: UnitStats;
  targets: UnitStats;
  /** Targets to predict, rising. */
  chosen: Int32Array;
  /** Opened for p units; its matrix: r of the fit part within the predicting network. Handed over: it is overwritten. */
  memory: LassoMemory;
  /** [chosen × p] r of the fit part of each chosen target with every source. */
  fitCross: Float64Array;
  /** [p × p] and [chosen × p] the same of Σ z z over the scored part; null where nothing is held out. */
  heldOutGram: Float64Array | null;
  heldOutCross: Float64Array | null;
  /** Samples of the scored part. */
  heldOutSamples: number;
}

/** One direction of one pair at one layer; alphas rise. Matrices row-major, float64. */
export interface Prediction {
  alphas: Float64Array;
  /** Units of the predicting network (sources) and of the predicted one (targets). */
  sources: number;
  targets: number;
  /** [targets], 1 where the target was to be predicted. */
  chosen: Uint8Array;
  /** [targets], 1 where a chosen target is live in the fit part and in the scored part, so that it is scored. */
  scored: Uint8Array;
  /** [sources], 1 where the unit takes part as predictor (not constant in the fit part). */
  predictors: Uint8Array;
  /** [alphas] of [targets × sources]; rows of targets that aren't scored are empty. */
  weights: SparseWeights[];
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
 * Predicts chosen units of one network from few units of the other: ½·MSE + α‖w‖₁ in units standardised by the
 * fit part, for each of `alphas` (> 0, distinct, in any order). R² is 1 − SSE/SST on the part's own samples,
 * SST about that part's mean. A unit that is dead or constant in the fit part is neither predictor nor
 * scored target, one constant in the held-out part no scored target. Without predictors all weights are 0 and
 * the mean of the fit part is what predicts. Cost: see {@link LassoPath}, for each scored target.
 *
 * @throws internal where a block has another size
 */
export function predictUnits(input: PredictionInput, alphas: readonly number[]): Prediction {
  const { memory, heldOutGram } = input;
  const sources = input.sources.std.length;
  const targets = input.targets.std.length;
  assertSizes(input, sources);
  const rising = Float64Array.from(alphas).sort();
  const chosen = new Uint8Array(targets);
  const scored = new Uint8Array(targets);
  for (const t of input.chosen) {
    chosen[t] = 1;
    scored[t] = isLive(input.targets, t) && (heldOutGram === null || totalHeldOut(input, t) > 0) ? 1 : 0;
  }
  const predictors = new Uint8Array(sources);
  for (let s = 0; s < sources; s++) predictors[s] = isLive(input.sources, s) ? 1 : 0;
  const units = Int32Array.from(predictors.keys()).filter((s) => predictors[s] === 1);
  const builders = Array.from(rising, () => new WeightsBuilder(targets));
  const r2Fit = new Float64Array(rising.length * targets);
  const r2HeldOut = heldOutGram && new Float64Array(rising.length * targets);
  const nonzero = new Int32Array(rising.length * targets);
  const kkt = new Float64Array(rising.length * targets);

  // one target after another, each along α falling
  keepUnits(memory.gram, sources, units);
  const path = new LassoPath(memory, units.length);
  const c = new Float64Array(units.length);
  const support = new Support(units.length);
  for (let t = 0, row = 0; t < targets; t++) {
    if (scored[t] === 1) {
      for (let j = 0; j < units.length; j++) c[j] = input.fitCross[row * sources + units[j]!]!;
      path.start(c);
      for (let a = rising.length - 1; a >= 0; a--) {
        const at = a * targets + t;
        kkt[at] = path.moveTo(rising[a]!);
        support.size = 0;
        let explained = 0;
        for (let j = 0; j < units.length; j++) {
          const weight = path.weights[j]!;
          if (weight === 0) continue;
          // Σ over samples / samples: SST is 1, SSE is 1 − 2 w·c + wᵀGw = 1 − w·(c + g)
          explained += weight * (c[j]! + path.gradient[j]!);
          builders[a]!.add(units[j]!, weight);
          support.add(units[j]!, weight);
        }
        nonzero[at] = support.size;
        r2Fit[at] = explained;
        if (r2HeldOut) r2HeldOut[at] = 1 - errorHeldOut(input, t, row, support) / totalHeldOut(input, t);
      }
    }
    row += chosen[t]!;
    for (const builder of builders) builder.endRow();
  }
  const weights = builders.map((builder) => builder.finish());
  return { alphas: rising, sources, targets, chosen, scored, predictors, weights, r2Fit, r2HeldOut, nonzero, kkt };
}

/** The summary of each α, in the prediction's order. */
export function summarisePrediction(prediction: Omit<Prediction, 'weights'>): PredictionSummary[] {
  const { alphas, targets, scored, r2Fit, r2HeldOut, nonzero, kkt } = prediction;
  const counted = Array.from(scored.keys()).filter((t) => scored[t] === 1);
  return Array.from(alphas, (alpha, a) => {
    const of = (values: Float64Array | Int32Array): number[] => counted.map((t) => values[a * targets + t]!);
    return {
      alpha,
      r2_fit: meanOf(of(r2Fit)),
      r2_held_out: r2HeldOut && meanOf(of(r2HeldOut)),
      mean_nonzero: meanOf(of(nonzero)),
      max_kkt: counted.length === 0 ? null : of(kkt).reduce((worst, value) => Math.max(worst, value), 0),
    };
  });
}

function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function isLive(units: UnitStats, unit: number): boolean {
  return units.dead[unit] === 0 && units.fitConstant[unit] === 0;
}

/** Weights that aren't 0, and whose they are. */
class Support {
  readonly units: Int32Array;
  readonly weights: Float64Array;
  size = 0;

  constructor(most: number) {
    this.units = new Int32Array(most);
    this.weights = new Float64Array(most);
  }

  add(unit: number, weight: number): void {
    this.units[this.size] = unit;
    this.weights[this.size++] = weight;
  }
}

// the rows and columns of `units`, moved to the front of the same array: a row never moves behind where it was
function keepUnits(matrix: Float64Array, n: number, units: Int32Array): void {
  const kept = units.length;
  if (kept === n) return;
  for (let i = 0; i < kept; i++) {
    const from = units[i]! * n;
    for (let j = 0; j < kept; j++) matrix[i * kept + j] = matrix[from + units[j]!]!;
  }
}

// SST of a target on the held-out part, about that part's mean; 0 where it is constant there
function totalHeldOut({ targets, heldOutSamples }: PredictionInput, target: number): number {
  const { sum, square, constant } = targets.heldOut!;
  return constant[target] === 1 ? 0 : square[target]! - sum[target]! ** 2 / heldOutSamples;
}

// SSE on the held-out part, Σ (z_target − w·z)², from its second moments; `row` is the target's among those chosen
function errorHeldOut(input: PredictionInput, target: number, row: number, support: Support): number {
  const { units, weights, size } = support;
  const gram = input.heldOutGram!;
  const cross = input.heldOutCross!;
  const n = input.sources.std.length;
  let sum = input.targets.heldOut!.square[target]!;
  for (let i = 0; i < size; i++) {
    const start = units[i]! * n;
    let beside = 0;
    for (let j = 0; j < i; j++) beside += gram[start + units[j]!]! * weights[j]!;
    sum += weights[i]! * (2 * (beside - cross[row * n + units[i]!]!) + gram[start + units[i]!]! * weights[i]!);
  }
  return sum;
}

function assertSizes(input: PredictionInput, sources: number): void {
  const square = sources * sources;
  const cross = input.chosen.length * sources;
  const { memory, fitCross, heldOutGram, heldOutCross } = input;
  const found = [memory.gram.length, fitCross.length, heldOutGram?.length ?? square, heldOutCross?.length ?? cross];
  const expected = [square, cross, square, cross];
  if (found.every((length, index) => length === expected[index])) return;
  throw new PipelineError('internal', `expected blocks of ${expected.join(', ')} values; found ${found.join(', ')}`);
}
