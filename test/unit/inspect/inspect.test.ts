import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { inspectModel, type InspectOptions } from '../../../src/inspect/inspect.ts';
import { failure, fixture, trained, wasmRuntime } from '../onnx/fixtures.ts';

const inspect = async (name: string, options?: InspectOptions) =>
  inspectModel(fixture(name), await wasmRuntime(), options);

const shapes = (taps: readonly { valueName: string; shape: number[] }[]) =>
  Object.fromEntries(taps.map((tap) => [tap.valueName, tap.shape]));

describe('inspectModel(bytes, runtime, { taps })', () => {
  test('measures the taps on two rows and tells what the file is', async () => {
    const inspection = await inspect('conv', { taps: ['/conv1/relu', '/fc_out', '/conv1/relu_out'] });
    expect(inspection).toEqual({
      sha256: createHash('sha256').update(fixture('conv')).digest('hex'),
      sizeBytes: fixture('conv').length,
      opset: 13,
      producer: 'convergent-tests 1',
      input: { name: 'x', dims: ['batch', 3, 8, 8], batch: null },
      rowShape: [3, 8, 8],
      rows: 2,
      externalData: [],
      // all but the side branch and its scale
      weightsBytes: 4 * (4 * 3 * 9 + 4 + 5 * 4 * 9 + 5 + 6 * 80 + 6 + 1),
      parts: expect.any(Array),
      peakActivationBytes: expect.any(Number),
      workspaceBytes: 4 * (3 * 9) * (8 * 8),
      taps: [
        // the file notes [1, 4, 8, 8]
        {
          asked: '/conv1/relu',
          valueName: '/conv1/relu_out',
          nodeName: '/conv1/relu',
          op: 'Relu',
          shape: [2, 4, 8, 8],
        },
        { asked: '/fc_out', valueName: '/fc_out', nodeName: '/fc', op: 'Gemm', shape: [2, 6] },
        {
          asked: '/conv1/relu_out',
          valueName: '/conv1/relu_out',
          nodeName: '/conv1/relu',
          op: 'Relu',
          shape: [2, 4, 8, 8],
        },
      ],
      leftOut: [],
    });
    expect(JSON.parse(JSON.stringify(inspection))).toEqual(inspection);
  });

  test('counts the weights and values of the network cut down to its taps', async () => {
    const input = 3 * 8 * 8;
    const map = 4 * 8 * 8;
    const shallow = await inspect('conv', { taps: ['/conv1/relu'] });
    expect(shallow.weightsBytes).toBe(4 * (4 * 3 * 9 + 4));
    expect(shallow.peakActivationBytes).toBe(4 * (input + map + map));
    // q dies with the node that reads it, unless it is a tap itself
    const [x, value] = [30, 35];
    expect((await inspect('tokens', { taps: ['act'] })).peakActivationBytes).toBe(4 * (x + 2 * value));
    expect((await inspect('tokens', { taps: ['q', 'act'] })).peakActivationBytes).toBe(4 * (x + 3 * value));
    expect((await inspect('sparse', { taps: ['y'] })).weightsBytes).toBe(2 * 4 + 2 * 8 + 12);
  });

  test('measures b rows where the batch is fixed at b', async () => {
    const inspection = await inspect('fixed_batch', { taps: ['relu'] });
    expect(inspection).toMatchObject({
      rows: 4,
      rowShape: [3, 6, 6],
      input: { batch: 4 },
      taps: [{ shape: [4, 2, 4, 4] }],
    });
    expect(inspection.peakActivationBytes).toBe(4 * (3 * 36 + 2 * 16 + 2 * 16));
  });

  test.each<[string, string, number[]]>([
    ['tokens', 'act', [2, 5, 7]],
    ['nhwc', 'relu', [2, 5, 4, 4]],
    ['unnamed', 'r', [2, 3]],
    ['name_clash', 'same', [2, 3]],
    ['bodies', 'choose', [2, 3]],
    ['bodies', 'loop', [2, 3]],
    ['old', 'h', [2, 3]],
    ['function', 'twice', [2, 3]],
    ['sequence', 'relu', [2, 1]],
    ['odd_values', 'five_axes', [2, 1, 2, 1, 2]],
  ])('reads %s at %s', async (name, tap, shape) => {
    expect((await inspect(name, { taps: [tap] })).taps[0]!.shape).toEqual(shape);
  });

  test.each([1, 2, 3, 4])('reads the trained network %i', async (seed) => {
    const taps = ['/conv1/relu', '/conv2/relu', '/conv3/relu', '/conv4/relu', 'logits'];
    const inspection = await inspectModel(trained(seed), await wasmRuntime(), { taps });
    expect(inspection).toMatchObject({ rowShape: [1, 28, 28], input: { batch: null } });
    expect(inspection.taps.map((tap) => [tap.op, ...tap.shape].join(' '))).toEqual([
      'Relu 2 16 28 28',
      'Relu 2 32 14 14',
      'Relu 2 64 7 7',
      'Relu 2 128 7 7',
      'Gemm 2 10',
    ]);
  });

  test.each<[string, string, RegExp]>([
    ['odd_values', 'shape', /found int64/],
    ['odd_values', 'half', /found float16/],
    ['odd_values', 'mean', /found \[\] for 2 rows/],
    ['odd_values', 'row_sum', /found \[2\] for 2 rows/],
    ['odd_values', 'turned', /found \[4, 2\] for 2 rows/],
    ['odd_values', 'constant', /does not depend on the input/],
    ['fixed_batch', 'constant', /does not depend on the input/],
    ['odd_values', 'gram', /found \[2, 2\] for 2 rows, \[3, 3\] for 3/],
    ['odd_values', 'two_rows_of_four', /found \[2, 4\] for 2 rows, \[2, 4\] for 3/],
    ['sequence', 'parts', /found not a tensor/],
  ])('refuses %s at %s', async (name, tap, message) => {
    const error = await failure('tap-unsupported', () => inspect(name, { taps: [tap] }));
    expect(error.message).toMatch(message);
    expect(error.message).toContain(tap);
  });

  test('names the value where the node was asked for', async () => {
    const error = await failure('tap-unsupported', () => inspect('odd_values', { taps: ['turn'] }));
    expect(error.message).toMatch(/turn \(value turned\): expected float32 \[batch, …\]/);
  });
});

