/**
 * What is timed inside one ONNX Runtime, native or wasm: the forward alone, the same with moments, and products of
 * samples. Each part is a call, so that whoever holds the clock stands outside (workerd's own clock stands still).
 */
import { runActivationTask, runPilotTask, unitsInSet } from '../../../src/accumulate/accumulate.ts';
import { addProducts, emptyMoments } from '../../../src/accumulate/moments.ts';
import { meansFrom } from '../../../src/accumulate/pilot.ts';
import type { ProvisionalMeans } from '../../../src/accumulate/pilot.ts';
import type { SampleMemory } from '../../../src/accumulate/sampleMemory.ts';
import { LayerSamples } from '../../../src/accumulate/samples.ts';
import { activateShard, openNetwork, readyNetworks } from '../../../src/activate/activate.ts';
import type { NetworkFiles, OpenNetworks, ProbeRows } from '../../../src/activate/activate.ts';
import { openNpz, writeNpz } from '../../../src/numeric/npz.ts';
import { bufferSource } from '../../../src/numeric/range.ts';
import { FLOAT32, INPUT, modelFrom, nodeField, OUTPUT, valueField } from '../../../src/onnx/build.ts';
import { openProduct } from '../../../src/onnx/product.ts';
import type { ProductSession } from '../../../src/onnx/product.ts';
import type { FloatTensor, OnnxRuntime, OnnxSession } from '../../../src/onnx/session.ts';
import type { ActivationTask, Plan } from '../../../src/plan/plan.ts';
import { productSamples } from '../../../src/plan/work.ts';

/** Side of the square matrices of the peak. */
const PEAK = 1024;
/** Operations of a call that counts them, at least: Linux tells CPU time in steps of 10 ms. */
const LEAST_OPERATIONS = 8e9;

/** Runs a part; gives the floating point operations of its products, 0 where they aren't counted. */
export type Subject = (part: string) => Promise<number>;

/** One activation set, or all layers at once, ready to run. */
interface OpenSet {
  plan: Plan;
  task: ActivationTask;
  networks: OpenNetworks;
  means: ProvisionalMeans;
  bare: () => Promise<void>;
}

/**
 * The parts over the first `rows` rows of a plan, whose bytes `source` has in memory:
 * `bare` (one session per network for all layers, on prepared inputs, outputs fetched, nothing else), `sets` (the same
 * for each activation set: those that a provider splits repeat layers), `activate` (rows read and prepared too),
 * `samples` (activations copied for products too), `moments` (the whole tasks); `peak` and `peak-transposed` (1024³);
 * `product:<layer>` (the products of one addProducts alone) and `add:<layer>` (with adding up).
 */
export async function openSubject(
  runtime: OnnxRuntime,
  memory: SampleMemory,
  plan: Plan,
  files: NetworkFiles,
  source: ProbeRows,
  rows: number,
): Promise<Subject> {
  const product = await openProduct(runtime);
  const square = noise(PEAK * PEAK);
  const plain = await runtime.createSession(plainProduct());
  const first = plan.tasks.find((each): each is ActivationTask => each.kind === 'activate')!;
  const taskOf = (set: number): ActivationTask => ({ ...first, set, ranges: [[0, rows]] });
  const multiply = layerProducts(plan, taskOf, product);

  const open = async (of: Plan, set: number): Promise<OpenSet> => {
    const task = taskOf(set);
    const sessions = new Map<number, OnnxSession>();
    for (const network of of.sets[set]!.networks)
      sessions.set(network, await openNetwork(of, set, network, runtime, files));
    const networks = readyNetworks(of, sessions);
    const pilot = await writeNpz(await runPilotTask(of, task, networks, memory, source));
    const means = await meansFrom(await (await openNpz(bufferSource(pilot))).read(), of, set);
    return { plan: of, task, networks, means, bare: await bareForward(of, task, networks, source, rows) };
  };
  const together: Plan = { ...plan, sets: [{ ...plan.sets[0]!, layers: [...plan.layers.keys()] }] };
  let ready: Promise<{ whole: OpenSet; sets: OpenSet[] }> | undefined;
  const openAll = async (): Promise<{ whole: OpenSet; sets: OpenSet[] }> => {
    const whole = await open(together, 0);
    const sets: OpenSet[] = [];
    if (plan.sets.length === 1) sets.push(whole);
    else for (const set of plan.sets.keys()) sets.push(await open(plan, set));
    return { whole, sets };
  };

  return async (part) => {
    const [name, layer = '0'] = part.split(':');
    if (name === 'peak-transposed') {
      return repeated(2 * PEAK ** 3, () => product.timesTransposed(square, square, PEAK));
    }
    if (name === 'peak') {
      const side = { data: square, dims: [PEAK, PEAK] };
      return repeated(2 * PEAK ** 3, () => plain.run({ a: side, b: side }));
    }
    if (name === 'product' || name === 'add') return multiply(Number(layer), name === 'add');
    const { whole, sets } = await (ready ??= openAll());
    if (name === 'bare') await whole.bare();
    else {
      for (const { plan: own, task, networks, means, bare } of sets) {
        if (name === 'sets') await bare();
        else if (name === 'moments') await runActivationTask(own, task, networks, product, memory, means, source);
        else if (name === 'activate' || name === 'samples')
          await copySamples(own, task, networks, memory, source, name);
        else throw new Error(`expected a part; found ${part}`);
      }
    }
    return 0;
  };
}

