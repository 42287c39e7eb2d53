import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileSource } from '../../../src/compute/files.ts';
import { inspectModel } from '../../../src/inspect/inspect.ts';
import { bufferSource, type RangeSource } from '../../../src/numeric/range.ts';
import { externalFiles, inlineExternal, type ReadExternal } from '../../../src/onnx/external.ts';
import { parseModel, writeModel } from '../../../src/onnx/model.ts';
import { pruneModel, tapModel } from '../../../src/onnx/tap.ts';
import { join, lengthDelimited } from '../../../src/onnx/wire.ts';
import { failure, fixture, noise, runModel, wasmRuntime } from './fixtures.ts';

const text = (value: string) => new TextEncoder().encode(value);
const never: ReadExternal = (location) => Promise.reject(new Error(`asked for ${location}`));

/** Sources by location that note every range read of them. */
function counting(files: Record<string, Uint8Array>): { read: ReadExternal; ranges: string[] } {
  const ranges: string[] = [];
  const read: ReadExternal = (location) => {
    const source = bufferSource(files[location]!);
    return Promise.resolve({
      size: source.size,
      read: (start, end) => {
        ranges.push(`${location} ${start} ${end}`);
        return source.read(start, end);
      },
    });
  };
  return { read, ranges };
}

/** x → Mul(x, w) → y, the float32 [3] weight w with these entries of external_data. */
function modelWith(
  entries: readonly [string, string][],
  dims = [3],
  elemType = 1,
  dataLocation = [0x70, 1],
): Uint8Array {
  const tensor = join([
    ...dims.map((dim) => Uint8Array.of(0x08, dim)),
    Uint8Array.of(0x10, elemType),
    ...lengthDelimited(8, [text('w')]),
    ...entries.flatMap(([key, value]) =>
      lengthDelimited(13, [...lengthDelimited(1, [text(key)]), ...lengthDelimited(2, [text(value)])]),
    ),
    Uint8Array.from(dataLocation),
  ]);
  const graph = [...lengthDelimited(1, mulNode), ...lengthDelimited(5, [tensor])];
  return join([Uint8Array.of(0x08, 8), ...lengthDelimited(7, graph), ...lengthDelimited(8, [Uint8Array.of(0x10, 13)])]);
}
const mulNode = [
  ...lengthDelimited(1, [text('x')]),
  ...lengthDelimited(1, [text('w')]),
  ...lengthDelimited(2, [text('y')]),
  ...lengthDelimited(4, [text('Mul')]),
];

