import { describe, expect, test } from 'vitest';
import { inspectModel, type ModelInspection } from '../../../src/inspect/inspect.ts';
import { nodeFlops, workspaceBytes, type DimsOf } from '../../../src/inspect/work.ts';
import { bufferSource } from '../../../src/numeric/range.ts';
import type { OnnxNode } from '../../../src/onnx/node.ts';
import { fixture, trained, wasmRuntime } from '../onnx/fixtures.ts';

const inspect = async (bytes: Uint8Array, taps?: string[]) =>
  inspectModel(bytes, await wasmRuntime(), taps ? { taps } : {});

const sumOf = (parts: ModelInspection['parts'], key: 'weightsBytes' | 'flops') =>
  parts.reduce((sum, part) => sum + part[key], 0);

describe('parts', () => {
  test('group nodes and weights by the taps that need them', async () => {
    const { parts } = await inspect(fixture('conv'), ['/fc', '/conv1/relu', 'side', '/conv1/conv_out']);
    // products 2 × values made × values summed; others one for each value made
    expect(parts).toEqual([
      { taps: [0, 1, 2, 3], weightsBytes: 4 * (4 * 27 + 4), packedBytes: 0, flops: 2 * (4 * 64) * 27 },
      { taps: [0, 1, 2], weightsBytes: 0, packedBytes: 0, flops: 4 * 64 },
      {
        taps: [0],
        weightsBytes: 4 * (5 * 36 + 5 + 6 * 80 + 6 + 1),
        packedBytes: 4 * 6 * 80,
        flops: 4 * 16 + 2 * (5 * 16) * 36 + 5 * 16 + 80 + 2 * 6 * 80,
      },
      { taps: [2], weightsBytes: 4 * (2 * 4 + 1), packedBytes: 0, flops: 2 * (2 * 64) * 4 },
    ]);
  });

  test.each<[string, Uint8Array, string[]]>([
    ['conv', fixture('conv'), ['/conv1/relu', '/conv2/relu', '/fc', 'side']],
    ['bodies', fixture('bodies'), ['relu', 'choose', 'loop', 'y']],
    ['sparse', fixture('sparse'), ['fc', 'add']],
    ['a trained network', trained(1), ['/conv1/relu', '/conv2/relu', '/conv3/relu', 'logits']],
  ])('of %s with a tap of any subset add up to the network cut down to it', async (_, bytes, taps) => {
    const all = await inspect(bytes, taps);
    expect(sumOf(all.parts, 'weightsBytes')).toBe(all.weightsBytes);
    for (let subset = 1; subset < 2 ** taps.length; subset++) {
      const chosen = taps.filter((_tap, i) => (subset >> i) & 1);
      const alone = await inspect(bytes, chosen);
      const parts = all.parts.filter((part) => part.taps.some((tap) => (subset >> tap) & 1));
      expect(sumOf(parts, 'weightsBytes')).toBe(alone.weightsBytes);
      expect(sumOf(parts, 'flops')).toBe(sumOf(alone.parts, 'flops'));
    }
  });

  test('name each tap of one value, and are left out where no taps were asked for', async () => {
    const { parts } = await inspect(fixture('unnamed'), ['r', 'r']);
    expect(parts).toEqual([{ taps: [0, 1], weightsBytes: 0, packedBytes: 0, flops: 3 }]);
    expect((await inspect(fixture('unnamed'))).parts).toEqual([]);
  });

  test('count weights in other files as those inside', async () => {
    const files = { 'conv.onnx': fixture('conv'), 'head/conv.onnx': fixture('conv') };
    const taps = ['/conv1/relu', '/fc'];
    const outside = await inspectModel(fixture('conv_outside'), await wasmRuntime(), {
      taps,
      external: (location) => Promise.resolve(bufferSource(files[location as keyof typeof files])),
    });
    const inside = await inspect(fixture('conv'), taps);
    const { sha256, sizeBytes } = outside;
    expect(outside).toEqual({ ...inside, sha256, sizeBytes, externalData: ['conv.onnx', 'head/conv.onnx'] });
  });
});