// as lean as can be: inputs prepared before, outputs written where the last ones were
async function bareForward(
  plan: Plan,
  task: ActivationTask,
  networks: OpenNetworks,
  source: ProbeRows,
  rows: number,
): Promise<() => Promise<void>> {
  const { batch, networks: indices } = plan.sets[task.set]!;
  const inputs: { at: number; feeds: Record<string, FloatTensor> }[] = [];
  for (let from = 0; from < rows; from += batch) {
    const to = Math.min(rows, from + batch);
    const bytes = await source.rows([from, to]);
    const shared = new Map<string, Float32Array>();
    for (const [at, index] of indices.entries()) {
      const { input, fixedBatch: _, ...reading } = plan.networks[index]!.preprocessing;
      const same = JSON.stringify(reading);
      const data = shared.get(same) ?? networks.preparers[at]!(bytes, to - from);
      shared.set(same, data);
      inputs.push({ at, feeds: { [input]: { data, dims: [to - from, ...reading.shape] } } });
    }
  }
  const outputs = new Map<string, Record<string, FloatTensor>>();
  return async () => {
    for (const { at, feeds } of inputs) {
      const key = `${at} ${Object.values(feeds)[0]!.dims[0]}`;
      outputs.set(key, await networks.sessions[at]!.run(feeds, undefined, outputs.get(key)));
    }
  };
}

async function copySamples(
  plan: Plan,
  task: ActivationTask,
  networks: OpenNetworks,
  memory: SampleMemory,
  source: ProbeRows,
  part: 'activate' | 'samples',
): Promise<void> {
  const { layers, provider } = plan.sets[task.set]!;
  const rows = task.ranges[0]![1];
  memory.reset();
  const all = layers.map((layer) => {
    const units = unitsInSet(plan, task.set, layer);
    const capacity = productSamples(provider, rows * plan.layers[layer]!.positions);
    const means = new Float32Array(units.offsets.at(-1)!);
    return new LayerSamples(plan.layers[layer]!, units, means, capacity, memory, () => Promise.resolve());
  });
  for await (const taps of activateShard(plan, task.set, task.ranges, networks, source)) {
    if (part === 'samples') for (const [index, samples] of all.entries()) await samples.append(taps, taps.taps[index]!);
  }
}

// the products of one layer's samples: as addProducts makes them, or those alone
function layerProducts(
  plan: Plan,
  taskOf: (set: number) => ActivationTask,
  product: ProductSession,
): (layer: number, add: boolean) => Promise<number> {
  const recorded = new Map<number, { y: Float32Array; k: number; sides: [Float32Array, Float32Array][] }>();
  return async (layer, add) => {
    const set = plan.sets.findIndex(({ layers }) => layers.includes(layer));
    const units = unitsInSet(plan, set, layer);
    let own = recorded.get(layer);
    if (!own) {
      const k = productSamples(plan.sets[set]!.provider, taskOf(set).ranges[0]![1] * plan.layers[layer]!.positions);
      const sides: [Float32Array, Float32Array][] = [];
      const recording: ProductSession = {
        ...product,
        timesTransposed: (a, b, length) => {
          sides.push([a, b]);
          return product.timesTransposed(a, b, length);
        },
      };
      own = { y: noise((units.offsets.at(-1)! + 1) * k), k, sides };
      await addProducts(emptyMoments(units), units, own.y, k, recording);
      recorded.set(layer, own);
    }
    const { y, k, sides } = own;
    const operations = sides.reduce((sum, [a, b]) => sum + (2 * a.length * b.length) / k, 0);
    const moments = emptyMoments(units);
    return repeated(operations, async () => {
      if (add) await addProducts(moments, units, y, k, product);
      else for (const [a, b] of sides) await product.timesTransposed(a, b, k);
    });
  };
}

// calls until there was enough to time; all operations
async function repeated(operations: number, act: () => Promise<unknown>): Promise<number> {
  const times = Math.ceil(LEAST_OPERATIONS / operations);
  for (let time = 0; time < times; time++) await act();
  return times * operations;
}

function plainProduct(): Uint8Array {
  return modelFrom(13, 7, 'plain', [
    nodeField('MatMul', ['a', 'b'], 'ab'),
    valueField(INPUT, 'a', FLOAT32, ['m', 'k']),
    valueField(INPUT, 'b', FLOAT32, ['k', 'n']),
    valueField(OUTPUT, 'ab', FLOAT32, ['m', 'n']),
  ]);
}

// values in [−1, 1), the same every time
function noise(length: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state / 2 ** 31;
  });
}
