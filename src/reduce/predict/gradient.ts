/**
 * The gradient g = c − Gw of the sparse prediction's squared error, kept current while weights change. Part of
 * the LASSO kernel. Changes are collected and subtracted eight at a time: one pass over g for eight rows of G.
 */

const LANES = 8;

/** Reads the symmetric G [n × n]; owns g. After `subtract` call `flush` before reading `values` itself. */
export class Gradient {
  /** [n] */
  readonly values: Float64Array;
  private readonly gram: Float64Array;
  private readonly n: number;
  // changes not yet subtracted: starts of their rows of G, and steps
  private readonly rows = new Int32Array(LANES);
  private readonly steps = new Float64Array(LANES);
  private pending = 0;

  constructor(gram: Float64Array, n: number) {
    this.gram = gram;
    this.n = n;
    this.values = new Float64Array(n);
  }

  /** Computes g afresh for these weights. O(n) per weight that isn't 0. */
  compute(c: Float64Array, weights: Float64Array): void {
    this.pending = 0;
    this.values.set(c);
    for (let j = 0; j < this.n; j++) if (weights[j] !== 0) this.subtract(j, weights[j]!);
    this.flush();
  }

  /** g_j, changes not yet subtracted included. */
  at(j: number): number {
    let g = this.values[j]!;
    for (let k = 0; k < this.pending; k++) g -= this.steps[k]! * this.gram[this.rows[k]! + j]!;
    return g;
  }

  /** Weight j has grown by `step`: g −= step · G_j. O(n). */
  subtract(j: number, step: number): void {
    this.rows[this.pending] = j * this.n;
    this.steps[this.pending] = step;
    if (++this.pending === LANES) this.flush();
  }

  /** Makes `values` current. */
  flush(): void {
    const { rows, steps, pending } = this;
    if (pending === 0) return;
    // lanes without a change subtract 0 times some row
    for (let k = pending; k < LANES; k++) steps[k] = 0;
    if (pending > LANES / 2) subtractEight(this.values, this.gram, this.n, rows, steps);
    else subtractFour(this.values, this.gram, this.n, rows, steps);
    this.pending = 0;
  }
}

// g −= Σ steps[k] · G from rows[k] on, for eight rows
function subtractEight(g: Float64Array, gram: Float64Array, n: number, rows: Int32Array, steps: Float64Array): void {
  const r0 = rows[0]!;
  const r1 = rows[1]!;
  const r2 = rows[2]!;
  const r3 = rows[3]!;
  const r4 = rows[4]!;
  const r5 = rows[5]!;
  const r6 = rows[6]!;
  const r7 = rows[7]!;
  const s0 = steps[0]!;
  const s1 = steps[1]!;
  const s2 = steps[2]!;
  const s3 = steps[3]!;
  const s4 = steps[4]!;
  const s5 = steps[5]!;
  const s6 = steps[6]!;
  const s7 = steps[7]!;
  for (let i = 0; i < n; i++) {
    const upper = s0 * gram[r0 + i]! + s1 * gram[r1 + i]! + (s2 * gram[r2 + i]! + s3 * gram[r3 + i]!);
    const lower = s4 * gram[r4 + i]! + s5 * gram[r5 + i]! + (s6 * gram[r6 + i]! + s7 * gram[r7 + i]!);
    g[i] = g[i]! - (upper + lower);
  }
}

function subtractFour(g: Float64Array, gram: Float64Array, n: number, rows: Int32Array, steps: Float64Array): void {
  const r0 = rows[0]!;
  const r1 = rows[1]!;
  const r2 = rows[2]!;
  const r3 = rows[3]!;
  const s0 = steps[0]!;
  const s1 = steps[1]!;
  const s2 = steps[2]!;
  const s3 = steps[3]!;
  for (let i = 0; i < n; i++) {
    g[i] = g[i]! - (s0 * gram[r0 + i]! + s1 * gram[r1 + i]! + (s2 * gram[r2 + i]! + s3 * gram[r3 + i]!));
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
