/**
 * Networks that nobody made for this project: fixed batches, tokens, channels last, free height and width,
 * unequal widths, sampled positions. Whole runs in workerd, against two-pass statistics in float64 of the
 * activations that ONNX Runtime gives row by row in this process.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../src/numeric/npy.ts';
import { parseModel } from '../../src/onnx/model.ts';
import { tapModel } from '../../src/onnx/tap.ts';
import { loadWasmRuntime } from '../../src/onnx/wasm.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { ISOLATE, PROVIDERS, ROOT, run, runJson, temporaryFolder } from './command.ts';
import type { RunAnswer } from './command.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const modelPath = (name: string): string => join(ROOT, 'test/reference/models', `${name}.onnx`);
const wasm = join(ROOT, 'dist/ort-wasm-simd-threaded.wasm');

interface Case {
  name: string;
  /** Models of the two networks, and keys beside `model`. */
  models: [string, string];
  network?: string;
  layers: string;
  /** One row of data. */
  row: number[];
  rows: number;
  more?: string;
  /** Tap and unit axis in each network, and rows a model insists on. */
  taps: [[tensor: string, unitAxis: number], [tensor: string, unitAxis: number]];
  fixed?: number;
}

const CASES: Case[] = [
  {
    name: 'fixed-batch',
    models: ['fixed_batch', 'fixed_batch'],
    layers: 'l: relu',
    row: [3, 6, 6],
    rows: 43,
    taps: [
      ['y', 1],
      ['y', 1],
    ],
    fixed: 4,
  },
  {
    name: 'tokens',
    models: ['tokens', 'tokens'],
    layers: 'l: { a: act, b: out }',
    row: [5, 6],
    rows: 70,
    taps: [
      ['r', 2],
      ['y', 2],
    ],
  },
  {
    name: 'channels-last',
    models: ['nhwc', 'nhwc'],
    network: ', layout: nhwc',
    layers: 'l: { tensor: relu, units: 3 }',
    row: [6, 5, 3],
    rows: 30,
    taps: [
      ['y', 3],
      ['y', 3],
    ],
  },
  {
    name: 'free-size',
    models: ['free_size', 'free_size'],
    layers: 'l: { a: relu, b: conv }',
    row: [3, 7, 9],
    rows: 25,
    more: 'probe_layout: nchw',
    taps: [
      ['r', 1],
      ['c', 1],
    ],
  },
  {
    name: 'small-shards',
    models: ['conv', 'conv'],
    layers: 'l: /conv2/relu',
    row: [3, 8, 8],
    rows: 90,
    more: 'shard: { rows: 3, batch: 2 }',
    taps: [
      ['/conv2/relu_out', 1],
      ['/conv2/relu_out', 1],
    ],
  },
];

const noise = (count: number): Float32Array => {
  let state = 7;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
};

function writePipeline({ name, models, network = '', layers, row, rows, more = '' }: Case): {
  file: string;
  data: Float32Array;
} {
  const data = noise(rows * row.reduce((product, axis) => product * axis, 1));
  writeFileSync(join(folder.path, `${name}.npy`), writeNpy(data, [rows, ...row]));
  const layout = more === 'probe_layout: nchw' ? ', layout: nchw' : '';
  const text = [
    `name: ${name}`,
    `networks: { a: { model: ${modelPath(models[0])}${network} }, b: { model: ${modelPath(models[1])}${network} } }`,
    `layers: { ${layers} }`,
    `probe: { data: ${name}.npy${layout} }`,
    'cluster: { k: 3, threshold: 0.1 }',
    layout === '' ? more : '',
  ].join('\n');
  const file = join(folder.path, `${name}.yaml`);
  writeFileSync(file, text);
  return { file, data };
}

