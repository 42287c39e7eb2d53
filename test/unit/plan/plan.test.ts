import { describe, expect, it } from 'vitest';
import { parseDefinition } from '../../../src/definition/definition.ts';
import type { ModelInspection } from '../../../src/inspect/inspect.ts';
import { objectKey, makePlan } from '../../../src/plan/plan.ts';
import type { Plan, PlanInputs } from '../../../src/plan/plan.ts';

const MIB = 2 ** 20;

/** A pipeline of two networks and two layers; `more` is added to the file. */
function definitionText(more = ''): string {
  return `name: t
networks: { a: { model: a.onnx }, b: { model: b.onnx } }
layers: { early: e, late: l }
probe: { data: x.npy }
${more}`;
}

function inspection(name: string, change: Partial<ModelInspection> = {}): ModelInspection {
  const tap = (valueName: string, shape: number[]): ModelInspection['taps'][0] => ({
    asked: valueName,
    valueName,
    nodeName: '',
    op: 'Relu',
    shape,
  });
  return {
    sha256: name.repeat(64).slice(0, 64),
    sizeBytes: 100_000,
    opset: 13,
    producer: '',
    input: { name: 'x', dims: ['batch', 1, 8, 8], batch: null },
    rowShape: [1, 8, 8],
    rows: 2,
    weightsBytes: 100_000,
    peakActivationBytes: 10_000,
    taps: [tap('e', [2, 4, 8, 8]), tap('l', [2, 6])],
    leftOut: [],
    ...change,
  };
}

function inputs(more = '', change: Partial<PlanInputs> = {}): PlanInputs {
  const { definition, where } = parseDefinition(definitionText(more), 't.yaml');
  return {
    definition,
    where,
    definitionSha256: 'd'.repeat(64),
    models: [inspection('a'), inspection('b')],
    data: {
      sha256: 'f'.repeat(64),
      chunksSha256: 'c'.repeat(64),
      sizeBytes: 64_128,
      dtype: 'uint8',
      rowShape: [8, 8],
      offset: 128,
    },
    dataRows: 3000,
    code: { activate: 'code 1', reduce: 'code 2', inspect: 'code 3' },
    provider: { name: 'isolate', version: 'onnxruntime-web 1.30.0' },
    ...change,
  };
}

const keysOf = (plan: Plan, ...kinds: string[]): string[] =>
  plan.tasks.filter((task) => kinds.includes(task.kind)).map((task) => task.key);
const shared = (a: string[], b: string[]): number => a.filter((key) => b.includes(key)).length;

describe('makePlan(inputs)', () => {
  it('has every task after those it needs, each with a key and an id of its own', async () => {
    const { tasks } = await makePlan(inputs());
    expect(new Set(tasks.map((task) => task.key)).size).toBe(tasks.length);
    expect(new Set(tasks.map((task) => task.id)).size).toBe(tasks.length);
    expect(new Set(tasks.map(objectKey)).size).toBe(tasks.length);
    for (const [index, task] of tasks.entries()) for (const need of task.needs) expect(need).toBeLessThan(index);
  });

  it('counts tasks: a pilot, a shard a group, a merge a layer and group, five reductions a pair and layer', async () => {
    const { tasks } = await makePlan(inputs());
    const count = (kind: string): number => tasks.filter((task) => task.kind === kind).length;
    expect(['pilot', 'activate', 'merge', 'correlate', 'match', 'predict', 'cluster'].map(count)).toEqual([
      1, 20, 40, 2, 2, 4, 2,
    ]);
  });

  it('is the same plan for the same inputs, and knows nothing of names in its keys', async () => {
    const plan = await makePlan(inputs());
    expect(await makePlan(inputs())).toEqual(plan);
    const { definition, where } = parseDefinition(
      definitionText().replace('name: t', 'name: other').replace('a:', 'first:').replace('early', 'renamed'),
      'other.yaml',
    );
    const renamed = await makePlan(inputs('', { definition, where }));
    expect(renamed.tasks.map((task) => task.key)).toEqual(plan.tasks.map((task) => task.key));
  });

  it('changes the keys that a change concerns, and no others', async () => {
    const plan = await makePlan(inputs());
    const activations = ['pilot', 'activate'] as const;
    const all = plan.tasks.length;
    const compare = async (other: PlanInputs, ...kinds: string[]): Promise<number> =>
      shared(keysOf(plan, ...kinds), keysOf(await makePlan(other), ...kinds));

    // cluster's section and the seed concern clusters alone
    const k = inputs('cluster: { k: 5 }');
    expect(await compare(k, 'cluster')).toBe(0);
    expect(await compare(k, ...activations, 'merge', 'correlate', 'match', 'predict')).toBe(all - 2);
    expect(await compare(inputs('seed: 9'), ...activations, 'merge', 'correlate', 'match', 'predict')).toBe(all - 2);
    // alphas concern predictions; the holdout the correlations and all after them
    expect(await compare(inputs('predict: { alphas: [0.5] }'), 'predict')).toBe(0);
    expect(await compare(inputs('predict: { alphas: [0.5] }'), 'match', 'cluster', 'correlate')).toBe(6);
    expect(await compare(inputs('predict: { holdout: 0.5 }'), 'correlate', 'match', 'cluster')).toBe(0);
    expect(await compare(inputs('predict: { holdout: 0.5 }'), ...activations, 'merge')).toBe(61);
    // code of reductions leaves activations valid; everything else concerns them
    const code = { activate: 'code 1', reduce: 'new', inspect: 'code 3' };
    expect(await compare(inputs('', { code }), ...activations)).toBe(21);
    expect(await compare(inputs('', { code }), 'merge', 'correlate')).toBe(0);
    for (const other of [
      inputs('', { code: { activate: 'new', reduce: 'code 2', inspect: 'code 3' } }),
      inputs('', { provider: { name: 'isolate', version: 'onnxruntime-web 1.31.0' } }),
      inputs('', { models: [inspection('b'), inspection('a')] }),
      inputs('', { data: { ...inputs().data, sha256: 'e'.repeat(64) } }),
      inputs('positions: { sample: 3 }'),
      inputs('shard: { batch: 7 }'),
    ]) {
      expect(await compare(other, ...plan.tasks.map((task) => task.kind))).toBe(0);
    }
  });

  it('keeps full tasks and the pilot when rows are raised', async () => {
    const [less, more] = await Promise.all([
      makePlan(inputs('shard: { rows: 50 }', { dataRows: 2000 })),
      makePlan(inputs('shard: { rows: 50 }', { dataRows: 5000 })),
    ]);
    expect(shared(keysOf(less, 'pilot', 'activate'), keysOf(more, 'pilot', 'activate'))).toBe(41);
  });

  it('switches stages off', async () => {
    const { tasks } = await makePlan(inputs('match: false\npredict: false\ncluster: false'));
    expect([...new Set(tasks.map((task) => task.kind))]).toEqual(['pilot', 'activate', 'merge', 'correlate']);
  });

  it('samples positions once, rising, the same in every layer’s networks; few positions are all used', async () => {
    const { layers } = await makePlan(inputs('positions: { sample: 5 }'));
    const [early, late] = layers;
    expect(early!.sampled).toEqual([...new Set(early!.sampled)].sort((a, b) => a - b));
    expect(early).toMatchObject({ positions: 5 });
    expect(Math.max(...early!.sampled!)).toBeLessThan(64);
    expect(late).toMatchObject({ positions: 1, sampled: null });
  });
});

