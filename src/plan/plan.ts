/**
 * Plan stage. Takes a Definition, what inspection measured of its models, and the probe data's header;
 * gives the Plan: image groups and every task with its content key, all known before anything runs.
 * Guarantees: the plan follows from definition, models, data, provider and constants alone, never from
 * the machine; a task that cannot fit its provider's memory is refused here.
 */
import type { Definition } from '../definition/definition.ts';
import { pairsOf } from '../definition/names.ts';
import type { Place } from '../errors.ts';
import { PipelineError } from '../errors.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { hashOf } from '../numeric/hash.ts';
import { drawSample, randomFrom } from '../numeric/random.ts';
import { fitGroups, groupShards, imageGroups } from './groups.ts';
import type { ImageGroups, RowRange } from './groups.ts';
import { planLayers, planNetworks } from './layers.ts';
import type { PlannedLayer, PlannedNetwork } from './layers.ts';
import { chooseBatch } from './memory.ts';
import type { MemoryEstimate } from './memory.ts';

/** Version of the plan, of partials and of reduction objects; part of every task key. */
export const FORMAT_VERSION = 1;

/** Rows the provisional means are taken from (contract.md, "provisional means"). */
const PILOT_ROWS = 64;
/** Rows of a task where the definition doesn't say: ten whole blocks. */
const DEFAULT_SHARD_ROWS = 500;

/** The probe data as planned: content, not path. */
export interface PlannedData {
  sha256: string;
  /** SHA-256 of the list of its chunks' SHA-256 hashes, see runtime/store.ts. */
  chunksSha256: string;
  sizeBytes: number;
  dtype: 'uint8' | 'float32';
  /** Shape of one row. */
  rowShape: number[];
  /** Where the first row starts in the file. */
  offset: number;
}

/** Hashes of the built code, one for each kind of task and one for inspections: other code, other keys. */
export interface CodeHashes {
  activate: string;
  reduce: string;
  inspect: string;
}

/** Who runs the tasks; one name and version promise one result. */
export interface Provider {
  name: 'isolate';
  /** Package and version of ONNX Runtime, such as `onnxruntime-web 1.30.0`. */
  version: string;
}

interface TaskCommon {
  /** Readable and unique within the plan, such as `activate-003`. */
  id: string;
  /** SHA-256 of all that determines the object's bytes (contract.md, "task key"). */
  key: string;
  /** Indices of the tasks whose objects this one reads, in reading order. */
  needs: number[];
}

/** One unit of work: it reads the objects it needs and writes one object of its own. */
export type Task = TaskCommon &
  (
    | { kind: 'pilot'; ranges: RowRange[] }
    | { kind: 'activate'; group: number; ranges: RowRange[] }
    | { kind: 'merge'; layer: number; group: number }
    | { kind: 'correlate'; layer: number; pair: number }
    | { kind: 'match'; layer: number; pair: number }
    | { kind: 'predict'; layer: number; pair: number; direction: 'aToB' | 'bToA' }
    | { kind: 'cluster'; layer: number; pair: number }
  );

export type TaskKind = Task['kind'];

/** Two networks by index, and the folder of their results. */
export interface PlannedPair {
  a: number;
  b: number;
  folder: string;
}

/** Everything a run does, as data. */
export interface Plan {
  format: typeof FORMAT_VERSION;
  definition: Definition;
  /** SHA-256 of the pipeline file's bytes. */
  definitionSha256: string;
  provider: Provider;
  code: CodeHashes;
  data: PlannedData;
  rows: number;
  networks: PlannedNetwork[];
  layers: PlannedLayer[];
  pairs: PlannedPair[];
  groups: ImageGroups;
  /** Groups 0 … fitGroups − 1 are fitted on; the others are scored. */
  fitGroups: number;
  /** Rows that go through the networks at a time. */
  batch: number;
  shardRows: number;
  memory: MemoryEstimate;
  tasks: Task[];
}

export interface PlanInputs {
  definition: Definition;
  definitionSha256: string;
  /** In the networks' order. */
  models: ModelInspection[];
  data: PlannedData;
  /** Rows the probe data holds. */
  dataRows: number;
  code: CodeHashes;
  provider: Provider;
  where: (keyPath: readonly (string | number)[]) => Place;
}

/**
 * The plan of a definition.
 * @throws PipelineError `data-mismatch` (rows, shapes), `positions-differ`, `tap-unsupported`,
 * `plan-too-large` (what cannot fit, with the amounts).
 */
export async function makePlan(inputs: PlanInputs): Promise<Plan> {
  const { definition, models, data, where } = inputs;
  const rows = plannedRows(inputs);
  const networks = planNetworks(definition, models, data, where);
  const layers = planLayers(definition, models, where).map((layer, index) => samplePositions(definition, layer, index));
  const memory = chooseBatch(definition, models, data, layers, where);
  const shardRows = definition.shard.rows ?? DEFAULT_SHARD_ROWS;
  const groups = imageGroups(rows);
  const holdout = definition.predict === false ? 0 : definition.predict.holdout;
  if (holdout > 0 && groups.count < 2) {
    throw new PipelineError('data-mismatch', `a holdout needs at least 2 rows of probe data; found ${rows}`, {
      place: where(['predict', 'holdout']),
      hint: 'use more rows, or holdout: 0',
    });
  }
  const draft: Omit<Plan, 'tasks'> = {
    format: FORMAT_VERSION,
    definition,
    definitionSha256: inputs.definitionSha256,
    provider: inputs.provider,
    code: inputs.code,
    data,
    rows,
    networks,
    layers,
    pairs: pairsOf(definition),
    groups,
    fitGroups: fitGroups(groups.count, holdout),
    batch: memory.batch,
    shardRows,
    memory,
  };
  return { ...draft, tasks: await planTasks(draft) };
}

