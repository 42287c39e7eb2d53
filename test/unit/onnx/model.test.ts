import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PipelineError } from '../../../src/errors.ts';
import { networkInput, parseModel, writeModel } from '../../../src/onnx/model.ts';
import { lengthDelimited, join } from '../../../src/onnx/wire.ts';
import { failure, fixture, fixtureNames } from './fixtures.ts';

const readable = fixtureNames.filter((name) => name !== 'external_constant');
const OUTSIDE = ['external', 'conv_outside', 'far', 'large'];
const whole = readable.filter((name) => !OUTSIDE.includes(name));

describe('parseModel(bytes)', () => {
  test('tells what computes what, and what is stored', () => {
    const model = parseModel(fixture('conv'));
    expect(model).toMatchObject({ irVersion: 8, opset: 13, opsets: { '': 13 }, producer: 'convergent-tests 1' });
    expect(model.inputs).toMatchObject([{ name: 'x', elemType: 'float32', dims: ['batch', 3, 8, 8] }]);
    expect(model.outputs.map((output) => output.name)).toEqual(['y', 'side']);
    expect(model.nodes.slice(0, 2)).toMatchObject([
      {
        name: '/conv1/conv',
        opType: 'Conv',
        domain: '',
        inputs: ['x', 'w1', 'b1'],
        outputs: ['/conv1/conv_out'],
        captures: [],
      },
      {
        name: '/conv1/relu',
        opType: 'Relu',
        domain: '',
        inputs: ['/conv1/conv_out'],
        outputs: ['/conv1/relu_out'],
        captures: [],
      },
    ]);
    expect(model.initializers.slice(0, 2)).toMatchObject([
      { name: 'w1', elemType: 'float32', dims: [4, 3, 3, 3], sizeBytes: 432, sparse: false },
      { name: 'b1', elemType: 'float32', dims: [4], sizeBytes: 16, sparse: false },
    ]);
    expect(model.annotations).toMatchObject([
      { name: '/pool_out', uses: ['pool_scale'] },
      { name: 'side', uses: ['side_scale'] },
    ]);
  });

  test('tells free axes by name, or as null; an unknown rank is null', () => {
    expect(networkInput(parseModel(fixture('free_size'))).dims).toEqual(['n', 3, 'height', null]);
    expect(networkInput(parseModel(fixture('fixed_batch'))).dims).toEqual([4, 3, 6, 6]);
    expect(networkInput(parseModel(fixture('no_shape'))).dims).toBe(null);
  });

  test('finds what bodies of If and Loop read of the graph around them, at any depth', () => {
    const byName = new Map(parseModel(fixture('bodies')).nodes.map((node) => [node.name, node]));
    expect(byName.get('choose')!.captures.sort()).toEqual(['captured', 'deep', 'flag', 'wi']);
    expect(byName.get('loop')!.captures).toEqual(['step']);
    // the weight stored inside the body
    expect(byName.get('choose')!.tensorBytes).toBe(12);
  });

  test('counts weights that are sparse or stand in attributes', () => {
    const model = parseModel(fixture('sparse'));
    expect(model.initializers).toMatchObject([
      { name: 'sparse_w', dims: [4, 3], sizeBytes: 2 * 4 + 2 * 8, sparse: true },
      { name: 'sparse_unused', sparse: true },
    ]);
    expect(model.nodes.find((node) => node.name === 'constant')!.tensorBytes).toBe(12);
  });

  test('copies nothing: every part is a view into the file', () => {
    const bytes = fixture('conv');
    const model = parseModel(bytes);
    for (const part of [...model.nodes, ...model.initializers, ...model.inputs])
      expect(part.raw.buffer).toBe(bytes.buffer);
  });
});

describe('writeModel(parseModel(bytes))', () => {
  test.each(whole)('gives the file of %s back byte for byte', (name) => {
    expect(Buffer.compare(writeModel(parseModel(fixture(name))), fixture(name))).toBe(0);
  });
});

describe('networkInput(model)', () => {
  test('leaves out the weights that old files list among the inputs', () => {
    expect(networkInput(parseModel(fixture('old')))).toMatchObject({ name: 'x', dims: ['batch', 4] });
  });

  test.each([
    ['two_inputs', /image, mask/],
    ['int_input', /input ids: expected float32; found int64/],
  ])('refuses %s by name', async (name, message) => {
    const error = await failure('model-unsupported', () => networkInput(parseModel(fixture(name))));
    expect(error.message).toMatch(message);
  });
});

