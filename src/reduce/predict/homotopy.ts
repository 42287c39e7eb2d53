/**
 * The LASSO's path followed from one α to a lower one, one unit joining or leaving the support at a time: between
 * two such kinks weights and gradient are linear in α. Part of the LASSO kernel, for the targets where coordinate descent
 * finds the support too slowly. Osborne, Presnell and Turlach 2000, "A new approach to variable selection in
 * least squares problems", §3; Efron, Hastie, Johnstone and Tibshirani 2004, "Least angle regression", §3.1.
 */
import type { Gradient } from './gradient.ts';
import type { Support } from './support.ts';

/** Kinks per unit after which the path counts as going round in circles. */
const KINKS_PER_UNIT = 4;

/**
 * Moves an optimum at `from` along the path to α = `to`; false, and somewhere on the way, where units depend on each
 * other, too many join and leave, or `support.work` exceeds `mostWork`. O(n s + s²) per kink for a support of s.
 *
 * @param support holds the units with a weight; its gradient is left with the rounding of many steps.
 * @param rate a gradient of the same G, overwritten; `direction` [n], in its memory, too. `zero` [n] stays so.
 */
export function followPath(
  support: Support,
  from: number,
  to: number,
  mostWork: number,
  rate: Gradient,
  direction: Float64Array,
  zero: Float64Array,
): boolean {
  const { weights, gradient, held, sign, factor } = support;
  const n = weights.length;
  const step = new Float64Array(n);
  let alpha = from;
  let justLeft = -1;
  for (let kink = 0; kink < KINKS_PER_UNIT * n + 100; kink++) {
    // per unit that α falls: weights grow by G_SS⁻¹ sign, g by −G times that
    for (let k = 0; k < factor.size; k++) step[k] = sign[factor.order[k]!]!;
    support.solveFor(step);
    direction.fill(0);
    for (let k = 0; k < factor.size; k++) direction[factor.order[k]!] = step[k]!;
    rate.compute(zero, direction);
    support.work += factor.size * n;
    if (support.work > mostWork) return false;

    // the first weight to reach 0, or the first |g| to reach α
    let length = alpha - to;
    let leaving = -1;
    let joining = -1;
    for (let k = 0; k < factor.size; k++) {
      const j = factor.order[k]!;
      if (step[k]! * sign[j]! >= 0) continue;
      const until = Math.max(0, -weights[j]! / step[k]!);
      if (until >= length) continue;
      length = until;
      leaving = k;
    }
    for (let j = 0; j < n; j++) {
      if (held[j] === 1) continue;
      const g = gradient[j]!;
      const change = rate.values[j]!;
      // a unit that has just left is at the bound: it may reach the other one only
      const until = Math.min(
        change > -1 && !(j === justLeft && g > 0) ? (alpha - g) / (1 + change) : Infinity,
        change < 1 && !(j === justLeft && g < 0) ? (alpha + g) / (1 - change) : Infinity,
      );
      if (until >= length) continue;
      length = Math.max(0, until);
      joining = j;
    }

    // go there
    for (let k = 0; k < factor.size; k++) weights[factor.order[k]!]! += length * step[k]!;
    for (let j = 0; j < n; j++) gradient[j]! += length * rate.values[j]!;
    alpha -= length;
    justLeft = -1;
    if (joining >= 0) {
      sign[joining] = gradient[joining]! > 0 ? 1 : -1;
      if (!support.joinOne(joining)) return false;
    } else if (leaving >= 0) {
      justLeft = factor.order[leaving]!;
      weights[justLeft] = 0;
      support.leave(leaving);
    } else return true;
  }
  return false;
}