/** The tasks among `tasks` that write partials, pilot included. */
export function isActivation(task: Task): task is Extract<Task, { kind: 'pilot' | 'activate' }> {
  return task.kind === 'pilot' || task.kind === 'activate';
}

/** Where a task's object stands in the bucket. */
export function objectKey(task: Task): string {
  return `${isActivation(task) ? 'activate' : 'reduce'}/${task.key}.npz`;
}

function plannedRows({ definition, dataRows, where }: PlanInputs): number {
  const rows = definition.probe.rows ?? dataRows;
  if (rows > dataRows) {
    throw new PipelineError(
      'data-mismatch',
      `expected at most ${dataRows} rows, as many as the probe data has; found ${rows}`,
      {
        place: where(['probe', 'rows']),
        hint: `ask for ${dataRows} rows or fewer, or leave rows out to use all`,
      },
    );
  }
  if (rows === 0) {
    throw new PipelineError('data-mismatch', 'expected at least one row of probe data; found none', {
      place: where(['probe', 'data']),
    });
  }
  return rows;
}

// one seeded set of positions per layer, the same for all images and networks
function samplePositions(definition: Definition, layer: PlannedLayer, index: number): PlannedLayer {
  if (definition.positions === 'all' || layer.positions <= definition.positions.sample) return layer;
  const sampled = drawSample(
    randomFrom(definition.seed, `positions ${index}`),
    layer.positions,
    definition.positions.sample,
  );
  return { ...layer, positions: sampled.length, sampled };
}

async function planTasks(plan: Omit<Plan, 'tasks'>): Promise<Task[]> {
  const tasks: Task[] = [];
  const add = (task: Task): number => tasks.push(task) - 1;
  const keysOf = (needs: number[]): string[] => needs.map((index) => tasks[index]!.key);

  // activation: the pilot first, then every group's shards in row order
  const activation = {
    format: plan.format,
    code: plan.code.activate,
    provider: plan.provider,
    models: plan.networks.map((network) => network.modelSha256),
    inputs: plan.networks.map((network) => network.preprocessing),
    taps: plan.layers.map((layer) => layer.taps.map((tap) => ({ tensor: tap.valueName, units: tap.unitAxis }))),
    positions: plan.layers.map((layer) => layer.sampled),
    data: plan.data.sha256,
    batch: plan.batch,
  };
  const pilotRanges: RowRange[] = [[0, Math.min(PILOT_ROWS, plan.rows)]];
  const pilotKey = await hashOf({ ...activation, kind: 'pilot', ranges: pilotRanges });
  const pilot = add({ id: 'pilot', kind: 'pilot', key: pilotKey, needs: [], ranges: pilotRanges });
  const shardsOfGroup: number[][] = [];
  let shard = 0;
  for (let group = 0; group < plan.groups.count; group++) {
    const indices: number[] = [];
    for (const ranges of groupShards(plan.groups, plan.rows, group, plan.shardRows)) {
      const key = await hashOf({ ...activation, kind: 'activate', pilot: pilotKey, ranges });
      const id = `activate-${String(shard++).padStart(4, '0')}`;
      indices.push(add({ id, kind: 'activate', key, needs: [pilot], group, ranges }));
    }
    shardsOfGroup.push(indices);
  }

  // reduction: partials into groups, groups into one correlation per pair, then the three alignments
  const reduction = { format: plan.format, code: plan.code.reduce, provider: plan.provider };
  const { match, predict, cluster, seed } = plan.definition;
  for (const [layer, { name }] of plan.layers.entries()) {
    const merged: number[] = [];
    for (const [group, needs] of shardsOfGroup.entries()) {
      const key = await hashOf({ ...reduction, kind: 'merge', inputs: keysOf(needs), layer });
      merged.push(add({ id: `merge-${name}-${group}`, kind: 'merge', key, needs, layer, group }));
    }
    for (const [pair, { folder }] of plan.pairs.entries()) {
      const where = { layer, pair };
      const groupNeeds = [pilot, ...merged];
      const correlationKey = await hashOf({
        ...reduction,
        kind: 'correlate',
        inputs: keysOf(groupNeeds),
        ...where,
        fitGroups: plan.fitGroups,
      });
      const correlation = add({
        id: `correlate-${folder}-${name}`,
        kind: 'correlate',
        key: correlationKey,
        needs: groupNeeds,
        ...where,
      });
      const needs = [correlation];
      const inputs = keysOf(needs);
      if (match) {
        const key = await hashOf({ ...reduction, kind: 'match', inputs, ...where });
        add({ id: `match-${folder}-${name}`, kind: 'match', key, needs, ...where });
      }
      if (predict !== false) {
        for (const direction of ['aToB', 'bToA'] as const) {
          const key = await hashOf({
            ...reduction,
            kind: 'predict',
            inputs,
            ...where,
            direction,
            alphas: [...predict.alphas].sort((x, y) => x - y),
          });
          add({ id: `predict-${direction}-${folder}-${name}`, kind: 'predict', key, needs, ...where, direction });
        }
      }
      if (cluster !== false) {
        const key = await hashOf({ ...reduction, kind: 'cluster', inputs, ...where, cluster, seed });
        add({ id: `cluster-${folder}-${name}`, kind: 'cluster', key, needs, ...where });
      }
    }
  }
  return tasks;
}