describe('flops and work buffers', () => {
  test('of each kind of product, for one row of a fixed batch of 4', async () => {
    const taps = ['grouped', 'pointwise', 'strided', 'grown', 'fc'];
    const inspection = await inspect(fixture('products'), taps);
    expect(inspection.rows).toBe(4);
    const flops = (tap: number) => inspection.parts.find((part) => part.taps[0] === tap)!.flops;
    expect(flops(0)).toBe(2 * (8 * 36) * (2 * 9));
    expect(flops(1)).toBe(2 * (8 * 36) * 8);
    expect(flops(2)).toBe(2 * (8 * 9) * 8);
    expect(flops(3)).toBe(2 * (8 * 9) * (2 * 4));
    // flattening makes 72 values
    expect(flops(4)).toBe(72 + 2 * 5 * 72);

    const workspace = async (...some: string[]) => (await inspect(fixture('products'), some)).workspaceBytes;
    expect(await workspace('grouped')).toBe(4 * (2 * 9) * 36);
    // of one group; the pointwise ones after it need less, or none
    expect(inspection.workspaceBytes).toBe(4 * (2 * 9) * 36);
    expect((await inspect(fixture('tokens'), ['out'])).workspaceBytes).toBe(0);
    expect((await inspect(fixture('nhwc'), ['relu'])).workspaceBytes).toBe(4 * (3 * 4) * 20);
  });

  test('of token products, each value made by a sum over the last axis', async () => {
    const { parts } = await inspect(fixture('tokens'), ['proj', 'out']);
    expect(parts).toEqual([
      { taps: [0, 1], weightsBytes: 4 * 42, packedBytes: 4 * 42, flops: 2 * 35 * 6 },
      { taps: [1], weightsBytes: 4 * (7 + 21), packedBytes: 4 * 21, flops: 35 + 35 + 2 * 15 * 7 },
    ]);
  });

  const node = (opType: string, inputs: string[], domain = ''): OnnxNode => ({
    number: 1,
    raw: new Uint8Array(0),
    index: 0,
    name: '',
    captures: [],
    tensorBytes: 0,
    outputs: ['y'],
    opType,
    inputs,
    domain,
  });
  const dims =
    (values: Record<string, number[]>): DimsOf =>
    (value) =>
      values[value] ?? null;

  test.each<[string, OnnxNode, Record<string, number[]>, number]>([
    ['a constant', node('Constant', []), { y: [1000] }, 0],
    [
      'a recurrent layer',
      node('LSTM', ['x', 'w', 'r']),
      { x: [7, 2, 5], w: [1, 12, 5], r: [1, 12, 3], y: [7, 1, 2, 3] },
      2 * 14 * 12 * 8,
    ],
    [
      'a quantised convolution',
      node('QLinearConv', ['x', 's', 'z', 'w']),
      { w: [4, 3, 3, 3], y: [1, 4, 8, 8] },
      2 * 256 * 27,
    ],
    ['an empty product', node('Gemm', ['x', 'w']), { x: [0, 3], w: [3, 2], y: [0, 2] }, 0],
    ['an operator of the file', node('Conv', ['x', 'w'], 'ours'), { w: [4, 3, 3, 3], y: [1, 4] }, 4],
    ['a sequence', node('SplitToSequence', ['x']), {}, 0],
  ])('of %s', (_, of, values, expected) => {
    expect(nodeFlops(of, dims(values))).toBe(expected);
  });

  test.each<[string, string, Record<string, number[]>, number]>([
    ['a pointwise convolution', 'Conv', { x: [1, 8, 6, 6], w: [4, 8, 1, 1], y: [1, 4, 6, 6] }, 0],
    ['a strided pointwise one', 'Conv', { x: [1, 8, 6, 6], w: [4, 8, 1, 1], y: [1, 4, 3, 3] }, 4 * 8 * 9],
    ['a grouped one', 'Conv', { x: [1, 8, 6, 6], w: [4, 2, 3, 3], y: [1, 4, 4, 4] }, 4 * (2 * 9) * 16],
    ['one over time', 'Conv', { x: [1, 8, 10], w: [4, 8, 5], y: [1, 4, 6] }, 4 * (8 * 5) * 6],
    ['a transposed one', 'ConvTranspose', { x: [1, 8, 3, 3], w: [8, 2, 2, 2], y: [1, 2, 6, 6] }, 4 * (2 * 4) * 9],
    ['a product', 'MatMul', { x: [1, 8], w: [8, 9], y: [1, 9] }, 0],
  ])('of %s', (_, opType, values, expected) => {
    expect(workspaceBytes({ nodes: [node(opType, ['x', 'w'])] }, dims(values))).toBe(expected);
  });
});
