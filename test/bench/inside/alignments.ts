/** The three alignments as the product computes them, on matrices from .npy files; timed as the peer's are. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIST } from '../../../src/cli/prepare.ts';
import { readNpy, writeNpy } from '../../../src/numeric/npy.ts';
import { wholeBlock } from '../../../src/reduce/block.ts';
import { clusterUnits } from '../../../src/reduce/cluster/cluster.ts';
import { solveAssignment } from '../../../src/reduce/match/assignment.ts';
import { matchUnits } from '../../../src/reduce/match/match.ts';
import { objectiveOf } from '../../../src/reduce/predict/gradient.ts';
import { LassoPath } from '../../../src/reduce/predict/lasso.ts';
import { LassoMemory } from '../../../src/reduce/predict/lassoMemory.ts';

/** As often as the peer. */
const REPEATS = 3;

/** Seconds of the assignment alone and with semi-matchings and proof (medians), and Σ r. */
export function timeMatch(file: string): { seconds: number; provedSeconds: number; objective: number } {
  const { values, rows, columns } = matrix(file);
  const seconds: number[] = [];
  const proved: number[] = [];
  let objective = 0;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const started = performance.now();
    const { columnOf } = solveAssignment(values, rows, columns);
    const solved = performance.now();
    matchUnits(values, rows, columns);
    seconds.push((solved - started) / 1000);
    proved.push((performance.now() - solved) / 1000);
    objective = columnOf.reduce((sum, column, row) => sum + (column < 0 ? 0 : values[row * columns + column]!), 0);
  }
  return { seconds: middle(seconds), provedSeconds: middle(proved), objective };
}

/** Every target of `cross` [p × q] along falling alphas; as the peer gives it. */
export async function timeLasso(gramFile: string, crossFile: string, alphas: readonly number[]) {
  const gram = matrix(gramFile);
  const cross = matrix(crossFile);
  const [p, q] = [cross.rows, cross.columns];
  const falling = [...alphas].sort((a, b) => b - a);
  const rows = falling.map((alpha) => ({ alpha, objective: 0, max_kkt: 0, mean_nonzero: 0 }));
  const kernel = await WebAssembly.compile(readFileSync(join(DIST, 'rows.wasm')));
  const started = performance.now();
  const memory = new LassoMemory(kernel);
  memory.open(p).set(gram.values);
  const path = new LassoPath(memory, p);
  const c = new Float64Array(p);
  for (let target = 0; target < q; target++) {
    for (let j = 0; j < p; j++) c[j] = cross.values[j * q + target]!;
    path.start(c);
    for (const row of rows) {
      row.max_kkt = Math.max(row.max_kkt, path.moveTo(row.alpha));
      row.objective += (0.5 + objectiveOf(c, path.gradient, path.weights, row.alpha)) / q;
      row.mean_nonzero += path.weights.reduce((count, weight) => count + (weight === 0 ? 0 : 1), 0) / q;
    }
  }
  return { seconds: (performance.now() - started) / 1000, alphas: rows };
}

/** Clusters the joint graph of three blocks; labels, seconds (median). */
export async function timeCluster(files: readonly string[], k: number, threshold: number) {
  const blocks = files.map(matrix).map(({ values, rows, columns }) => wholeBlock(values, rows, columns));
  const [within_a, between, within_b] = blocks as [(typeof blocks)[0], (typeof blocks)[0], (typeof blocks)[0]];
  const dead = (file: string): Uint8Array => {
    const { values, rows } = matrix(file);
    return Uint8Array.from({ length: rows }, (_, unit) => (values[unit * rows + unit] === 0 ? 1 : 0));
  };
  const [deadA, deadB] = [dead(files[0]!), dead(files[2]!)];
  const seconds: number[] = [];
  let labels: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const started = performance.now();
    const clustering = await clusterUnits({ within_a, between, within_b }, deadA, deadB, { k, threshold }, 1);
    seconds.push((performance.now() - started) / 1000);
    labels = [...clustering.labels];
  }
  return { seconds: middle(seconds), labels };
}

/** Writes the joint graph of three blocks, W_ij = r_ij above the threshold, as the peer reads it. */
export function writeGraph(files: readonly string[], threshold: number, to: string): { vertices: number } {
  const [a, between, b] = files.map(matrix) as [Matrix, Matrix, Matrix];
  const n = a.rows + b.rows;
  const graph = new Float64Array(n * n);
  const set = (i: number, j: number, r: number): void => {
    if (i === j || !(r > threshold)) return;
    graph[i * n + j] = r;
    graph[j * n + i] = r;
  };
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.rows; j++) set(i, j, a.values[i * a.rows + j]!);
    for (let j = 0; j < b.rows; j++) set(i, a.rows + j, between.values[i * b.rows + j]!);
  }
  for (let i = 0; i < b.rows; i++) {
    for (let j = 0; j < b.rows; j++) set(a.rows + i, a.rows + j, b.values[i * b.rows + j]!);
  }
  writeFileSync(to, writeNpy(graph, [n, n]));
  return { vertices: n };
}

/** Σ cut(c) / vol(c) of labels on a graph, by the same code for both sides. */
export function normalisedCut(file: string, labelsFile: string): number[] {
  const { values, rows } = matrix(file);
  return (JSON.parse(readFileSync(labelsFile, 'utf8')) as number[][]).map((labels) => {
    const volume = new Map<number, number>();
    const cut = new Map<number, number>();
    for (let i = 0; i < rows; i++) {
      const own = labels[i]!;
      if (own < 0) continue;
      for (let j = 0; j < rows; j++) {
        const weight = values[i * rows + j]!;
        volume.set(own, (volume.get(own) ?? 0) + weight);
        if (labels[j] !== own) cut.set(own, (cut.get(own) ?? 0) + weight);
      }
    }
    return [...cut].reduce((sum, [label, value]) => sum + value / volume.get(label)!, 0);
  });
}

interface Matrix {
  values: Float64Array;
  rows: number;
  columns: number;
}

function matrix(file: string): Matrix {
  const { data, shape } = readNpy(readFileSync(file), file, ['float64']);
  return { values: data as Float64Array, rows: shape[0]!, columns: shape[1]! };
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
