import { describe, expect, it } from 'vitest';
import { PipelineError } from '../../../src/errors.ts';
import type { ModelInspection } from '../../../src/inspect/inspect.ts';
import type { Plan, PlanInputs } from '../../../src/plan/plan.ts';
import { BUDGETS } from '../../../src/plan/providers.ts';
import { setOf } from '../../../src/plan/tasks.ts';
import { inspection, MIB, planOf, tasksOf } from './inputs.ts';

/** Models of `count` networks: taps of these widths (no positions), each with weights of its own. */
function models(count: number, taps: { units: number; weights: number }[]): ModelInspection[] {
  const layers = taps.map(({ units }) => [2, units]);
  const weights = taps.map((tap) => tap.weights);
  return 'abcdefgh'
    .slice(0, count)
    .split('')
    .map((name) => inspection(name, {}, layers, weights));
}
const two = (early: number, late: number): { units: number; weights: number }[] => [
  { units: 4, weights: early },
  { units: 6, weights: late },
];

/** What must hold of every plan. */
function expectWhole(plan: Plan): void {
  for (const layer of plan.layers.keys()) {
    for (const [pair, { a, b }] of plan.pairs.entries()) {
      const set = plan.sets[setOf(plan, layer, pair)]!;
      expect(set.layers).toContain(layer);
      expect(set.networks).toEqual(expect.arrayContaining([a, b]));
    }
  }
  for (const task of plan.tasks) {
    const { allowedBytes, reservedBytes } = BUDGETS[task.provider];
    expect(task.projectedBytes + reservedBytes, task.id).toBeLessThanOrEqual(allowedBytes);
  }
  // every block that an alignment reads is made by a task it needs
  for (const task of plan.tasks) {
    if (!['match', 'predict-part', 'predict', 'cluster'].includes(task.kind) || !('pair' in task)) continue;
    // joined of parts of the same prediction, which read the blocks
    const joined = task.needs.map((need) => plan.tasks[need]!).filter((need) => need.kind === 'predict-part');
    if (joined.length > 0) {
      expect(task.kind).toBe('predict');
      expect(joined.map(({ part }) => part)).toEqual(Array.from({ length: joined[0]!.parts }, (_, part) => part));
      continue;
    }
    const made = task.needs.flatMap((need) => {
      const needed = plan.tasks[need]!;
      return needed.kind === 'correlate' && needed.layer === task.layer ? needed.blocks.map(String) : [];
    });
    const { a, b } = plan.pairs[task.pair]!;
    expect(made).toContain(`${a},${b}`);
    if (task.kind === 'cluster') expect(made).toEqual(expect.arrayContaining([`${a},${a}`, `${b},${b}`]));
    if (task.kind === 'predict' || task.kind === 'predict-part') {
      const from = task.direction === 'aToB' ? a : b;
      expect(made).toContain(`${from},${from}`);
    }
  }
}
const setsOf = (plan: Plan): [networks: number[], layers: number[], provider: string][] =>
  plan.sets.map(({ networks, layers, provider }) => [networks, layers, provider]);

