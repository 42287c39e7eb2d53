/**
 * Cluster stage, a branch of reduce. Takes the correlations of one pair at one layer, within and between the
 * networks, block by block; gives the spectral co-clustering of the units of both networks.
 * Ng, Jordan and Weiss, "On Spectral Clustering: Analysis and an Algorithm", NIPS 2001, with the graph and
 * the Laplacian as in contract.md, row "clustering".
 */
import { PipelineError } from '../../errors.ts';
import { randomFrom } from '../../numeric/random.ts';
import type { BlockSource } from '../block.ts';
import { rowsOf, thresholdGraph } from './graph.ts';
import type { JointBlocks } from './graph.ts';
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
 * Clusters the units of two networks together. Deterministic for a seed, whatever the chunks. Reads every block
 * twice; O(n²) beside the eigenvectors, memory the graph's (graph.ts) and the eigenvectors'.
 *
 * @param blocks signed Pearson r within and between the networks.
 * @param deadA [unitsA] and `deadB` [unitsB] 1 where the unit is dead: it stays out.
 * @throws internal where sizes do not fit or an r isn't finite.
 */
export async function clusterUnits(
  blocks: JointBlocks,
  deadA: Uint8Array,
  deadB: Uint8Array,
  { k: asked, threshold }: ClusterOptions,
  seed: number,
): Promise<Clustering> {
  assertSizes(blocks, deadA.length, deadB.length);
  const n = deadA.length + deadB.length;
  const dead = new Uint8Array(n);
  dead.set(deadA);
  dead.set(deadB, deadA.length);
  const graph = await thresholdGraph(blocks, dead, threshold);
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
    summaries: await summarise(blocks, labels, k),
  };
}

function assertSizes({ within_a, between, within_b }: JointBlocks, unitsA: number, unitsB: number): void {
  const found = [within_a, between, within_b].map(({ rows, columns }) => `${rows} × ${columns}`).join(', ');
  const expected = `${unitsA} × ${unitsA}, ${unitsA} × ${unitsB}, ${unitsB} × ${unitsB}`;
  if (found !== expected) throw new PipelineError('internal', `expected blocks of ${expected} units; found ${found}`);
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

// a second pass over the blocks: means of r over the pairs of each cluster
async function summarise(blocks: JointBlocks, labels: Int32Array, k: number): Promise<ClusterSummary[]> {
  const unitsA = blocks.within_a.rows;
  const membersA = membersOf(labels.subarray(0, unitsA), k);
  const membersB = membersOf(labels.subarray(unitsA), k);
  const between = await sumsOfR(blocks.between, membersA, membersB);
  const withinA = await sumsOfR(blocks.within_a, membersA, membersA);
  const withinB = await sumsOfR(blocks.within_b, membersB, membersB);
  const mean = (sum: number, pairs: number): number | null => (pairs === 0 ? null : sum / pairs);
  return Array.from({ length: k }, (_, cluster) => {
    const [a, b] = [membersA[cluster]!.length, membersB[cluster]!.length];
    return {
      cluster,
      unitsA: a,
      unitsB: b,
      meanRBetween: mean(between[cluster]!, a * b),
      meanRWithinA: mean(withinA[cluster]!, a * (a - 1)),
      meanRWithinB: mean(withinB[cluster]!, b * (b - 1)),
    };
  });
}

// [k] of the units with each label, rising
function membersOf(labels: Int32Array, k: number): number[][] {
  const members = Array.from({ length: k }, (): number[] => []);
  labels.forEach((label, unit) => members[label]?.push(unit));
  return members;
}

// [k] Σ r over rows and columns of each cluster, i ≠ j where they are the same units
async function sumsOfR(block: BlockSource, rows: number[][], columns: number[][]): Promise<Float64Array> {
  const sums = new Float64Array(rows.length);
  const clusterOf = new Int32Array(block.rows).fill(-1);
  rows.forEach((units, cluster) => units.forEach((unit) => (clusterOf[unit] = cluster)));
  for await (const { first, values } of rowsOf(block)) {
    const count = block.columns === 0 ? 0 : values.length / block.columns;
    for (let i = 0; i < count; i++) {
      const cluster = clusterOf[first + i]!;
      if (cluster < 0) continue;
      const own = rows === columns ? first + i : -1;
      for (const j of columns[cluster]!) if (j !== own) sums[cluster]! += values[i * block.columns + j]!;
    }
  }
  return sums;
}
