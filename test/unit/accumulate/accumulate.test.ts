import { beforeAll, describe, expect, it } from 'vitest';
import { runActivationTask, runPilotTask, unitsInSet } from '../../../src/accumulate/accumulate.ts';
import { allBlocks, formOf, partialFrom, partialHead } from '../../../src/accumulate/partial.ts';
import { meansFrom } from '../../../src/accumulate/pilot.ts';
import type { ProvisionalMeans } from '../../../src/accumulate/pilot.ts';
import { SampleMemory } from '../../../src/accumulate/sampleMemory.ts';
import { mergePartials } from '../../../src/reduce/merge.ts';
import type { NpyArray } from '../../../src/numeric/npy.ts';
import { readNpz, writeNpz } from '../../../src/numeric/npz.ts';
import { openProduct } from '../../../src/onnx/product.ts';
import type { ProductSession } from '../../../src/onnx/product.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import { BUDGETS } from '../../../src/plan/providers.ts';
import { wasmRuntime } from '../onnx/fixtures.ts';
import { sampleKernel } from './kernel.ts';
import { expectSums } from './sums.ts';
import { alone, makeWorld, noise, rowsIn, tasksWithIndex } from './world.ts';
import type { TapShape, World } from './world.ts';

let product: ProductSession;
let memory: SampleMemory;
beforeAll(async () => {
  memory = new SampleMemory(await sampleKernel());
  product = await openProduct(await wasmRuntime());
});

type Members = Record<string, NpyArray>;

/** The object of each pilot, as a reader finds it. */
async function pilotsOf({ plan, networks, source }: World): Promise<Members[]> {
  const objects: Members[] = [];
  for (const [, pilot] of tasksWithIndex(plan, 'pilot')) {
    const members = await runPilotTask(plan, pilot, alone(networks, pilot.network), memory, source);
    objects.push(await readNpz(await writeNpz(members)));
  }
  return objects;
}

const meansOf = (plan: Plan, pilots: readonly Members[]): Promise<ProvisionalMeans> =>
  meansFrom(Object.assign({}, ...pilots) as Members, plan, 0);

async function pilotOf(world: World): Promise<ProvisionalMeans> {
  return meansOf(world.plan, await pilotsOf(world));
}

/** The partials of every activation task, as a reader finds them. */
async function partialsOf(world: World, means: ProvisionalMeans): Promise<Members[]> {
  const { plan, networks, source } = world;
  const all: Members[] = [];
  for (const [, task] of tasksWithIndex(plan, 'activate')) {
    const members = await runActivationTask(plan, task, networks, product, memory, means, source);
    all.push(await readNpz(await writeNpz(members)));
  }
  return all;
}

/** Shifted samples of all networks side by side, float32 as the products see them. */
function shifted(world: World, means: ProvisionalMeans, layer: number, rows?: readonly number[]): number[][] {
  const { networks } = world.plan.sets[0]!;
  const own = networks.map((network) => {
    const mean = means.byLayer.get(layer)!.get(network)!;
    return world.samples(layer, network, rows).map((s) => s.map((value, unit) => Math.fround(value - mean[unit]!)));
  });
  return own[0]!.map((_, k) => own.flatMap((samples) => samples[k]!));
}

const rank2 = (...widths: number[]): TapShape[] => widths.map((units) => ({ shape: [units], units: 1 }));
/** name → taps by network; unit axes in every place there is. */
const TAPS: Record<string, TapShape[]> = {
  'rank 2': rank2(5, 3),
  'rank 3, units last and first': [
    { shape: [7, 4], units: 2 },
    { shape: [6, 7], units: 1 },
  ],
  'rank 4, units in each place, three networks': [
    { shape: [3, 4, 5], units: 1 },
    { shape: [4, 2, 5], units: 2 },
    { shape: [4, 5, 6], units: 3 },
  ],
  'one position, rank 4': [
    { shape: [4, 1, 1], units: 1 },
    { shape: [1, 1, 9], units: 3 },
  ],
  'more units than one tile': rank2(130, 75),
  'units beyond a multiple of the copied sixteen': [
    { shape: [3, 17], units: 2 },
    { shape: [3, 33], units: 2 },
  ],
};
const PLANS = ['', 'shard: { rows: 23, batch: 7 }', 'shard: { batch: 1 }', 'positions: { sample: 3 }'];
const CASES = Object.keys(TAPS).flatMap((name) => PLANS.map((more) => [name, more] as const));