describe('inspectModel(bytes, runtime) without taps', () => {
  test('gives every value that can be one', async () => {
    const inspection = await inspect('conv');
    expect(shapes(inspection.taps)).toEqual({
      '/conv1/conv_out': [2, 4, 8, 8],
      '/conv1/relu_out': [2, 4, 8, 8],
      '/pool_out': [2, 4, 4, 4],
      '/conv2/conv_out': [2, 5, 4, 4],
      '/conv2/relu_out': [2, 5, 4, 4],
      '/flat': [2, 80],
      '/fc_out': [2, 6],
      y: [2, 6],
      side: [2, 2, 8, 8],
    });
    expect(inspection.leftOut).toEqual([]);
  });

  test('and the others with the reason', async () => {
    const { taps, leftOut } = await inspect('odd_values');
    expect(shapes(taps)).toEqual({ left: [2, 2], right: [2, 2], y: [2, 4] });
    expect(Object.fromEntries(leftOut.map((value) => [value.valueName, value.reason]))).toEqual({
      shape: 'int64',
      mean: '[] for 2 rows',
      turned: '[4, 2] for 2 rows',
      constant: 'a value that does not depend on the input',
      gram: '[2, 2] for 2 rows, [3, 3] for 3',
      row_sum: '[2] for 2 rows',
      five_axes: 'rank 5, which has no default unit axis',
      two_rows: '[2, 2] for 2 rows, [2, 3] for 3',
      square: '[4, 4] for 2 rows',
      two_rows_of_four: '[2, 4] for 2 rows, [2, 4] for 3',
      half: 'float16',
    });
  });

  test('leaves out sequences, which have no shape', async () => {
    const { taps, leftOut } = await inspect('sequence');
    expect(shapes(taps)).toEqual({ part: [2, 1], y: [2, 1] });
    expect(leftOut).toMatchObject([{ valueName: 'parts', op: 'SplitToSequence', reason: 'not a tensor' }]);
  });
});

