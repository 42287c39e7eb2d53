/**
 * Cluster stage, a branch of reduce. Takes the joint correlation matrix of one pair at one layer;
 * gives the spectral co-clustering of the units of both networks.
 * Ng, Jordan and Weiss, "On Spectral Clustering: Analysis and an Algorithm", NIPS 2001, with the graph and
 * the Laplacian as in contract.md, row "clustering".
 */
import { PipelineError } from '../../errors.ts';
import { randomFrom } from '../../numeric/random.ts';
import { thresholdGraph } from './graph.ts';
import { kMeans } from './kmeans.ts';
import { lowestOfLaplacian } from './spectrum.ts';

export interface ClusterSummary {
  cluster: number;
  unitsA: number;
  unitsB: number;
  /** Mean r over the cluster's pairs i ≠ j; null without a pair. */
  meanRBetween: number | null;
  meanRWithinA: number | null;
  meanRWithinB: number | null;
}

/** Clusters are numbered by falling size, ties by lowest member (a's units first, then b's). */
export interface Clustering {
  /** k used: min(k asked, vertices left); 0 with no vertices. */
  k: number;
  threshold: number;
  /** [unitsA + unitsB] cluster of each unit, −1 for dead and isolated units. */
  labels: Int32Array;
  /** Live units without an edge. */
  isolated: number;
  /** Connected components of the thresholded graph, over the vertices left. */
  components: number;
  /** [k] lowest eigenvalues of I − D^-½ W D^-½, rising. */
  eigenvalues: Float64Array;
  summaries: ClusterSummary[];
}

export interface ClusterOptions {
  /** Clusters asked for, ≥ 1. */
  k: number;
  /** Edges are the correlations above it; 0 ≤ threshold < 1. */
  threshold: number;
}

const RESTARTS = 10;
/** Rows of the eigenvectors shorter than this stay 0. */
const SHORT_ROW = 1e-12;

/**
 * Clusters the units of two networks together. Deterministic for a seed. O(n²) beside the eigenvectors.
 *
 * @param r [n × n] joint signed Pearson r, n = unitsA + unitsB, a's units first; symmetric, row-major; read only.
 * @param dead [n] 1 where the unit is dead: it stays out.
 * @throws internal where sizes do not fit or `r` isn't finite.
 */
export function clusterUnits(
  r: Float64Array,
  dead: Uint8Array,
  unitsA: number,
  unitsB: number,
  { k: asked, threshold }: ClusterOptions,
  seed: number,
): Clustering {
  const n = unitsA + unitsB;
  if (r.length !== n * n || dead.length !== n) {
    throw new PipelineError('internal', `expected ${n} × ${n} correlations, found ${r.length} of ${dead.length} units`);
  }
  const notFinite = r.findIndex((value) => !Number.isFinite(value));
  if (notFinite >= 0) {
    throw new PipelineError(
      'internal',
      `expected finite correlations; found ${r[notFinite]} in row ${Math.floor(notFinite / n)}`,
    );
  }
  const graph = thresholdGraph(r, dead, threshold);
  const vertices = graph.units.length;
  const k = Math.min(asked, vertices);
  const labels = new Int32Array(n).fill(-1);
  let eigenvalues: Float64Array = new Float64Array(0);
  if (k > 0) {
    const { values, vectors } = lowestOfLaplacian(graph, k, randomFrom(seed, 'lanczos'));
    eigenvalues = values;
    const clusters = kMeans(unitRows(vectors, vertices), vertices, k, k, RESTARTS, randomFrom(seed, 'k-means'));
    const numbers = numberBySize(clusters.labels, k);
    graph.units.forEach((unit, vertex) => (labels[unit] = numbers[clusters.labels[vertex]!]!));
  }
  return {
    k,
    threshold,
    labels,
    isolated: graph.isolated,
    components: graph.components,
    eigenvalues,
    summaries: summarise(r, labels, unitsA, unitsB, k),
  };
}

// [vertices × k] rows of the eigenvectors, scaled to length 1
function unitRows(vectors: readonly Float64Array[], vertices: number): Float64Array {
  const k = vectors.length;
  const rows = new Float64Array(vertices * k);
  for (let v = 0; v < vertices; v++) {
    let square = 0;
    for (const vector of vectors) square += vector[v]! * vector[v]!;
    const length = Math.sqrt(square);
    if (length < SHORT_ROW) continue;
    for (let c = 0; c < k; c++) rows[v * k + c] = vectors[c]![v]! / length;
  }
  return rows;
}

// the number of each label: falling size, ties by lowest member
function numberBySize(labels: Int32Array, k: number): Int32Array {
  const size = new Int32Array(k);
  const first = new Int32Array(k).fill(labels.length);
  labels.forEach((label, member) => {
    size[label]!++;
    first[label] = Math.min(first[label]!, member);
  });
  const order = [...size.keys()].sort((a, b) => size[b]! - size[a]! || first[a]! - first[b]!);
  const numbers = new Int32Array(k);
  order.forEach((label, number) => (numbers[label] = number));
  return numbers;
}

function summarise(r: Float64Array, labels: Int32Array, unitsA: number, unitsB: number, k: number): ClusterSummary[] {
  const n = unitsA + unitsB;
  const members = Array.from({ length: k }, () => ({ a: [] as number[], b: [] as number[] }));
  labels.forEach((label, unit) => {
    if (label >= 0) members[label]![unit < unitsA ? 'a' : 'b'].push(unit);
  });
  return members.map(({ a, b }, cluster) => ({
    cluster,
    unitsA: a.length,
    unitsB: b.length,
    meanRBetween: meanR(r, n, a, b),
    meanRWithinA: meanR(r, n, a, a),
    meanRWithinB: meanR(r, n, b, b),
  }));
}

// mean of r over i of the one and j of the other, i ≠ j
function meanR(r: Float64Array, n: number, one: readonly number[], other: readonly number[]): number | null {
  let sum = 0;
  let pairs = 0;
  for (const i of one) {
    for (const j of other) {
      if (i === j) continue;
      sum += r[i * n + j]!;
      pairs++;
    }
  }
  return pairs === 0 ? null : sum / pairs;
}