/** Samples [rows × positions] of each unit, row by row; a fixed batch is filled with copies of the row. */
async function samplesOf(
  model: string,
  [tensor, unitAxis]: [string, number],
  row: number[],
  data: Float32Array,
  fixed = 1,
): Promise<number[][]> {
  const runtime = await loadWasmRuntime(new Uint8Array(readFileSync(wasm)));
  const parsed = parseModel(new Uint8Array(readFileSync(modelPath(model))));
  const session = await runtime.createSession(tapModel(parsed, [tensor]), { optimise: false });
  const size = row.reduce((product, axis) => product * axis, 1);
  const units: number[][] = [];
  for (let at = 0; at < data.length; at += size) {
    const feed = new Float32Array(fixed * size);
    for (let copy = 0; copy < fixed; copy++) feed.set(data.subarray(at, at + size), copy * size);
    const { data: values, dims } = (
      await session.run({ [parsed.inputs[0]!.name]: { data: feed, dims: [fixed, ...row] } })
    )[tensor]!;
    const stride = dims.slice(unitAxis + 1).reduce((product, axis) => product * axis, 1);
    for (let k = 0; k < values.length / fixed; k++)
      (units[Math.floor(k / stride) % dims[unitAxis]!] ??= []).push(values[k]!);
  }
  await session.release();
  return units;
}

// 0 where a unit is dead
function pearson(x: number[], y: number[]): number {
  if ([x, y].some((unit) => unit.every((value) => value === unit[0]))) return 0;
  const mean = (values: number[]): number => values.reduce((total, value) => total + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const product = (a: number[], ma: number, b: number[], mb: number): number =>
    a.reduce((total, value, i) => total + (value - ma) * (b[i]! - mb), 0);
  return product(x, mx, y, my) / Math.sqrt(product(x, mx, x, mx) * product(y, my, y, my));
}

describe.each(CASES)('$name', (testCase) => {
  it('correlates as the activations do, row by row', async () => {
    const { file, data } = writePipeline(testCase);
    const out = join(folder.path, `out-${testCase.name}`);
    await runJson<RunAnswer>(['run', file, '--state', join(folder.path, 'state'), '--out', out, ...ISOLATE]);
    const [a, b] = await Promise.all(
      [0, 1].map((n) => samplesOf(testCase.models[n]!, testCase.taps[n]!, testCase.row, data, testCase.fixed)),
    );
    const between = readNpy(new Uint8Array(readFileSync(join(out, 'a-b/l/between.npy'))));
    expect(between.shape).toEqual([a!.length, b!.length]);
    const gaps = a!.flatMap((x, i) => b!.map((y, j) => Math.abs(between.data[i * b!.length + j]! - pearson(x, y))));
    expect(gaps.length).toBeGreaterThan(3);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-5);
  });
});

describe('weights in files beside the model', () => {
  it.each(PROVIDERS)(
    '$provider: are read for the taps that need them, and change nothing',
    async ({ provider, compute }) => {
      // `conv_outside` is `conv` with its weights in files that happen to be copies of it
      for (const name of ['conv_outside.onnx', 'conv.onnx', 'side.bin', 'head/conv.onnx']) {
        mkdirSync(join(folder.path, 'outside/head'), { recursive: true });
        const from = name === 'conv_outside.onnx' ? 'conv_outside' : 'conv';
        copyFileSync(modelPath(from), join(folder.path, 'outside', name));
      }
      const { file } = writePipeline({ ...CASES[4]!, name: `outside-${provider}`, more: '' });
      const text = readFileSync(file, 'utf8').replace(
        `b: { model: ${modelPath('conv')}`,
        `b: { model: ${join(folder.path, 'outside/conv_outside.onnx')}`,
      );
      expect(text).toContain('conv_outside');
      writeFileSync(file, text);
      const out = join(folder.path, `out-outside-${provider}`);
      await runJson<RunAnswer>(['run', file, '--state', join(folder.path, 'state'), '--out', out, ...compute]);
      const [within, between] = ['within_a', 'between'].map((name) =>
        readNpy(new Uint8Array(readFileSync(join(out, `a-b/l/${name}.npy`)))),
      );
      // the same network in other files
      const gaps = [...(within!.data as Float64Array)].map((r, at) => Math.abs(r - Number(between!.data[at])));
      expect(gaps).toHaveLength(25);
      expect(Math.max(...gaps)).toBeLessThanOrEqual(1e-6);
      const plan = await runJson<Plan>(['plan', file, '--state', join(folder.path, 'state'), ...compute]);
      const locations = plan.networks.map(({ externalData }) => externalData.map(({ location }) => location));
      expect(locations).toEqual([[], ['conv.onnx']]);
    },
  );
});

