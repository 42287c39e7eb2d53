/**
 * The work of a plan's tasks, counted from the plan and what inspection measured: operations, bytes, requests to the
 * bucket. Follows what the stages do (accumulate, reduce, report); a forecast's figures all come from here. Runs nothing.
 */
import type { ModelInspection } from '../inspect/inspect.ts';
import { positionCount } from './layers.ts';
import { partBytes } from './memory.ts';
import { isActivation, networksOf, pilotsAndPartials } from './plan.ts';
import type { ActivationTask, Plan, Task } from './plan.ts';
import type { Work } from './rates.ts';
import { chosenTargets } from './targets.ts';
import { flopsOf, rowsOf, TILE_UNITS } from './work.ts';

/** A task's work, and its requests to the bucket beside those that look for it. */
export interface Amounts extends Work {
  reads: number;
  writes: number;
}

/** As runtime/limits.ts cuts files and pieces of requests, and what of an object comes with its size; a test holds them together. */
export const CHUNK_BYTES = 65_536;
export const PIECE_BYTES = 4 * 2 ** 20;
export const TAIL_BYTES = 2 ** 20;
const HASH_BYTES = 32;

const NOTHING: Amounts = {
  forwardFlops: 0,
  productFlops: 0,
  values: 0,
  readBytes: 0,
  addedValues: 0,
  madeBytes: 0,
  matched: 0,
  predicted: 0,
  joined: 0,
  clustered: 0,
  reads: 0,
  writes: 1,
};

/** The amounts of every task, in the plan's order. */
export function taskAmounts(plan: Plan, models: readonly ModelInspection[]): Amounts[] {
  const made: Amounts[] = [];
  for (const task of plan.tasks) {
    const own = isActivation(task) ? activation(plan, models, task) : reduction(plan, task, made);
    // looked for once before it is made; where a task reads objects: the directory and pieces of each, though a
    // compute server may have kept them
    const objects = task.needs.length + Math.ceil(own.readBytes / PIECE_BYTES);
    made.push({ ...own, reads: own.reads + 1 + objects });
  }
  return made;
}

/** What writing the report's files of one pair at one layer takes: matrices copied, tables made. */
export function reportAmounts(plan: Plan, pair: number, layer: number): Amounts {
  const { match, predict, cluster } = plan.definition;
  const { a, b } = plan.pairs[pair]!;
  const { taps } = plan.layers[layer]!;
  const [p, q] = [taps[a]!.units, taps[b]!.units];
  const alphas = predict === false ? 0 : predict.alphas.length;
  const weights = predict === false ? 0 : weightBytes(p, q, predict.targets, alphas);
  const weightsBack = predict === false ? 0 : weightBytes(q, p, predict.targets, alphas);
  const bytes = 8 * (p * p + p * q + q * q) + weights + weightsBack;
  const objects = 1 + (match ? 1 : 0) + (predict === false ? 0 : 2) + (cluster === false ? 0 : 1);
  // small objects come at once, of larger ones every matrix by itself, and once more for its file
  const matrices = 3 + 2 * alphas;
  const reads = objects + (bytes > TAIL_BYTES ? 2 * matrices : 0) + Math.ceil(bytes / PIECE_BYTES);
  // files share objects; and the summary
  return { ...NOTHING, readBytes: bytes, madeBytes: 0, reads, writes: Math.ceil(bytes / PIECE_BYTES) + 1 };
}

/** Bytes of the ONNX files of `networks` and of the data beside them. */
export function modelBytes(plan: Plan, models: readonly ModelInspection[], networks: readonly number[]): number {
  return networks.reduce((sum, n) => {
    const outside = plan.networks[n]!.externalData.reduce((bytes, file) => bytes + file.sizeBytes, 0);
    return sum + models[n]!.sizeBytes + outside;
  }, 0);
}

function activation(plan: Plan, models: readonly ModelInspection[], task: ActivationTask): Amounts {
  const { layers, batch } = plan.sets[task.set]!;
  const networks = networksOf(plan, task);
  const rows = rowsOf(task.ranges);
  const rowValues = plan.data.rowShape.reduce((product, axis) => product * axis, 1);
  const rowBytes = rowValues * (plan.data.dtype === 'uint8' ? 1 : 4);
  const step = task.provider === 'isolate' ? batch : Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
  const forward = networks.reduce((sum, n) => sum + flopsOf(models[n]!, layers), 0);
  let values = rows * rowValues * networks.length;
  let productFlops = 0;
  let madeBytes = 0;
  for (const layer of layers) {
    const units = unitsOf(plan, networks, layer);
    const samples = rows * plan.layers[layer]!.positions;
    values += rows * units * positionCount(plan.layers[layer]!);
    if (task.kind === 'activate' && samples >= units) productFlops += productOf(units, samples);
    madeBytes += task.kind === 'pilot' ? 4 * units : partBytes(units, samples);
  }
  return {
    ...NOTHING,
    forwardFlops: rows * forward,
    productFlops,
    values,
    // the list of chunks too: an isolate reads it once, but which tasks it will have isn’t known
    readBytes: rows * rowBytes + Math.ceil(plan.data.sizeBytes / CHUNK_BYTES) * HASH_BYTES,
    madeBytes,
    reads: task.ranges.reduce((sum, [start, end]) => sum + Math.ceil((end - start) / step), 1),
  };
}