describe('a model with weights in other files', () => {
  const conv = fixture('conv');
  const outside = parseModel(fixture('conv_outside'));
  const files = { 'conv.onnx': conv, 'head/conv.onnx': conv, 'side.bin': conv };
  const main = ['/conv1/relu_out', '/fc_out'];

  test('says where they lie', () => {
    const [w1, b1, , b2] = outside.initializers;
    const at = Buffer.from(conv).indexOf(Buffer.from(parseModel(conv).initializers[0]!.raw.subarray(-432)));
    expect(w1).toMatchObject({
      name: 'w1',
      sizeBytes: 432,
      external: { location: 'conv.onnx', offset: at, length: 432 },
    });
    expect(b1!.external).toMatchObject({ location: 'conv.onnx', length: 16 });
    expect(b2!.external).toBe(null);
    expect(externalFiles(outside)).toEqual(['conv.onnx', 'head/conv.onnx', 'side.bin']);
    expect(externalFiles(pruneModel(outside, main))).toEqual(['conv.onnx', 'head/conv.onnx']);
    expect(externalFiles(parseModel(conv))).toEqual([]);
  });

  test('becomes, byte for byte, the file that has them inside', async () => {
    expect(Buffer.compare(await inlineExternal(outside, counting(files).read), conv)).toBe(0);
    const inlined = await inlineExternal(pruneModel(outside, main), counting(files).read);
    expect(Buffer.compare(inlined, tapModel(parseModel(conv), main))).toBe(0);
  });

  test('gives the same taps', async () => {
    const feeds = { x: noise([3, 3, 8, 8]) };
    const inlined = await inlineExternal(pruneModel(outside, main), counting(files).read);
    const values = await runModel(inlined, feeds);
    expect(values).toEqual(await runModel(tapModel(parseModel(conv), main), feeds));
    // zeros would be equal too
    expect(Math.max(...values['/fc_out']!.data)).toBeGreaterThan(0.1);
  });

  test('is read at the ranges that the kept weights take, and nowhere else', async () => {
    const { read, ranges } = counting(files);
    await inlineExternal(pruneModel(outside, ['/conv1/relu_out']), read);
    const kept = outside.initializers.slice(0, 2).map(({ external }) => external!);
    expect(ranges).toEqual(kept.map(({ location, offset, length }) => `${location} ${offset} ${offset + length}`));
  });

  test('needs no file where all its weights are inside', async () => {
    expect(Buffer.compare(await inlineExternal(parseModel(conv), never), conv)).toBe(0);
  });

  test("isn't written, or loaded, without them", async () => {
    expect((await failure('file-missing', () => writeModel(outside))).message).toMatch(/found w1 in conv\.onnx/);
    await failure('file-missing', () => tapModel(outside, main));
    const missing = Promise.reject(new Error('not there'));
    await expect(inlineExternal(outside, () => missing)).rejects.toThrow('not there');
  });

  test('takes offset 0 and the length of the dims where the file says neither', async () => {
    const weights = Float32Array.of(2, 3, 4);
    const { read, ranges } = counting({ 'weights.bin': new Uint8Array(weights.buffer) });
    const file = await inlineExternal(parseModel(fixture('external')), read);
    expect(ranges).toEqual(['weights.bin 0 12']);
    const { y } = await runModel(file, { x: { data: Float32Array.of(1, 1, 1), dims: [1, 3] } });
    expect([...y!.data]).toEqual([2, 3, 4]);
  });

  test('that end early is model-invalid, before anything is read', async () => {
    const { read, ranges } = counting({ ...files, 'head/conv.onnx': conv.subarray(0, 2000) });
    const error = await failure('model-invalid', () => inlineExternal(pruneModel(outside, main), read));
    expect(error.message).toMatch(/tensor w3: takes the bytes \d+ to \d+ of head\/conv\.onnx, which has 2000/);
    expect(ranges).toEqual([]);
    const shrinking: RangeSource = { size: 1e4, read: () => Promise.resolve(new Uint8Array(5)) };
    const late = await failure('model-invalid', () => inlineExternal(outside, () => Promise.resolve(shrinking)));
    expect(late.message).toMatch(/ends early/);
  });

  test('of 2 GiB or more is plan-too-large, before anything is opened', async () => {
    const bytes = modelWith([['location', 'large.bin']], [64, 64, 64, 64, 32]);
    const error = await failure('plan-too-large', () => inlineExternal(parseModel(bytes), never));
    expect(error.message).toMatch(/below 2147483648 bytes.*found 21474837\d\d/);
  });

  test('beyond 3 GiB of a file runs in wasm', async () => {
    const folder = mkdtempSync(joinPath(tmpdir(), 'convergent-far-'));
    try {
      // sparse: takes no room on the disk
      const path = joinPath(folder, 'many.bin');
      const file = openSync(path, 'w');
      ftruncateSync(file, 3 * 2 ** 30 + 8192);
      writeSync(file, new Uint8Array(Float32Array.of(2, 3, 4).buffer), 0, 12, 3 * 2 ** 30);
      writeSync(file, new Uint8Array(Float32Array.of(10, 20, 30).buffer), 0, 12, 3 * 2 ** 30 + 4096);
      closeSync(file);
      const read: ReadExternal = () => Promise.resolve(fileSource(path));

      const inspection = await inspectModel(fixture('far'), await wasmRuntime(), { taps: ['y'], external: read });
      expect(inspection).toMatchObject({ externalData: ['many.bin'], weightsBytes: 24, taps: [{ shape: [2, 3] }] });
      const model = await inlineExternal(pruneModel(parseModel(fixture('far')), ['y']), read);
      const { y } = await runModel(model, { x: { data: Float32Array.of(1, 2, 3), dims: [1, 3] } });
      expect([...y!.data]).toEqual([12, 26, 42]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('what a model may say of other files', () => {
  test.each<[string, string]>([
    ['weights.bin', 'weights.bin'],
    ['./weights.bin', 'weights.bin'],
    ['data/./deep/weights 1.bin', 'data/deep/weights 1.bin'],
    ['..weights', '..weights'],
    ['モデル.data', 'モデル.data'],
  ])('%j lies at %j', (location, found) => {
    expect(externalFiles(parseModel(modelWith([['location', location]])))).toEqual([found]);
  });

  test.each([
    '',
    '.',
    '/etc/passwd',
    '../weights.bin',
    'data/../../weights.bin',
    'data/..',
    'data//weights.bin',
    'data/',
    '..\\weights.bin',
    'data\\weights.bin',
    '\\\\host\\share',
    'C:weights.bin',
    'c:/weights.bin',
    'weights.bin\0.txt',
    'weights\n.bin',
    'w'.repeat(2000),
  ])('%j is refused', async (location) => {
    const error = await failure('model-invalid', () => parseModel(modelWith([['location', location]])));
    expect(error.message).toMatch(/tensor w: expected values in a file beside the model; found the location "/);
  });

  test.each<[string, [string, string][]]>([
    ['no location', [['offset', '0']]],
    [
      'a negative offset',
      [
        ['location', 'w'],
        ['offset', '-4'],
      ],
    ],
    [
      'an offset that is no number',
      [
        ['location', 'w'],
        ['offset', '0x10'],
      ],
    ],
    [
      'an offset beyond whole numbers',
      [
        ['location', 'w'],
        ['offset', '9007199254740993'],
      ],
    ],
    [
      'an empty length',
      [
        ['location', 'w'],
        ['length', ''],
      ],
    ],
    [
      'a length other than that of its dims',
      [
        ['location', 'w'],
        ['length', '16'],
      ],
    ],
    [
      'two locations',
      [
        ['location', 'w'],
        ['location', 'v'],
      ],
    ],
    ['a hundred keys', Array.from({ length: 100 }, (_, i) => [`key${i}`, ''])],
  ])('%s is refused', async (_, entries) => {
    await failure('model-invalid', () => parseModel(modelWith(entries)));
  });

  test('text in another file, and a third data location, are refused', async () => {
    await failure('model-invalid', () => parseModel(modelWith([['location', 'w']], [3], 8)));
    // 2³² + 1, which other readers take for 1
    const odd = [0x70, 0x81, 0x80, 0x80, 0x80, 0x10];
    await failure('model-invalid', () => parseModel(modelWith([['location', 'w']], [3], 1, odd)));
  });

  test('nothing of them counts where the values are said to be inside', () => {
    expect(externalFiles(parseModel(modelWith([['location', 'w']], [3], 1, [])))).toEqual([]);
  });

  test('only weights may lie there: constants, sparse weights and functions may not', async () => {
    const constant = await failure('model-unsupported', () => parseModel(fixture('external_constant')));
    expect(constant.message).toMatch(/c, which is none, in weights\.bin/);

    const locationEntry = [...lengthDelimited(1, [text('location')]), ...lengthDelimited(2, [text('w')])];
    const tensor = [...lengthDelimited(13, locationEntry), Uint8Array.of(0x08, 3, 0x10, 1, 0x70, 1)];
    const sparse = lengthDelimited(15, lengthDelimited(1, tensor));
    await failure('model-unsupported', () => parseModel(join(lengthDelimited(7, sparse))));
    const node = [...lengthDelimited(4, [text('Constant')]), ...lengthDelimited(5, lengthDelimited(5, tensor))];
    await failure('model-unsupported', () => parseModel(join(lengthDelimited(25, lengthDelimited(7, node)))));
    const attribute = lengthDelimited(11, lengthDelimited(22, lengthDelimited(1, tensor)));
    await failure('model-unsupported', () => parseModel(join(lengthDelimited(25, attribute))));
  });
});
