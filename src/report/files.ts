/**
 * The files of one pair at one layer, made one at a time so that memory holds one: tables as .csv, and matrices as
 * references to the members of stored objects whose bytes they are. Names, columns, shapes and order are those of
 * contract.md, "Outputs". A stage that is off writes no file.
 */
import { blockName } from '../accumulate/moments.ts';
import { PipelineError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import type { Clustering } from '../reduce/cluster/cluster.ts';
import type { Matching } from '../reduce/match/match.ts';
import { weightsAreSparse, weightsMember } from '../reduce/objects.ts';
import type { PredictionScores } from '../reduce/objects.ts';
import { csvBytes, decimalText } from './csv.ts';
import type { Cell } from './csv.ts';
import { alphaRows, clusterRows } from './entry.ts';
import type { LayerDocuments } from './entry.ts';

/** A file whose bytes are at hand; its path is relative to the output folder and written with `/`. */
export interface WrittenFile {
  path: string;
  bytes: Uint8Array;
}

/** A file that stands in the object of a task: the whole .npy of a member, or what follows the header of one of uint8. */
export interface StoredFile {
  path: string;
  member: { task: number; name: string; part: 'npy' | 'payload' };
}

export type OutputFile = WrittenFile | StoredFile;

const ALPHA_COLUMNS = ['alpha', 'r2_fit', 'r2_held_out', 'mean_nonzero', 'max_kkt'] as const;
const CLUSTER_COLUMNS = [
  'cluster',
  'units_a',
  'units_b',
  'mean_r_between',
  'mean_r_within_a',
  'mean_r_within_b',
] as const;

/** All files of one pair at one layer. */
export function* layerFiles(plan: Plan, pair: number, layer: number, documents: LayerDocuments): Generator<OutputFile> {
  const { a, b, folder } = plan.pairs[pair]!;
  const { matching, aToB, bToA, clustering, tasks } = documents;
  const parts = [
    correlationFiles(a, b, tasks),
    matching && matchingFiles(matching),
    aToB && predictionFiles(aToB, tasks.aToB, ''),
    bToA && predictionFiles(bToA, tasks.bToA, '_b'),
    clustering && clusteringFiles(clustering, documents.a.mean.length),
  ];
  for (const part of parts) {
    for (const [name, content] of part ?? []) {
      const path = `${folder}/${plan.layers[layer]!.name}/${name}`;
      yield content instanceof Uint8Array ? { path, bytes: content } : { path, member: content };
    }
  }
}

type Files = Generator<[name: string, content: Uint8Array | StoredFile['member']]>;

// of networks a and b by index
function* correlationFiles(a: number, b: number, tasks: LayerDocuments['tasks']): Files {
  const stored = (task: number, name: string): StoredFile['member'] => ({ task, name, part: 'npy' });
  yield ['between.npy', stored(tasks.between, `r_${blockName(a, b)}`)];
  yield ['within_a.npy', stored(tasks.withinA, `r_${blockName(a, a)}`)];
  yield ['within_b.npy', stored(tasks.withinB, `r_${blockName(b, b)}`)];
  yield ['mean_a.npy', stored(tasks.between, `mean_${a}`)];
  yield ['std_a.npy', stored(tasks.between, `std_${a}`)];
  yield ['mean_b.npy', stored(tasks.between, `mean_${b}`)];
  yield ['std_b.npy', stored(tasks.between, `std_${b}`)];
}

function* matchingFiles({ semiA, semiB, pairsA, pairsB, r }: Matching): Files {
  yield ['semi_matching.csv', csvBytes(['unit_a', 'unit_b', 'r'], zip(semiA.partner.keys(), semiA.partner, semiA.r))];
  yield ['semi_matching_b.csv', csvBytes(['unit_b', 'unit_a', 'r'], zip(semiB.partner.keys(), semiB.partner, semiB.r))];
  yield ['matching.csv', csvBytes(['unit_a', 'unit_b', 'r'], zip(pairsA, pairsB, r))];
}

function* predictionFiles(scores: PredictionScores, task: number | null, suffix: '' | '_b'): Files {
  const { alphas, sources, targets } = scores;
  if (task === null) throw new PipelineError('internal', 'expected the task of a prediction; found none');
  yield [
    `prediction${suffix}.csv`,
    csvBytes(
      ALPHA_COLUMNS,
      alphaRows(scores).map((row) => ALPHA_COLUMNS.map((name) => row[name])),
    ),
  ];
  const columns = ['alpha', 'unit', 'r2_fit', 'r2_held_out', 'nonzero'];
  yield [`prediction_units${suffix}.csv`, csvBytes(columns, predictedUnits(scores))];
  const [ending, part] = weightsAreSparse(targets, sources) ? (['npz', 'payload'] as const) : (['npy', 'npy'] as const);
  for (const [index, alpha] of alphas.entries()) {
    yield [`weights${suffix}_${decimalText(alpha)}.${ending}`, { task, name: weightsMember(index), part }];
  }
}

// the chosen ones; those that could not be scored have empty fields
function* predictedUnits(scores: PredictionScores): Generator<Cell[]> {
  const { alphas, targets, chosen, scored, r2Fit, r2HeldOut, nonzero } = scores;
  for (const [index, alpha] of alphas.entries()) {
    for (let unit = 0; unit < targets; unit++) {
      const at = index * targets + unit;
      if (chosen[unit] === 0) continue;
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