describe('a network with large weights', () => {
  const said = Float32Array.of(0, 2, 256); // keep the batch, then [2, 256]
  const large =
    (sizeBytes: number, ranges: number[][]): NonNullable<InspectOptions['external']> =>
    () =>
      Promise.resolve({
        size: sizeBytes,
        read: (start, end) => {
          ranges.push([start, end]);
          const bytes = new Uint8Array(end - start);
          if (start === 2 ** 20) bytes.set(new Uint8Array(said.buffer));
          return Promise.resolve(bytes);
        },
      });

  test('is measured without those of its products, and with those that say a shape', async () => {
    const ranges: number[][] = [];
    const external = large(2 ** 20 + 2 ** 18, ranges);
    const inspection = await inspect('large', { taps: ['relu', 'reshape'], external });
    expect(shapes(inspection.taps)).toEqual({ r: [2, 512], y: [2, 2, 256] });
    expect(ranges).toEqual([[2 ** 20, 2 ** 20 + 2 ** 18]]);
    expect(inspection).toMatchObject({ externalData: ['large.bin'], weightsBytes: 2 ** 20 + 2 ** 18 + 16 });
    // x, r and y, and of two rows' three dims, whose type isn't known, the half
    expect(inspection.peakActivationBytes).toBe(3 * 4 * 512 + (3 * 4) / 2);
    expect(inspection.parts).toEqual([
      { taps: [0, 1], weightsBytes: 2 ** 20, packedBytes: 2 ** 20, flops: 2 * 512 * 512 + 512 },
      // 3 values sliced and cast for 2 rows
      { taps: [1], weightsBytes: 2 ** 18 + 16, packedBytes: 0, flops: 512 + 3 },
    ]);
  });

  test('is refused where they are not all there, though none is read', async () => {
    const ranges: number[][] = [];
    const external = large(2 ** 20 - 1, ranges);
    const error = await failure('model-invalid', () => inspect('large', { taps: ['relu'], external }));
    expect(error.message).toMatch(/tensor w: takes the bytes 0 to 1048576 of large\.bin, which has 1048575/);
    expect(ranges).toEqual([]);
    await failure('file-missing', () => inspect('large', { taps: ['relu'] }));
  });
});

describe('the shape of a row', () => {
  test('comes from the data where axes besides the batch are free', async () => {
    const inspection = await inspect('free_size', { inputShape: [3, 9, 7], taps: ['relu'] });
    expect(inspection).toMatchObject({ rowShape: [3, 9, 7], input: { dims: ['n', 3, 'height', null], batch: null } });
    expect(inspection.taps[0]!.shape).toEqual([2, 4, 7, 5]);
    const error = await failure('data-mismatch', () => inspect('free_size', { taps: ['relu'] }));
    expect(error.message).toMatch(/input x: .*free axes \[3, height, \?\]/);
    expect(error.hint).toMatch(/probe data/);
  });

  test('or where not even the rank is known', async () => {
    const inspection = await inspect('no_shape', { inputShape: [5] });
    expect(inspection).toMatchObject({ input: { dims: [null, null], batch: null }, taps: [{ shape: [2, 5] }] });
    await failure('data-mismatch', () => inspect('no_shape'));
  });

  test.each([[[3, 8]], [[3, 8, 9]], [[3, 8, 8, 1]]])('must fit the fixed axes: %j', async (inputShape) => {
    const error = await failure('data-mismatch', () => inspect('conv', { inputShape }));
    expect(error.message).toMatch(/expected rows of \[3, 8, 8\]; found \[3, 8/);
  });

  test('with no values, or too many to try, is refused', async () => {
    await failure('model-unsupported', () => inspect('no_shape', { inputShape: [0] }));
    await failure('plan-too-large', () => inspect('no_shape', { inputShape: [2 ** 20, 2 ** 20] }));
  });
});

describe('models that are refused', () => {
  test('a batch that is only said to be free', async () => {
    const error = await failure('model-unsupported', () => inspect('batch_inside', { taps: ['relu'] }));
    expect(error.message).toMatch(/fails on 2 rows of zeros: .*reshape/i);
    expect(error.hint).toMatch(/free batch axis/);
  });

  test.each(['two_inputs', 'int_input', 'external_constant'])('%s', async (name) => {
    await failure('model-unsupported', () => inspect(name));
  });

  test('a damaged one, and one that ONNX Runtime refuses', async () => {
    const runtime = await wasmRuntime();
    await failure('model-invalid', () => inspectModel(fixture('conv').subarray(0, 1000), runtime));
    expect((await failure('model-invalid', () => inspect('twins'))).message).toMatch(/same node name/);
  });

  test('one with weights in other files that are not given', async () => {
    const error = await failure('file-missing', () => inspect('conv_outside', { taps: ['/conv1/relu'] }));
    expect(error.message).toMatch(/weights in conv\.onnx/);
    expect(error.hint).toMatch(/beside the model/);
  });

  test('an unknown tap', async () => {
    expect((await failure('tap-unknown', () => inspect('conv', { taps: ['conv1'] }))).hint).toMatch(/\/conv1\/conv/);
  });
});
