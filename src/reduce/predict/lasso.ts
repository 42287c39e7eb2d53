/**
 * LASSO on correlation matrices, one target after another, each along a falling path of α:
 *   min_w ½(1 − 2 w·c + wᵀGw) + α‖w‖₁, G [n × n] of the predictors, c [n] with the target; g = c − Gw.
 * Coordinate descent finds the support (Friedman, Hastie, Tibshirani 2010, "Regularization Paths for Generalized
 * Linear Models via Coordinate Descent", §2.2: covariance updates, warm starts), or following the path does where
 * that is less work (homotopy.ts); the support's linear system finishes (support.ts).
 * differs: sweeps start where the path would be if no unit joined on the way, not at the last α's weights.
 */
import { Gradient, kktResidual, objectiveOf } from './gradient.ts';
import { followPath } from './homotopy.ts';
import type { LassoMemory } from './lassoMemory.ts';
import { Route } from './route.ts';
import { Support } from './support.ts';

/** Largest violation of the KKT conditions at which a solution is done. Rounding alone leaves 1e-15. */
const ACCEPT_KKT = 1e-11;
/** Coordinate steps below this are rounding. */
const STEP_LEAST = 1e-13;
/** An objective that grows by less has not grown. */
const OBJECTIVE_ROUNDING = 1e-12;
/** Sweeps of the first round; doubled after a round whose support was too far off, up to the most. */
const SWEEPS_FIRST = 3;
const SWEEPS_MOST = 200;
/** After so many rounds without success the path is followed from the last α. */
const FOLLOW_AFTER = 4;
/** After so many rounds no short cuts: full sweeps, a fresh factor, and no weight leaves before its turn. */
const ROUNDS_FAST = 12;
const ROUNDS_MOST = 100;
/** Sweeps where no round succeeds. */
const SWEEPS_ALONE = 1000;

/** The path of one target at a time. Memory at worst 2 n² beside G: its inverse, and factors of what is in the support and of what isn't. */
export class LassoPath {
  /** [n], of the last α; valid until the next call. */
  readonly weights: Float64Array;
  private readonly memory: LassoMemory;
  private readonly support: Support;
  private readonly gram: Float64Array;
  private readonly n: number;
  private c: Float64Array;
  private readonly g: Gradient;
  private readonly atLastAlpha: Float64Array; // [n] weights
  private readonly afterSweeps: Float64Array; // [n] weights
  private readonly rate: Gradient; // of the path, with its direction
  private readonly direction: Float64Array; // [n]
  private readonly zero: Float64Array; // [n]
  /** The α that the weights are optimal for; 0 if there is none. */
  private solved = 0;
  private readonly routes = new Map<number, Route>(); // by α

  /** @param memory G [n × n] stands at the front of its `gram`, and is read only */
  constructor(memory: LassoMemory, n: number) {
    this.memory = memory;
    this.gram = memory.gram;
    this.n = n;
    this.c = new Float64Array(n);
    this.g = new Gradient(memory.problem, memory.gram, memory.gradient.subarray(0, n));
    this.support = new Support(memory, n);
    this.weights = this.support.weights;
    this.atLastAlpha = new Float64Array(n);
    this.afterSweeps = new Float64Array(n);
    this.rate = new Gradient(memory.problem, memory.gram, memory.rate.subarray(0, n));
    this.direction = memory.direction.subarray(0, n);
    this.zero = memory.zero.subarray(0, n);
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
    this.support.release();
    // no weight leaves 0 above the largest |c|
    this.solved = 0;
    for (let j = 0; j < this.n; j++) this.solved = Math.max(this.solved, Math.abs(c[j]!));
  }

