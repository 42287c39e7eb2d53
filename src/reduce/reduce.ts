/**
 * Reduce stage. Takes a reduction task and the objects it needs; gives the members of its object: a merged group, the
 * correlations of a layer, or one of the alignments. Guarantees: the same inputs give the same bytes.
 */
import { unitsInSet, unitsOf } from '../accumulate/accumulate.ts';
import { blockName } from '../accumulate/moments.ts';
import { partialFrom, partialHead, partialMembers, requireMeans } from '../accumulate/partial.ts';
import { readMeans } from '../accumulate/pilot.ts';
import { PipelineError } from '../errors.ts';
import type { NpyArray } from '../numeric/npy.ts';
import type { NpzMembers, NpzObject } from '../numeric/npz.ts';
import type { ProductSession } from '../onnx/product.ts';
import { pilotsAndPartials } from '../plan/plan.ts';
import type { Plan } from '../plan/plan.ts';
import { partRange } from '../plan/targets.ts';
import { readBlock } from './block.ts';
import type { BlockSource } from './block.ts';
import { clusterUnits } from './cluster/cluster.ts';
import { correlateLayer } from './correlate.ts';
import type { GroupPart } from './correlate.ts';
import type { UnitStats } from './correlation.ts';
import { matchUnits } from './match/match.ts';
import { mergePartials } from './merge.ts';
import { blocksOf, blockTask, groupMembers, isJoined, samplesOf } from './needs.ts';
import type { ReductionTask, TaskOf } from './needs.ts';
import {
  clusteringMembers,
  correlationMembers,
  countsFrom,
  matchingMembers,
  partFrom,
  partMembers,
  predictionMembers,
  statsFrom,
  statsMemberNames,
} from './objects.ts';
import { joinPredictions } from './predict/join.ts';
import type { LassoMemory } from './predict/lassoMemory.ts';
import { predictUnits } from './predict/predict.ts';
import type { Prediction } from './predict/predict.ts';
import { chooseTargets } from './predict/targets.ts';

/** What a reduction reads and computes with. */
export interface ReductionInputs {
  /** The object of another task of the plan. */
  object(task: number): Promise<NpzObject>;
  /** Products of rows; opening it is only asked for where there are rows. */
  product(): Promise<ProductSession>;
  /** The memory of the task's sparse prediction. */
  lasso(): LassoMemory;
}

/**
 * Runs one reduction task and gives the members of its .npz.
 * @throws PipelineError `object-damaged` when an input fails its checksum or doesn't fit.
 */
export async function runReductionTask(plan: Plan, task: ReductionTask, inputs: ReductionInputs): Promise<NpzMembers> {
  switch (task.kind) {
    case 'merge':
      return merge(plan, task, inputs);
    case 'correlate':
      return correlate(plan, task, inputs);
    case 'match':
      return match(plan, task, inputs);
    case 'predict-part':
      return partMembers(await predict(plan, task, inputs));
    case 'predict':
      return predictionMembers(isJoined(plan, task) ? await join(task, inputs) : await predict(plan, task, inputs));
    case 'cluster':
      return cluster(plan, task, inputs);
  }
}

/** A block of an object of correlations, read a few rows at a time. */
export function blockSource(object: NpzObject, name: string, rows: number, columns: number): BlockSource {
  return {
    rows,
    columns,
    async *chunks() {
      for await (const { first, values } of object.rows(name)) {
        if (!(values instanceof Float64Array) || values.length % columns !== 0) {
          throw new PipelineError('object-damaged', `member '${name}': expected rows of ${columns} float64`);
        }
        yield { first, values };
      }
    },
  };
}

async function merge(plan: Plan, task: TaskOf<'merge'>, inputs: ReductionInputs): Promise<NpzMembers> {
  const layers = plan.sets[task.set]!.layers.map((layer) => ({
    layer,
    units: unitsInSet(plan, task.set, layer),
    samples: task.needs.map((need) => samplesOf(plan, need, layer)),
  }));
  const objects = async function* (): AsyncGenerator<Record<string, NpyArray>> {
    for (const need of task.needs) yield (await inputs.object(need)).read();
  };
  return partialMembers(await mergePartials(objects(), layers, () => inputs.product()));
}

async function correlate(plan: Plan, task: TaskOf<'correlate'>, inputs: ReductionInputs): Promise<NpzMembers> {
  const { partials } = pilotsAndPartials(plan, task);
  const { networks, blocks } = blocksOf(task);
  const means = await readMeans(plan, task, (need) => inputs.object(need));
  const units = unitsOf(plan, task.layer, networks);
  const parts = async function* (): AsyncGenerator<GroupPart> {
    for (const need of partials) {
      const { names, form } = groupMembers(plan, task, need);
      const members = await (await inputs.object(need)).read(names);
      const { rows, meansHash } = partialHead(members);
      requireMeans(meansHash, means.hash);
      yield { rows, part: partialFrom(members, task.layer, units, blocks, form) };
    }
  };
  const own = means.byLayer.get(task.layer)!;
  return correlationMembers(
    await correlateLayer(parts(), units, own, task.blocks, plan.fitGroups, () => inputs.product()),
  );
}

