/**
 * The reduction documents as .npz members and back: what correlate, match, predict and cluster hand
 * over through the bucket. Reading checks dtype and shape; the checksum was checked by readNpz.
 */
import { takeMember } from '../numeric/npz.ts';
import type { NpzMember, NpzMembers } from '../numeric/npz.ts';
import { DENSE_UNITS } from '../plan/memory.ts';
import type { NpyArray, NpyData } from '../numeric/npy.ts';
import type { Clustering } from './cluster/cluster.ts';
import type { Correlations } from './correlate.ts';
import type { SampleCounts, UnitStats } from './correlation.ts';
import type { Matching } from './match/match.ts';
import type { Prediction } from './predict/predict.ts';
import { scipyNpz } from './predict/scipy.ts';
import { denseWeights } from './predict/weights.ts';

type Members = Readonly<Record<string, NpyArray>>;

const vector = (data: NpyData): NpzMember => ({ data, shape: [data.length] });
const matrix = (data: NpyData, columns: number): NpzMember => ({
  data,
  shape: [columns === 0 ? 0 : data.length / columns, columns],
});

/** The members of a correlation task's object: statistics by network, blocks by pair of networks. */
export function correlationMembers({ counts: c, stats, blocks }: Correlations): NpzMembers {
  const counts = [c.rows, c.samples, c.fitRows, c.fitSamples, c.heldOutRows, c.heldOutSamples];
  const members: NpzMembers = { counts: vector(Float64Array.from(counts)) };
  for (const [n, own] of stats) {
    members[`mean_${n}`] = vector(own.mean);
    members[`std_${n}`] = vector(own.std);
    members[`dead_${n}`] = vector(own.dead);
    members[`variance_lost_${n}`] = vector(own.varianceLost);
    members[`mean_shift_${n}`] = vector(own.meanShift);
    members[`fit_constant_${n}`] = vector(own.fitConstant);
    if (!own.heldOut) continue;
    members[`held_out_sum_${n}`] = vector(own.heldOut.sum);
    members[`held_out_square_${n}`] = vector(own.heldOut.square);
    members[`held_out_constant_${n}`] = vector(own.heldOut.constant);
  }
  for (const [name, { r, fitR, heldOutSecond }] of blocks) {
    const columns = stats.get(Number(name.split('_')[1]))!.mean.length;
    members[`r_${name}`] = matrix(r, columns);
    if (fitR !== r) members[`fit_r_${name}`] = matrix(fitR, columns);
    if (heldOutSecond) members[`held_out_${name}`] = matrix(heldOutSecond, columns);
  }
  return members;
}

/** The names of the members that {@link statsFrom} needs of one network. */
export function statsMemberNames(network: number, heldOut: boolean): string[] {
  const names = ['mean', 'std', 'dead', 'variance_lost', 'mean_shift', 'fit_constant'];
  const scored = heldOut ? ['held_out_sum', 'held_out_square', 'held_out_constant'] : [];
  return ['counts', ...[...names, ...scored].map((name) => `${name}_${network}`)];
}

export function countsFrom(m: Members): SampleCounts {
  const [rows, samples, fitRows, fitSamples, heldOutRows, heldOutSamples] = takeMember(m, 'counts', 'float64', [6]);
  return {
    rows: rows!,
    samples: samples!,
    fitRows: fitRows!,
    fitSamples: fitSamples!,
    heldOutRows: heldOutRows!,
    heldOutSamples: heldOutSamples!,
  };
}

export function statsFrom(m: Members, network: number, units: number): UnitStats {
  const floats = (name: string): Float64Array => takeMember(m, `${name}_${network}`, 'float64', [units]);
  const flags = (name: string): Uint8Array => takeMember(m, `${name}_${network}`, 'uint8', [units]);
  return {
    mean: floats('mean'),
    std: floats('std'),
    dead: flags('dead'),
    varianceLost: flags('variance_lost'),
    meanShift: floats('mean_shift'),
    fitConstant: flags('fit_constant'),
    heldOut:
      `held_out_sum_${network}` in m
        ? { sum: floats('held_out_sum'), square: floats('held_out_square'), constant: flags('held_out_constant') }
        : null,
  };
}

export function matchingMembers(m: Matching): NpzMembers {
  return {
    semi_a: vector(m.semiA.partner),
    semi_a_r: vector(m.semiA.r),
    semi_b: vector(m.semiB.partner),
    semi_b_r: vector(m.semiB.r),
    pairs_a: vector(m.pairsA),
    pairs_b: vector(m.pairsB),
    r: vector(m.r),
    dual_a: vector(m.dualA),
    dual_b: vector(m.dualB),
  };
}

export function matchingFrom(m: Members): Matching {
  const floats = (name: string): Float64Array => takeMember(m, name, 'float64', [-1]);
  const indices = (name: string): Int32Array => takeMember(m, name, 'int32', [-1]);
  return {
    semiA: { partner: indices('semi_a'), r: floats('semi_a_r') },
    semiB: { partner: indices('semi_b'), r: floats('semi_b_r') },
    pairsA: indices('pairs_a'),
    pairsB: indices('pairs_b'),
    r: floats('r'),
    dualA: floats('dual_a'),
    dualB: floats('dual_b'),
  };
}

/** Whether weights [targets × sources] are written as compressed rows, for scipy.sparse.load_npz. */
export function weightsAreSparse(targets: number, sources: number): boolean {
  return Math.max(targets, sources) > DENSE_UNITS;
}

