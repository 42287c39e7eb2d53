import { describe, expect, it } from 'vitest';
import { parseDefinition } from '../../../src/definition/definition.ts';
import type { ModelInspection } from '../../../src/inspect/inspect.ts';
import { makePlan, objectKey } from '../../../src/plan/plan.ts';
import type { CodeHashes, Plan, PlanInputs, Task, TaskKind } from '../../../src/plan/plan.ts';
import { definitionText, inputs, inspection, MIB, planOf, tasksOf } from './inputs.ts';

const KINDS: TaskKind[] = ['pilot', 'activate', 'merge', 'correlate', 'match', 'predict', 'cluster'];
const count = (plan: Plan): number[] => KINDS.map((kind) => tasksOf(plan, kind).length);

describe('makePlan(inputs)', () => {
  it('has every task after those it needs, each with a key and an id of its own', async () => {
    for (const plan of [
      await planOf(),
      await planOf('shard: { rows: 50 }', { models: ['a', 'b', 'c'].map((name) => inspection(name)) }),
    ]) {
      const { tasks } = plan;
      expect(new Set(tasks.map((task) => task.key)).size).toBe(tasks.length);
      expect(new Set(tasks.map((task) => task.id)).size).toBe(tasks.length);
      expect(new Set(tasks.map(objectKey)).size).toBe(tasks.length);
      for (const [index, task] of tasks.entries()) for (const need of task.needs) expect(need).toBeLessThan(index);
    }
  });

  it('merges a group only where it has several partials', async () => {
    // a pilot a network, a shard a group; a correlation a layer, four alignments a pair and layer
    expect(count(await planOf())).toEqual([2, 20, 0, 2, 2, 4, 2]);
    // 3,000 rows are 3 blocks of 50 in each of 20 groups
    const plan = await planOf('shard: { rows: 50 }');
    expect(count(plan)).toEqual([2, 60, 20, 2, 2, 4, 2]);
    for (const merge of tasksOf(plan, 'merge')) {
      const needs = merge.needs.map((need) => plan.tasks[need]!);
      expect(needs.map((need) => [need.kind, 'group' in need && need.group])).toEqual(
        Array.from({ length: 3 }, () => ['activate', merge.group]),
      );
    }
    // 1,010 rows: one row more in the first group alone
    expect(count(await planOf('shard: { rows: 50 }', { dataRows: 1001 }))).toEqual([2, 21, 1, 2, 2, 4, 2]);
  });

  it.each([
    ['', 3000],
    ['shard: { rows: 50 }', 3000],
    ['shard: { rows: 7 }', 1003],
    ['shard: { rows: 120 }', 4999],
    ['', 20],
    ['predict: false', 1],
  ])('%j with %i rows: each row is in exactly one shard, and in the group it belongs to', async (more, dataRows) => {
    const plan = await planOf(more, { dataRows });
    const seen = new Uint8Array(dataRows);
    for (const { group, ranges } of tasksOf(plan, 'activate')) {
      for (const [start, end] of ranges) {
        for (let row = start; row < end; row++) {
          seen[row]! += 1;
          expect(Math.floor(row / plan.groups.blockRows) % plan.groups.count).toBe(group);
        }
      }
    }
    expect(seen.every((times) => times === 1)).toBe(true);
  });

  it('correlates every group once, in their order, after the pilots', async () => {
    const plan = await planOf('shard: { rows: 50 }', { dataRows: 1500 });
    for (const { needs } of tasksOf(plan, 'correlate')) {
      const [first, second, ...groups] = needs.map((need) => plan.tasks[need]!);
      expect([first, second]).toMatchObject([{ kind: 'pilot' }, { kind: 'pilot' }]);
      expect(groups.map((task) => 'group' in task && task.group)).toEqual([...Array(20).keys()]);
    }
  });

  it('has a pilot of each network, which every shard needs, in the networks’ order', async () => {
    const [small, large] = [inspection('a'), inspection('b', { peakActivationBytes: 10 * MIB })];
    const plan = await planOf('shard: { batch: 4 }', { models: [small, large, inspection('c')] });
    const pilots = tasksOf(plan, 'pilot');
    expect(pilots.map(({ id, network, needs }) => [id, network, needs])).toEqual([
      ['pilot-a', 0, []],
      ['pilot-b', 1, []],
      ['pilot-c', 2, []],
    ]);
    for (const { needs } of tasksOf(plan, 'activate')) expect(needs.map((need) => plan.tasks[need])).toEqual(pilots);
    // each is planned with the memory of its own network
    expect(pilots[1]!.projectedBytes - pilots[0]!.projectedBytes).toBe(4 * (10 * MIB - small.peakActivationBytes));
    expect(pilots[2]!.projectedBytes).toBe(pilots[0]!.projectedBytes);
    expect(pilots[1]!.projectedBytes).toBeLessThan(tasksOf(plan, 'activate')[0]!.projectedBytes);
  });

  it('has one correlation of all blocks for all pairs of a layer', async () => {
    const plan = await planOf('', { models: ['a', 'b', 'c'].map((name) => inspection(name)) });
    expect(plan.pairs.map(({ a, b }) => [a, b])).toEqual([
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
    expect(tasksOf(plan, 'correlate').map(({ blocks }) => blocks)).toEqual(
      [0, 1].map(() => [
        [0, 0],
        [0, 1],
        [0, 2],
        [1, 1],
        [1, 2],
        [2, 2],
      ]),
    );
    expect(count(plan)).toEqual([3, 20, 0, 2, 6, 12, 6]);
  });

  it('switches stages off', async () => {
    const { tasks } = await planOf('match: false\npredict: false\ncluster: false');
    expect([...new Set(tasks.map((task) => task.kind))]).toEqual(['pilot', 'activate', 'correlate']);
  });

  it('samples positions once, rising, the same in every layer’s networks; few positions are all used', async () => {
    const { layers } = await planOf('positions: { sample: 5 }');
    const [early, late] = layers;
    expect(early!.sampled).toEqual([...new Set(early!.sampled)].sort((a, b) => a - b));
    expect(early).toMatchObject({ positions: 5 });
    expect(Math.max(...early!.sampled!)).toBeLessThan(64);
    expect(late).toMatchObject({ positions: 1, sampled: null });
  });

  it('lists the providers that tasks use, with their versions', async () => {
    expect((await planOf()).providers).toEqual([{ name: 'isolate', version: 'onnxruntime-web 1.30.0' }]);
    expect((await planOf('', { compute: 'native' })).providers).toEqual([
      { name: 'native', version: 'onnxruntime-node 1.30.0' },
    ]);
  });
});

/** The ids of the tasks of `before` whose keys `after` doesn't have. */
function changed(before: Plan, after: Plan): Task[] {
  const keys = new Set(after.tasks.map((task) => task.key));
  return before.tasks.filter((task) => !keys.has(task.key));
}
const changedKinds = (before: Plan, after: Plan): string[] => [
  ...new Set(changed(before, after).map((task) => task.kind)),
];
const ALL = ['pilot', 'activate', 'correlate', 'match', 'predict', 'cluster'];

describe('keys', () => {
  it('are the same for the same inputs, and know nothing of names and paths', async () => {
    const plan = await planOf();
    expect(await planOf()).toEqual(plan);
    const text = definitionText()
      .replace('name: t', 'name: other')
      .replace('a: { model: a.onnx }', 'first: { model: elsewhere/of-another-name.onnx }')
      .replace('early', 'renamed')
      .replace('x.npy', 'y.npy');
    const { definition, where } = parseDefinition(text, 'other.yaml');
    const renamed = await makePlan(inputs('', { definition, where, definitionSha256: 'e'.repeat(64) }));
    expect(renamed.tasks.map((task) => task.key)).toEqual(plan.tasks.map((task) => task.key));
  });

  const code = (change: Partial<CodeHashes>): Partial<PlanInputs> => ({ code: { ...inputs().code, ...change } });
  const external = [{ location: 'w.bin', sha256: '1'.repeat(64), chunksSha256: '2'.repeat(64), sizeBytes: 9 }];
  const changes: Record<string, [more: string, change: Partial<PlanInputs>, kinds: string[]]> = {
    'another provider': ['', { compute: 'native' }, ALL],
    'another version of the runtime': ['', { versions: { isolate: 'onnxruntime-web 1.31.0' } }, ALL],
    'another version of the other provider': ['', { versions: { ...inputs().versions, native: 'other' } }, []],
    'other code of activation': ['', code({ isolate: { activate: 'new', reduce: 'code 2' } }), ALL],
    'other code of reduction': ['', code({ isolate: { activate: 'code 1', reduce: 'new' } }), ALL.slice(2)],
    'other code of the other provider': ['', code({ native: { activate: 'new', reduce: 'new' } }), []],
    'other code of inspections': ['', code({ inspect: 'new' }), []],
    'another model': ['', { models: [inspection('a'), inspection('c')] }, ALL],
    'the models swapped': ['', { models: [inspection('b'), inspection('a')] }, ALL],
    'external data': ['', { externalData: [external, []] }, ALL],
    'other data': ['', { data: { ...inputs().data, sha256: 'e'.repeat(64) } }, ALL],
    'a scale': ['', withNetworks('a: { model: a.onnx, scale: 255 }, b: { model: b.onnx }'), ALL],
    'a mean': ['', withNetworks('a: { model: a.onnx }, b: { model: b.onnx, mean: 0.5 }'), ALL],
    'a smaller batch': ['shard: { batch: 7 }', {}, ALL],
    'a batch no provider takes': ['shard: { batch: 1000 }', {}, []],
    'sampled positions': ['positions: { sample: 3 }', {}, ALL],
    'more sampled positions than there are': ['positions: { sample: 100 }', {}, []],
    'another holdout': ['predict: { holdout: 0.5 }', {}, ['correlate', 'match', 'predict', 'cluster']],
    'other alphas': ['predict: { alphas: [0.5] }', {}, ['predict']],
    'the same alphas in another order': ['predict: { alphas: [0.003, 0.01, 0.03, 0.1, 0.3] }', {}, []],
    'fewer targets than units': ['predict: { targets: 5 }', {}, ['predict']],
    'as many targets as the widest layer has units': ['predict: { targets: 6 }', {}, []],
    'all targets, said': ['predict: { targets: all }', {}, []],
    'another k': ['cluster: { k: 5 }', {}, ['cluster']],
    'another threshold': ['cluster: { threshold: 0.3 }', {}, ['cluster']],
    'another seed': ['seed: 9', {}, ['cluster']],
    'match switched off': ['match: false', {}, ['match']],
  };

  it.each(Object.keys(changes))('with %s', async (name) => {
    const [more, change, kinds] = changes[name]!;
    expect(changedKinds(await planOf(), await planOf(more, change))).toEqual(kinds);
  });

  const pilotKeys = (plan: Plan): string[] => tasksOf(plan, 'pilot').map(({ key }) => key);

  const cube = (name: string): ModelInspection =>
    inspection(name, {}, [
      [2, 8, 8, 8],
      [2, 6],
    ]);
  const layers = definitionText().replace('early: e', 'early: { a: e, b: { tensor: e, units: 2 } }');
  it.each<[what: string, change: Partial<PlanInputs>, kept: boolean[]]>([
    ['another second model', { models: [cube('a'), cube('c')] }, [true, false]],
    ['another first model', { models: [cube('c'), cube('b')] }, [false, true]],
    ['external data of the second', { externalData: [[], external] }, [true, false]],
    ['a scale of the first', withNetworks('a: { model: a.onnx, scale: 255 }, b: { model: b.onnx }'), [false, true]],
    ['another unit axis of the second', parseDefinition(layers, 't.yaml'), [true, false]],
    ['a third network', { models: ['a', 'b', 'c'].map(cube) }, [true, true, false]],
    ['other data', { data: { ...inputs().data, sha256: 'e'.repeat(64) } }, [false, false]],
  ])('of pilots follow each from its own network: %s', async (_, change, kept) => {
    const before = pilotKeys(await planOf('', { models: [cube('a'), cube('b')] }));
    const after = pilotKeys(await planOf('', { models: [cube('a'), cube('b')], ...change }));
    expect(after.map((key, network) => key === before[network])).toEqual(kept);
  });

  it('of the activations and correlations follow from all pilots', async () => {
    const [before, after] = [await planOf(), await planOf('', { models: [inspection('a'), inspection('c')] })];
    expect(pilotKeys(after)[0]).toBe(pilotKeys(before)[0]);
    for (const kind of ['activate', 'correlate'] as const)
      expect(changed(before, after).filter((task) => task.kind === kind)).toHaveLength(tasksOf(before, kind).length);
  });

  it('of the activations follow from the rows that the means are of, where these are fewer than 64', async () => {
    const [more, less] = [40, 30].map((dataRows) => planOf('shard: { rows: 1 }', { dataRows }));
    const rowsOf = (plan: Plan): string[] => tasksOf(plan, 'activate').map(({ ranges }) => ranges.join());
    expect(rowsOf(await more!)).toEqual(expect.arrayContaining(rowsOf(await less!)));
    expect(changed(await less!, await more!).filter(({ kind }) => kind === 'activate')).toHaveLength(30);
  });

  it('change with the seed where it draws: positions, or targets', async () => {
    const positions = 'positions: { sample: 5 }';
    expect(changedKinds(await planOf(positions), await planOf(`${positions}\nseed: 9`))).toEqual(ALL);
    const targets = 'predict: { targets: 5 }';
    const [before, after] = [await planOf(targets), await planOf(`${targets}\nseed: 9`)];
    // `early` has 4 units, of which none are drawn
    const drawn = changed(before, after).filter((task) => task.kind === 'predict');
    expect(drawn.map((task) => 'layer' in task && task.layer)).toEqual([1, 1]);
  });

  it('of full tasks and the pilots stay when rows are raised; those of parts of them do not', async () => {
    const [less, more] = [
      await planOf('shard: { rows: 50 }', { dataRows: 2000 }),
      await planOf('shard: { rows: 50 }', { dataRows: 5000 }),
    ];
    expect(changedKinds(less, more)).toEqual(['merge', ...ALL.slice(2)]);
    const part = await planOf('shard: { rows: 50 }', { dataRows: 1990 });
    expect(changed(part, less).filter((task) => task.kind === 'activate')).toHaveLength(1);
  });

  it('of a layer’s reductions don’t depend on the rest of the reductions', async () => {
    const wide = (units: number): ModelInspection[] =>
      ['a', 'b'].map((name) =>
        inspection(name, {}, [
          [2, 4, 8, 8],
          [2, units],
        ]),
      );
    const [before, after] = [await planOf('', { models: wide(6) }), await planOf('', { models: wide(7) })];
    // units are no part of the key: they follow from the model, whose hash is
    expect(changed(before, after)).toEqual([]);
  });
});

function withNetworks(networks: string): Partial<PlanInputs> {
  const text = definitionText().replace(/networks: .*/, `networks: { ${networks} }`);
  return parseDefinition(text, 't.yaml');
}

describe('makePlan refuses', () => {
  it('more rows than there are, at the key that asks for them', async () => {
    const { definition, where } = parseDefinition(definitionText().replace('x.npy', 'x.npy, rows: 3001'), 't.yaml');
    await expect(planOf('', { definition, where })).rejects.toMatchObject({
      code: 'data-mismatch',
      place: { line: 4, key: 'probe.rows' },
    });
  });

  it('no rows at all', async () => {
    await expect(planOf('', { dataRows: 0 })).rejects.toThrow('at least one row');
  });

  it('one row with a holdout', async () => {
    await expect(planOf('', { dataRows: 1 })).rejects.toThrow('at least 2 rows');
    expect((await planOf('predict: { holdout: 0 }', { dataRows: 1 })).groups).toEqual({ count: 1, blockRows: 1 });
  });

  it('networks whose taps have different positions, naming both', async () => {
    const other = inspection('b', {}, [
      [2, 4, 4, 4],
      [2, 6],
    ]);
    await expect(planOf('', { models: [inspection('a'), other] })).rejects.toThrow(
      /positions-differ.*a has 8 × 8, b has 4 × 4/,
    );
  });
});
