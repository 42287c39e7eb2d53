/**
 * The files of one pair at one layer, made one at a time so that memory holds one: matrices as .npy, tables
 * as .csv. Names, columns, shapes and order are those of contract.md, "Outputs". A stage that is off
 * writes no file.
 */
import { writeNpy } from '../numeric/npy.ts';
import { betweenOf, blockOf } from '../reduce/reduce.ts';
import type { Clustering } from '../reduce/cluster/cluster.ts';
import type { Correlation } from '../reduce/correlation.ts';
import type { Matching } from '../reduce/match/match.ts';
import { summarisePrediction } from '../reduce/predict/predict.ts';
import type { Prediction } from '../reduce/predict/predict.ts';
import { csvBytes, decimalText } from './csv.ts';
import type { Cell } from './csv.ts';
import { clusterRows } from './entry.ts';
import type { LayerDocuments } from './entry.ts';

/** A file of the results; its path is relative to the output folder and written with `/`. */
export interface OutputFile {
  path: string;
  bytes: Uint8Array;
}

const ALPHA_COLUMNS = ['alpha', 'r2_fit', 'r2_held_out', 'mean_nonzero', 'max_kkt'] as const;
const CLUSTER_COLUMNS = [
  'cluster',
  'units_a',
  'units_b',
  'mean_r_between',
  'mean_r_within_a',
  'mean_r_within_b',
] as const;

/** All files of one pair at one layer, in `folder`. */
export function* layerFiles(folder: string, documents: LayerDocuments): Generator<OutputFile> {
  const { correlation, matching, aToB, bToA, clustering } = documents;
  const parts = [
    correlationFiles(correlation),
    matching && matchingFiles(matching),
    aToB && predictionFiles(aToB, ''),
    bToA && predictionFiles(bToA, '_b'),
    clustering && clusteringFiles(clustering, correlation.unitsA),
  ];
  for (const part of parts) {
    for (const [name, bytes] of part ?? []) yield { path: `${folder}/${name}`, bytes };
  }
}

type Files = Generator<[name: string, bytes: Uint8Array]>;

function* correlationFiles({ unitsA: p, unitsB: q, r, mean, std }: Correlation): Files {
  const n = p + q;
  yield ['between.npy', writeNpy(betweenOf(r, p, q), [p, q])];
  yield ['within_a.npy', writeNpy(blockOf(r, n, [0, p], [0, p]), [p, p])];
  yield ['within_b.npy', writeNpy(blockOf(r, n, [p, n], [p, n]), [q, q])];
  yield ['mean_a.npy', writeNpy(mean.subarray(0, p), [p])];
  yield ['std_a.npy', writeNpy(std.subarray(0, p), [p])];
  yield ['mean_b.npy', writeNpy(mean.subarray(p), [q])];
  yield ['std_b.npy', writeNpy(std.subarray(p), [q])];
}

function* matchingFiles({ semiA, semiB, pairsA, pairsB, r }: Matching): Files {
  yield ['semi_matching.csv', csvBytes(['unit_a', 'unit_b', 'r'], zip(semiA.partner.keys(), semiA.partner, semiA.r))];
  yield ['semi_matching_b.csv', csvBytes(['unit_b', 'unit_a', 'r'], zip(semiB.partner.keys(), semiB.partner, semiB.r))];
  yield ['matching.csv', csvBytes(['unit_a', 'unit_b', 'r'], zip(pairsA, pairsB, r))];
}

function* predictionFiles(prediction: Prediction, suffix: '' | '_b'): Files {
  const { alphas, sources, targets, weights } = prediction;
  const rows = summarisePrediction(prediction);
  yield [
    `prediction${suffix}.csv`,
    csvBytes(
      ALPHA_COLUMNS,
      rows.map((row) => ALPHA_COLUMNS.map((name) => row[name])),
    ),
  ];
  const columns = ['alpha', 'unit', 'r2_fit', 'r2_held_out', 'nonzero'];
  yield [`prediction_units${suffix}.csv`, csvBytes(columns, predictedUnits(prediction))];
  const size = targets * sources;
  for (const [index, alpha] of alphas.entries()) {
    const slice = weights.subarray(index * size, (index + 1) * size);
    yield [`weights${suffix}_${decimalText(alpha)}.npy`, writeNpy(slice, [targets, sources])];
  }
}

function* predictedUnits({ alphas, targets, scored, r2Fit, r2HeldOut, nonzero }: Prediction): Generator<Cell[]> {
  for (const [index, alpha] of alphas.entries()) {
    for (let unit = 0; unit < targets; unit++) {
      const at = index * targets + unit;
      if (scored[unit] === 0) yield [alpha, unit, null, null, null];
      else yield [alpha, unit, r2Fit[at]!, r2HeldOut?.[at] ?? null, nonzero[at]!];
    }
  }
}

function* clusteringFiles(clustering: Clustering, unitsA: number): Files {
  const members = Array.from(clustering.labels, (cluster, i): Cell[] =>
    i < unitsA ? ['a', i, cluster] : ['b', i - unitsA, cluster],
  );
  yield ['clusters.csv', csvBytes(['net', 'unit', 'cluster'], members)];
  const rows = clusterRows(clustering).map((row) => CLUSTER_COLUMNS.map((name) => row[name]));
  yield ['cluster_summary.csv', csvBytes(CLUSTER_COLUMNS, rows)];
}

// rows of three columns
function* zip(first: Iterable<number>, second: ArrayLike<number>, third: ArrayLike<number>): Generator<Cell[]> {
  let i = 0;
  for (const value of first) {
    yield [value, second[i]!, third[i]!];
    i++;
  }
}