describe('chooseSets(inputs, choice)', () => {
  it('runs everything together where it fits', async () => {
    const plan = await planOf();
    expect(setsOf(plan)).toEqual([[[0, 1], [0, 1], 'isolate']]);
    expect(plan.sets[0]).toMatchObject({ batch: 25, shardRows: 500, why: 'asked for isolate' });
    expectWhole(plan);
  });

  it('takes fewer rows first: a smaller batch where a batch is too much', async () => {
    const hungry = inspection('a', { peakActivationBytes: 5 * MIB });
    const plan = await planOf('', { models: [hungry, inspection('b')] });
    expect(plan.sets).toHaveLength(1);
    expect(plan.sets[0]!.batch).toBeGreaterThan(1);
    expect(plan.sets[0]!.batch).toBeLessThan(25);
    // one row more would not fit
    const { allowedBytes, reservedBytes } = BUDGETS.isolate;
    expect(plan.sets[0]!.projectedBytes + reservedBytes + 5 * MIB).toBeGreaterThan(allowedBytes);
    expectWhole(plan);
  });

  it('takes fewer rows a task where they would take too long, on an isolate alone', async () => {
    const slow = [inspection('a'), inspection('b')].map((model) => ({
      ...model,
      parts: model.parts.map((part) => ({ ...part, flops: 2e9 })),
    }));
    const rows = async (change: Partial<PlanInputs>, more = ''): Promise<number> =>
      (await planOf(more, { models: slow, ...change })).sets[0]!.shardRows;
    // 8 GFLOP a row at 12 GFLOP/s: 150 s are 225 rows
    expect(await rows({})).toBe(100);
    expect(await rows({}, 'shard: { rows: 300 }')).toBe(300);
    expect(await rows({ compute: 'native' })).toBe(500);
  });

  it('then splits layers, the weights of each being less', async () => {
    const plan = await planOf('', { models: models(2, two(6 * MIB, 6 * MIB)) });
    expect(setsOf(plan)).toEqual([[[0, 1], [0, 1], 'isolate']]);
    const split = await planOf('', { models: models(2, two(10 * MIB, 10 * MIB)) });
    expect(setsOf(split)).toEqual([
      [[0, 1], [0], 'isolate'],
      [[0, 1], [1], 'isolate'],
    ]);
    expect(split.sets[0]!.why).toBe('asked for isolate; layers split');
    expectWhole(split);
    // each set has pilots, shards and a correlation of its own
    expect(tasksOf(split, 'pilot').map(({ id, set, network }) => [id, set, network])).toEqual([
      ['pilot-0-a', 0, 0],
      ['pilot-0-b', 0, 1],
      ['pilot-1-a', 1, 0],
      ['pilot-1-b', 1, 1],
    ]);
    expect(tasksOf(split, 'correlate').map(({ set, layer }) => [set, layer])).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  it('then pairs of networks, where layers alone don’t help', async () => {
    const shared = (name: string): ModelInspection => ({
      ...inspection(name),
      sizeBytes: 10 * MIB,
      weightsBytes: 10 * MIB,
      // both layers need the same weights
      parts: [{ taps: [0, 1], weightsBytes: 10 * MIB, packedBytes: 10 * MIB, flops: 1_000 }],
    });
    const plan = await planOf('', { models: ['a', 'b', 'c', 'd'].map(shared) });
    expect(setsOf(plan)).toEqual(plan.pairs.map(({ a, b }) => [[a, b], [0, 1], 'isolate']));
    expect(plan.sets[0]!.why).toContain('pair by pair');
    expectWhole(plan);
    // the same layers in the same batch: a network has one pilot, whichever pair it is in
    const pilots = tasksOf(plan, 'pilot');
    expect(pilots.map(({ network }) => network)).toEqual([0, 1, 2, 3]);
    for (const { set, needs } of tasksOf(plan, 'activate'))
      expect(needs.map((need) => plan.tasks[need])).toEqual(plan.sets[set]!.networks.map((n) => pilots[n]));
  });

  it.each([2, 3, 5])('puts every pair at every layer into a set, however small the budget: %i networks', async (n) => {
    for (const weights of [1, 6, 9, 13].map((mib) => mib * MIB)) {
      expectWhole(await planOf('', { models: models(n, two(weights, weights / 2)) }));
    }
  });

  it('goes from one batch size to another without a gap in the projections', async () => {
    const projected: number[] = [];
    for (const batch of [1, 5, 25]) {
      projected.push((await planOf(`shard: { batch: ${batch} }`)).sets[0]!.projectedBytes);
    }
    expect(projected).toEqual(projected.toSorted((x, y) => x - y));
  });
});

describe('auto', () => {
  const auto = (change: Partial<PlanInputs> = {}): Promise<Plan> => planOf('', { compute: 'auto', ...change });

  it('chooses an isolate where everything fits one, and says so', async () => {
    const plan = await auto();
    expect(setsOf(plan)).toEqual([[[0, 1], [0, 1], 'isolate']]);
    expect(plan.sets[0]!.why).toBe('fits an isolate');
    expect(plan.providers.map(({ name }) => name)).toEqual(['isolate']);
  });

  it('chooses native compute for the layers that don’t fit, and for these alone', async () => {
    const plan = await auto({ models: models(2, two(2 * MIB, 60 * MIB)) });
    expect(setsOf(plan)).toEqual([
      [[0, 1], [0], 'isolate'],
      [[0, 1], [1], 'native'],
    ]);
    expect(plan.sets[1]!.why).toBe('does not fit an isolate of 128 MiB');
    expect(plan.providers.map(({ name }) => name)).toEqual(['isolate', 'native']);
    expectWhole(plan);
  });

  it('takes native compute for correlations of a layer too wide for an isolate', async () => {
    const plan = await auto({ models: models(2, [two(1, 1)[0]!, { units: 3000, weights: 1000 }]) });
    expect(setsOf(plan)[1]).toEqual([[0, 1], [1], 'native']);
    const wide = tasksOf(plan, 'correlate').filter(({ layer }) => layer === 1);
    expect(wide.map(({ provider }) => provider)).toEqual(['native']);
    expectWhole(plan);
  });

  it('gives an alignment to an isolate where it fits, whoever correlated', async () => {
    const plan = await auto({ models: models(2, two(2 * MIB, 60 * MIB)) });
    expect(tasksOf(plan, 'match').map(({ provider }) => provider)).toEqual(['isolate', 'isolate']);
  });
});

describe('correlations', () => {
  it('are one task a layer where all blocks fit, else one a block', async () => {
    const plan = await planOf('', { models: models(3, [two(1, 1)[0]!, { units: 700, weights: 1000 }]) });
    const wide = tasksOf(plan, 'correlate').filter(({ layer }) => layer === 1);
    expect(wide.map(({ blocks }) => blocks)).toEqual([[[0, 0]], [[0, 1]], [[0, 2]], [[1, 1]], [[1, 2]], [[2, 2]]]);
    expect(wide.map(({ id }) => id)[1]).toBe('correlate-late-a-b');
    expect(tasksOf(plan, 'correlate').filter(({ layer }) => layer === 0)).toHaveLength(1);
    expectWhole(plan);
  });
});

describe('a refusal', () => {
  const refusal = async (change: Partial<PlanInputs>): Promise<PipelineError> => {
    const thrown: unknown = await planOf('', change).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(PipelineError);
    expect(thrown).toMatchObject({ code: 'plan-too-large', place: { key: 'layers' } });
    return thrown as PipelineError;
  };

  it('names projected, allowed and reserved amounts, and the way out', async () => {
    const heavy = inspection('a', {}, undefined, [90 * MIB, 1]);
    const { message, hint } = await refusal({ models: [heavy, inspection('b')] });
    expect(message).toMatch(/one row to fit an isolate; projected (\d+) MiB, allowed 128 MiB of which 36 MiB are/);
    expect(Number(/projected (\d+)/.exec(message)![1])).toBeGreaterThan(128 - 36);
    expect(hint).toContain('compute: native');
  });

  it('names the layer whose reductions don’t fit', async () => {
    const { message } = await refusal({ models: models(2, [two(1, 1)[0]!, { units: 2000, weights: 10 }]) });
    expect(message).toMatch(/reductions of layer late to fit an isolate; projected \d+ MiB/);
  });

  it('is also for what native compute can’t hold', async () => {
    const heavy = models(2, two(3000 * MIB, 1));
    const { message, hint } = await refusal({ models: heavy, compute: 'native' });
    expect(message).toMatch(/fit a native task; projected [\d,]+ MiB, allowed 3,072 MiB of which 96 MiB are reserved/);
    expect(hint).not.toContain('compute: native');
    await refusal({ models: heavy, compute: 'auto' });
  });

  it('is also for a correlation whose blocks fit, but not with the rows that it reads', async () => {
    const wide = (units: number): Partial<PlanInputs> => ({
      models: models(2, [two(1, 1)[0]!, { units, weights: 10 }]),
      compute: 'native',
    });
    const { message } = await refusal(wide(11_300));
    expect(message).toMatch(/expected correlating layer late to fit a native task; projected 3,\d+ MiB, allowed 3,072/);
    // where the blocks alone don't fit, that is said before any task is planned
    expect((await refusal(wide(11_500))).message).toMatch(/the reductions of layer late to fit a native task/);
    expect(tasksOf(await planOf('', wide(11_000)), 'correlate').length).toBeGreaterThan(1);
  });
});
