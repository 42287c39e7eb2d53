/**
 * Cluster stage, a branch of reduce. Takes the joint correlation matrix of one pair at one layer;
 * gives the spectral co-clustering of the units of both networks.
 */

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
