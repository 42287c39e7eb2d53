/**
 * LASSO on correlation matrices, one target after another, each along a falling path of α:
 *   min_w ½(1 − 2 w·c + wᵀGw) + α‖w‖₁, G [n × n] of the predictors, c [n] with the target; g = c − Gw.
 * Coordinate descent finds the support, its linear system finishes: Friedman, Hastie, Tibshirani 2010,
 * "Regularization Paths for Generalized Linear Models via Coordinate Descent", §2.2 (covariance updates, warm
 * starts); Lee, Battle, Raina, Ng 2006, "Efficient sparse coding algorithms", Algorithm 1 (feature-sign steps).
 * differs: many units join the support at a time, and one that depends on the support leaves by a shift
 * along the null direction, so that singular G are solved too.
 */
import { Cholesky } from '../../numeric/cholesky.ts';

/** Largest violation of the KKT conditions at which a solution is done. Rounding alone leaves 1e-15. */
const ACCEPT_KKT = 1e-11;
/** Coordinate steps below this are rounding. */
const STEP_LEAST = 1e-13;
/** A unit whose variance left by the support is below this depends on it; rounding leaves 1e-15 per unit. */
const PIVOT_LEAST = 1e-12;
const SWEEPS_FIRST = 6;
/** After so many rounds no short cuts: full sweeps, a fresh factor, and steps that only ever descend. */
const ROUNDS_FAST = 12;
const ROUNDS_MOST = 100;
const SWEEPS_MOST = 1000;

/** The path of one target at a time; owns its buffers, reads G. O(n²/2) numbers of memory at worst. */
export class LassoPath {
  /** [n], of the last α; valid until the next call. */
  readonly weights: Float64Array;
  /** [n], g = c − Gw, computed afresh from the weights. */
  readonly gradient: Float64Array;
  private readonly gram: Float64Array;
  private readonly n: number;
  private c: Float64Array;
  private readonly factor: Cholesky;
  private readonly held: Uint8Array; // [n], 1 where the factor has the unit
  private readonly sign: Float64Array; // [n], of units held
  private readonly before: Float64Array; // [n], weights at the last α
  private readonly x: Float64Array;
  private readonly joining: Int32Array;
  // coordinate steps not yet subtracted from the gradient, up to four: units' rows of G and steps
  private readonly pendingRow = new Int32Array(4);
  private readonly pendingStep = new Float64Array(4);
  private pending = 0;

  constructor(gram: Float64Array, n: number) {
    this.gram = gram;
    this.n = n;
    this.weights = new Float64Array(n);
    this.gradient = new Float64Array(n);
    this.c = new Float64Array(n);
    this.factor = new Cholesky(gram, n);
    this.held = new Uint8Array(n);
    this.sign = new Float64Array(n);
    this.before = new Float64Array(n);
    this.x = new Float64Array(n);
    this.joining = new Int32Array(n);
  }

  /** Begins a target: weights 0. `c` is read until the next start. */
  start(c: Float64Array): void {
    this.c = c;
    this.weights.fill(0);
    this.gradient.set(c);
    this.held.fill(0);
    this.factor.clear();
  }

  /**
   * Moves to the optimum at `alpha` > 0, from wherever the path stands; fastest where α falls. Returns the
   * largest violation of the KKT conditions: where rounds and sweeps run out it says so by its size.
   * O(n s) per round for a support of s units, and O(s²) for each unit that joins or leaves it.
   */
  moveTo(alpha: number): number {
    const { weights, gradient, before } = this;
    before.set(weights);
    for (let round = 0; round < ROUNDS_MOST; round++) {
      const fast = round < ROUNDS_FAST;
      if (!fast) this.release();
      for (let sweep = round === 0 ? SWEEPS_FIRST : 1; sweep > 0; sweep--) this.sweep(alpha, round > 0 && fast);
      this.holdSupport(alpha);
      this.solveSupport(alpha, fast ? 2 : 0);
      this.updateGradient();
      const kkt = kktResidual(gradient, weights, alpha);
      if (kkt <= ACCEPT_KKT) return kkt;
    }

    // no support has a linear system that can be trusted: coordinate descent alone, as far as it comes
    weights.set(before);
    this.release();
    this.updateGradient();
    let kkt = Infinity;
    for (let sweep = 0; sweep < SWEEPS_MOST && kkt > ACCEPT_KKT; sweep++) {
      this.sweep(alpha, false);
      this.updateGradient();
      kkt = kktResidual(gradient, weights, alpha);
    }
    return kkt;
  }

  // one round of coordinate descent; over the units outside the factor where `outside`, as the others are optimal
  private sweep(alpha: number, outside: boolean): void {
    const { gram, n, weights, gradient, held, pendingRow, pendingStep } = this;
    for (let j = 0; j < n; j++) {
      if (outside && held[j] === 1) continue;
      const old = weights[j]!;
      const diagonal = gram[j * n + j]!;
      let z = gradient[j]! + diagonal * old;
      for (let k = 0; k < this.pending; k++) z -= pendingStep[k]! * gram[pendingRow[k]! + j]!;
      const after = z > alpha ? (z - alpha) / diagonal : z < -alpha ? (z + alpha) / diagonal : 0;
      if (Math.abs(after - old) <= STEP_LEAST) continue;
      weights[j] = after;
      this.subtract(j, after - old);
    }
    this.flush();
  }

