/**
 * A layer wider than there are images, natively: rows are kept instead of moments, its weights are compressed rows
 * that scipy opens, and its targets are drawn. Against the same networks in float64, two passes.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../src/numeric/npy.ts';
import { constantField, FLOAT32, INPUT, modelFrom, nodeField, OUTPUT, valueField } from '../../src/onnx/build.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { ISOLATE, NATIVE, NATIVE_VERSION, run, runJson, temporaryFolder } from './command.ts';
import type { RunAnswer } from './command.ts';

const UNITS = 2100;
const FEATURES = 12;
const ROWS = 60;
const TARGETS = 8;
const ALPHAS = [0.5, 0.3];
const folder = temporaryFolder();
afterAll(() => folder.remove());
const out = join(folder.path, 'out');

/** Seeded values in (−1, 1). */
function noise(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

interface Network {
  /** [units × features] and [units]. */
  weights: Float32Array;
  bias: Float32Array;
}
// the second has the first's units in another order, each with a little of its own
const NETWORKS: Network[] = [0, 1].map((which) => {
  const weights = noise(UNITS * FEATURES, 1);
  const own = noise(UNITS * FEATURES, 77);
  const turned = weights.map((_, i) => weights[(i + 100 * FEATURES) % weights.length]! + 0.3 * own[i]!);
  return { weights: which === 0 ? weights : turned, bias: noise(UNITS, 5 + which) };
});
const DATA = noise(ROWS * FEATURES, 9);

function modelOf({ weights, bias }: Network): Uint8Array {
  return modelFrom(13, 7, 'wide', [
    constantField('w', [UNITS, FEATURES], weights),
    constantField('b', [UNITS], bias),
    nodeField('Gemm', ['x', 'w', 'b'], 'h', { transB: 1 }),
    nodeField('Relu', ['h'], 'y'),
    valueField(INPUT, 'x', FLOAT32, ['batch', FEATURES]),
    valueField(OUTPUT, 'y', FLOAT32, ['batch', UNITS]),
  ]);
}

/** Units standardised over all rows, [units][rows] float64; null for a unit that is never active. */
function standardised({ weights, bias }: Network): (Float64Array | null)[] {
  return Array.from({ length: UNITS }, (_, unit) => {
    const values = Float64Array.from({ length: ROWS }, (__, row) => {
      let sum = bias[unit]!;
      for (let f = 0; f < FEATURES; f++) sum += weights[unit * FEATURES + f]! * DATA[row * FEATURES + f]!;
      return Math.max(0, sum);
    });
    const mean = values.reduce((sum, value) => sum + value, 0) / ROWS;
    const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / ROWS);
    return std === 0 ? null : values.map((value) => (value - mean) / std);
  });
}

/** Largest |Δr| of a matrix to that of the standardised units; NaN counts. */
function largestGap(name: string, a: (Float64Array | null)[], b: (Float64Array | null)[]): number {
  const { data, shape } = readNpy(new Uint8Array(readFileSync(join(out, 'a-b/l', name))));
  expect(shape).toEqual([UNITS, UNITS]);
  let worst = 0;
  for (const [i, x] of a.entries()) {
    for (const [j, y] of b.entries()) {
      let r = 0;
      if (x && y) {
        for (let row = 0; row < ROWS; row++) r += x[row]! * y[row]!;
        r /= ROWS;
      }
      const gap = Math.abs(Number(data[i * UNITS + j]) - r);
      worst = gap <= worst ? worst : gap;
    }
  }
  return worst;
}

const file = join(folder.path, 'wide.yaml');
const state = join(folder.path, 'state');
beforeAll(() => {
  for (const [at, network] of NETWORKS.entries())
    writeFileSync(join(folder.path, `${'ab'[at]}.onnx`), modelOf(network));
  writeFileSync(join(folder.path, 'x.npy'), writeNpy(DATA, [ROWS, FEATURES]));
  writeFileSync(
    file,
    `name: wide
networks: { a: { model: a.onnx }, b: { model: b.onnx } }
layers: { l: y }
probe: { data: x.npy }
predict: { alphas: [${ALPHAS.join(', ')}], holdout: 0, targets: ${TARGETS} }
cluster: false
`,
  );
});