/** The member that holds the weights of an α, by its place among the rising ones: the bytes of a file of the results. */
export const weightsMember = (alpha: number): string => `weights_${alpha}`;

export function predictionMembers(p: Prediction): NpzMembers {
  const members = scoreMembers(p);
  for (const [index, weights] of p.weights.entries()) {
    members[weightsMember(index)] = weightsAreSparse(p.targets, p.sources)
      ? vector(scipyNpz(weights, p.targets, p.sources))
      : { data: denseWeights(weights, p.targets, p.sources), shape: [p.targets, p.sources] };
  }
  return members;
}

/** A part of a prediction: weights as compressed rows, to be joined with those of the other parts. */
export function partMembers(p: Prediction): NpzMembers {
  const members = scoreMembers(p);
  for (const [index, { indptr, indices, data }] of p.weights.entries()) {
    members[`indptr_${index}`] = vector(indptr);
    members[`indices_${index}`] = vector(indices);
    members[`data_${index}`] = vector(data);
  }
  return members;
}

/** The part of a prediction that {@link partMembers} wrote. */
export function partFrom(m: Members): Prediction {
  const scores = predictionFrom(m);
  const weights = Array.from(scores.alphas, (_, index) => ({
    indptr: takeMember(m, `indptr_${index}`, 'int32', [scores.targets + 1]),
    indices: takeMember(m, `indices_${index}`, 'int32', [-1]),
    data: takeMember(m, `data_${index}`, 'float64', [-1]),
  }));
  return { ...scores, weights };
}

function scoreMembers(p: Prediction): NpzMembers {
  const alphas = p.alphas.length;
  const perTarget = (data: NpyData): NpzMember => ({ data, shape: [alphas, p.targets] });
  return {
    alphas: vector(p.alphas),
    chosen: vector(p.chosen),
    scored: vector(p.scored),
    predictors: vector(p.predictors),
    r2_fit: perTarget(p.r2Fit),
    ...(p.r2HeldOut ? { r2_held_out: perTarget(p.r2HeldOut) } : {}),
    nonzero: perTarget(p.nonzero),
    kkt: perTarget(p.kkt),
  };
}

/** What the report tells of a prediction: everything but its weights, which are files as they stand. */
export type PredictionScores = Omit<Prediction, 'weights'>;

/** The names of the members that {@link predictionFrom} needs. */
export function predictionMemberNames(heldOut: boolean): string[] {
  const names = ['alphas', 'chosen', 'scored', 'predictors', 'r2_fit', 'nonzero', 'kkt'];
  return heldOut ? [...names, 'r2_held_out'] : names;
}

export function predictionFrom(m: Members): PredictionScores {
  const alphas = takeMember(m, 'alphas', 'float64', [-1]);
  const scored = takeMember(m, 'scored', 'uint8', [-1]);
  const predictors = takeMember(m, 'predictors', 'uint8', [-1]);
  const perTarget = [alphas.length, scored.length];
  return {
    alphas,
    sources: predictors.length,
    targets: scored.length,
    chosen: takeMember(m, 'chosen', 'uint8', [scored.length]),
    scored,
    predictors,
    r2Fit: takeMember(m, 'r2_fit', 'float64', perTarget),
    r2HeldOut: 'r2_held_out' in m ? takeMember(m, 'r2_held_out', 'float64', perTarget) : null,
    nonzero: takeMember(m, 'nonzero', 'int32', perTarget),
    kkt: takeMember(m, 'kkt', 'float64', perTarget),
  };
}

/** Members of a summary matrix, one row per cluster; NaN stands for a mean without a pair, in this object only. */
export function clusteringMembers(c: Clustering): NpzMembers {
  const summary = c.summaries.flatMap((s) => [
    s.unitsA,
    s.unitsB,
    s.meanRBetween ?? NaN,
    s.meanRWithinA ?? NaN,
    s.meanRWithinB ?? NaN,
  ]);
  return {
    counts: vector(Int32Array.of(c.k, c.isolated, c.components)),
    threshold: vector(Float64Array.of(c.threshold)),
    labels: vector(c.labels),
    eigenvalues: vector(c.eigenvalues),
    summary: { data: Float64Array.from(summary), shape: [c.summaries.length, 5] },
  };
}

export function clusteringFrom(m: Members): Clustering {
  const counts = takeMember(m, 'counts', 'int32', [3]);
  const summary = takeMember(m, 'summary', 'float64', [-1, 5]);
  const mean = (value: number): number | null => (Number.isNaN(value) ? null : value);
  return {
    k: counts[0]!,
    isolated: counts[1]!,
    components: counts[2]!,
    threshold: takeMember(m, 'threshold', 'float64', [1])[0]!,
    labels: takeMember(m, 'labels', 'int32', [-1]),
    eigenvalues: takeMember(m, 'eigenvalues', 'float64', [-1]),
    summaries: Array.from({ length: summary.length / 5 }, (_, cluster) => {
      const row = summary.subarray(cluster * 5, cluster * 5 + 5);
      return {
        cluster,
        unitsA: row[0]!,
        unitsB: row[1]!,
        meanRBetween: mean(row[2]!),
        meanRWithinA: mean(row[3]!),
        meanRWithinB: mean(row[4]!),
      };
    }),
  };
}
