import { expect, test } from 'vitest';
import { inspectModel } from '../../../src/inspect/inspect.ts';
import { FLOAT32, INPUT, modelFrom, nodeField, OUTPUT, valueField } from '../../../src/onnx/build.ts';
import { wasmRuntime } from '../onnx/fixtures.ts';

// a file of its own: the heap of wasm never shrinks
test('measuring holds no value longer than the network itself needs it', async () => {
  const depth = 40;
  const model = modelFrom(13, 8, 'chain', [
    ...Array.from({ length: depth }, (_, i) => nodeField('Neg', [`h${i}`], `h${i + 1}`)),
    valueField(INPUT, 'h0', FLOAT32, ['batch', 2 ** 20]),
    valueField(OUTPUT, `h${depth}`),
  ]);
  const runtime = await wasmRuntime();
  const before = runtime.heapBytes();
  const { taps } = await inspectModel(model, runtime, { taps: [`h${depth}`] });
  expect(taps[0]!.shape).toEqual([2, 2 ** 20]);
  // a value of 3 rows takes 12 MiB, all 40 would take 480; the runtime grows its heap in large steps
  expect(runtime.heapBytes() - before).toBeLessThan(160 * 2 ** 20);
});
