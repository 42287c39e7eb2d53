/**
 * The reduction documents as .npz members and back: what correlate, match, predict and cluster hand
 * over through the bucket. Reading checks dtype and shape; the checksum was checked by readNpz.
 */
import { takeMember } from '../numeric/npz.ts';
import type { NpyArray, NpyData } from '../numeric/npy.ts';
import type { Clustering } from './cluster/cluster.ts';
import type { Correlation, HeldOutPart } from './correlation.ts';
import type { Matching } from './match/match.ts';
import type { Prediction } from './predict/predict.ts';

type Members = Readonly<Record<string, NpyArray>>;
type Written = Record<string, { data: NpyData; shape: number[] }>;

const vector = (data: NpyData): { data: NpyData; shape: number[] } => ({ data, shape: [data.length] });
const matrix = (data: NpyData, columns: number): { data: NpyData; shape: number[] } => ({
  data,
  shape: [columns === 0 ? 0 : data.length / columns, columns],
});

export function correlationMembers(c: Correlation): Written {
  const n = c.unitsA + c.unitsB;
  const members: Written = {
    units: vector(Int32Array.of(c.unitsA, c.unitsB)),
    counts: vector(Float64Array.of(c.rows, c.samples, c.fit.rows, c.fit.samples)),
    mean: vector(c.mean),
    std: vector(c.std),
    dead: vector(c.dead),
    variance_lost: vector(c.varianceLost),
    mean_shift: vector(c.meanShift),
    r: matrix(c.r, n),
    fit_r: matrix(c.fit.r, n),
    fit_constant: vector(c.fit.constant),
  };
  if (c.heldOut) {
    members.held_out_counts = vector(Float64Array.of(c.heldOut.rows, c.heldOut.samples));
    members.held_out_sum = vector(c.heldOut.sum);
    members.held_out_second = matrix(c.heldOut.second, n);
    members.held_out_constant = vector(c.heldOut.constant);
  }
  return members;
}

export function correlationFrom(m: Members): Correlation {
  const [unitsA = 0, unitsB = 0] = takeMember(m, 'units', 'int32', [2]);
  const n = unitsA + unitsB;
  const counts = takeMember(m, 'counts', 'float64', [4]);
  let heldOut: HeldOutPart | null = null;
  if ('held_out_counts' in m) {
    const held = takeMember(m, 'held_out_counts', 'float64', [2]);
    heldOut = {
      rows: held[0]!,
      samples: held[1]!,
      sum: takeMember(m, 'held_out_sum', 'float64', [n]),
      second: takeMember(m, 'held_out_second', 'float64', [n, n]),
      constant: takeMember(m, 'held_out_constant', 'uint8', [n]),
    };
  }
  return {
    unitsA,
    unitsB,
    rows: counts[0]!,
    samples: counts[1]!,
    mean: takeMember(m, 'mean', 'float64', [n]),
    std: takeMember(m, 'std', 'float64', [n]),
    dead: takeMember(m, 'dead', 'uint8', [n]),
    varianceLost: takeMember(m, 'variance_lost', 'uint8', [n]),
    meanShift: takeMember(m, 'mean_shift', 'float64', [n]),
    r: takeMember(m, 'r', 'float64', [n, n]),
    fit: {
      rows: counts[2]!,
      samples: counts[3]!,
      r: takeMember(m, 'fit_r', 'float64', [n, n]),
      constant: takeMember(m, 'fit_constant', 'uint8', [n]),
    },
    heldOut,
  };
}

export function matchingMembers(m: Matching): Written {
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

export function predictionMembers(p: Prediction): Written {
  const alphas = p.alphas.length;
  const perTarget = (data: NpyData): { data: NpyData; shape: number[] } => ({ data, shape: [alphas, p.targets] });
  return {
    alphas: vector(p.alphas),
    scored: vector(p.scored),
    predictors: vector(p.predictors),
    weights: { data: p.weights, shape: [alphas, p.targets, p.sources] },
    r2_fit: perTarget(p.r2Fit),
    ...(p.r2HeldOut ? { r2_held_out: perTarget(p.r2HeldOut) } : {}),
    nonzero: perTarget(p.nonzero),
    kkt: perTarget(p.kkt),
  };
}

export function predictionFrom(m: Members): Prediction {
  const alphas = takeMember(m, 'alphas', 'float64', [-1]);
  const scored = takeMember(m, 'scored', 'uint8', [-1]);
  const predictors = takeMember(m, 'predictors', 'uint8', [-1]);
  const perTarget = [alphas.length, scored.length];
  return {
    alphas,
    sources: predictors.length,
    targets: scored.length,
    scored,
    predictors,
    weights: takeMember(m, 'weights', 'float64', [...perTarget, predictors.length]),
    r2Fit: takeMember(m, 'r2_fit', 'float64', perTarget),
    r2HeldOut: 'r2_held_out' in m ? takeMember(m, 'r2_held_out', 'float64', perTarget) : null,
    nonzero: takeMember(m, 'nonzero', 'int32', perTarget),
    kkt: takeMember(m, 'kkt', 'float64', perTarget),
  };
}

/** Members of a summary matrix, one row per cluster; NaN stands for a mean without a pair, in this object only. */
export function clusteringMembers(c: Clustering): Written {
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