describe('damaged and hostile files', () => {
  test.each(readable)('%s cut off at every twentieth of its length is model-invalid', async (name) => {
    const bytes = fixture(name);
    for (let twentieth = 0; twentieth < 20; twentieth++) {
      const cut = bytes.subarray(0, Math.floor((bytes.length * twentieth) / 20));
      expect((await failure('model-invalid', () => parseModel(cut))).hint).toMatch(/complete/);
    }
  });

  test('text, such as a Git LFS pointer, and nothing at all are model-invalid', async () => {
    const pointer = new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n');
    await failure('model-invalid', () => parseModel(pointer));
    await failure('model-invalid', () => parseModel(new Uint8Array(0)));
  });

  test('random bytes, and models with bytes changed, are read or refused, never anything else', () => {
    const parse = (bytes: Uint8Array) => {
      try {
        parseModel(bytes);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(PipelineError);
        expect((thrown as PipelineError).code).toMatch(/^model-(invalid|unsupported)$/);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), parse), { seed: 1, numRuns: 2000 });
    const change = fc.record({
      name: fc.constantFrom(...readable),
      at: fc.nat(),
      byte: fc.nat(255),
      drop: fc.boolean(),
    });
    fc.assert(
      fc.property(change, ({ name, at, byte, drop }) => {
        const bytes = fixture(name);
        const place = at % bytes.length;
        bytes[place] = byte;
        parse(drop ? join([bytes.subarray(0, place), bytes.subarray(place + 1)]) : bytes);
      }),
      { seed: 2, numRuns: 2000 },
    );
  });

  test('bodies within bodies without end are refused, not followed', async () => {
    // a node with an attribute that holds a graph that holds a node …
    const opType = join(lengthDelimited(4, [Buffer.from('If')]));
    let node = opType;
    for (let depth = 0; depth < 5000; depth++) {
      const body = join(lengthDelimited(6, lengthDelimited(1, [node])));
      node = join([...lengthDelimited(5, [body]), opType]);
    }
    const bytes = join(lengthDelimited(7, lengthDelimited(1, [node])));
    await failure('model-unsupported', () => parseModel(bytes));
  });

  test('hundreds of thousands of tiny parts are refused before they fill the memory', async () => {
    const valueInfos = new Uint8Array(2 * 260_000);
    for (let i = 0; i < valueInfos.length; i += 2) valueInfos[i] = 13 * 8 + 2;
    const error = await failure('model-unsupported', () => parseModel(join(lengthDelimited(7, [valueInfos]))));
    expect(error.message).toMatch(/250000 parts/);
  });

  test.each<[string, number[], RegExp]>([
    ['a length beyond the end', [0x3a, 0x7f, 0x0a], /127 bytes where 1 are left/],
    ['a length of 2⁶³', [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], /are left/],
    ['a length below 0', [0x3a, ...Array.from({ length: 9 }, () => 0xff), 0x01], /says -1 bytes/],
    ['no graph', [0x42, 0x02, 0x10, 0x0d], /has no graph/],
    ['no operator set', [0x3a, 0x00], /names no operator set/],
    ['a number of 11 bytes', [0x08, ...Array.from({ length: 11 }, () => 0xff), 0x01], /more than 10 bytes/],
    ['a number cut off', [0x08, 0xff], /in the middle of a number/],
    ['field number 0', [0x00, 0x00], /the number 0/],
    ['an unknown wire type', [0x3b], /wire type 3/],
    ['a graph that is a number', [0x38, 0x01], /not length-delimited/],
    ['a name that is not UTF-8', [0x12, 0x01, 0xff], /not UTF-8/],
  ])('%s is model-invalid and says so', async (_, bytes, message) => {
    expect((await failure('model-invalid', () => parseModel(Uint8Array.from(bytes)))).message).toMatch(message);
  });

  test('a weight whose dims and bytes disagree is model-invalid', async () => {
    const bytes = fixture('unnamed');
    const tensor = join([
      Uint8Array.of(0x08, 5, 0x10, 1),
      ...lengthDelimited(8, [Buffer.from('w')]),
      ...lengthDelimited(9, [new Uint8Array(16)]),
    ]);
    const model = join([...lengthDelimited(7, lengthDelimited(5, [tensor])), ...lengthDelimited(8, [])]);
    expect((await failure('model-invalid', () => parseModel(model))).message).toMatch(
      /w: float32 \[5\] takes 20 bytes, the file holds 16/,
    );
    expect((await failure('model-invalid', () => parseModel(join([bytes, bytes])))).message).toMatch(/two graphs/);
  });

  test('a value made twice is model-invalid', async () => {
    const bytes = fixture('unnamed');
    // Relu's output r becomes x, the input
    const at = Buffer.from(bytes).indexOf(Buffer.from([0x12, 0x01, 'r'.charCodeAt(0)]));
    bytes[at + 2] = 'x'.charCodeAt(0);
    expect((await failure('model-invalid', () => parseModel(bytes))).message).toMatch(/node output x/);
  });
});