describe.runIf(NATIVE_VERSION !== null)('a layer of 2,100 units and 60 images', () => {
  beforeAll(async () => {
    await runJson<RunAnswer>(['run', file, '--state', state, '--out', out, ...NATIVE]);
  });

  it('correlates as float64 does', () => {
    const [a, b] = NETWORKS.map(standardised);
    // float32 activations and products
    expect(largestGap('between.npy', a!, b!)).toBeLessThanOrEqual(1e-5);
    expect(largestGap('within_a.npy', a!, a!)).toBeLessThanOrEqual(1e-5);
  });

  it('predicts the targets drawn, and no others', () => {
    for (const suffix of ['', '_b']) {
      const lines = readFileSync(join(out, `a-b/l/prediction_units${suffix}.csv`), 'utf8')
        .trim()
        .split('\n')
        .slice(1);
      expect(lines).toHaveLength(TARGETS * ALPHAS.length);
      const units = new Set(lines.map((line) => Number(line.split(',')[1])));
      expect(units.size).toBe(TARGETS);
      for (const line of lines) expect(line.split(',').at(-1)).toMatch(/^\d+$/);
    }
  });

  it('writes weights that scipy opens, optimal for the correlations beside them', ({ skip }) => {
    const script = `
import json, sys
import scipy.sparse
matrix = scipy.sparse.load_npz(sys.argv[1])
assert matrix.format == 'csr' and matrix.has_sorted_indices, matrix.format
coo = matrix.tocoo()
print(json.dumps([list(matrix.shape), str(matrix.dtype), coo.row.tolist(), coo.col.tolist(), coo.data.tolist()]))`;
    if (spawnSync('python3', ['-c', 'import scipy.sparse']).status !== 0) skip('python3 with scipy is not there');
    const matrixOf = (name: string): Float64Array =>
      readNpy(new Uint8Array(readFileSync(join(out, 'a-b/l', name)))).data as Float64Array;
    const [gram, cross] = [matrixOf('within_a.npy'), matrixOf('between.npy')];
    for (const alpha of ALPHAS) {
      const path = join(out, `a-b/l/weights_${alpha}.npz`);
      const said = spawnSync('python3', ['-c', script, path], { encoding: 'utf8', maxBuffer: 2 ** 28 });
      expect(said.status, said.stderr).toBe(0);
      const [shape, dtype, rows, columns, values] = JSON.parse(said.stdout) as [
        number[],
        string,
        number[],
        number[],
        number[],
      ];
      expect([shape, dtype]).toEqual([[UNITS, UNITS], 'float64']);
      expect(values.length).toBeGreaterThan(0);
      const targets = readFileSync(join(out, 'a-b/l/prediction_units.csv'), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(`${alpha},`))
        .map((line) => line.split(','));
      expect(values.length).toBe(targets.reduce((sum, line) => sum + Number(line[4]), 0));
      for (const [, unit, r2] of targets) {
        const target = Number(unit);
        const weights = new Map(rows.flatMap((row, at) => (row === target ? [[columns[at]!, values[at]!]] : [])));
        let [worst, explained] = [0, 0];
        for (let j = 0; j < UNITS; j++) {
          // g = c − G w; a dead unit has r 0 everywhere, and no weight
          let g = cross[j * UNITS + target]!;
          let fitted = 0;
          for (const [i, w] of weights) fitted += gram[j * UNITS + i]! * w;
          explained += (weights.get(j) ?? 0) * (g + (g - fitted));
          g -= fitted;
          const w = weights.get(j);
          worst = Math.max(worst, w ? Math.abs(g - alpha * Math.sign(w)) : Math.abs(g) - alpha);
        }
        // Karush–Kuhn–Tucker conditions; contract.md, max_kkt
        expect(worst).toBeLessThanOrEqual(1e-8);
        // R² = 2 w·c − wᵀ G w for units of variance 1
        expect(Math.abs(explained - Number(r2))).toBeLessThanOrEqual(1e-8);
      }
    }
  });

  it('keeps rows in tasks and groups alike', async () => {
    const plan = await runJson<Plan>(['plan', file, '--state', state, ...NATIVE]);
    expect(plan.tasks.filter((task) => task.kind === 'activate')).toHaveLength(20);
    const { computed } = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8')) as {
      computed: { kind: string; bytes: number }[];
    };
    // 3 images × 4,200 units × 4 bytes; moments would take 70 MB
    for (const { kind, bytes } of computed) if (kind === 'activate') expect(bytes).toBeLessThan(200_000);
  });
});

describe('the same in the Worker', () => {
  it('is refused with the layer, the amounts and the way out', async () => {
    const ended = await run(['plan', file, '--state', state, ...ISOLATE, '--json']);
    expect(ended.code).toBe(2);
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'plan-too-large' } });
    expect(ended.stderr).toMatch(/layer l [\s\S]*projected \d+ MiB, allowed 128 MiB[\s\S]*compute: native/);
  });
});
