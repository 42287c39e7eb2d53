/**
 * k-means: k-means++ seeds (Arthur and Vassilvitskii 2007), then Lloyd's iteration, several times over; the
 * best inertia wins. An empty cluster takes the point farthest from its own centre.
 * Distances are spared by the triangle inequality after Elkan, "Using the Triangle Inequality to Accelerate
 * k-Means", ICML 2003: labels are those of the plain iteration, except that a point as near to another centre stays.
 */
import type { Random } from '../../numeric/random.ts';

export interface KMeans {
  /** [n] cluster of each point, 0 … k − 1; no cluster is empty. */
  labels: Int32Array;
  /** Σ squared distance of each point to its cluster's mean. */
  inertia: number;
}

/** Iterations of one restart before it is left where it is; tens are the rule. */
const MOST_ITERATIONS = 300;

/**
 * Clusters points, the best of `restarts` tries (the first of equals). O(n k d) per iteration at worst.
 *
 * @param points [n × d] row-major, finite; read only. 1 ≤ k ≤ n.
 */
export function kMeans(
  points: Float64Array,
  n: number,
  d: number,
  k: number,
  restarts: number,
  random: Random,
): KMeans {
  let best: KMeans | null = null;
  for (let restart = 0; restart < restarts; restart++) {
    const result = new Lloyd(points, n, d, k).run(random);
    if (best === null || result.inertia < best.inertia) best = result;
  }
  return best!;
}

class Lloyd {
  private readonly points: Float64Array;
  private readonly n: number;
  private readonly d: number;
  private readonly k: number;
  private readonly labels: Int32Array;
  private readonly centres: Float64Array;
  /** [n] at least the distance of a point to its centre; [n × k] at most its distance to each centre. */
  private readonly upper: Float64Array;
  private readonly lower: Float64Array;

  constructor(points: Float64Array, n: number, d: number, k: number) {
    this.points = points;
    this.n = n;
    this.d = d;
    this.k = k;
    this.labels = new Int32Array(n);
    this.centres = new Float64Array(k * d);
    this.upper = new Float64Array(n).fill(Infinity);
    this.lower = new Float64Array(n * k);
  }

