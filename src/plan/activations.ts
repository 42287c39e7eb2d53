/**
 * The tasks that make the partials of an activation set: a pilot of each network, the shards, and merges by image group
 * where a group has more than one. All keys follow from the plan.
 */
import type { Place } from '../errors.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { hashOf } from '../numeric/hash.ts';
import { placeTask } from './fit.ts';
import { groupShards } from './groups.ts';
import type { RowRange } from './groups.ts';
import { activationBytes, mergeBytes, partBytes } from './memory.ts';
import type { Plan, Task } from './plan.ts';
import type { ComputeChoice, ProviderName } from './providers.ts';
import { rowsOf } from './work.ts';

/** Rows the provisional means are taken from (contract.md, "provisional means"). */
const PILOT_ROWS = 64;

/** A plan before its tasks. */
export type Draft = Omit<Plan, 'tasks' | 'forecast'>;

/** What the tasks of a plan follow from, beside the plan itself. */
export interface TaskInputs {
  models: readonly ModelInspection[];
  compute: ComputeChoice;
  versions: Versions;
  where: Where;
}
type Versions = Partial<Record<ProviderName, string>>;
type Where = (keyPath: readonly (string | number)[]) => Place;

/** What the correlations of a set are made from. */
export interface Activated {
  /** By network of the set. */
  pilots: number[];
  /** One object per image group. */
  groups: number[];
}

/**
 * The activation and merge tasks of a set. `pilotByKey` holds those of the sets before it, and takes its own: what would
 * be the same task is one.
 * @throws PipelineError `plan-too-large`
 */
export async function planActivations(
  plan: Draft,
  set: number,
  { models, versions, where }: TaskInputs,
  pilotByKey: Map<string, number>,
  add: (task: Task) => number,
  keysOf: (needs: number[]) => string[],
): Promise<Activated> {
  const { networks, layers, provider, batch, shardRows } = plan.sets[set]!;
  const common = { provider, set };
  const bytesOf = (of: readonly number[], rows: number, pilot: boolean): number => {
    const own = { networks: of, layers, provider, batch };
    return activationBytes({ models, data: plan.data, layers: plan.layers, set: own, rows, pilot });
  };
  const suffix = plan.sets.length === 1 ? '' : `-${set}`;
  const activationOf = (of: readonly number[]) => ({
    format: plan.format,
    code: plan.code[provider].activate,
    provider: { name: provider, version: versions[provider] },
    models: of.map((n) => ({ model: plan.networks[n]!.modelSha256, external: plan.networks[n]!.externalData })),
    inputs: of.map((n) => plan.networks[n]!.preprocessing),
    taps: layers.map((layer) =>
      of.map((n) => {
        const tap = plan.layers[layer]!.taps[n]!;
        return { tensor: tap.valueName, units: tap.unitAxis };
      }),
    ),
    // partials and provisional means name layers and networks by index
    indices: { networks: of, layers },
    positions: layers.map((layer) => plan.layers[layer]!.sampled),
    data: plan.data.sha256,
    batch,
  });
  const activation = activationOf(networks);
  const pilotRanges: RowRange[] = [[0, Math.min(PILOT_ROWS, plan.rows)]];
  const pilots: number[] = [];
  for (const network of networks) {
    const key = await hashOf({ ...activationOf([network]), kind: 'pilot', ranges: pilotRanges });
    const id = `pilot${suffix}-${plan.networks[network]!.name}`;
    const projectedBytes = bytesOf([network], rowsOf(pilotRanges), true);
    const pilot =
      pilotByKey.get(key) ??
      add({ id, kind: 'pilot', key, needs: [], network, ranges: pilotRanges, projectedBytes, ...common });
    pilotByKey.set(key, pilot);
    pilots.push(pilot);
  }
  const groups: number[] = [];
  let shard = 0;
  const shardsOf = Array.from({ length: plan.groups.count }, (_, group) =>
    groupShards(plan.groups, plan.rows, group, shardRows),
  );
  const byGroup: number[][] = [];
  for (const [group, shards] of shardsOf.entries()) {
    const own: number[] = [];
    for (const ranges of shards) {
      const key = await hashOf({ ...activation, kind: 'activate', pilots: keysOf(pilots), ranges });
      const id = `activate${suffix}-${String(shard++).padStart(4, '0')}`;
      const projectedBytes = bytesOf(networks, rowsOf(ranges), false);
      own.push(add({ id, kind: 'activate', key, needs: [...pilots], group, ranges, projectedBytes, ...common }));
    }
    byGroup.push(own);
  }
  for (const [group, needs] of byGroup.entries()) {
    if (needs.length === 1) {
      groups.push(needs[0]!);
      continue;
    }
    const key = await hashOf({
      format: plan.format,
      code: plan.code[provider].reduce,
      provider: activation.provider,
      kind: 'merge',
      inputs: keysOf(needs),
      indices: activation.indices,
    });
    const rows = shardsOf[group]!.map(rowsOf);
    const parts = layers.map((layer) => {
      const { taps, positions } = plan.layers[layer]!;
      const units = networks.reduce((sum, n) => sum + taps[n]!.units, 0);
      const bytes = (count: number): number => partBytes(units, count * positions);
      return { merged: bytes(rows.reduce((sum, count) => sum + count, 0)), largest: Math.max(...rows.map(bytes)) };
    });
    const { projectedBytes } = placeTask((by) => mergeBytes(by, parts), provider, 'merging an image group', where);
    groups.push(add({ id: `merge${suffix}-${group}`, kind: 'merge', key, needs, group, projectedBytes, ...common }));
  }
  return { pilots, groups };
}
