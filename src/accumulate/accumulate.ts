/**
 * Accumulate stage. Takes the taps of one task, batch by batch; gives the members of its Partial (or, for a pilot, its
 * network's provisional means). Products run in ONNX Runtime, a few thousand samples at a time; across them they are
 * added in float64. Guarantees: memory doesn't grow with the rows of a task, except where rows are what is kept.
 */
import { activateShard } from '../activate/activate.ts';
import type { OpenNetworks, ProbeRows } from '../activate/activate.ts';
import { PipelineError } from '../errors.ts';
import type { NpzMembers } from '../numeric/npz.ts';
import type { ProductSession } from '../onnx/product.ts';
import type { ActivationTask, Plan } from '../plan/plan.ts';
import { productSamples, rowsOf } from '../plan/work.ts';
import { addProducts, emptyMoments, layerUnits } from './moments.ts';
import type { LayerUnits, Moments } from './moments.ts';
import { formOf, partialMembers } from './partial.ts';
import type { LayerPart } from './partial.ts';
import { meansMembers } from './pilot.ts';
import type { ProvisionalMeans } from './pilot.ts';
import { emptyRows, fillRows } from './rows.ts';
import type { SampleMemory } from './sampleMemory.ts';
import { LayerSamples } from './samples.ts';
import type { TakeSamples } from './samples.ts';

/** The units of one layer in the networks of a set. */
export function unitsInSet(plan: Plan, set: number, layer: number): LayerUnits {
  return unitsOf(plan, layer, plan.sets[set]!.networks);
}

/** The units of one layer in some networks, by index, rising. */
export function unitsOf(plan: Plan, layer: number, networks: readonly number[]): LayerUnits {
  const { taps } = plan.layers[layer]!;
  return layerUnits(
    networks,
    networks.map((network) => taps[network]!.units),
  );
}

/** Runs a pilot task; gives the members of the provisional means of `networks`, each as it would be alone. */
export async function runPilotTask(
  plan: Plan,
  task: ActivationTask,
  networks: OpenNetworks,
  memory: SampleMemory,
  source: ProbeRows,
): Promise<NpzMembers> {
  const { layers, provider } = plan.sets[task.set]!;
  memory.reset();
  const all = layers.map((layer) => {
    const units = unitsOf(plan, layer, networks.indices);
    const sum = new Float64Array(units.offsets.at(-1)!);
    // means alone need no products: samples are summed as they come, unshifted
    const take: TakeSamples = (y, k) => {
      for (let unit = 0; unit < sum.length; unit++) {
        let own = 0;
        for (let s = unit * k; s < (unit + 1) * k; s++) own += y[s]!;
        sum[unit]! += own;
      }
      if (!sum.every(Number.isFinite)) samples.requireFinite(y, k, plan.networks);
      return Promise.resolve();
    };
    const planned = plan.layers[layer]!;
    const capacity = productSamples(provider, rowsOf(task.ranges) * planned.positions);
    const means = new Float32Array(sum.length);
    const samples = new LayerSamples(planned, units, means, capacity, memory, take);
    return { layer, units, sum, samples };
  });
  await feed(plan, task, networks, source, all);
  const byLayer = new Map(
    all.map(({ layer, units, sum }) => {
      const count = rowsOf(task.ranges) * plan.layers[layer]!.positions;
      const means = Float32Array.from(sum, (value) => value / count);
      const own = units.networks.map((n, at) => [n, means.slice(units.offsets[at]!, units.offsets[at + 1]!)] as const);
      return [layer, new Map(own)];
    }),
  );
  return meansMembers(byLayer);
}

/** Runs an activation task, with samples shifted by `means`; gives the members of its Partial. */
export async function runActivationTask(
  plan: Plan,
  task: ActivationTask,
  networks: OpenNetworks,
  product: ProductSession,
  memory: SampleMemory,
  means: ProvisionalMeans,
  source: ProbeRows,
): Promise<NpzMembers> {
  const { layers, provider } = plan.sets[task.set]!;
  memory.reset();
  const rows = rowsOf(task.ranges);
  const all = layers.map((layer) => {
    const planned = plan.layers[layer]!;
    const units = unitsInSet(plan, task.set, layer);
    const count = rows * planned.positions;
    const keepsRows = formOf(count, units) === 'rows';
    const moments = keepsRows ? null : emptyMoments(units);
    const kept = keepsRows ? emptyRows(units, count) : null;
    let filled = 0;
    const take: TakeSamples = async (y, k) => {
      if (moments) {
        await addProducts(moments, units, y, k, product);
        if (!finite(moments)) requireFinite(plan, layer, samples, y, k);
      } else {
        samples.requireFinite(y, k, plan.networks);
        fillRows(kept!, units, y, k, filled);
        filled += k;
      }
    };
    const joined = joinedMeans(units, means.byLayer.get(layer)!);
    const capacity = productSamples(provider, count);
    const samples = new LayerSamples(planned, units, joined, capacity, memory, take);
    return { layer, units, count, moments, kept, samples };
  });
  await feed(plan, task, networks, source, all);
  const parts = new Map(
    all.map(({ layer, units, count, moments, kept, samples }): [number, LayerPart] => {
      const split = <T>(values: { subarray(start: number, end: number): T }): Map<number, T> =>
        new Map(units.networks.map((n, at) => [n, values.subarray(units.offsets[at]!, units.offsets[at + 1]!)]));
      const byNetwork = kept && new Map(units.networks.map((network, at) => [network, kept[at]!]));
      const { min, max } = samples.extremes();
      return [layer, { samples: count, min: split(min), max: split(max), moments, rows: byNetwork }];
    }),
  );
  return partialMembers({ rows, meansHash: means.hash, layers: parts });
}

// every batch of a task to every layer
async function feed(
  plan: Plan,
  task: ActivationTask,
  networks: OpenNetworks,
  source: ProbeRows,
  layers: readonly { samples: LayerSamples }[],
): Promise<void> {
  for await (const batch of activateShard(plan, task.set, task.ranges, networks, source)) {
    for (const [index, { samples }] of layers.entries()) await samples.append(batch, batch.taps[index]!);
  }
  for (const { samples } of layers) await samples.end();
}

function joinedMeans(units: LayerUnits, byNetwork: ReadonlyMap<number, Float32Array>): Float32Array {
  const joined = new Float32Array(units.offsets.at(-1)!);
  for (const [at, network] of units.networks.entries()) joined.set(byNetwork.get(network)!, units.offsets[at]);
  return joined;
}

// a NaN or an infinity anywhere in a unit reaches its own sum of squares
function finite({ squares }: Moments): boolean {
  return [...squares.values()].every((own) => own.every(Number.isFinite));
}

function requireFinite(plan: Plan, layer: number, samples: LayerSamples, y: Float32Array, k: number): void {
  samples.requireFinite(y, k, plan.networks);
  throw new PipelineError(
    'not-finite',
    `expected sums of squares that float32 can hold; found activations too large at layer ${plan.layers[layer]!.name}`,
    { hint: 'tap a tensor with smaller activations' },
  );
}