  run(random: Random): KMeans {
    this.seed(random);
    for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
      this.fillEmpty();
      this.moveCentres();
      if (!this.reassign()) break;
    }
    // the last change, where iterations ran out, may have emptied a cluster
    this.fillEmpty();
    this.moveCentres();
    return { labels: this.labels, inertia: this.inertia() };
  }

  /** Seeds: the first uniformly, each further one by squared distance to the nearest so far. Labels all points. */
  private seed(random: Random): void {
    const { points, n, d, k, labels, centres, upper, lower } = this;
    let chosen = random.below(n);
    for (let c = 0; c < k; c++) {
      if (c > 0) chosen = drawBySquare(upper, random);
      centres.set(points.subarray(chosen * d, chosen * d + d), c * d);
      for (let i = 0; i < n; i++) {
        const distance = distanceBetween(points, i * d, centres, c * d, d);
        lower[i * k + c] = distance;
        if (distance >= upper[i]!) continue;
        upper[i] = distance;
        labels[i] = c;
      }
    }
  }

  /** Centres to their clusters' means, and the bounds by how far they went. */
  private moveCentres(): void {
    const { points, n, d, k, labels, centres, upper, lower } = this;
    const means = new Float64Array(k * d);
    const size = new Int32Array(k);
    for (let i = 0; i < n; i++) {
      const c = labels[i]!;
      size[c]!++;
      for (let t = 0; t < d; t++) means[c * d + t]! += points[i * d + t]!;
    }
    const moved = new Float64Array(k);
    for (let c = 0; c < k; c++) {
      for (let t = 0; t < d; t++) means[c * d + t]! /= size[c]!;
      moved[c] = distanceBetween(means, c * d, centres, c * d, d);
    }
    centres.set(means);
    for (let i = 0; i < n; i++) {
      upper[i]! += moved[labels[i]!]!;
      for (let c = 0; c < k; c++) lower[i * k + c]! -= moved[c]!;
    }
  }

  /** Each point to a centre that is nearer than its own, if any; tells whether one changed. */
  private reassign(): boolean {
    const { points, n, d, k, labels, centres, upper, lower } = this;
    const half = new Float64Array(k * k);
    // half the distance to the nearest other centre: a point nearer to its own can't be nearer to another
    const safe = new Float64Array(k).fill(Infinity);
    for (let c = 0; c < k; c++) {
      for (let e = 0; e < c; e++) {
        const distance = distanceBetween(centres, c * d, centres, e * d, d) / 2;
        half[c * k + e] = distance;
        half[e * k + c] = distance;
        safe[c] = Math.min(safe[c]!, distance);
        safe[e] = Math.min(safe[e]!, distance);
      }
    }
    let changed = false;
    for (let i = 0; i < n; i++) {
      let own = labels[i]!;
      let distance = upper[i]!;
      if (distance <= safe[own]!) continue;
      let exact = false;
      for (let c = 0; c < k; c++) {
        if (c === own || distance <= lower[i * k + c]! || distance <= half[own * k + c]!) continue;
        if (!exact) {
          distance = distanceBetween(points, i * d, centres, own * d, d);
          lower[i * k + own] = distance;
          exact = true;
          if (distance <= lower[i * k + c]! || distance <= half[own * k + c]!) continue;
        }
        const other = distanceBetween(points, i * d, centres, c * d, d);
        lower[i * k + c] = other;
        if (other >= distance) continue;
        own = c;
        distance = other;
        changed = true;
      }
      labels[i] = own;
      upper[i] = distance;
    }
    return changed;
  }

  /** Gives each empty cluster the point farthest from its centre, from a cluster that keeps another one. */
  private fillEmpty(): void {
    const { points, n, d, k, labels, centres, upper } = this;
    const size = new Int32Array(k);
    for (let i = 0; i < n; i++) size[labels[i]!]!++;
    for (let c = 0; c < k; c++) {
      if (size[c]! > 0) continue;
      let farthest = -1;
      let most = -Infinity;
      for (let i = 0; i < n; i++) {
        if (size[labels[i]!]! < 2) continue;
        const distance = distanceBetween(points, i * d, centres, labels[i]! * d, d);
        if (distance <= most) continue;
        most = distance;
        farthest = i;
      }
      size[labels[farthest]!]!--;
      size[c] = 1;
      labels[farthest] = c;
      upper[farthest] = distanceBetween(points, farthest * d, centres, c * d, d);
    }
  }

  private inertia(): number {
    const { points, n, d, labels, centres } = this;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += distanceBetween(points, i * d, centres, labels[i]! * d, d) ** 2;
    return sum;
  }
}

// an index with probability ∝ weight²; where all are 0, uniformly
function drawBySquare(weights: Float64Array, random: Random): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i]! * weights[i]!;
  if (total === 0) return random.below(weights.length);
  let left = random.uniform() * total;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    const square = weights[i]! * weights[i]!;
    if (square === 0) continue;
    last = i;
    if (left < square) break;
    left -= square;
  }
  return last;
}

// four sums, so that additions don't wait for each other
function distanceBetween(a: Float64Array, from: number, b: Float64Array, to: number, d: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let t = 0;
  for (; t + 3 < d; t += 4) {
    const x0 = a[from + t]! - b[to + t]!;
    const x1 = a[from + t + 1]! - b[to + t + 1]!;
    const x2 = a[from + t + 2]! - b[to + t + 2]!;
    const x3 = a[from + t + 3]! - b[to + t + 3]!;
    s0 += x0 * x0;
    s1 += x1 * x1;
    s2 += x2 * x2;
    s3 += x3 * x3;
  }
  for (; t < d; t++) s0 += (a[from + t]! - b[to + t]!) ** 2;
  return Math.sqrt(s0 + s1 + (s2 + s3));
}
