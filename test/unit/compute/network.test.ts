import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { besideModel } from '../../../src/compute/files.ts';
import { loadNativeRuntime } from '../../../src/compute/native.ts';
import { inspectNetwork, type NetworkRequest } from '../../../src/compute/network.ts';
import { fromUnknown } from '../../../src/errors.ts';
import { inspectModel } from '../../../src/inspect/inspect.ts';
import { inspectionKey } from '../../../src/inspect/key.ts';
import type { OnnxRuntime } from '../../../src/onnx/session.ts';
import { loadWasmRuntime } from '../../../src/onnx/wasm.ts';
import { failure, scratchFolder } from './fixtures.ts';

const MODELS = join(import.meta.dirname, '../../reference/models');
const SHIPPED = join(import.meta.dirname, '../../../pipelines/fashion-mnist/seed1.onnx');
const files = [
  SHIPPED,
  ...readdirSync(MODELS)
    .filter((name) => name.endsWith('.onnx'))
    .map((name) => join(MODELS, name)),
];
const { folder, remove } = scratchFolder();
let native: OnnxRuntime;
let wasm: OnnxRuntime;

beforeAll(async () => {
  native = await loadNativeRuntime();
  const path = dirname(createRequire(import.meta.url).resolve('onnxruntime-web'));
  wasm = await loadWasmRuntime(new Uint8Array(readFileSync(join(path, 'ort-wasm-simd-threaded.wasm'))));
});
afterAll(remove);

describe('inspection', () => {
  test.each(files)('is the same in both runtimes: %s', async (path) => {
    const inspect = (runtime: OnnxRuntime) =>
      inspectModel(new Uint8Array(readFileSync(path)), runtime, { external: besideModel(path) }).catch(
        (thrown: unknown) => ({ refused: fromUnknown(thrown).code }),
      );
    expect(await inspect(native)).toEqual(await inspect(wasm));
  });
});

describe('inspectNetwork(request, runtime)', () => {
  const request: NetworkRequest = {
    path: SHIPPED,
    layout: 'nchw',
    rowShape: [28, 28],
    dataLayout: 'nhw',
    taps: ['/conv2/relu'],
    code: 'this',
    keptFolder: join(folder, 'inspect'),
  };

  test('gives the taps on rows of the data, and the hash of the file', async () => {
    const { model, external } = await inspectNetwork(request, native);
    expect(model.sha256).toBe(createHash('sha256').update(readFileSync(SHIPPED)).digest('hex'));
    expect(model.taps.map(({ valueName, shape }) => [valueName, shape])).toEqual([
      ['/conv2/relu_output', [2, 32, 14, 14]],
    ]);
    expect(model.rowShape).toEqual([1, 28, 28]);
    expect(external).toEqual([]);
  });

  test('measures once, until anything that decides it is another', async () => {
    const first = await inspectNetwork(request, native);
    const unused: OnnxRuntime = { ...native, createSession: () => Promise.reject(new Error('measured again')) };
    expect(await inspectNetwork(request, unused)).toEqual(first);
    const { code, taps } = request;
    const identity = { code, runtime: native.version, model: first.model.sha256, external: [], taps };
    expect(readdirSync(request.keptFolder)).toContain(
      `${await inspectionKey({ ...identity, inputShape: [1, 28, 28] })}.json`,
    );
    const others = [{ taps: ['/conv1/relu'] }, { code: 'other' }, { keptFolder: join(folder, 'other') }];
    for (const other of others)
      await expect(inspectNetwork({ ...request, ...other }, unused)).rejects.toThrow('measured again');
  });

  test('hashes the files beside the model that its taps need', async () => {
    const path = join(folder, 'conv_outside.onnx');
    copyFileSync(join(MODELS, 'conv_outside.onnx'), path);
    mkdirSync(join(folder, 'head'));
    for (const name of ['conv.onnx', 'head/conv.onnx', 'side.bin'])
      copyFileSync(join(MODELS, 'conv.onnx'), join(folder, name));
    const outside = {
      ...request,
      path,
      rowShape: [3, 8, 8],
      dataLayout: undefined,
      taps: ['/conv1/relu_out', '/fc_out'],
    };
    const { model, external } = await inspectNetwork(outside, native);
    const sha256 = createHash('sha256')
      .update(readFileSync(join(MODELS, 'conv.onnx')))
      .digest('hex');
    expect(model.externalData).toEqual(['conv.onnx', 'head/conv.onnx']);
    expect(external.map((file) => [file.location, file.path, file.sha256])).toEqual([
      ['conv.onnx', join(folder, 'conv.onnx'), sha256],
      ['head/conv.onnx', join(folder, 'head/conv.onnx'), sha256],
    ]);
  });

  test('refuses a file that is not there', async () => {
    await failure('file-missing', () => inspectNetwork({ ...request, path: join(folder, 'none.onnx') }, native));
  });
});