  /**
   * Moves to the optimum at `alpha` > 0 from wherever the path stands; fastest where α falls. Returns the
   * largest violation of the KKT conditions: where rounds and sweeps run out it says so by its size.
   * O(n s) per round for a support of s units, and O(s²) for each unit that joins or leaves it.
   */
  moveTo(alpha: number): number {
    this.atLastAlpha.set(this.weights);
    const from = this.solved;
    this.solved = alpha;
    // from no optimum, or upwards, there is no path to follow
    let followed = !(from > alpha);
    let sweeps = SWEEPS_FIRST;
    let optimalInside = false;
    const route = this.routeTo(alpha);
    const byPath = !followed && route.byPath;
    this.support.work = 0;
    if (byPath) {
      followed = true;
      optimalInside = this.follow(from, alpha, route.mostWork);
      const kkt = this.kkt(alpha);
      if (kkt <= ACCEPT_KKT) {
        route.record(true, this.support.work, 0);
        return kkt;
      }
    }
    if (from > alpha && !byPath) this.extrapolate(from - alpha);
    for (let round = 0; round < ROUNDS_MOST; round++) {
      const careful = round >= ROUNDS_FAST;
      if (careful) this.support.release();
      if (optimalInside && !careful) {
        this.sweep(alpha, true);
      } else for (let sweep = 0; sweep < sweeps; sweep++) this.sweep(alpha, false);
      optimalInside = this.finish(alpha, careful);
      if (!optimalInside) {
        sweeps = Math.min(2 * sweeps, SWEEPS_MOST);
        if (followed || round < FOLLOW_AFTER) continue;
        followed = true;
        optimalInside = this.follow(from, alpha, Infinity);
      }
      const kkt = this.kkt(alpha);
      if (kkt > ACCEPT_KKT) continue;
      route.record(byPath, this.support.work, round);
      return kkt;
    }
    this.solved = 0;

    // no support has a linear system to be trusted: coordinate descent alone, as far as it comes
    this.weights.set(this.atLastAlpha);
    this.support.release();
    for (let sweep = 0; sweep < SWEEPS_ALONE; sweep++) {
      this.g.compute(this.c, this.weights);
      if (this.kkt(alpha) <= ACCEPT_KKT) break;
      this.sweep(alpha, false);
    }
    this.g.compute(this.c, this.weights);
    return this.kkt(alpha);
  }

  // the path's first line as far as `alpha`, for the support of the last α: where sweeps begin; signs hold
  private extrapolate(fall: number): void {
    const { support, weights, direction: step } = this;
    const { factor, sign } = support;
    const { order, size } = factor;
    // a target's begin: nothing to solve, and the complement of nothing is dear
    if (size === 0) return;
    for (let k = 0; k < size; k++) step[k] = sign[order[k]!]!;
    support.solveFor(step);
    for (let k = 0; k < size; k++) {
      const j = order[k]!;
      const w = weights[j]! + fall * step[k]!;
      weights[j] = w * sign[j]! > 0 ? w : 0;
    }
    this.g.compute(this.c, weights);
  }

  private kkt(alpha: number): number {
    return kktResidual(this.gradient, this.weights, alpha);
  }

  // one round of coordinate descent; only over the units outside the factor where those inside are optimal
  private sweep(alpha: number, outside: boolean): void {
    const { gram, n, weights, gradient, zero, support, memory } = this;
    const passed = outside ? support.held : zero;
    support.work +=
      n *
      memory.problem.kernel.sweep(
        n,
        gram.byteOffset,
        gradient.byteOffset,
        weights.byteOffset,
        passed.byteOffset,
        alpha,
        STEP_LEAST,
      );
  }

  // from the sweeps' support to its optimum; false, and the sweeps' weights, where that isn't a descent
  private finish(alpha: number, careful: boolean): boolean {
    const { weights, afterSweeps, c, g } = this;
    const most = objectiveOf(c, this.gradient, weights, alpha) + OBJECTIVE_ROUNDING;
    afterSweeps.set(weights);
    this.support.hold(alpha, careful);
    const solved = this.support.solve(c, alpha, careful);
    g.compute(c, weights);
    if (solved && (careful || objectiveOf(c, this.gradient, weights, alpha) <= most)) return true;
    weights.set(afterSweeps);
    g.compute(c, weights);
    return false;
  }

  private routeTo(alpha: number): Route {
    let route = this.routes.get(alpha);
    if (route === undefined) this.routes.set(alpha, (route = new Route()));
    return route;
  }

  // from the last optimum along the path, as an end of which the support is finished as it is after sweeps
  private follow(from: number, alpha: number, mostWork: number): boolean {
    const { weights, afterSweeps, atLastAlpha, c, g } = this;
    afterSweeps.set(weights);
    weights.set(atLastAlpha);
    g.compute(c, weights);
    this.support.hold(from, false);
    const arrived = followPath(this.support, from, alpha, mostWork, this.rate, this.direction, this.zero);
    if (!arrived) weights.set(afterSweeps);
    g.compute(c, weights);
    return arrived && this.finish(alpha, false);
  }
}