describe('sampled positions', () => {
  it('are the same for all images and networks, and change with the seed', async () => {
    const { file } = writePipeline({ ...CASES[4]!, name: 'sampled', more: 'positions: { sample: 5 }' });
    const plan = await runJson<Plan>(['plan', file, '--state', join(folder.path, 'state'), ...ISOLATE]);
    expect(plan.layers[0]!.sampled).toHaveLength(5);
    const out = join(folder.path, 'out-sampled');
    await runJson<RunAnswer>(['run', file, '--state', join(folder.path, 'state'), '--out', out, ...ISOLATE]);
    // a network against itself: if both read the same positions, every unit correlates with itself
    const { data, shape } = readNpy(new Uint8Array(readFileSync(join(out, 'a-b/l/between.npy'))));
    for (let unit = 0; unit < shape[0]!; unit++) expect(data[unit * shape[0]! + unit]).toBeGreaterThan(1 - 1e-6);
    writeFileSync(file, `${readFileSync(file, 'utf8')}\nseed: 2\n`);
    const other = await runJson<Plan>(['plan', file, '--state', join(folder.path, 'state'), ...ISOLATE]);
    expect(other.layers[0]!.sampled).not.toEqual(plan.layers[0]!.sampled);
  });
});

describe('more rows later', () => {
  it('reuse every full task, from 1,000 rows on', async () => {
    const plans: Plan[] = [];
    for (const rows of [2000, 4000]) {
      const file = join(folder.path, `rows-${rows}.yaml`);
      const text = readFileSync(join(ROOT, 'pipelines/fashion-mnist.yaml'), 'utf8').replaceAll(
        'fashion-mnist/',
        `${ROOT}/pipelines/fashion-mnist/`,
      );
      writeFileSync(
        file,
        text.replace('rows: 10000', `rows: ${rows}`).replace('predict:', 'shard: { rows: 50 }\npredict:'),
      );
      plans.push(await runJson<Plan>(['plan', file, '--state', join(folder.path, 'state'), ...ISOLATE]));
    }
    const keys = (plan: Plan): string[] =>
      plan.tasks.filter((task) => task.kind === 'pilot' || task.kind === 'activate').map((task) => task.key);
    const later = new Set(keys(plans[1]!));
    expect(keys(plans[0]!)).toHaveLength(42);
    expect(keys(plans[0]!).filter((key) => !later.has(key))).toEqual([]);
  });
});

describe('init', () => {
  it('writes a pipeline that validates and runs', async () => {
    const { data } = writePipeline(CASES[4]!);
    expect(data.length).toBeGreaterThan(0);
    const file = join(folder.path, 'made.yaml');
    const made = await runJson<{ layers: string[] }>([
      'init',
      modelPath('conv'),
      modelPath('conv'),
      '--data',
      join(folder.path, 'small-shards.npy'),
      '--out',
      file,
    ]);
    expect(made.layers).toEqual(['/conv1/relu', '/conv2/relu', '/fc']);
    await runJson(['validate', file]);
    const ended = await run([
      'run',
      file,
      '--state',
      join(folder.path, 'state'),
      '--out',
      join(folder.path, 'out-made'),
      ...ISOLATE,
    ]);
    expect(ended.code, ended.stderr).toBe(0);
  });
});
