/**
 * The gradient g = c − Gw of the sparse prediction's squared error, and what follows from it. Part of the LASSO kernel.
 */
import type { RowMemory } from '../../numeric/rowMemory.ts';

/** g = c − Gw of weights that stand in `memory`, as G = `gram` [n × n] and `values` do; `values` is overwritten. */
export class Gradient {
  /** [n] */
  readonly values: Float64Array;
  private readonly memory: RowMemory;
  private readonly gram: Float64Array;

  constructor(memory: RowMemory, gram: Float64Array, values: Float64Array) {
    this.memory = memory;
    this.gram = gram;
    this.values = values;
  }

  /** Computes g afresh for these weights. O(n) per weight that isn't 0. */
  compute(c: Float64Array, weights: Float64Array): void {
    const { values, gram, memory } = this;
    values.set(c);
    memory.kernel.addRows(values.byteOffset, values.length, gram.byteOffset, weights.byteOffset, -1);
  }
}

/**
 * The LASSO's objective without its constant ½: ½ wᵀGw − w·c + α‖w‖₁ = α‖w‖₁ − ½ w·(c + g).
 * All [n]; 0 where n is 0. O(n).
 */
export function objectiveOf(c: Float64Array, gradient: Float64Array, weights: Float64Array, alpha: number): number {
  let sum = 0;
  for (let j = 0; j < weights.length; j++) {
    const w = weights[j]!;
    if (w !== 0) sum += alpha * Math.abs(w) - 0.5 * w * (c[j]! + gradient[j]!);
  }
  return sum;
}

/**
 * The largest violation of the LASSO's KKT conditions: |g_j − α sign w_j| where w_j ≠ 0, max(|g_j| − α, 0)
 * where w_j = 0. Both [n]; 0 where n is 0, NaN where anything is NaN. O(n).
 */
export function kktResidual(gradient: Float64Array, weights: Float64Array, alpha: number): number {
  let worst = 0;
  for (let j = 0; j < weights.length; j++) {
    const g = gradient[j]!;
    const w = weights[j]!;
    const violation = w === 0 ? Math.abs(g) - alpha : Math.abs(g - (w > 0 ? alpha : -alpha));
    if (violation > worst || Number.isNaN(violation)) worst = violation;
  }
  return worst;
}
