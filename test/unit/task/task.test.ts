/**
 * Whole plans in this process, with inputs that refuse whatever a task did not declare: what a provider sends ahead of
 * a task is all that it gets.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { unitsInSet } from '../../../src/accumulate/accumulate.ts';
import { formOf } from '../../../src/accumulate/partial.ts';
import { SampleMemory } from '../../../src/accumulate/sampleMemory.ts';
import { parseDefinition } from '../../../src/definition/definition.ts';
import { inspectModel } from '../../../src/inspect/inspect.ts';
import { hashOf, sha256Hex } from '../../../src/numeric/hash.ts';
import { readNpz, writeNpz } from '../../../src/numeric/npz.ts';
import type { NpzMembers } from '../../../src/numeric/npz.ts';
import { bufferSource } from '../../../src/numeric/range.ts';
import type { OnnxRuntime } from '../../../src/onnx/session.ts';
import { makePlan } from '../../../src/plan/plan.ts';
import type { Plan, Task } from '../../../src/plan/plan.ts';
import { countsFrom, statsFrom } from '../../../src/reduce/objects.ts';
import { LassoMemory } from '../../../src/reduce/predict/lassoMemory.ts';
import { TaskRunner, taskNeeds } from '../../../src/task/task.ts';
import { sampleKernel } from '../accumulate/kernel.ts';
import { rowKernel } from '../numeric/kernel.ts';
import { twoPass } from '../accumulate/sums.ts';
import { fixture, noise, runModel, wasmRuntime } from '../onnx/fixtures.ts';
import { inputs } from '../plan/inputs.ts';
import { tapModel } from '../../../src/onnx/tap.ts';
import { parseModel } from '../../../src/onnx/model.ts';

const ROWS = 130;
const data = noise([ROWS, 3, 8, 8], 5).data;
/** `conv_outside` keeps the weights that its taps need in copies of `conv`. */
const FILES: Record<string, Uint8Array> = {};
const conv = new Uint8Array(readFileSync(join(import.meta.dirname, '../../reference/models/conv.onnx')));
let external: Parameters<typeof makePlan>[0]['externalData'][0];

beforeAll(async () => {
  for (const name of ['conv', 'conv_outside']) FILES[await sha256Hex(fixture(name))] = fixture(name);
  external = await Promise.all(
    ['conv.onnx', 'head/conv.onnx'].map(async (location) => ({
      location,
      sha256: await sha256Hex(conv),
      chunksSha256: '',
      sizeBytes: conv.length,
    })),
  );
});

async function planOf(names: readonly string[], more: string): Promise<Plan> {
  const networks = names.map((name, at) => `n${at}: { model: ${name}.onnx, scale: ${at + 1} }`);
  const text = `name: t
networks: { ${networks.join(', ')} }
layers: { wide: /conv1/relu_out, late: /conv2/relu_out, fc: /fc_out }
probe: { data: x.npy }
${more.includes('cluster') ? '' : 'cluster: { k: 3, threshold: 0.05 }'}
${more}`;
  const parsed = parseDefinition(text, 't.yaml');
  const runtime = await wasmRuntime();
  const options = {
    taps: ['/conv1/relu_out', '/conv2/relu_out', '/fc_out'],
    external: () => Promise.resolve(bufferSource(conv)),
  };
  const models = [];
  for (const name of names) models.push(await inspectModel(fixture(name), runtime, options));
  return makePlan({
    ...inputs(),
    ...parsed,
    models,
    externalData: models.map((model) => external.filter(({ location }) => model.externalData.includes(location))),
    data: { ...inputs().data, dtype: 'float32', rowShape: [3, 8, 8] },
    dataRows: ROWS,
  });
}

/** The same plan with a task for each block of correlations. */
function blockByBlock(plan: Plan): Plan {
  const tasks: Task[] = [];
  const places: number[][] = [];
  for (const task of plan.tasks) {
    const needs = task.needs.flatMap((need) => places[need]!);
    if (task.kind !== 'correlate') {
      // readers need only the tasks that make their blocks
      places.push([tasks.push({ ...task, needs }) - 1]);
      continue;
    }
    places.push(
      task.blocks.map((block) => tasks.push({ ...task, id: `${task.id} ${block.join()}`, needs, blocks: [block] }) - 1),
    );
  }
  return { ...plan, tasks };
}

