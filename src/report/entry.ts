/**
 * The numbers of one pair at one layer, as results.json tells them, from the documents of reduce. The
 * rows of cluster_summary.csv are the same rows.
 */
import type { Plan } from '../plan/plan.ts';
import type { BlockSource } from '../reduce/block.ts';
import type { Clustering } from '../reduce/cluster/cluster.ts';
import type { SampleCounts, UnitStats } from '../reduce/correlation.ts';
import type { Matching } from '../reduce/match/match.ts';
import type { PredictionScores } from '../reduce/objects.ts';
import { summarisePrediction } from '../reduce/predict/predict.ts';
import type { PredictionSummary } from '../reduce/predict/predict.ts';
import type { ClusterResult, LayerResult, MatchResult } from './results.ts';

/** What reduce knows of one pair at one layer; null where the stage is off. */
export interface LayerDocuments {
  counts: SampleCounts;
  a: UnitStats;
  b: UnitStats;
  /** r within a [p × p], between a and b [p × q], within b [q × q]; never held whole, they can be 8,192² each. */
  blocks: { withinA: BlockSource; between: BlockSource; withinB: BlockSource };
  matching: Matching | null;
  aToB: PredictionScores | null;
  bToA: PredictionScores | null;
  clustering: Clustering | null;
  /** By index: the tasks whose objects hold what is handed out as it stands. */
  tasks: { withinA: number; between: number; withinB: number; aToB: number | null; bToA: number | null };
}

/** How far below its row's maximum a matched r may be and still count as equal (contract.md, "share_equal"). */
const EQUAL_R = 1e-12;

/** The entry of results.json for one pair at one layer. */
export function layerEntry(plan: Plan, pair: number, layer: number, documents: LayerDocuments): LayerResult {
  const { counts, matching, aToB, bToA, clustering } = documents;
  const { a, b } = plan.pairs[pair]!;
  const planned = plan.layers[layer]!;
  return {
    layer: planned.name,
    tensor_a: planned.taps[a]!.valueName,
    tensor_b: planned.taps[b]!.valueName,
    units: [documents.a.mean.length, documents.b.mean.length],
    images: counts.rows,
    positions: planned.positions,
    samples: counts.samples,
    dead_a: flagged(documents.a.dead),
    dead_b: flagged(documents.b.dead),
    match: matching && matchEntry(matching, documents.a.dead),
    predict: aToB &&
      bToA && {
        rows_fit: counts.fitRows,
        rows_held_out: counts.heldOutRows,
        targets: { a_to_b: flagged(aToB.chosen).length, b_to_a: flagged(bToA.chosen).length },
        a_to_b: alphaRows(aToB),
        b_to_a: alphaRows(bToA),
      },
    cluster: clustering && {
      k: clustering.k,
      threshold: clustering.threshold,
      isolated: clustering.isolated,
      clusters: clusterRows(clustering),
    },
  };
}

/** One row per α, rising: the rows of prediction.csv. */
export function alphaRows(scores: PredictionScores): PredictionSummary[] {
  return summarisePrediction(scores);
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

function matchEntry({ semiA, semiB, pairsA, r }: Matching, deadA: Uint8Array): MatchResult {
  let live = 0;
  let equal = 0;
  for (const [index, unit] of pairsA.entries()) {
    if (deadA[unit] === 1) continue;
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
