/**
 * The shipped pipeline, all 10,000 images, against the float64 reference (PyTorch activations, numpy,
 * scipy, scikit-learn; test/reference/fashion_mnist.py). One run of each provider, read from its output folder.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNpy } from '../../src/numeric/npy.ts';
import { PIPELINES, PROVIDERS, runJson, temporaryFolder } from './command.ts';
import type { RunAnswer } from './command.ts';
import { readGolden } from './golden.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const golden = readGolden('fashion-mnist.npz');
const LAYERS = ['conv1', 'conv2', 'conv3', 'conv4', 'fc'];
const PREDICTED = ['conv1', 'conv2', 'conv3', 'fc'];

interface Results {
  pairs: {
    layers: {
      layer: string;
      match: { mean_r: number };
      predict: { a_to_b: Figures[]; b_to_a: Figures[] };
      samples: number;
      dead_a: number[];
      dead_b: number[];
    }[];
  }[];
}
interface Figures {
  alpha: number;
  r2_fit: number;
  r2_held_out: number;
  max_kkt: number;
}

const largestGap = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe.each(PROVIDERS)('$provider', ({ provider, compute }) => {
  const out = join(folder.path, `out-${provider}`);
  let results: Results;

  const file = (layer: string, name: string): Float64Array =>
    Float64Array.from(readNpy(new Uint8Array(readFileSync(join(out, 'seed1-seed2', layer, name)))).data);
  const layerResult = (name: string): Results['pairs'][0]['layers'][0] =>
    results.pairs[0]!.layers.find((entry) => entry.layer === name)!;

  beforeAll(async () => {
    await runJson<RunAnswer>([
      'run',
      join(PIPELINES, 'fashion-mnist.yaml'),
      '--state',
      join(folder.path, `state-${provider}`),
      '--out',
      out,
      ...compute,
    ]);
    results = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Results;
  });

  describe.each(LAYERS)('%s', (layer) => {
    it.each(['between', 'within_a', 'within_b'])('%s: |Δr| ≤ 1e-5', (name) => {
      const [ours, reference] = [file(layer, `${name}.npy`), golden(`${layer}_${name}`)];
      expect(ours.length).toBe(reference.length);
      expect(largestGap(ours, reference)).toBeLessThanOrEqual(1e-5);
    });

    it.each(['a', 'b'])(
      'means and standard deviations of %s: within 1e-5 of std for live units, dead ones the same',
      (net) => {
        const [mean, std] = [file(layer, `mean_${net}.npy`), file(layer, `std_${net}.npy`)];
        const [goldenMean, goldenStd] = [golden(`${layer}_mean_${net}`), golden(`${layer}_std_${net}`)];
        const dead = [...goldenStd.keys()].filter((unit) => goldenStd[unit] === 0);
        expect([...std.keys()].filter((unit) => std[unit] === 0)).toEqual(dead);
        expect(net === 'a' ? layerResult(layer).dead_a : layerResult(layer).dead_b).toEqual(dead);
        const excess = [...goldenStd.keys()].map(
          (unit) =>
            Math.max(Math.abs(mean[unit]! - goldenMean[unit]!), Math.abs(std[unit]! - goldenStd[unit]!)) -
            1e-5 * goldenStd[unit]!,
        );
        expect(Math.max(...excess.filter((_, unit) => goldenStd[unit]! > 0))).toBeLessThanOrEqual(0);
      },
    );

    it('matching: the objective is scipy’s on the reference matrix, as far as the matrices agree', () => {
      const pairs = Math.min(file(layer, 'mean_a.npy').length, file(layer, 'mean_b.npy').length);
      expect(
        Math.abs(layerResult(layer).match.mean_r * pairs - golden(`${layer}_matching_objective`)[0]!),
      ).toBeLessThanOrEqual(1e-5 * pairs);
    });

    it('predictions are proved: max_kkt ≤ 1e-8 at every alpha, both directions', () => {
      const { a_to_b, b_to_a } = layerResult(layer).predict;
      expect(a_to_b.length).toBe(5);
      for (const { max_kkt } of [...a_to_b, ...b_to_a]) expect(max_kkt).toBeLessThanOrEqual(1e-8);
    });
  });

  describe.each(PREDICTED)('%s, sparse prediction seed1 → seed2', (layer) => {
    it('R², fitted and held out, is scikit-learn’s within 1e-5', () => {
      const alphas = [...golden('alphas')];
      for (const { alpha, r2_fit, r2_held_out } of layerResult(layer).predict.a_to_b) {
        const at = alphas.indexOf(alpha);
        expect(Math.abs(r2_fit - golden(`${layer}_predict_r2_fit`)[at]!)).toBeLessThanOrEqual(1e-5);
        expect(Math.abs(r2_held_out - golden(`${layer}_predict_r2_held_out`)[at]!)).toBeLessThanOrEqual(1e-5);
      }
    });
  });
});
