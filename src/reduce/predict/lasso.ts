/**
 * LASSO on correlation matrices, one target after another, each along a falling path of α:
 *   min_w ½(1 − 2 w·c + wᵀGw) + α‖w‖₁, G [n × n] of the predictors, c [n] with the target; g = c − Gw.
 * Coordinate descent finds the support, its linear system finishes: Friedman, Hastie, Tibshirani 2010,
 * "Regularization Paths for Generalized Linear Models via Coordinate Descent", §2.2 (covariance updates, warm
 * starts); Lee, Battle, Raina, Ng 2006, "Efficient sparse coding algorithms", Algorithm 1 (feature-sign steps).
 * differs: many units join or leave the support at a time, and one that depends on the support is shifted
 * out along the null direction, so that singular G are solved too.
 */
import { Cholesky } from '../../numeric/cholesky.ts';
import { Gradient, kktResidual, objectiveOf } from './gradient.ts';

/** Largest violation of the KKT conditions at which a solution is done. Rounding alone leaves 1e-15. */
const ACCEPT_KKT = 1e-11;
/** Coordinate steps below this are rounding. */
const STEP_LEAST = 1e-13;
/** A unit of which the support leaves less variance than this depends on it. Rounding alone leaves 1e-14. */
const PIVOT_LEAST = 1e-12;
/** An objective that grows by less has not grown. */
const OBJECTIVE_ROUNDING = 1e-12;
/** Sweeps of the first round; doubled after a round whose support was too far off, up to the most. */
const SWEEPS_FIRST = 6;
const SWEEPS_MOST = 200;
/** After so many rounds no short cuts: full sweeps, a fresh factor, and no weight leaves before its turn. */
const ROUNDS_FAST = 12;
const ROUNDS_MOST = 100;
/** Sweeps where no round succeeds. */
const SWEEPS_ALONE = 1000;

/** The path of one target at a time; owns its buffers, reads G. At worst G's size again of memory. */
export class LassoPath {
  /** [n], of the last α; valid until the next call. */
  readonly weights: Float64Array;
  private readonly gram: Float64Array;
  private readonly n: number;
  private c: Float64Array;
  private readonly g: Gradient;
  private readonly factor: Cholesky;
  private readonly held: Uint8Array; // [n], 1 where the factor has the unit
  private readonly sign: Float64Array; // [n], of the units held
  private readonly joining: Int32Array; // [n]
  private readonly lone = new Int32Array(1);
  private readonly x: Float64Array; // [n], in the factor's order
  private readonly atLastAlpha: Float64Array; // [n] weights
  private readonly afterSweeps: Float64Array; // [n] weights

  constructor(gram: Float64Array, n: number) {
    this.gram = gram;
    this.n = n;
    this.weights = new Float64Array(n);
    this.c = new Float64Array(n);
    this.g = new Gradient(gram, n);
    this.factor = new Cholesky(gram, n);
    this.held = new Uint8Array(n);
    this.sign = new Float64Array(n);
    this.joining = new Int32Array(n);
    this.x = new Float64Array(n);
    this.atLastAlpha = new Float64Array(n);
    this.afterSweeps = new Float64Array(n);
  }

  /** [n], g = c − Gw of the weights, computed from them alone. */
  get gradient(): Float64Array {
    return this.g.values;
  }

  /** Begins a target: weights 0. `c` [n] is read until the next start. */
  start(c: Float64Array): void {
    this.c = c;
    this.weights.fill(0);
    this.g.compute(c, this.weights);
    this.release();
  }

  /**
   * Moves to the optimum at `alpha` > 0 from wherever the path stands; fastest where α falls. Returns the
   * largest violation of the KKT conditions: where rounds and sweeps run out it says so by its size.
   * O(n s) per round for a support of s units, and O(s²) for each unit that joins or leaves it.
   */
  moveTo(alpha: number): number {
    this.atLastAlpha.set(this.weights);
    let sweeps = SWEEPS_FIRST;
    let optimalInside = false;
    for (let round = 0; round < ROUNDS_MOST; round++) {
      const careful = round >= ROUNDS_FAST;
      if (careful) this.release();
      if (optimalInside && !careful) this.sweep(alpha, true);
      else for (let sweep = 0; sweep < sweeps; sweep++) this.sweep(alpha, false);
      optimalInside = this.finish(alpha, careful);
      if (!optimalInside) sweeps = Math.min(2 * sweeps, SWEEPS_MOST);
      const kkt = this.kkt(alpha);
      if (kkt <= ACCEPT_KKT) return kkt;
    }

    // no support has a linear system to be trusted: coordinate descent alone, as far as it comes
    this.weights.set(this.atLastAlpha);
    this.release();
    for (let sweep = 0; sweep < SWEEPS_ALONE; sweep++) {
      this.g.compute(this.c, this.weights);
      if (this.kkt(alpha) <= ACCEPT_KKT) break;
      this.sweep(alpha, false);
    }
    this.g.compute(this.c, this.weights);
    return this.kkt(alpha);
  }

  private kkt(alpha: number): number {
    return kktResidual(this.gradient, this.weights, alpha);
  }

  // one round of coordinate descent; only over the units outside the factor where those inside are optimal
  private sweep(alpha: number, outside: boolean): void {
    const { gram, n, weights, g, held } = this;
    for (let j = 0; j < n; j++) {
      if (outside && held[j] === 1) continue;
      const old = weights[j]!;
      const variance = gram[j * n + j]!;
      const z = g.at(j) + variance * old;
      const next = z > alpha ? (z - alpha) / variance : z < -alpha ? (z + alpha) / variance : 0;
      if (Math.abs(next - old) <= STEP_LEAST) continue;
      weights[j] = next;
      g.subtract(j, next - old);
    }
    g.flush();
  }