/** A runner with the same memories for all tasks, as in an isolate. */
async function runnerOn(runtime: OnnxRuntime): Promise<TaskRunner> {
  const samples = new SampleMemory(await sampleKernel());
  const lasso = new LassoMemory(await rowKernel());
  return new TaskRunner(
    runtime,
    () => samples,
    () => lasso,
  );
}

/** Runs every task of a plan; each sees the files, rows, objects and members that it declared, and nothing else. */
async function runPlan(plan: Plan): Promise<NpzMembers[]> {
  const runner = await runnerOn(await wasmRuntime());
  const planHash = await hashOf(plan);
  const objects: NpzMembers[] = [];
  for (const task of plan.tasks) {
    const needs = taskNeeds(plan, task);
    const refuse = (what: string): never => expect.fail(`${task.id} asked for ${what}, which it did not declare`);
    const members = await runner.run(planHash, plan, task, {
      file: (sha256) =>
        Promise.resolve(bufferSource(needs.files.includes(sha256) ? FILES[sha256]! : refuse(`the file ${sha256}`))),
      rows: async ([start, end]) => {
        if (!needs.rows.some(([from, to]) => from <= start && end <= to)) refuse(`rows ${start} to ${end}`);
        return new Uint8Array(data.slice(start * 192, end * 192).buffer);
      },
      object: async (index) => {
        const declared = needs.objects.find((need) => need.task === index) ?? refuse(`the object of task ${index}`);
        const own = Object.entries(objects[index]!);
        const kept = own.filter(([name]) => declared.members === null || declared.members.includes(name));
        if (declared.members) {
          const there = own.map(([name]) => name);
          expect(there, `${task.id} of ${plan.tasks[index]!.id}`).toEqual(expect.arrayContaining(declared.members));
        }
        return bufferSource(await writeNpz(Object.fromEntries(kept)));
      },
    });
    objects.push(members);
  }
  return objects;
}

const indexOf = (plan: Plan, id: string): number => plan.tasks.findIndex((task) => task.id === id);

// [samples][units] of a tap, row by row, in the runtime itself
async function samplesOf(tap: string, unitAxis: number, scale: number): Promise<number[][]> {
  const model = tapModel(parseModel(fixture('conv')), [tap]);
  const feed = { data: data.map((value) => value / scale), dims: [ROWS, 3, 8, 8] };
  const { data: values, dims } = (await runModel(model, { x: feed }, { outputs: [tap] }))[tap]!;
  const inner = dims.slice(unitAxis + 1).reduce((product, size) => product * size, 1);
  const units = dims[unitAxis]!;
  return Array.from({ length: values.length / units }, (_, s) =>
    Array.from({ length: units }, (__, u) => values[(Math.floor(s / inner) * units + u) * inner + (s % inner)]!),
  );
}

const CASES: [name: string, networks: string[], more: string][] = [
  ['two networks, a holdout', ['conv', 'conv_outside'], ''],
  ['two networks, a holdout of 0', ['conv', 'conv'], 'predict: { holdout: 0, alphas: [0.1] }'],
  ['three networks, groups of several partials', ['conv', 'conv', 'conv_outside'], 'shard: { rows: 5, batch: 2 }'],
  ['sampled targets and positions', ['conv', 'conv'], 'positions: { sample: 7 }\npredict: { targets: 2 }'],
  ['alignments off', ['conv', 'conv'], 'match: false\npredict: false\ncluster: false'],
];

