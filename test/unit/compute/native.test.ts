import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadNativeRuntime } from '../../../src/compute/native.ts';
import { loadWasmRuntime } from '../../../src/onnx/wasm.ts';
import { nativeLoads } from '../../nativeLoads.ts';
import { failure } from './fixtures.ts';

const require = createRequire(import.meta.url);
const { version } = require('onnxruntime-node/package.json') as { version: string };
const model = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(join(import.meta.dirname, `../../reference/models/${name}.onnx`)));

test('nativeLoads() says the version that loads', async () => {
  expect(await nativeLoads()).toBe(`onnxruntime-node ${version}`);
});

describe('the native runtime', () => {
  test('names its package and version', async () => {
    expect((await loadNativeRuntime()).version).toBe(`onnxruntime-node ${version}`);
  });

  test('computes what the wasm runtime computes', async () => {
    const folder = dirname(require.resolve('onnxruntime-web'));
    const wasm = await loadWasmRuntime(new Uint8Array(readFileSync(join(folder, 'ort-wasm-simd-threaded.wasm'))));
    const data = Float32Array.from({ length: 2 * 3 * 8 * 8 }, (_, i) => Math.sin(i));
    const outputs = await Promise.all(
      [await loadNativeRuntime(), wasm].map(async (runtime) => {
        const session = await runtime.createSession(model('conv'));
        const [output] = Object.values(await session.run({ x: { data, dims: [2, 3, 8, 8] } }));
        await session.release();
        return output!;
      }),
    );
    const [native, reference] = outputs as [(typeof outputs)[0], (typeof outputs)[0]];
    expect(native.dims).toEqual(reference.dims);
    // float32 sums of 27 products in another order
    const scale = Math.max(...reference.data.map(Math.abs));
    for (const [i, value] of native.data.entries())
      expect(Math.abs(value - reference.data[i]!)).toBeLessThan(1e-5 * scale);
  });

  test('refuses a damaged model as the other runtime does', async () => {
    const runtime = await loadNativeRuntime();
    const error = await failure('model-invalid', () => runtime.createSession(new Uint8Array(64).fill(7)));
    expect(error.message).toMatch(/protobuf/i);
  });

  test('refuses what does not fit the model', async () => {
    const session = await (await loadNativeRuntime()).createSession(model('conv'));
    await failure('data-mismatch', () => session.run({ x: { data: new Float32Array(6), dims: [2, 3] } }));
  });
});