  // makes the factor hold the units with a weight, and remembers their signs
  private holdSupport(alpha: number): void {
    const { n, weights, held, factor, joining, sign } = this;
    for (let k = factor.size - 1; k >= 0; k--) if (weights[factor.order[k]!] === 0) this.leave(k);
    let count = 0;
    for (let j = 0; j < n; j++) {
      if (weights[j] === 0) continue;
      sign[j] = weights[j]! > 0 ? 1 : -1;
      if (held[j] === 0) joining[count++] = j;
    }
    let dependent = factor.append(joining, count, PIVOT_LEAST);
    for (let k = 0; k < factor.size; k++) held[factor.order[k]!] = 1;
    while (dependent > 0) this.shiftDependent(joining[--dependent]!, alpha);
  }

  // unit j = Σ v_k k over the support, so e_j − v changes nothing but ‖w‖₁ and c·w: go downhill until a weight is 0
  private shiftDependent(j: number, alpha: number): void {
    const { gram, n, weights, gradient, sign, factor, held, x, joining } = this;
    while (weights[j] !== 0) {
      const { size, order } = factor;
      for (let k = 0; k < size; k++) x[k] = gram[j * n + order[k]!]!;
      factor.solve(x);
      let slope = alpha * sign[j]! - gradient[j]!;
      for (let k = 0; k < size; k++) slope -= x[k]! * (alpha * sign[order[k]!]! - gradient[order[k]!]!);

      // the first weight to vanish; towards w_j = 0 there always is one
      let towards = slope > 0 ? -1 : 1;
      let first = this.firstToVanish(j, towards);
      if (first < 0) {
        towards = -sign[j]!;
        first = this.firstToVanish(j, towards);
      }
      const step = first === size ? Math.abs(weights[j]!) : Math.abs(weights[order[first]!]! / x[first]!);
      weights[j] = first === size ? 0 : weights[j]! + towards * step;
      for (let k = 0; k < size; k++) weights[order[k]!] = weights[order[k]!]! - towards * step * x[k]!;
      if (first < size) {
        weights[order[first]!] = 0;
        this.leave(first);
        joining[n - 1] = j;
        if (factor.append(joining.subarray(n - 1), 1, PIVOT_LEAST) === 0) {
          held[j] = 1;
          return;
        }
      }
    }
  }

  // along e_j − x in direction `towards`: the place in the factor of the first weight to reach 0, its size for j, or −1
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

  /**
   * The optimum for the support's signs, G_SS w = c_S − α sign. Weights that would change sign leave: all at
   * once `jumps` times, which is fast and mostly right; then by the first to reach 0 on the line, a descent.
   */
  private solveSupport(alpha: number, jumps: number): void {
    const { c, weights, sign, factor, x } = this;
    const { order } = factor;
    for (let pass = 0; factor.size > 0; pass++) {
      for (let k = 0; k < factor.size; k++) x[k] = c[order[k]!]! - alpha * sign[order[k]!]!;
      factor.solve(x);
      let step = 1;
      let crossing = 0;
      for (let k = 0; k < factor.size; k++) {
        if (x[k]! * sign[order[k]!]! > 0) continue;
        crossing++;
        const weight = weights[order[k]!]!;
        step = Math.min(step, Math.max(0, weight / (weight - x[k]!)));
      }
      if (pass < jumps) step = 1;
      for (let k = factor.size - 1; k >= 0; k--) {
        const j = order[k]!;
        const weight = weights[j]!;
        weights[j] = weight + step * (x[k]! - weight);
        if (x[k]! * sign[j]! > 0 || (step < 1 && weight / (weight - x[k]!) > step)) continue;
        weights[j] = 0;
        this.leave(k);
      }
      if (crossing === 0) return;
    }
  }

  private leave(k: number): void {
    this.held[this.factor.order[k]!] = 0;
    this.factor.remove(k);
  }

  private release(): void {
    this.held.fill(0);
    this.factor.clear();
  }

  private updateGradient(): void {
    const { n, weights, gradient, c } = this;
    gradient.set(c);
    for (let j = 0; j < n; j++) if (weights[j] !== 0) this.subtract(j, weights[j]!);
    this.flush();
  }

  // g −= step · G_j, delayed: four rows of G in one pass over g
  private subtract(j: number, step: number): void {
    this.pendingRow[this.pending] = j * this.n;
    this.pendingStep[this.pending] = step;
    if (++this.pending === 4) this.flush();
  }

  private flush(): void {
    const { gram, n, gradient, pendingRow, pendingStep, pending } = this;
    for (let k = pending; k < 4; k++) pendingStep[k] = 0;
    const [r0, r1, r2, r3] = [pendingRow[0]!, pendingRow[1]!, pendingRow[2]!, pendingRow[3]!];
    const [s0, s1, s2, s3] = [pendingStep[0]!, pendingStep[1]!, pendingStep[2]!, pendingStep[3]!];
    if (pending > 2) {
      for (let i = 0; i < n; i++) {
        gradient[i] =
          gradient[i]! - (s0 * gram[r0 + i]! + s1 * gram[r1 + i]! + s2 * gram[r2 + i]! + s3 * gram[r3 + i]!);
      }
    } else if (pending > 0) {
      for (let i = 0; i < n; i++) gradient[i] = gradient[i]! - (s0 * gram[r0 + i]! + s1 * gram[r1 + i]!);
    }
    this.pending = 0;
  }
}

/**
 * The largest violation of the LASSO's KKT conditions: |g_j − α sign w_j| where w_j ≠ 0, max(|g_j| − α, 0)
 * where w_j = 0. `gradient` is c − Gw; both [n]; 0 where n is 0.
 */
export function kktResidual(gradient: Float64Array, weights: Float64Array, alpha: number): number {
  let worst = 0;
  for (let j = 0; j < weights.length; j++) {
    const g = gradient[j]!;
    const w = weights[j]!;
    const violation = w === 0 ? Math.abs(g) - alpha : Math.abs(g - (w > 0 ? alpha : -alpha));
    if (violation > worst) worst = violation;
  }
  return worst;
}
