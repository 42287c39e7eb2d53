import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../src/plan/plan.ts';
import type { LayerSummary, OutputFile, WrittenFile } from '../../../src/report/report.ts';
import { reportLayer, reportRun } from '../../../src/report/report.ts';
import { resultsSchema } from '../../../src/report/results.ts';
import type { Results } from '../../../src/report/results.ts';
import { demoDocuments, demoPlan } from './demo.ts';
import type { Demo } from './demo.ts';

const assets = { script: 'void 0;', style: 'body{}' };
const demo: Demo = {
  networks: ['one', 'two', 'three'],
  layers: [
    { name: 'conv', units: [6, 8, 5], positionShape: [4, 4], dead: [[2], [], [0, 4]] },
    { name: 'fc', units: [10, 10, 10] },
  ],
};

interface Run {
  plan: Plan;
  results: Results;
  files: OutputFile[];
  page: string;
  digest: string;
  summaries: LayerSummary[];
}

async function run(options: Demo): Promise<Run> {
  const plan = demoPlan(options);
  const summaries: LayerSummary[] = [];
  const files: OutputFile[] = [];
  for (const pair of plan.pairs.keys()) {
    for (const layer of plan.layers.keys()) {
      const report = await reportLayer(plan, pair, layer, demoDocuments(options, plan, pair, layer));
      files.push(...report.files);
      // the summaries wait in the bucket as JSON
      summaries.push(JSON.parse(JSON.stringify(report.summary)) as LayerSummary);
    }
  }
  const hashed = files.map((file) => {
    const bytes = 'bytes' in file ? file.bytes : JSON.stringify(file.member);
    return { path: file.path, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  const last = await reportRun(plan, '0.1.0', summaries, hashed, assets, null);
  const textOf = (path: string): string =>
    new TextDecoder().decode(last.files.find((file) => file.path === path)?.bytes);
  const results = JSON.parse(textOf('results.json')) as Results;
  return { plan, results, files, summaries, digest: last.digest, page: textOf('report.html') };
}

describe('results.json', () => {
  it('fits its schema and says where the numbers come from', async () => {
    const { results, digest } = await run(demo);
    expect(resultsSchema.parse(results)).toEqual(results);
    expect(results).toMatchObject({
      schema: 'convergent-results/1',
      convergent: '0.1.0',
      inputs: { definition: 'd'.repeat(64), data: 'e'.repeat(64) },
      provider: 'isolate onnxruntime-web 1.30.0',
      groups: 20,
      digest,
    });
    expect(Object.keys(results.inputs.models)).toEqual(['one', 'two', 'three']);
  });

  it('has every pair and layer in the order of the definition', async () => {
    const { results } = await run(demo);
    expect(results.pairs.map(({ a, b }) => `${a}-${b}`)).toEqual(['one-two', 'one-three', 'two-three']);
    for (const pair of results.pairs) expect(pair.layers.map(({ layer }) => layer)).toEqual(['conv', 'fc']);
    expect(results.pairs[1]!.layers[0]).toMatchObject({
      tensor_a: '/conv/relu_out',
      units: [6, 5],
      images: 10_000,
      positions: 16,
      samples: 160_000,
      dead_a: [2],
      dead_b: [0, 4],
      predict: { rows_fit: 8000, rows_held_out: 2000, targets: { a_to_b: 5, b_to_a: 6 } },
    });
  });

  it('has the means of the tables', async () => {
    const { results, files } = await run(demo);
    const rows = (path: string): number[][] => {
      const text = new TextDecoder().decode((files.find((file) => file.path === path) as WrittenFile).bytes);
      const lines = text.trimEnd().split('\n').slice(1);
      return lines.filter((line) => !line.includes(',,')).map((line) => line.split(',').map(Number));
    };
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const column = (path: string, at: number): number[] => rows(path).map((row) => row[at]!);
    const { match, predict } = results.pairs[0]!.layers[0]!;
    expect(match!.mean_r).toBeCloseTo(mean(column('one-two/conv/matching.csv', 2)), 14);
    expect(match!.semi_mean_r_a).toBeCloseTo(mean(column('one-two/conv/semi_matching.csv', 2)), 14);
    expect(match!.semi_mean_r_b).toBeCloseTo(mean(column('one-two/conv/semi_matching_b.csv', 2)), 14);
    const units = rows('one-two/conv/prediction_units.csv').filter((row) => row[0] === 0.03);
    const [, , of003] = predict!.a_to_b;
    expect(of003!.alpha).toBe(0.03);
    expect(of003!.r2_fit).toBeCloseTo(mean(units.map((row) => row[2]!)), 14);
    expect(of003!.r2_held_out).toBeCloseTo(mean(units.map((row) => row[3]!)), 14);
    expect(of003!.mean_nonzero).toBeCloseTo(mean(units.map((row) => row[4]!)), 14);
    expect(predict!.b_to_a).toHaveLength(5);
  });

  it('is null where a stage is off, and where nothing is held out', async () => {
    const off = await run({ ...demo, match: false, predict: false, cluster: false });
    expect(resultsSchema.parse(off.results)).toEqual(off.results);
    expect(off.results.pairs[0]!.layers[0]).toMatchObject({ match: null, predict: null, cluster: null });
    const { results } = await run({ ...demo, predict: { alphas: [0.1], holdout: 0 } });
    expect(results.pairs[0]!.layers[0]!.predict).toMatchObject({ rows_held_out: 0, a_to_b: [{ r2_held_out: null }] });
  });

  it('names each provider that was used, with its version', async () => {
    const plan = demoPlan(demo);
    plan.providers.push({ name: 'native', version: 'onnxruntime-node 1.30.0' });
    const { summaries } = await run(demo);
    const { files } = await reportRun(plan, '0.1.0', summaries, [], assets, null);
    const results = JSON.parse(new TextDecoder().decode(files[0]!.bytes)) as Results;
    expect(results.provider).toBe('isolate onnxruntime-web 1.30.0 + native onnxruntime-node 1.30.0');
  });

  it('tells how many targets were chosen', async () => {
    const plan = demoPlan(demo);
    const documents = demoDocuments(demo, plan, 0, 0);
    documents.aToB!.chosen[4] = 0;
    const { entry } = (await reportLayer(plan, 0, 0, documents)).summary;
    expect(entry.predict!.targets).toEqual({ a_to_b: 7, b_to_a: 6 });
  });

  it('share_equal leaves out dead units, and is null when all are dead', async () => {
    const plan = demoPlan(demo);
    const documents = demoDocuments(demo, plan, 0, 0);
    const { semiA, pairsA, r } = documents.matching!;
    const isEqual = (index: number): boolean => r[index] === semiA.r[pairsA[index]!];
    const live = [...pairsA.keys()].filter((index) => pairsA[index] !== 2);
    const share = live.filter(isEqual).length / live.length;
    expect((await reportLayer(plan, 0, 0, documents)).summary.entry.match!.share_equal).toBe(share);
    const dead = { ...documents, a: { ...documents.a, dead: new Uint8Array(6).fill(1) } };
    expect((await reportLayer(plan, 0, 0, dead)).summary.entry.match!.share_equal).toBeNull();
  });
});

it('the same documents give the same bytes', async () => {
  const [first, second] = await Promise.all([run(demo), run(demo)]);
  expect(first.digest).toBe(second.digest);
  expect(first.page).toBe(second.page);
});

it('a warning about one network is told once, though several pairs find it', async () => {
  const { results } = await run(demo);
  const told = results.warnings.filter((warning) => warning.includes('conv, one: unit 2 is dead'));
  expect(told).toHaveLength(1);
});
