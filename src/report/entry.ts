/**
 * The numbers of one pair at one layer, as results.json tells them, from the documents of reduce. The
 * rows of cluster_summary.csv are the same rows.
 */
import type { Plan } from '../plan/plan.ts';
import type { Clustering } from '../reduce/cluster/cluster.ts';
import type { Correlation } from '../reduce/correlation.ts';
import type { Matching } from '../reduce/match/match.ts';
import { summarisePrediction } from '../reduce/predict/predict.ts';
import type { Prediction } from '../reduce/predict/predict.ts';
import type { ClusterResult, LayerResult, MatchResult } from './results.ts';

/** What reduce knows of one pair at one layer; null where the stage is off. */
export interface LayerDocuments {
  correlation: Correlation;
  matching: Matching | null;
  aToB: Prediction | null;
  bToA: Prediction | null;
  clustering: Clustering | null;
}

/** How far below its row's maximum a matched r may be and still count as equal (contract.md, "share_equal"). */
const EQUAL_R = 1e-12;

/** The entry of results.json for one pair at one layer. */
export function layerEntry(plan: Plan, pair: number, layer: number, documents: LayerDocuments): LayerResult {
  const { correlation, matching, aToB, bToA, clustering } = documents;
  const { a, b } = plan.pairs[pair]!;
  const planned = plan.layers[layer]!;
  const { unitsA, unitsB, rows, samples, fit, heldOut } = correlation;
  return {
    layer: planned.name,
    tensor_a: planned.taps[a]!.valueName,
    tensor_b: planned.taps[b]!.valueName,
    units: [unitsA, unitsB],
    images: rows,
    positions: planned.positions,
    samples,
    dead_a: flagged(correlation.dead.subarray(0, unitsA)),
    dead_b: flagged(correlation.dead.subarray(unitsA)),
    match: matching && matchEntry(matching, correlation),
    predict: aToB &&
      bToA && {
        rows_fit: fit.rows,
        rows_held_out: heldOut?.rows ?? 0,
        a_to_b: summarisePrediction(aToB),
        b_to_a: summarisePrediction(bToA),
      },
    cluster: clustering && {
      k: clustering.k,
      threshold: clustering.threshold,
      isolated: clustering.isolated,
      clusters: clusterRows(clustering),
    },
  };
}

/** One row per cluster, by number. */
export function clusterRows({ summaries }: Clustering): ClusterResult[] {
  return summaries.map((summary) => ({
    cluster: summary.cluster,
    units_a: summary.unitsA,
    units_b: summary.unitsB,
    mean_r_between: summary.meanRBetween,
    mean_r_within_a: summary.meanRWithinA,
    mean_r_within_b: summary.meanRWithinB,
  }));
}

/** Indices of the entries that are not 0, rising. */
export function flagged(flags: Uint8Array): number[] {
  const indices: number[] = [];
  for (const [index, flag] of flags.entries()) if (flag !== 0) indices.push(index);
  return indices;
}

function matchEntry({ semiA, semiB, pairsA, r }: Matching, { dead }: Correlation): MatchResult {
  let live = 0;
  let equal = 0;
  for (const [index, unit] of pairsA.entries()) {
    if (dead[unit] === 1) continue;
    live++;
    if (r[index]! >= semiA.r[unit]! - EQUAL_R) equal++;
  }
  return {
    mean_r: meanOf(r) ?? 0,
    semi_mean_r_a: meanOf(semiA.r) ?? 0,
    semi_mean_r_b: meanOf(semiB.r) ?? 0,
    share_equal: live === 0 ? null : equal / live,
  };
}

// in the order given, so that the same values give the same sum
function meanOf(values: ArrayLike<number>): number | null {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return values.length === 0 ? null : sum / values.length;
}
