import { describe, expect, test } from 'vitest';
import { fixture, failure, noise, wasmRuntime } from './fixtures.ts';
import { tapModel } from '../../../src/onnx/tap.ts';
import { parseModel } from '../../../src/onnx/model.ts';

describe('createSession(model) and run(feeds, outputs)', () => {
  test('give plain float32 tensors by name', async () => {
    const session = await (await wasmRuntime()).createSession(fixture('unnamed'));
    expect([session.inputNames, session.outputNames]).toEqual([['x'], ['y']]);
    const { y } = await session.run({ x: { data: Float32Array.of(1, -2, 3, 0.5, 0, -1), dims: [2, 3] } });
    expect(y).toEqual({ data: Float32Array.of(-1, -0, -3, -0.5, -0, -0), dims: [2, 3] });
    await session.release();
  });

  test('run sessions one after another on the same runtime, which never gives memory back', async () => {
    const runtime = await wasmRuntime();
    const session = await runtime.createSession(fixture('conv'));
    const before = runtime.heapBytes();
    await session.release();
    expect(before).toBeGreaterThanOrEqual(2 ** 24);
    expect(runtime.heapBytes()).toBe(before);
    const again = await runtime.createSession(fixture('conv'));
    expect((await again.run({ x: noise([1, 3, 8, 8]) })).y!.dims).toEqual([1, 6]);
    await again.release();
  });

  test('fetch only the outputs asked for, and know the type of all of them', async () => {
    const values = tapModel(parseModel(fixture('odd_values')), ['shape', 'left', 'half']);
    const session = await (await wasmRuntime()).createSession(values);
    expect(session.outputTypes).toEqual({ shape: 'int64', left: 'float32', half: 'float16' });
    expect(Object.keys(await session.run({ x: noise([2, 4]) }, ['left']))).toEqual(['left']);
    const error = await failure('tap-unsupported', () => session.run({ x: noise([2, 4]) }));
    expect(error.message).toMatch(/shape.*float32.*int64/);
    await session.release();
  });

  test('call a sequence no tensor', async () => {
    const session = await (
      await wasmRuntime()
    ).createSession(tapModel(parseModel(fixture('sequence')), ['parts', 'y']));
    expect(session.outputTypes).toEqual({ parts: 'not a tensor', y: 'float32' });
    await failure('tap-unsupported', () => session.run({ x: noise([2, 3]) }));
    await session.release();
  });
});

describe('faults of the runtime', () => {
  test('become model-invalid with its text when the model is damaged', async () => {
    const runtime = await wasmRuntime();
    const error = await failure('model-invalid', () => runtime.createSession(new Uint8Array(64).fill(7)));
    expect(error.message).toMatch(/protobuf/);
  });

  test('become model-unsupported when it lacks an operator', async () => {
    const model = fixture('unnamed');
    const text = Buffer.from(model).indexOf('Relu');
    model.set(Buffer.from('Rule'), text);
    const runtime = await wasmRuntime();
    const error = await failure('model-unsupported', () => runtime.createSession(model));
    expect(error.message).toMatch(/Rule/);
  });

  test('become data-mismatch when the input has another length or rank', async () => {
    const session = await (await wasmRuntime()).createSession(fixture('unnamed'));
    expect((await failure('data-mismatch', () => session.run({ x: noise([2, 4]) }))).message).toMatch(
      /Got: 4 Expected: 3/,
    );
    expect((await failure('data-mismatch', () => session.run({ x: noise([2, 3, 1]) }))).message).toMatch(/rank/);
    await session.release();
  });

  test('become internal otherwise, such as an input that is missing', async () => {
    const session = await (await wasmRuntime()).createSession(fixture('unnamed'));
    await failure('internal', () => session.run({ z: noise([2, 3]) }));
    await session.release();
  });
});