function reduction(plan: Plan, task: Exclude<Task, ActivationTask>, made: readonly Amounts[]): Amounts {
  if (task.kind === 'merge') return merge(plan, task, made);
  const { taps } = plan.layers[task.layer]!;
  if (task.kind === 'correlate') return correlate(plan, task);
  const { a, b } = plan.pairs[task.pair]!;
  const [p, q] = [taps[a]!.units, taps[b]!.units];
  const { predict } = plan.definition;
  switch (task.kind) {
    case 'match':
      return { ...NOTHING, readBytes: 8 * p * q, madeBytes: 32 * (p + q), matched: p * q };
    case 'cluster': {
      const blocks = 8 * (p * p + p * q + q * q);
      // every block is read twice
      return { ...NOTHING, readBytes: 2 * blocks, madeBytes: 4 * (p + q), clustered: (p + q) ** 2 };
    }
    case 'predict-part':
    case 'predict': {
      if (predict === false) return NOTHING;
      const joined = plan.tasks[task.needs[0]!]!.kind === 'predict-part';
      if (joined) {
        const readBytes = task.needs.reduce((sum, need) => sum + made[need]!.madeBytes, 0);
        return { ...NOTHING, readBytes, madeBytes: readBytes };
      }
      const share = task.kind === 'predict-part' ? task.parts : 1;
      const [sources, targets] = task.direction === 'aToB' ? [p, q] : [q, p];
      const alphas = predict.alphas.length;
      const parts = plan.fitGroups < plan.groups.count ? 2 : 1;
      const paths = (chosenTargets(targets, predict.targets) * alphas) / share;
      return {
        ...NOTHING,
        readBytes: parts * 8 * (sources * sources + p * q),
        madeBytes: weightBytes(sources, targets, predict.targets, alphas) / share,
        predicted: paths * sources ** 2,
        joined: paths * sources ** 3,
      };
    }
  }
}

function merge(plan: Plan, task: Extract<Task, { kind: 'merge' }>, made: readonly Amounts[]): Amounts {
  const { networks, layers } = plan.sets[task.set]!;
  const readBytes = task.needs.reduce((sum, need) => sum + made[need]!.madeBytes, 0);
  const rows = task.needs.map((need) => rowsOfTask(plan.tasks[need]!));
  let productFlops = 0;
  let madeBytes = 0;
  for (const layer of layers) {
    const units = unitsOf(plan, networks, layer);
    const { positions } = plan.layers[layer]!;
    const samples = rows.map((count) => count * positions);
    const total = sumOf(samples);
    // rows become moments where together there are enough of them
    if (total >= units) productFlops += productOf(units, sumOf(samples.filter((count) => count < units)));
    madeBytes += partBytes(units, total);
  }
  return { ...NOTHING, readBytes, madeBytes, productFlops, addedValues: readBytes / 8 };
}

function correlate(plan: Plan, task: Extract<Task, { kind: 'correlate' }>): Amounts {
  const { positions } = plan.layers[task.layer]!;
  const all = unitsOf(plan, plan.sets[task.set]!.networks, task.layer);
  const own = unitsOf(plan, [...new Set(task.blocks.flat())], task.layer);
  const sides = task.blocks.map(
    ([i, j]) => [unitsOf(plan, [i], task.layer), unitsOf(plan, [j], task.layer), i === j] as const,
  );
  const sums = sumOf(sides.map(([p, q, same]) => (same ? (p * (p + 1)) / 2 : p * q)));
  let readBytes = 0;
  let productFlops = 0;
  let addedValues = 0;
  for (const need of pilotsAndPartials(plan, task).partials) {
    const samples = rowsUnder(plan, need) * positions;
    if (samples < all) {
      readBytes += 4 * samples * own;
      productFlops += productOf(own, samples);
    } else {
      readBytes += 8 * sums;
      addedValues += sums;
    }
  }
  // r; where some groups are held out, of those fitted too, and the second moments of the others
  const parts = plan.fitGroups < plan.groups.count ? 3 : 1;
  const madeBytes = parts * 8 * sumOf(sides.map(([p, q]) => p * q));
  return { ...NOTHING, readBytes, productFlops, addedValues, madeBytes };
}

// each tile against itself and all that follows
function productOf(units: number, samples: number): number {
  return samples * units * (units + Math.min(units, TILE_UNITS));
}

// half of the weights at most are other than 0 where α is small: a guess, 12 bytes each
function weightBytes(sources: number, targets: number, asked: number | 'all' | undefined, alphas: number): number {
  return 6 * alphas * sources * chosenTargets(targets, asked);
}

function unitsOf(plan: Plan, networks: readonly number[], layer: number): number {
  const { taps } = plan.layers[layer]!;
  return networks.reduce((sum, n) => sum + taps[n]!.units, 0);
}

function rowsOfTask(task: Task): number {
  return isActivation(task) ? rowsOf(task.ranges) : 0;
}

function rowsUnder(plan: Plan, index: number): number {
  const task = plan.tasks[index]!;
  return isActivation(task) ? rowsOfTask(task) : sumOf(task.needs.map((need) => rowsUnder(plan, need)));
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