const formsSeen = new Set<string>();

describe('runActivationTask(…)', () => {
  it.each(CASES)('%s, %j: sums, squares, blocks and extremes of exactly the task’s samples', async (name, more) => {
    const world = await makeWorld([TAPS[name]!], 1040, { more });
    const { plan } = world;
    const means = await pilotOf(world);
    const units = unitsInSet(plan, 0, 0);
    const tasks = tasksWithIndex(plan, 'activate').filter((_, at) => at % 7 === 0);
    for (const [, task] of tasks) {
      const members = await readNpz(
        await writeNpz(await runActivationTask(plan, task, world.networks, product, memory, means, world.source)),
      );
      const rows = rowsIn(task);
      const y = shifted(world, means, 0, rows);
      const form = formOf(y.length, units);
      formsSeen.add(form);
      const part = partialFrom(members, 0, units, allBlocks(units.networks), form);
      expect(partialHead(members)).toEqual({ rows: rows.length, meansHash: means.hash });
      for (const network of units.networks) {
        const raw = world.samples(0, network, rows);
        const extremes = (pick: (...values: number[]) => number): number[] =>
          raw[0]!.map((_, unit) => raw.reduce((most, sample) => pick(most, sample[unit]!), sample0(raw, unit)));
        expect([...part.min.get(network)!]).toEqual(extremes(Math.min));
        expect([...part.max.get(network)!]).toEqual(extremes(Math.max));
      }
      if (form === 'moments') {
        expectSums(part.moments!, units, y, Math.min(BUDGETS.isolate.productSamples, y.length));
        expect(part.rows).toBeNull();
      } else {
        expect(part.moments).toBeNull();
        for (const [at, network] of units.networks.entries()) {
          const own = y.flatMap((sample) => sample.slice(units.offsets[at], units.offsets[at + 1]));
          expect([...part.rows!.get(network)!]).toEqual(own);
        }
      }
    }
  });

  it('was seen to keep moments and rows', () => {
    expect([...formsSeen].sort()).toEqual(['moments', 'rows']);
  });

  it('fills a fixed batch with copies that leave no trace', async () => {
    const taps = [TAPS['rank 2']!];
    const [free, fixed] = [await makeWorld(taps, 203), await makeWorld(taps, 203, { fixedBatch: 4 })];
    const means = await pilotOf(free);
    expect((await pilotOf(fixed)).hash).toEqual(means.hash);
    expect(await partialsOf(fixed, means)).toEqual(await partialsOf(free, means));
  });

  it('hands on samples that fill no buffer, fill one exactly, and cross into the next', async () => {
    // 50 rows of 64 positions are 3,200 samples: three buffers of 1,024 and a rest; with 4 × 4 less than one
    for (const side of [4, 8, 32]) {
      const tap = { shape: [2, side, side], units: 1 };
      const world = await makeWorld([[tap, tap]], 64, { more: 'shard: { rows: 64, batch: 3 }\npredict: false' });
      const means = await pilotOf(world);
      const units = unitsInSet(world.plan, 0, 0);
      const parts = await partialsOf(world, means);
      const [, task] = tasksWithIndex(world.plan, 'activate')[0]!;
      const { moments } = partialFrom(parts[0]!, 0, units, allBlocks([0, 1]), 'moments');
      expectSums(moments!, units, shifted(world, means, 0, rowsIn(task)), 1024);
    }
  });

  it('gives several layers of a set, each its own samples', async () => {
    const world = await makeWorld(
      [
        TAPS['rank 2']!,
        [
          { shape: [7, 4], units: 2 },
          { shape: [6, 7], units: 1 },
        ],
      ],
      60,
    );
    const means = await pilotOf(world);
    const [first] = await partialsOf(world, means);
    const [, task] = tasksWithIndex(world.plan, 'activate')[0]!;
    for (const layer of [0, 1]) {
      const units = unitsInSet(world.plan, 0, layer);
      const y = shifted(world, means, layer, rowsIn(task));
      const form = formOf(y.length, units);
      const part = partialFrom(first!, layer, units, allBlocks([0, 1]), form);
      expect(part.samples).toBe(y.length);
      if (form === 'moments') expectSums(part.moments!, units, y, y.length);
      else expect([...part.rows!.get(0)!]).toEqual(y.flatMap((sample) => sample.slice(0, units.units[0])));
    }
  });
});

