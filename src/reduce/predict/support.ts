/**
 * The support of one target's LASSO: the units with a weight, their signs, and the linear system that gives the
 * optimum for those signs. Part of the LASSO kernel; which units belong to the support is lasso.ts's and homotopy.ts's.
 * Lee, Battle, Raina, Ng 2006, "Efficient sparse coding algorithms", Algorithm 1 (feature-sign steps).
 * differs: many units join or leave at a time, and one that depends on the others is shifted out along the null
 * direction, so that singular G are solved too.
 */
import { Cholesky } from '../../numeric/cholesky.ts';
import { Complement, inverseOf } from './complement.ts';
import type { SupportSystem } from './complement.ts';
import type { LassoMemory } from './lassoMemory.ts';

/** A unit of which the support leaves less variance than this depends on it. Rounding alone leaves 1e-14. */
const PIVOT_LEAST = 1e-12;
/** Share of the units above which a support is large. */
const LARGE_SUPPORT = 0.55;
/** G's inverse costs about so many times n³ multiplications: it is made once the factors of large supports cost as much. */
const INVERSE_COST = 2;

/** Reads G and the gradient of `memory`; changes the weights; owns all else. Memory: {@link Cholesky}, {@link Complement}. */
export class Support {
  /** [n], changed from outside too: {@link hold} follows. */
  readonly weights: Float64Array;
  /** [n] c − Gw, kept current from outside. */
  readonly gradient: Float64Array;
  /** [n], 1 where the factor has the unit; and its sign. */
  readonly held: Float64Array;
  readonly sign: Float64Array;
  /** The system of the units held: one of the two below. */
  factor: SupportSystem;
  /** Multiplications, roughly, since it was set to 0; counted from outside too. */
  work = 0;
  private readonly direct: Cholesky;
  private complement: Complement | null = null; // for large supports, once it pays
  private largeWork = 0; // multiplications for their factors, until it pays
  private readonly memory: LassoMemory;
  private readonly gram: Float64Array;
  private readonly n: number;
  private readonly joining: Int32Array; // [n]
  private readonly lone = new Int32Array(1);
  private readonly x: Float64Array; // [n], in the factor's order

  constructor(memory: LassoMemory, n: number) {
    this.memory = memory;
    this.gram = memory.gram;
    this.n = n;
    this.gradient = memory.gradient.subarray(0, n);
    this.weights = memory.weights.subarray(0, n);
    this.direct = new Cholesky(memory.factor, memory.gram, n);
    this.factor = this.direct;
    this.held = memory.held.subarray(0, n);
    this.sign = new Float64Array(n);
    this.joining = new Int32Array(n);
    this.x = new Float64Array(n);
  }

  /**
   * Makes the factor hold the units with a weight, and notes their signs. Those that depend on others are shifted
   * out, downhill at `alpha`. `careful`: by the direct system alone.
   */
  hold(alpha: number, careful: boolean): void {
    const { n, weights, held, joining, sign } = this;
    this.chooseSystem(careful);
    const { factor } = this;
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

  // a support of most units is solved through the others, once there were so many that G's inverse pays
  private chooseSystem(careful: boolean): void {
    const { n, weights } = this;
    let size = 0;
    for (let j = 0; j < n; j++) if (weights[j] !== 0) size++;
    const large = size > LARGE_SUPPORT * n && !careful;
    if (large && this.largeWork > INVERSE_COST * n ** 3) {
      this.largeWork = -Infinity;
      const inverse = inverseOf(this.memory, n);
      this.complement = inverse && new Complement(this.memory, inverse);
    }
    const factor = large && this.complement !== null ? this.complement : this.direct;
    if (factor === this.factor) return;
    this.release();
    this.factor = factor;
    factor.clear();
  }

  /**
   * The optimum for the support's signs, G_SS w = c_S − α sign. Weights that would change sign leave. First all
   * at once, which is fast and mostly right, but false where they are too many; later, and always where
   * `careful`, the first to reach 0 on the way, which is a descent.
   */
  solve(c: Float64Array, alpha: number, careful: boolean): boolean {
    const { weights, sign, factor, x } = this;
    const { order } = factor;
    for (let pass = careful ? 2 : 0; factor.size > 0; pass++) {
      for (let k = 0; k < factor.size; k++) x[k] = c[order[k]!]! - alpha * sign[order[k]!]!;
      this.solveFor(x);

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
      this.solveFor(x);
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
      if (this.joinOne(j)) return;
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
    const { size } = this.factor;
    const dependent = this.factor.append(units, count, PIVOT_LEAST);
    if (this.factor === this.direct) {
      const work = (count * (size + this.factor.size) ** 2) / 8;
      this.work += work;
      if (this.factor.size > LARGE_SUPPORT * this.n) this.largeWork += work;
    }
    for (let k = 0; k < this.factor.size; k++) this.held[this.factor.order[k]!] = 1;
    return dependent;
  }

  /** Takes a unit in, its sign set; false if it depends on those held. */
  joinOne(unit: number): boolean {
    this.lone[0] = unit;
    return this.join(this.lone, 1) === 0;
  }

  /** Solves the system of the units held for `x`, in place and in the factor's order. */
  solveFor(x: Float64Array): void {
    const { factor, n } = this;
    factor.solve(x);
    // the complement passes over every row of the inverse
    this.work += (factor === this.direct ? factor.size : n) ** 2;
  }

  /** Takes out the unit at place `k` of the factor's order. */
  leave(k: number): void {
    this.held[this.factor.order[k]!] = 0;
    if (this.factor === this.direct) this.work += (this.factor.size - k) ** 2;
    this.factor.remove(k);
  }

  /** Holds no unit; weights stay. */
  release(): void {
    this.held.fill(0);
    this.factor.clear();
  }
}
