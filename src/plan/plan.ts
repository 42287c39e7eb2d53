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
import { drawSample, randomFrom } from '../numeric/random.ts';
import type { PlanForecast } from './forecast.ts';
import { fitGroups, imageGroups } from './groups.ts';
import type { ImageGroups, RowRange } from './groups.ts';
import { planLayers, planNetworks } from './layers.ts';
import type { ExternalData, PlannedLayer, PlannedNetwork } from './layers.ts';
import type { ComputeChoice, Provider, ProviderName } from './providers.ts';
import { chooseSets } from './sets.ts';
import type { ActivationSet } from './sets.ts';
import { planTasks } from './tasks.ts';

/** Version of the plan, of partials and of reduction objects; part of every task key. */
export const FORMAT_VERSION = 2;

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

/** Hashes of the built code by provider and kind of task, and one for inspections: other code, other keys. */
export interface CodeHashes extends Record<ProviderName, { activate: string; reduce: string }> {
  inspect: string;
}

interface TaskCommon {
  /** Readable and unique within the plan, such as `activate-003`. */
  id: string;
  /** SHA-256 of all that determines the object's bytes (contract.md, "task key"). */
  key: string;
  /** Indices of the tasks whose objects this one reads, in reading order. */
  needs: number[];
  provider: ProviderName;
  /** What it holds at its peak beside what its provider reserves, bytes. */
  projectedBytes: number;
}

/** One unit of work: it reads the objects it needs and writes one object of its own. */
export type Task = TaskCommon &
  // of one network; other sets with the same layers and batch share it
  (
    | { kind: 'pilot'; set: number; network: number; ranges: RowRange[] }
    | { kind: 'activate'; set: number; group: number; ranges: RowRange[] }
    | { kind: 'merge'; set: number; group: number }
    | { kind: 'correlate'; set: number; layer: number; blocks: [i: number, j: number][] }
    | { kind: 'match'; layer: number; pair: number }
    // some of the targets, where all of them would take too long; the prediction then joins its parts
    | { kind: 'predict-part'; layer: number; pair: number; direction: 'aToB' | 'bToA'; part: number; parts: number }
    | { kind: 'predict'; layer: number; pair: number; direction: 'aToB' | 'bToA' }
    | { kind: 'cluster'; layer: number; pair: number }
  );

export type TaskKind = Task['kind'];
export type ActivationTask = Extract<Task, { kind: 'pilot' | 'activate' }>;

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
  /** Those that tasks use, by name. */
  providers: Provider[];
  code: CodeHashes;
  data: PlannedData;
  rows: number;
  networks: PlannedNetwork[];
  layers: PlannedLayer[];
  pairs: PlannedPair[];
  groups: ImageGroups;
  /** Groups 0 … fitGroups − 1 are fitted on; the others are scored. */
  fitGroups: number;
  /** Which networks and layers run together, and where. */
  sets: ActivationSet[];
  tasks: Task[];
  /** For people alone; absent in a plan made without one. */
  forecast?: PlanForecast;
}

export interface PlanInputs {
  definition: Definition;
  definitionSha256: string;
  /** In the networks' order. */
  models: ModelInspection[];
  /** By network: the files of external data its taps need. */
  externalData: ExternalData[][];
  data: PlannedData;
  /** Rows the probe data holds. */
  dataRows: number;
  code: CodeHashes;
  /** What may be used, and the versions there are of it. */
  compute: ComputeChoice;
  versions: Partial<Record<ProviderName, string>>;
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
  const networks = planNetworks(definition, models, data, inputs.externalData, where);
  const layers = planLayers(definition, models, where).map((layer, index) => samplePositions(definition, layer, index));
  const pairs = pairsOf(definition);
  const groups = imageGroups(rows);
  const holdout = definition.predict === false ? 0 : definition.predict.holdout;
  if (holdout > 0 && groups.count < 2) {
    throw new PipelineError('data-mismatch', `a holdout needs at least 2 rows of probe data; found ${rows}`, {
      place: where(['predict', 'holdout']),
      hint: 'use more rows, or holdout: 0',
    });
  }
  const sets = chooseSets({ definition, models, data, layers, pairs, where }, inputs.compute);
  const draft: Omit<Plan, 'tasks' | 'forecast'> = {
    format: FORMAT_VERSION,
    definition,
    definitionSha256: inputs.definitionSha256,
    providers: [],
    code: inputs.code,
    data,
    rows,
    networks,
    layers,
    pairs,
    groups,
    fitGroups: fitGroups(groups.count, holdout),
    sets,
  };
  const tasks = await planTasks(draft, inputs);
  const used = (['isolate', 'native'] as const).filter((name) => tasks.some((task) => task.provider === name));
  return { ...draft, providers: used.map((name) => ({ name, version: inputs.versions[name]! })), tasks };
}

/** Whether a task runs networks: writes a partial, or is a pilot. */
export function isActivation(task: Task): task is ActivationTask {
  return task.kind === 'pilot' || task.kind === 'activate';
}

/** The networks that a task runs, by index, rising. */
export function networksOf({ sets }: Pick<Plan, 'sets'>, task: ActivationTask): readonly number[] {
  return task.kind === 'pilot' ? [task.network] : sets[task.set]!.networks;
}

/** Among what a task needs, the pilots of its networks and the partials, in reading order. */
export function pilotsAndPartials(
  { tasks }: Pick<Plan, 'tasks'>,
  { needs }: Pick<Task, 'needs'>,
): { pilots: number[]; partials: number[] } {
  const isPilot = (need: number): boolean => tasks[need]!.kind === 'pilot';
  return { pilots: needs.filter(isPilot), partials: needs.filter((need) => !isPilot(need)) };
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
