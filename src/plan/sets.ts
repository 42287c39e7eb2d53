/**
 * Activation sets: which networks and layers run together in one task, on which provider, and with how many rows. One
 * set where everything fits; else rows, then layers, then pairs of networks are split, whichever repeats less work.
 */
import type { Definition } from '../definition/definition.ts';
import type { Place } from '../errors.ts';
import type { ModelInspection } from '../inspect/inspect.ts';
import { fits, tooLarge } from './fit.ts';
import type { PlannedLayer } from './layers.ts';
import { activationBytes, correlationBytes } from './memory.ts';
import type { PlannedData } from './plan.ts';
import { BUDGETS } from './providers.ts';
import type { ComputeChoice, ProviderName } from './providers.ts';
import { activationSeconds } from './rates.ts';
import { flopsOf } from './work.ts';

/** Networks and layers that run together. */
export interface ActivationSet {
  /** Indices, rising. */
  networks: number[];
  layers: number[];
  provider: ProviderName;
  /** Why this provider, and why not everything at once: for people. */
  why: string;
  /** Rows that go through the networks at a time. */
  batch: number;
  /** Rows of a task, at most. */
  shardRows: number;
  /** What a task holds at its peak beside what is reserved, bytes. */
  projectedBytes: number;
}

/** What sets are chosen from. */
export interface SetInputs {
  definition: Definition;
  models: readonly ModelInspection[];
  data: PlannedData;
  layers: readonly PlannedLayer[];
  pairs: readonly { a: number; b: number }[];
  where: (keyPath: readonly (string | number)[]) => Place;
}

/** Rows of a task where the definition doesn't say: whole blocks; fewer where memory or CPU time want it. */
const SHARD_ROWS = [500, 250, 100, 50];

/**
 * The sets of a plan; every pair at every layer is in one of them.
 * @throws PipelineError `plan-too-large` with projected, allowed and reserved amounts
 */
export function chooseSets(inputs: SetInputs, choice: ComputeChoice): ActivationSet[] {
  const all = [...inputs.layers.keys()];
  if (choice !== 'auto') return splitSets(inputs, all, choice, `asked for ${choice}`);

  // layer by layer: what an isolate can't hold goes to native compute
  const fitsIsolate = (layer: number): boolean =>
    reductionFits(inputs, layer, 'isolate') &&
    inputs.pairs.every(({ a, b }) => fitSet(inputs, [a, b], [layer], 'isolate', '') !== null);
  const small = all.filter(fitsIsolate);
  const large = all.filter((layer) => !small.includes(layer));
  return [
    ...(small.length > 0 ? splitSets(inputs, small, 'isolate', 'fits an isolate') : []),
    ...(large.length > 0 ? splitSets(inputs, large, 'native', 'does not fit an isolate of 128 MiB') : []),
  ];
}

function splitSets(inputs: SetInputs, layers: number[], provider: ProviderName, why: string): ActivationSet[] {
  for (const layer of layers) {
    if (reductionFits(inputs, layer, provider)) continue;
    const { name } = inputs.layers[layer]!;
    throw tooLarge(provider, `the reductions of layer ${name}`, leastReduction(inputs, layer, provider), inputs.where);
  }
  const found = solve(inputs, layers, provider, why);
  if (found) return found;
  const worst = Math.max(
    ...layers.flatMap((layer) => inputs.pairs.map(({ a, b }) => projected(inputs, [a, b], [layer], provider, 1, 1))),
  );
  throw tooLarge(provider, 'an activation task of one row', worst, inputs.where);
}

// everything together where it fits, else the cheaper of: half the layers at a time, or pair by pair
function solve(inputs: SetInputs, layers: number[], provider: ProviderName, why: string): ActivationSet[] | null {
  const networks = [...inputs.models.keys()];
  const whole = fitSet(inputs, networks, layers, provider, why);
  if (whole) return [whole];
  const options: ActivationSet[][] = [];
  if (layers.length > 1) {
    const middle = Math.ceil(layers.length / 2);
    const first = solve(inputs, layers.slice(0, middle), provider, why);
    const second = first && solve(inputs, layers.slice(middle), provider, why);
    if (first && second) options.push([...first, ...second].map((set) => ({ ...set, why: `${why}; layers split` })));
  }
  if (networks.length > 2) {
    const byPair = inputs.pairs.map(({ a, b }) => fitSet(inputs, [a, b], layers, provider, `${why}; pair by pair`));
    if (byPair.every((set) => set !== null)) options.push(byPair);
  }
  options.sort((x, y) => costOf(inputs, x) - costOf(inputs, y));
  return options[0] ?? null;
}

// floating point operations a row costs, over all sets
function costOf(inputs: SetInputs, sets: readonly ActivationSet[]): number {
  return sets.reduce(
    (sum, set) => sum + set.networks.reduce((own, n) => own + flopsOf(inputs.models[n]!, set.layers), 0),
    0,
  );
}

// the most rows a task and a batch may have, or null where not even one row fits
function fitSet(
  inputs: SetInputs,
  networks: number[],
  layers: number[],
  provider: ProviderName,
  why: string,
): ActivationSet | null {
  const { definition } = inputs;
  const { mostBatch, cpuSeconds } = BUDGETS[provider];
  const most = Math.min(definition.shard.batch ?? mostBatch, mostBatch);
  const perRow = activationSeconds(
    provider,
    networks.reduce((sum, n) => sum + flopsOf(inputs.models[n]!, layers), 0),
  );
  for (const shardRows of definition.shard.rows ? [definition.shard.rows] : SHARD_ROWS) {
    const tooSlow = perRow * shardRows > cpuSeconds && shardRows !== SHARD_ROWS.at(-1) && !definition.shard.rows;
    if (tooSlow) continue;
    for (let batch = most; batch >= 1; batch--) {
      const projectedBytes = projected(inputs, networks, layers, provider, batch, shardRows);
      if (!fits(provider, projectedBytes)) continue;
      return { networks, layers, provider, why, batch, shardRows, projectedBytes };
    }
  }
  return null;
}

function projected(
  inputs: SetInputs,
  networks: readonly number[],
  layers: readonly number[],
  provider: ProviderName,
  batch: number,
  shardRows: number,
): number {
  const set = { networks, layers, provider, batch };
  return activationBytes({ ...inputs, set, rows: shardRows, pilot: false });
}

function reductionFits(inputs: SetInputs, layer: number, provider: ProviderName): boolean {
  return fits(provider, leastReduction(inputs, layer, provider));
}

// of the widest pair, block by block
function leastReduction({ definition, layers, pairs }: SetInputs, layer: number, provider: ProviderName): number {
  const heldOut = definition.predict !== false && definition.predict.holdout > 0;
  const bytes = (units: [number, number], same: boolean): number =>
    correlationBytes({ provider, blocks: [{ units, same }], rowSamples: 0, readBytes: 0, heldOut });
  const units = layers[layer]!.taps.map((tap) => tap.units);
  return Math.max(
    ...pairs.flatMap(({ a, b }) => {
      const [p, q] = [units[a]!, units[b]!];
      return [bytes([p, p], true), bytes([p, q], false), bytes([q, q], true)];
    }),
  );
}
