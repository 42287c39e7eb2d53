/**
 * Reduce stage. Takes a reduction task and the objects it needs; gives its object: a merged group, the
 * correlation of a pair, or one of the alignments. Guarantees: the same inputs give the same bytes.
 */
import { partialFrom, partialMemberNames, partialMembers } from '../accumulate/partial.ts';
import type { Partial } from '../accumulate/partial.ts';
import { meansFrom } from '../accumulate/pilot.ts';
import { PipelineError } from '../errors.ts';
import { readNpz, writeNpz } from '../numeric/npz.ts';
import { unitOffsets } from '../plan/layers.ts';
import type { Plan, Task } from '../plan/plan.ts';
import { clusterUnits } from './cluster/cluster.ts';
import { correlatePair } from './correlate.ts';
import type { PairUnits } from './correlate.ts';
import type { Correlation } from './correlation.ts';
import { matchUnits } from './match/match.ts';
import { mergePartials, requireMeans } from './merge.ts';
import {
  clusteringMembers,
  correlationFrom,
  correlationMembers,
  matchingMembers,
  predictionMembers,
} from './objects.ts';
import { predictUnits } from './predict/predict.ts';

export type ReductionTask = Exclude<Task, { kind: 'pilot' | 'activate' }>;

/** Reads the object of another task of the plan. */
export type ObjectReader = (task: number) => Promise<Uint8Array>;

/**
 * Runs one reduction task and gives its .npz.
 * @throws PipelineError `object-damaged` when an input fails its checksum or doesn't fit.
 */
export async function runReductionTask(plan: Plan, task: ReductionTask, read: ObjectReader): Promise<Uint8Array> {
  switch (task.kind) {
    case 'merge':
      return writeNpz(
        partialMembers(
          await mergePartials(partials(plan, task.needs, task.layer, read), task.layer, totalUnits(plan, task.layer)),
        ),
      );
    case 'correlate':
      return writeNpz(correlationMembers(await correlate(plan, task, read)));
    case 'match': {
      const { r, unitsA, unitsB } = await correlationOf(task, read);
      return writeNpz(matchingMembers(matchUnits(betweenOf(r, unitsA, unitsB), unitsA, unitsB)));
    }
    case 'predict': {
      if (plan.definition.predict === false) throw new PipelineError('internal', 'expected a definition that predicts');
      const prediction = predictUnits(await correlationOf(task, read), task.direction, plan.definition.predict.alphas);
      return writeNpz(predictionMembers(prediction));
    }
    case 'cluster': {
      if (plan.definition.cluster === false) throw new PipelineError('internal', 'expected a definition that clusters');
      const { r, dead, unitsA, unitsB } = await correlationOf(task, read);
      return writeNpz(
        clusteringMembers(clusterUnits(r, dead, unitsA, unitsB, plan.definition.cluster, plan.definition.seed)),
      );
    }
  }
}

/** The block of a joint matrix between units of a and units of b, [unitsA × unitsB], a copy. */
export function betweenOf(joint: Float64Array, unitsA: number, unitsB: number): Float64Array {
  return blockOf(joint, unitsA + unitsB, [0, unitsA], [unitsA, unitsA + unitsB]);
}

/** A block of an n × n matrix, rows and columns as half-open ranges, a copy. */
export function blockOf(
  matrix: Float64Array,
  n: number,
  rows: readonly [number, number],
  columns: readonly [number, number],
): Float64Array {
  const width = columns[1] - columns[0];
  const block = new Float64Array((rows[1] - rows[0]) * width);
  for (let i = rows[0]; i < rows[1]; i++) {
    block.set(matrix.subarray(i * n + columns[0], i * n + columns[1]), (i - rows[0]) * width);
  }
  return block;
}

async function correlate(
  plan: Plan,
  task: Extract<Task, { kind: 'correlate' }>,
  read: ObjectReader,
): Promise<Correlation> {
  const [pilot, ...groups] = task.needs;
  const layer = plan.layers[task.layer]!;
  const offsets = unitOffsets(layer);
  const { a, b } = plan.pairs[task.pair]!;
  const pair: PairUnits = {
    total: totalUnits(plan, task.layer),
    startA: offsets[a]!,
    unitsA: layer.taps[a]!.units,
    startB: offsets[b]!,
    unitsB: layer.taps[b]!.units,
  };
  const means = await meansFrom(await read(pilot!), plan);
  const shifted = async function* (): AsyncGenerator<Partial> {
    for await (const partial of partials(plan, groups, task.layer, read)) {
      requireMeans(partial, means.hash);
      yield partial;
    }
  };
  return correlatePair(shifted(), task.layer, pair, means.byLayer[task.layer]!, plan.fitGroups);
}

async function* partials(
  plan: Plan,
  needs: readonly number[],
  layer: number,
  read: ObjectReader,
): AsyncGenerator<Partial> {
  for (const index of needs) {
    const members = await readNpz(await read(index), partialMemberNames(layer), plan.tasks[index]!.id);
    yield partialFrom(members, layer, totalUnits(plan, layer));
  }
}

async function correlationOf(task: ReductionTask, read: ObjectReader): Promise<Correlation> {
  return correlationFrom(await readNpz(await read(task.needs[0]!), undefined, task.id));
}

function totalUnits(plan: Plan, layer: number): number {
  return unitOffsets(plan.layers[layer]!).at(-1)!;
}