const sample0 = (raw: number[][], unit: number): number => raw[0]![unit]!;

describe('any partition into tasks and batches, any order of merging', () => {
  const taps = [TAPS['rank 4, units in each place, three networks']!, rank2(9, 40, 1)];
  const orders: ((parts: Members[]) => Members[])[] = [
    (parts) => parts,
    (parts) => parts.toReversed(),
    (parts) => [...parts.filter((_, i) => i % 3 === 1), ...parts.filter((_, i) => i % 3 !== 1)],
  ];

  it.each(['', 'shard: { rows: 17, batch: 5 }', 'shard: { rows: 3, batch: 2 }', 'shard: { rows: 200, batch: 25 }'])(
    '%j: the sum over all rows is the float64 one',
    async (more) => {
      const world = await makeWorld(taps, 230, { more });
      const means = await pilotOf(world);
      const parts = await partialsOf(world, means);
      for (const order of orders) {
        const ordered = order(parts);
        const layers = [0, 1].map((layer) => ({
          layer,
          units: unitsInSet(world.plan, 0, layer),
          samples: ordered.map((part) => Number(part[`samples_${layer}`]!.data[0])),
        }));
        const stream = async function* (): AsyncGenerator<Members> {
          yield* ordered;
        };
        const merged = await mergePartials(stream(), layers, () => Promise.resolve(product));
        expect(merged.rows).toBe(230);
        for (const { layer, units } of layers) {
          // all rows are more samples than units, whatever the tasks kept
          const y = shifted(world, means, layer);
          expectSums(merged.layers.get(layer)!.moments!, units, y, 1024);
        }
      }
    },
  );
});

describe('runPilotTask(…)', () => {
  it('gives the mean of the first 64 rows in float32, and one hash for all tasks', async () => {
    const world = await makeWorld([TAPS['rank 4, units in each place, three networks']!, rank2(4, 4, 4)], 100);
    const means = await pilotOf(world);
    const rows = Array.from({ length: 64 }, (_, row) => row);
    for (const layer of [0, 1]) {
      for (const network of [0, 1, 2]) {
        const samples = world.samples(layer, network, rows);
        const expected = samples[0]!.map((_, unit) =>
          Math.fround(samples.reduce((sum, sample) => sum + sample[unit]!, 0) / samples.length),
        );
        expect([...means.byLayer.get(layer)!.get(network)!]).toEqual(expected);
      }
    }
    expect(means.hash).toHaveLength(32);
    const other = await makeWorld([TAPS['rank 4, units in each place, three networks']!, rank2(4, 4, 4)], 100, {
      value: (row, index) => noise(row, index) + (row === 63 && index === 0 ? 1 : 0),
    });
    expect((await pilotOf(other)).hash).not.toEqual(means.hash);
  });

  it('gives each network alone what it has beside the others, to the bit', async () => {
    for (const more of ['', 'shard: { batch: 7 }', 'positions: { sample: 3 }']) {
      const world = await makeWorld([TAPS['rank 4, units in each place, three networks']!, rank2(4, 30, 5)], 70, {
        more,
      });
      const [, pilot] = tasksWithIndex(world.plan, 'pilot')[0]!;
      const together = await runPilotTask(world.plan, pilot, world.networks, memory, world.source);
      const expected = await meansFrom(await readNpz(await writeNpz(together)), world.plan, 0);
      const pilots = await pilotsOf(world);
      expect(pilots.map((members) => Object.keys(members))).toEqual(
        [0, 1, 2].map((network) => [0, 1].map((layer) => `means_${layer}_${network}`)),
      );
      for (const order of [pilots, pilots.toReversed()]) expect(await meansOf(world.plan, order)).toEqual(expected);
    }
  });

  it('are refused where one is missing, is of another network, or has other units', async () => {
    const world = await makeWorld([rank2(4, 3)], 70);
    const [first, second] = (await pilotsOf(world)) as [Members, Members];
    const refused = { code: 'object-damaged' };
    await expect(meansOf(world.plan, [first])).rejects.toMatchObject(refused);
    await expect(meansOf(world.plan, [first, first])).rejects.toMatchObject(refused);
    const wider = { means_0_1: first.means_0_0! };
    await expect(meansOf(world.plan, [first, wider])).rejects.toMatchObject(refused);
    expect((await meansOf(world.plan, [first, second])).hash).toHaveLength(32);
  });
});