describe('TaskRunner.run and taskNeeds', () => {
  it.each(CASES)(
    '%s: no task reads what it did not declare, and the correlations are two-pass ones',
    async (...row) => {
      const [, networks, more] = row;
      const plan = await planOf(networks, more);
      const objects = await runPlan(plan);
      for (const [layer, { name, sampled }] of plan.layers.entries()) {
        const tap = plan.layers[layer]!.taps[0]!;
        const all = await Promise.all([1, 2].map((scale) => samplesOf(tap.valueName, tap.unitAxis, scale)));
        const positions = all[0]!.length / ROWS;
        const [x, y] = all.map((samples) => samples.filter((_, s) => !sampled || sampled.includes(s % positions)));
        const members = await readNpz(await writeNpz(objects[indexOf(plan, `correlate-${name}`)]!));
        expect(countsFrom(members)).toMatchObject({ rows: ROWS, samples: x!.length });
        const reference = twoPass(x!, y!);
        const units = tap.units;
        const r = members.r_0_1!.data;
        // float32 activations in another batch size, and float32 products
        for (let i = 0; i < units; i++) {
          for (let j = 0; j < units; j++) {
            expect(Math.abs(Number(r[i * units + j]) - reference.r(i, j))).toBeLessThanOrEqual(1e-5);
          }
          expect(Math.abs(statsFrom(members, 0, units).std[i]! - reference.std[i]!)).toBeLessThanOrEqual(
            1e-5 * reference.std[i]!,
          );
        }
      }
    },
  );

  it('had rows as well as moments to reduce', async () => {
    const plan = await planOf(['conv', 'conv', 'conv_outside'], 'shard: { rows: 5, batch: 2 }');
    // the 12 rows of the first group, of one position or of sixteen, and 18 or 15 units
    expect(formOf(12, unitsInSet(plan, 0, 2))).toBe('rows');
    expect(formOf(12 * 16, unitsInSet(plan, 0, 1))).toBe('moments');
    expect(plan.tasks.some((task) => task.kind === 'merge')).toBe(true);
  });

  it.each(CASES.slice(0, 4))('%s: a task a block gives what one task for all gives', async (_, networks, more) => {
    const plan = await planOf(networks, more);
    const split = blockByBlock(plan);
    const [whole, pieces] = [await runPlan(plan), await runPlan(split)];
    for (const [index, task] of plan.tasks.entries()) {
      if (task.kind === 'correlate') {
        for (const block of task.blocks) {
          const name = `r_${block.join('_')}`;
          const [a, b] = [whole[index]!, pieces[indexOf(split, `${task.id} ${block.join()}`)]!];
          const found = b[name]!.data as Float64Array;
          // rows of fewer networks are multiplied in other tiles
          for (const [at, value] of (a[name]!.data as Float64Array).entries())
            expect(Math.abs(value - found[at]!)).toBeLessThanOrEqual(1e-6);
        }
      } else if (task.kind === 'match') {
        // a network twice: every unit finds itself
        expect(pieces[indexOf(split, task.id)]!.pairs_b).toEqual(whole[index]!.pairs_b);
      }
    }
  });

  it('keeps a network open from task to task of a set, and opens the next set anew', async () => {
    const plan = await planOf(['conv', 'conv'], '');
    let opened = 0;
    const runtime = await wasmRuntime();
    const counting = {
      ...runtime,
      createSession: (...args: Parameters<typeof runtime.createSession>) => {
        opened++;
        return runtime.createSession(...args);
      },
    };
    const runner = await runnerOn(counting);
    const source = {
      file: (sha256: string) => Promise.resolve(bufferSource(FILES[sha256]!)),
      rows: ([start, end]: readonly [number, number]) =>
        Promise.resolve(new Uint8Array(data.slice(start * 192, end * 192).buffer)),
    };
    const none = (): never => expect.fail('a pilot needs no object');
    const pilots: NpzMembers[] = [];
    const object = async (index: number) => bufferSource(await writeNpz(pilots[index]!));
    for (const index of [0, 1]) {
      pilots.push(await runner.run('plan 1', plan, plan.tasks[index]!, { ...source, object: none }));
      expect(opened, 'its own network').toBe(index + 1);
    }
    for (const index of [2, 3, 2]) await runner.run('plan 1', plan, plan.tasks[index]!, { ...source, object });
    // two networks and the product
    expect(opened).toBe(3);
    const again = await runner.run('plan 1', plan, plan.tasks[0]!, { ...source, object: none });
    expect(again).toEqual(pilots[0]);
    await runner.run('plan 1', plan, plan.tasks[3]!, { ...source, object });
    expect(opened, 'a pilot in between').toBe(3);
    await runner.run('plan 2', plan, plan.tasks[2]!, { ...source, object });
    expect(opened).toBe(5);
  });

  it('closes what it opened, once, also where another network does not open', async () => {
    const plan = await planOf(['conv', 'conv_outside'], '');
    const runtime = await wasmRuntime();
    let [opened, closed] = [0, 0];
    const counting = {
      ...runtime,
      createSession: async (...args: Parameters<typeof runtime.createSession>) => {
        const session = await runtime.createSession(...args);
        opened++;
        return {
          ...session,
          run: session.run.bind(session),
          release: () => {
            closed++;
            return session.release();
          },
        };
      },
    };
    const runner = await runnerOn(counting);
    const none = (): never => expect.fail('a pilot needs no object');
    const rows = ([start, end]: readonly [number, number]): Promise<Uint8Array> =>
      Promise.resolve(new Uint8Array(data.slice(start * 192, end * 192).buffer));
    const whole = { rows, object: none, file: (sha256: string) => Promise.resolve(bufferSource(FILES[sha256]!)) };
    const torn = { rows, object: none, file: () => Promise.resolve(bufferSource(new Uint8Array(64).fill(7))) };
    await runner.run('plan 1', plan, plan.tasks[0]!, whole);
    await expect(runner.run('plan 1', plan, plan.tasks[1]!, torn)).rejects.toThrow('(model-invalid)');
    expect([opened, closed]).toEqual([1, 0]);
    await runner.run('plan 1', plan, plan.tasks[1]!, whole);
    expect([opened, closed]).toEqual([2, 0]);
    await runner.run('plan 2', plan, plan.tasks[0]!, whole);
    expect([opened, closed]).toEqual([3, 2]);
  });

  it('a pilot asks for the files of its own network alone', async () => {
    const plan = await planOf(['conv', 'conv_outside'], '');
    const [first, second] = plan.tasks.slice(0, 2).map((task) => taskNeeds(plan, task).files);
    const inside = await sha256Hex(fixture('conv'));
    expect(plan.tasks.slice(0, 2).map(({ kind }) => kind)).toEqual(['pilot', 'pilot']);
    expect(first).toEqual([inside]);
    expect(new Set(second)).toEqual(new Set([await sha256Hex(fixture('conv_outside')), await sha256Hex(conv)]));
    // runPlan refuses what was not declared
    expect(await runPlan({ ...plan, tasks: plan.tasks.slice(0, 2) })).toHaveLength(2);
  });

  it.each([
    ['is damaged', (bytes: Uint8Array) => bytes.with(bytes.length >> 1, bytes[bytes.length >> 1]! ^ 1)],
    ['is cut off', (bytes: Uint8Array) => bytes.slice(0, -40)],
    ['is nothing', () => new Uint8Array(0)],
  ])('refuses an activation and a correlation where the object of a pilot %s', async (_, damage) => {
    const plan = await planOf(['conv', 'conv_outside'], '');
    const objects = await runPlan(plan);
    const second = plan.tasks.findIndex((task) => task.kind === 'pilot' && task.network === 1);
    const runner = await runnerOn(await wasmRuntime());
    for (const kind of ['activate', 'correlate']) {
      const task = plan.tasks.find((each) => each.kind === kind)!;
      const ran = runner.run('plan', plan, task, {
        file: (sha256) => Promise.resolve(bufferSource(FILES[sha256]!)),
        rows: () => expect.fail('refused before any row is read'),
        object: async (index) => {
          const bytes = await writeNpz(objects[index]!);
          return bufferSource(index === second ? damage(bytes) : bytes);
        },
      });
      await expect(ran, kind).rejects.toMatchObject({ code: 'object-damaged' });
    }
  });

  it('never adds what another pilot’s means were subtracted from', async () => {
    const plan = await planOf(['conv', 'conv'], '');
    const objects = await runPlan(plan);
    const other = plan.tasks.findIndex((task) => task.kind === 'activate');
    objects[other] = { ...objects[other]!, means_sha256: { data: new Uint8Array(32), shape: [32] } };
    const runner = await runnerOn(await wasmRuntime());
    const none = (): never => expect.fail('a reduction needs no files and rows');
    const correlate = plan.tasks.find((task) => task.kind === 'correlate')!;
    await expect(
      runner.run('', plan, correlate, {
        file: none,
        rows: none,
        object: async (index) => bufferSource(await writeNpz(objects[index]!)),
      }),
    ).rejects.toThrow('(means-differ)');
  });
});