  // from the sweeps' support to its optimum; false, and the sweeps' weights, where that isn't a descent
  private finish(alpha: number, careful: boolean): boolean {
    const { weights, afterSweeps, c, g } = this;
    const most = objectiveOf(c, this.gradient, weights, alpha) + OBJECTIVE_ROUNDING;
    afterSweeps.set(weights);
    this.holdSupport(alpha);
    const solved = this.solveSupport(alpha, careful);
    g.compute(c, weights);
    if (solved && (careful || objectiveOf(c, this.gradient, weights, alpha) <= most)) return true;
    weights.set(afterSweeps);
    g.compute(c, weights);
    return false;
  }

  // makes the factor hold the units with a weight, and notes their signs
  private holdSupport(alpha: number): void {
    const { n, weights, held, factor, joining, sign } = this;
    for (let k = factor.size - 1; k >= 0; k--) if (weights[factor.order[k]!] === 0) this.leave(k);
    let count = 0;
    for (let j = 0; j < n; j++) {
      if (weights[j] === 0) continue;
      sign[j] = weights[j]! > 0 ? 1 : -1;
      if (held[j] === 0) joining[count++] = j;
    }
    let dependent = this.join(joining, count);
    while (dependent > 0) this.shiftOut(joining[--dependent]!, alpha);
  }

  /**
   * The optimum for the support's signs, G_SS w = c_S − α sign. Weights that would change sign leave. First all
   * at once, which is fast and mostly right, but false where they are too many; later, and always where
   * `careful`, the first to reach 0 on the way, which is a descent.
   */
  private solveSupport(alpha: number, careful: boolean): boolean {
    const { c, weights, sign, factor, x } = this;
    const { order } = factor;
    for (let pass = careful ? 2 : 0; factor.size > 0; pass++) {
      for (let k = 0; k < factor.size; k++) x[k] = c[order[k]!]! - alpha * sign[order[k]!]!;
      factor.solve(x);

      // how far the signs hold
      let step = 1;
      let crossing = 0;
      for (let k = 0; k < factor.size; k++) {
        const weight = weights[order[k]!]!;
        if (x[k]! * sign[order[k]!]! > 0) continue;
        crossing++;
        step = Math.min(step, weight === 0 ? 0 : Math.max(0, weight / (weight - x[k]!)));
      }
      if (pass < 2 && 3 * crossing > factor.size + 8) return false;
      if (pass < 2) step = 1;

      // go there
      for (let k = factor.size - 1; k >= 0; k--) {
        const j = order[k]!;
        const weight = weights[j]!;
        weights[j] = weight + step * (x[k]! - weight);
        if (x[k]! * sign[j]! > 0 || (step < 1 && weight / (weight - x[k]!) > step)) continue;
        weights[j] = 0;
        this.leave(k);
      }
      if (crossing === 0) break;
    }
    return true;
  }

  // unit j = Σ x_k k over the support: along e_j − x only ‖w‖₁ and w·c change; goes downhill until a weight is 0
  private shiftOut(j: number, alpha: number): void {
    const { gram, n, weights, gradient, sign, factor, x } = this;
    const { order } = factor;
    while (weights[j] !== 0) {
      const { size } = factor;
      for (let k = 0; k < size; k++) x[k] = gram[j * n + order[k]!]!;
      factor.solve(x);
      let slope = alpha * sign[j]! - gradient[j]!;
      for (let k = 0; k < size; k++) slope -= x[k]! * (alpha * sign[order[k]!]! - gradient[order[k]!]!);

      // downhill, or towards w_j = 0 where nothing ends the way
      let towards = slope > 0 ? -1 : 1;
      let first = this.firstToVanish(j, towards);
      if (first < 0) {
        towards = -sign[j]!;
        first = this.firstToVanish(j, towards);
      }
      const length = first === size ? Math.abs(weights[j]!) : Math.abs(weights[order[first]!]! / x[first]!);
      weights[j] = first === size ? 0 : weights[j]! + towards * length;
      for (let k = 0; k < size; k++) weights[order[k]!] = weights[order[k]!]! - towards * length * x[k]!;
      if (first === size) return;
      weights[order[first]!] = 0;
      this.leave(first);
      this.lone[0] = j;
      if (this.join(this.lone, 1) === 0) return;
    }
  }

  // along ±(e_j − x): the place in the factor of the first weight to reach 0, its size for w_j, −1 for none
  private firstToVanish(j: number, towards: number): number {
    const { weights, factor, x } = this;
    let first = towards * weights[j]! < 0 ? factor.size : -1;
    let least = first < 0 ? Infinity : Math.abs(weights[j]!);
    for (let k = 0; k < factor.size; k++) {
      const weight = weights[factor.order[k]!]!;
      if (towards * x[k]! * weight <= 0 || Math.abs(weight / x[k]!) >= least) continue;
      least = Math.abs(weight / x[k]!);
      first = k;
    }
    return first;
  }

  // the first `count` units join; those that depend on the support don't, and stand at the front then: their number
  private join(units: Int32Array, count: number): number {
    const dependent = this.factor.append(units, count, PIVOT_LEAST);
    for (let k = 0; k < this.factor.size; k++) this.held[this.factor.order[k]!] = 1;
    return dependent;
  }

  private leave(k: number): void {
    this.held[this.factor.order[k]!] = 0;
    this.factor.remove(k);
  }

  private release(): void {
    this.held.fill(0);
    this.factor.clear();
  }
}
