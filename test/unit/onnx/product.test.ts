import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { nativeLoads } from '../../nativeLoads.ts';
import { openProduct } from '../../../src/onnx/product.ts';
import { noise, wasmRuntime } from './fixtures.ts';

const ROOT = join(import.meta.dirname, '../../..');
// below node_modules, so that the bundle finds onnxruntime-node
const folder = join(ROOT, 'node_modules/.cache/convergent-tests', `product-${process.pid}`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** m × k times n × k; long and short inner dimensions, single rows, sizes around a tile. */
const SIZES: [m: number, n: number, k: number][] = [
  [1, 1, 1],
  [1, 7, 3],
  [5, 1, 1000],
  [4, 4, 1],
  [96, 131, 50],
  [97, 33, 1024],
  [3, 2, 65_536],
];

/**
 * Expects `found` to be A Bᵀ: within k · 2⁻²⁴ · Σ|a b| of the float64 sum, which a float32 dot product is in any order
 * (Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1).
 */
function expectProduct(found: Float32Array, a: Float32Array, b: Float32Array, k: number): void {
  const [m, n] = [a.length / k, b.length / k];
  expect(found.length).toBe(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let [sum, size] = [0, 0];
      for (let s = 0; s < k; s++) {
        const term = a[i * k + s]! * b[j * k + s]!;
        sum += term;
        size += Math.abs(term);
      }
      const gap = Math.abs(found[i * n + j]! - sum);
      if (!(gap <= (k + 1) * 2 ** -24 * size))
        expect.fail(`at [${i}, ${j}]: expected ${sum}; found ${found[i * n + j]}`);
    }
  }
}
const operands = (m: number, n: number, k: number): [a: Float32Array, b: Float32Array] => [
  noise([m, k], 3).data,
  noise([n, k], 8).data,
];

describe('openProduct(runtime)', () => {
  it('gives A Bᵀ in onnxruntime-web, and leaves its operands as they are', async () => {
    const product = await openProduct(await wasmRuntime());
    for (const [m, n, k] of SIZES) {
      const [a, b] = operands(m, n, k);
      const before = [a.slice(), b.slice()];
      expectProduct(await product.timesTransposed(a, b, k), a, b, k);
      expect([a, b].every((operand, at) => operand.every((value, i) => value === before[at]![i]))).toBe(true);
      // part of an array, as the moments are made
      const whole = new Float32Array(a.length + 2).fill(9);
      whole.set(a, 1);
      expectProduct(await product.timesTransposed(whole.subarray(1, 1 + a.length), b, k), a, b, k);
    }
    await product.release();
  });

  it('gives a result that the next product leaves alone', async () => {
    const product = await openProduct(await wasmRuntime());
    const [a, b] = operands(3, 4, 5);
    const first = await product.timesTransposed(a, b, 5);
    const kept = first.slice();
    await product.timesTransposed(b, b, 5);
    expect(first).toEqual(kept);
    await product.release();
  });

  it('gives A Bᵀ in onnxruntime-node, in a process of its own', async ({ skip }) => {
    if ((await nativeLoads()) === null) skip('onnxruntime-node does not load on this machine');
    const script = join(folder, 'child.mjs');
    await build({
      stdin: {
        contents: `
          import { loadNativeRuntime } from './src/compute/native.ts';
          import { openProduct } from './src/onnx/product.ts';
          process.once('message', async (jobs) => {
            const product = await openProduct(await loadNativeRuntime());
            const made = [];
            for (const { a, b, k } of jobs) made.push(await product.timesTransposed(a, b, k));
            process.send(made, () => process.exit(0));
          });`,
        resolveDir: ROOT,
        loader: 'ts',
      },
      outfile: script,
      bundle: true,
      format: 'esm',
      platform: 'node',
      packages: 'external',
      logLevel: 'warning',
    });
    const child = fork(script, [], { serialization: 'advanced' });
    const jobs = SIZES.map(([m, n, k]) => {
      const [a, b] = operands(m, n, k);
      return { a, b, k };
    });
    child.send(jobs);
    const [made] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [Float32Array[]];
    expect(made).toHaveLength(SIZES.length);
    for (const [at, { a, b, k }] of jobs.entries()) expectProduct(made[at]!, a, b, k);
    await once(child, 'exit');
  });
});
