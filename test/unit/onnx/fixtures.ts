/** What the tests of the ONNX floor share: the small models, ONNX Runtime, and tensors. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect } from 'vitest';
import { PipelineError, type ErrorCode } from '../../../src/errors.ts';
import { loadWasmRuntime } from '../../../src/onnx/wasm.ts';
import type { FloatTensor, OnnxRuntime } from '../../../src/onnx/session.ts';

const MODELS = join(import.meta.dirname, '../../reference/models');
const PIPELINES = join(import.meta.dirname, '../../../pipelines');
const WASM = createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm');

/** The bytes of test/reference/models/<name>.onnx. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(MODELS, `${name}.onnx`)));
}

/** The bytes of the trained networks pipelines/fashion-mnist/seed<k>.onnx. */
export function trained(seed: number): Uint8Array {
  return new Uint8Array(readFileSync(join(PIPELINES, `fashion-mnist/seed${seed}.onnx`)));
}

export const fixtureNames = readdirSync(MODELS).map((file) => file.replace('.onnx', ''));

export function wasmBytes(): Uint8Array {
  return new Uint8Array(readFileSync(WASM));
}

export function wasmRuntime(): Promise<OnnxRuntime> {
  return loadWasmRuntime(wasmBytes());
}

/** Seeded values in (−1, 1), without any pattern that a wrong axis order would leave in place. */
export function noise(dims: number[], seed = 1): FloatTensor {
  const data = new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  let state = seed >>> 0;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state / 2 ** 31 - 1;
  }
  return { data, dims };
}

/** Runs a model once, with graph optimisation as asked for. */
export async function runModel(
  model: Uint8Array,
  feeds: Record<string, FloatTensor>,
  options: { optimise?: boolean; outputs?: readonly string[] } = {},
): Promise<Record<string, FloatTensor>> {
  const session = await (await wasmRuntime()).createSession(model, { optimise: options.optimise ?? false });
  try {
    return await session.run(feeds, options.outputs ?? session.outputNames);
  } finally {
    await session.release();
  }
}

/** Equal within `relative` of the largest expected magnitude; `reason` says why not exactly. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  relative: number,
  reason: string,
): void {
  expect(actual.length).toBe(expected.length);
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    // a NaN must not pass
    worst = Math.max(worst, Number.isNaN(actual[i]!) ? Infinity : Math.abs(actual[i]! - expected[i]!));
  }
  expect(worst, reason).toBeLessThanOrEqual(relative * largest);
}

/** The PipelineError that `act` throws, which must have this code. */
export async function failure(code: ErrorCode, act: () => unknown): Promise<PipelineError> {
  try {
    await act();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(PipelineError);
    expect((thrown as PipelineError).code, String(thrown)).toBe(code);
    return thrown as PipelineError;
  }
  return expect.unreachable(`expected ${code}`);
}