describe('what is not finite', () => {
  const taps = [
    rank2(4, 3),
    [
      { shape: [5, 2], units: 2 },
      { shape: [3, 5], units: 1 },
    ],
  ];
  // a row is 4 + 3 values of l0, then 10 + 15 of l1
  const places: [index: number, text: string][] = [
    [0, 'layer l0 of a'],
    [3, 'layer l0 of a'],
    [6, 'layer l0 of b'],
    [7, 'layer l1 of a'],
    [31, 'layer l1 of b'],
  ];

  it.each(
    places.flatMap(([index, text]) => [NaN, Infinity, -Infinity].flatMap((bad) => [[index, text, bad] as const])),
  )('at index %i: %s, %d and its row, in the pilot and in a task', async (index, text, bad) => {
    // data must be finite, a network's output needn't be
    for (const [row, more] of [
      [2, ''],
      [61, 'shard: { rows: 40, batch: 6 }'],
    ] as const) {
      const world = await makeWorld(taps, 200, {
        more,
        value: (at, i) => (at === row && i === index ? 1e30 : noise(at, i)),
      });
      const clean = await pilotOf(await makeWorld(taps, 200, { more }));
      for (const session of world.networks.sessions) {
        const run = session.run.bind(session);
        session.run = async (...args) => {
          const outputs = await run(...args);
          for (const { data } of Object.values(outputs)) {
            data.forEach((value, i) => value === Math.fround(1e30) && (data[i] = bad));
          }
          return outputs;
        };
      }
      const [, pilot] = tasksWithIndex(world.plan, 'pilot').find(([, { network }]) => text.endsWith('ab'[network]!))!;
      const says = {
        code: 'not-finite',
        message: expect.stringContaining(`found ${bad} at ${text}, row ${row}`) as string,
      };
      const own = alone(world.networks, pilot.network);
      await expect(runPilotTask(world.plan, pilot, own, memory, world.source)).rejects.toMatchObject(says);
      const [, task] = tasksWithIndex(world.plan, 'activate').find(([, each]) => rowsIn(each).includes(row))!;
      await expect(
        runActivationTask(world.plan, task, world.networks, product, memory, clean, world.source),
      ).rejects.toMatchObject(says);
    }
  });

  it.each([
    ['moments', 1000],
    ['rows', 100],
  ])('says so where activations are finite but their squares are not: %s', async (form, rows) => {
    const world = await makeWorld([rank2(4, 3)], rows, {
      value: (row, index) => (index === 2 && row === 70 ? 1e25 : noise(row, index)),
    });
    const means = await pilotOf(world);
    const [, task] = tasksWithIndex(world.plan, 'activate').find(([, each]) => rowsIn(each).includes(70))!;
    const says = { code: 'not-finite', message: expect.stringContaining('activations too large') as string };
    const run = (): Promise<unknown> =>
      runActivationTask(world.plan, task, world.networks, product, memory, means, world.source);
    if (form === 'moments') {
      await expect(run()).rejects.toMatchObject(says);
      return;
    }
    // kept as they are; whoever multiplies them finds out
    const units = unitsInSet(world.plan, 0, 0);
    const parts = await partialsOf(world, means);
    const layers = [{ layer: 0, units, samples: parts.map(() => rowsIn(task).length) }];
    const stream = async function* (): AsyncGenerator<Members> {
      yield* parts;
    };
    await expect(mergePartials(stream(), layers, () => Promise.resolve(product))).rejects.toMatchObject(says);
  });
});