describe('makePlan refuses', () => {
  it('more rows than there are, at the key that asks for them', async () => {
    const { definition, where } = parseDefinition(definitionText().replace('x.npy', 'x.npy, rows: 3001'), 't.yaml');
    await expect(makePlan(inputs('', { definition, where }))).rejects.toMatchObject({
      code: 'data-mismatch',
      place: { line: 4, key: 'probe.rows' },
    });
  });

  it('one row with a holdout', async () => {
    await expect(makePlan(inputs('', { dataRows: 1 }))).rejects.toThrow('at least 2 rows');
    expect((await makePlan(inputs('predict: { holdout: 0 }', { dataRows: 1 }))).groups).toEqual({
      count: 1,
      blockRows: 1,
    });
  });

  it('networks whose taps have different positions, naming both', async () => {
    const other = inspection('b');
    other.taps[0]!.shape = [2, 4, 4, 4];
    await expect(makePlan(inputs('', { models: [inspection('a'), other] }))).rejects.toThrow(
      /positions-differ.*a has 8 × 8, b has 4 × 4/,
    );
  });

  it('a task that cannot fit, with projected, allowed and reserved amounts', async () => {
    const heavy = inspection('a', { weightsBytes: 90 * MIB, sizeBytes: 90 * MIB });
    await expect(makePlan(inputs('', { models: [heavy, inspection('b')] }))).rejects.toThrow(
      /plan-too-large.*projected \d+ MiB, allowed 128 MiB of which \d+ MiB are reserved/,
    );
  });

  it('layers whose reductions cannot fit', async () => {
    const wide = [inspection('a'), inspection('b')].map((model) => ({
      ...model,
      taps: [model.taps[0]!, { ...model.taps[1]!, shape: [2, 800] }],
    }));
    await expect(makePlan(inputs('', { models: wide }))).rejects.toThrow(
      /plan-too-large.*reductions of layer late.*projected \d+ MiB/,
    );
  });

  it('no batch that is too large: it takes a smaller one', async () => {
    const hungry = inspection('a', { peakActivationBytes: 5 * MIB });
    const { batch, memory } = await makePlan(inputs('', { models: [hungry, inspection('b')] }));
    expect(batch).toBeGreaterThan(1);
    expect(batch).toBeLessThan(25);
    expect(memory.projectedBytes + memory.reservedBytes).toBeLessThanOrEqual(memory.allowedBytes);
    // float32 products hold at most 65,536 samples
    const wide = [inspection('a'), inspection('b')].map((model) => ({
      ...model,
      taps: [{ ...model.taps[0]!, shape: [2, 4, 200, 200] }, model.taps[1]!],
    }));
    expect((await makePlan(inputs('', { models: wide }))).batch).toBe(1);
  });
});