async function match(plan: Plan, task: TaskOf<'match'>, inputs: ReductionInputs): Promise<NpzMembers> {
  const { a, b } = plan.pairs[task.pair]!;
  const between = await readBlock(await open(plan, task, inputs, a, b, 'r'));
  const { taps } = plan.layers[task.layer]!;
  return matchingMembers(matchUnits(between, taps[a]!.units, taps[b]!.units));
}

async function join(task: ReductionTask, inputs: ReductionInputs): Promise<Prediction> {
  const parts: Prediction[] = [];
  for (const need of task.needs) parts.push(partFrom(await (await inputs.object(need)).read()));
  return joinPredictions(parts);
}

async function predict(
  plan: Plan,
  task: TaskOf<'predict' | 'predict-part'>,
  inputs: ReductionInputs,
): Promise<Prediction> {
  const settings = plan.definition.predict;
  if (settings === false) throw new PipelineError('internal', 'expected a definition that predicts');
  const { a, b } = plan.pairs[task.pair]!;
  const [from, to] = task.direction === 'aToB' ? [a, b] : [b, a];
  const sources = await stats(plan, task, inputs, from);
  const targets = await stats(plan, task, inputs, to);
  const all = chooseTargets(targets.std.length, settings.targets, plan.definition.seed);
  const chosen = task.kind === 'predict' ? all : all.subarray(...partRange(all.length, task.part, task.parts));
  const heldOut = plan.fitGroups < plan.groups.count;
  const fit = heldOut ? 'fit_r' : 'r';
  const across = from === a;
  const memory = inputs.lasso();
  await readBlock(await open(plan, task, inputs, from, from, fit), memory.open(sources.std.length));
  const fitCross = await readTargets(await open(plan, task, inputs, a, b, fit), chosen, across);
  const heldOutGram = heldOut ? await readBlock(await open(plan, task, inputs, from, from, 'held_out')) : null;
  const heldOutCross = heldOut
    ? await readTargets(await open(plan, task, inputs, a, b, 'held_out'), chosen, across)
    : null;
  const object = await inputs.object(blockTask(plan, task.needs, a, b));
  const heldOutSamples = countsFrom(await object.read(['counts'])).heldOutSamples;
  const input = { sources, targets, chosen, memory, fitCross, heldOutGram, heldOutCross, heldOutSamples };
  return predictUnits(input, settings.alphas);
}

async function cluster(plan: Plan, task: TaskOf<'cluster'>, inputs: ReductionInputs): Promise<NpzMembers> {
  const { cluster: options, seed } = plan.definition;
  if (options === false) throw new PipelineError('internal', 'expected a definition that clusters');
  const { a, b } = plan.pairs[task.pair]!;
  const blocks = {
    within_a: await open(plan, task, inputs, a, a, 'r'),
    between: await open(plan, task, inputs, a, b, 'r'),
    within_b: await open(plan, task, inputs, b, b, 'r'),
  };
  const [deadA, deadB] = [(await stats(plan, task, inputs, a)).dead, (await stats(plan, task, inputs, b)).dead];
  return clusteringMembers(await clusterUnits(blocks, deadA, deadB, options, seed));
}

// the rows of the chosen targets against every source: columns of the block where the targets are its second network
async function readTargets(block: BlockSource, chosen: Int32Array, across: boolean): Promise<Float64Array> {
  const sources = across ? block.rows : block.columns;
  const cross = new Float64Array(chosen.length * sources);
  if (!across) {
    const place = new Map(Array.from(chosen, (unit, at) => [unit, at]));
    for await (const { first, values } of block.chunks()) {
      for (let row = 0; row * sources < values.length; row++) {
        const at = place.get(first + row);
        if (at !== undefined) cross.set(values.subarray(row * sources, (row + 1) * sources), at * sources);
      }
    }
    return cross;
  }
  for await (const { first, values } of block.chunks()) {
    for (let row = 0; row * block.columns < values.length; row++) {
      for (let t = 0; t < chosen.length; t++) {
        cross[t * sources + first + row] = values[row * block.columns + chosen[t]!]!;
      }
    }
  }
  return cross;
}

async function open(
  plan: Plan,
  task: ReductionTask,
  inputs: ReductionInputs,
  i: number,
  j: number,
  what: 'r' | 'fit_r' | 'held_out',
): Promise<BlockSource> {
  const { taps } = plan.layers[(task as TaskOf<'match'>).layer]!;
  const object = await inputs.object(blockTask(plan, task.needs, i, j));
  return blockSource(object, `${what}_${blockName(i, j)}`, taps[i]!.units, taps[j]!.units);
}

async function stats(
  plan: Plan,
  task: TaskOf<'predict' | 'predict-part' | 'cluster'>,
  inputs: ReductionInputs,
  network: number,
): Promise<UnitStats> {
  const { a, b } = plan.pairs[task.pair]!;
  const object = await inputs.object(blockTask(plan, task.needs, a, b));
  const names = statsMemberNames(network, plan.fitGroups < plan.groups.count);
  return statsFrom(await object.read(names), network, plan.layers[task.layer]!.taps[network]!.units);
}
