import { describe, expect, test } from 'vitest';
import { parseModel, writeModel, type OnnxModel } from '../../../src/onnx/model.ts';
import { addShapeOutputs, hollowWeights } from '../../../src/onnx/probe.ts';
import { allTaps, pruneModel, resolveTap, tapModel } from '../../../src/onnx/tap.ts';
import type { FloatTensor } from '../../../src/onnx/session.ts';
import { expectClose, failure, fixture, noise, runModel, trained, wasmRuntime } from './fixtures.ts';

const names = (parts: readonly { name: string }[]) => parts.map((part) => part.name);

describe('resolveTap(model, asked)', () => {
  const conv = parseModel(fixture('conv'));
  const clash = parseModel(fixture('name_clash'));

  test('takes a value name, or the name of the node that makes one', () => {
    const tap = { valueName: '/conv1/relu_out', nodeName: '/conv1/relu', op: 'Relu' };
    expect(resolveTap(conv, '/conv1/relu_out')).toEqual({ asked: '/conv1/relu_out', ...tap });
    expect(resolveTap(conv, '/conv1/relu')).toEqual({ asked: '/conv1/relu', ...tap });
  });

  test('lets value names win over node names', () => {
    expect(resolveTap(clash, 'same')).toMatchObject({ valueName: 'same', nodeName: 'first' });
  });

  test('counts only outputs that are there', () => {
    expect(resolveTap(parseModel(fixture('odd_values')), 'drop').valueName).toBe('y');
  });

  test('lists the outputs of a node with several, and of several nodes of one name', async () => {
    const split = await failure('tap-unsupported', () => resolveTap(parseModel(fixture('odd_values')), 'split'));
    expect(split.message).toMatch(/2 outputs: left, right/);
    expect((await failure('tap-unsupported', () => resolveTap(parseModel(fixture('twins')), 'twin'))).message).toMatch(
      /2 nodes.*t1, y/,
    );
  });

  test('offers the nearest names for one that is unknown', async () => {
    expect((await failure('tap-unknown', () => resolveTap(conv, '/conv1/rellu'))).hint).toMatch(
      /nearest: \/conv1\/relu\b/,
    );
    await failure('tap-unknown', () => resolveTap(conv, ''));
    await failure('tap-unknown', () => resolveTap(parseModel(fixture('unnamed')), ''));
  });

  test('refuses weights and the input', async () => {
    expect((await failure('tap-unsupported', () => resolveTap(conv, 'w1'))).message).toMatch(/weight/);
    expect((await failure('tap-unsupported', () => resolveTap(conv, 'x'))).message).toMatch(/input/);
  });
});

describe('tapModel(model, values) leaves in the file', () => {
  test('only what the taps need, byte for byte, and name, doc string, opsets as they were', () => {
    const bytes = fixture('conv');
    const tapped = tapModel(parseModel(bytes), ['/conv1/relu_out']);
    const model = parseModel(tapped);
    expect(names(model.nodes)).toEqual(['/conv1/conv', '/conv1/relu']);
    expect(names(model.initializers)).toEqual(['w1', 'b1']);
    expect(names(model.outputs)).toEqual(['/conv1/relu_out']);
    expect(model.valueInfos).toEqual([]);
    expect(model.annotations).toEqual([]);
    for (const part of [
      ...model.nodes,
      ...model.initializers,
      ...model.inputs,
      ...model.otherOfModel,
      ...model.otherOfGraph,
    ]) {
      expect(Buffer.from(bytes).includes(Buffer.from(part.raw))).toBe(true);
    }
    expect(model.otherOfGraph.map((field) => Buffer.from(field.raw).toString())).toEqual([
      expect.stringContaining('conv'),
      expect.stringContaining('a test model'),
    ]);
    expect(model).toMatchObject({ opsets: { '': 13 }, producer: 'convergent-tests 1', irVersion: 8 });
  });

  test('notes on kept values with the weights they name, and none on the rest', () => {
    const model = pruneModel(parseModel(fixture('conv')), ['/conv2/relu_out']);
    expect(names(model.annotations)).toEqual(['/pool_out']);
    expect(names(model.initializers)).toEqual(['w1', 'b1', 'w2', 'b2', 'pool_scale']);
    expect(names(model.valueInfos)).toEqual(['/conv1/relu_out', '/pool_out']);
  });

  test('the types noted for all outputs of a kept node', () => {
    expect(names(pruneModel(parseModel(fixture('odd_values')), ['left']).valueInfos)).toEqual(['right']);
  });

  test('what bodies capture', () => {
    const model = parseModel(fixture('bodies'));
    expect(names(pruneModel(model, ['chosen']).nodes)).toEqual(['relu', 'abs', 'choose']);
    expect(names(pruneModel(model, ['chosen']).initializers)).toEqual(['wi', 'flag']);
    expect(names(pruneModel(model, ['looped']).nodes)).toEqual(['relu', 'neg', 'loop']);
    expect(names(pruneModel(model, ['y']).initializers)).toEqual(['wi', 'flag', 'trips']);
  });

  test('the sparse weights that are read', () => {
    expect(names(pruneModel(parseModel(fixture('sparse')), ['y']).initializers)).toEqual(['sparse_w']);
  });

  test('of the weights among the inputs of old files those that are read, and always the input', () => {
    const model = parseModel(fixture('old'));
    expect(names(pruneModel(model, ['z']).inputs)).toEqual(['x', 'w', 'b', 'v']);
    expect(names(pruneModel(model, ['h']).inputs)).toEqual(['x', 'w', 'b']);
    expect(names(pruneModel(parseModel(fixture('fixed_batch')), ['constant']).inputs)).toEqual(['x']);
  });

  test('one output for a value asked for twice, and refuses a value no node makes', async () => {
    const model = parseModel(fixture('unnamed'));
    expect(names(pruneModel(model, ['y', 'r', 'y']).outputs)).toEqual(['y', 'r']);
    await failure('tap-unknown', () => pruneModel(model, ['x']));
  });

  test('refuses a node that reads what nothing makes', async () => {
    const bytes = fixture('unnamed');
    const at = Buffer.from(bytes).indexOf(Buffer.from([0x0a, 0x01, 'r'.charCodeAt(0)]));
    bytes[at + 2] = 'q'.charCodeAt(0);
    expect((await failure('model-invalid', () => tapModel(parseModel(bytes), ['y']))).message).toMatch(/reads q/);
  });
});

// every model that runs, with an input for it
const running: [string, number[]][] = [
  ['conv', [3, 3, 8, 8]],
  ['free_size', [2, 3, 5, 7]],
  ['fixed_batch', [4, 3, 6, 6]],
  ['tokens', [3, 5, 6]],
  ['nhwc', [2, 6, 5, 3]],
  ['unnamed', [2, 3]],
  ['name_clash', [2, 3]],
  ['odd_values', [3, 4]],
  ['sequence', [2, 3]],
  ['bodies', [2, 3]],
  ['old', [2, 4]],
  ['function', [2, 3]],
  ['sparse', [2, 4]],
  ['a trained network', [3, 1, 28, 28]],
];
const modelOf = (name: string) => (name === 'a trained network' ? trained(1) : fixture(name));

// the runtime says which values are float32
const floatValues = async (model: OnnxModel) => {
  const values = allTaps(model).map((tap) => tap.valueName);
  const session = await (await wasmRuntime()).createSession(tapModel(model, values), { optimise: false });
  await session.release();
  return values.filter((value) => session.outputTypes[value] === 'float32');
};

describe('tapping keeps the values', () => {
  test.each(running)("%s: the file's own outputs, to the bit", async (name, dims) => {
    const model = parseModel(modelOf(name));
    const outputs = names(model.outputs);
    const feeds = { [model.inputs[0]!.name]: noise(dims) };
    expect(await runModel(tapModel(model, outputs), feeds)).toEqual(await runModel(modelOf(name), feeds));
  });

  test.each(running)('%s: each value alone as among all, to the bit; optimised, within 1e-5', async (name, dims) => {
    const model = parseModel(modelOf(name));
    const values = await floatValues(model);
    const feeds = { [model.inputs[0]!.name]: noise(dims) };
    const all = await runModel(
      tapModel(
        model,
        allTaps(model).map((tap) => tap.valueName),
      ),
      feeds,
      { outputs: values },
    );
    const own = await runModel(modelOf(name), feeds);
    for (const value of values) {
      const alone = await runModel(tapModel(model, [value]), feeds);
      expect(alone[value]).toEqual(all[value]);
      if (own[value]) expect(alone[value]).toEqual(own[value]);
      const optimised = (await runModel(tapModel(model, [value]), feeds, { optimise: true }))[value]!;
      expect(optimised.dims).toEqual(alone[value]!.dims);
      expectClose(optimised.data, alone[value]!.data, 1e-5, 'fused kernels add in another order');
    }
  });
});

describe('addShapeOutputs(model, values)', () => {
  test('returns the shape of each value, without the value', async () => {
    const model = pruneModel(parseModel(fixture('conv')), ['/conv2/relu_out']);
    const probe = addShapeOutputs(model, ['/pool_out', '/conv1/conv_out']);
    const shapes = await runModel(writeModel(probe.model), { x: noise([3, 3, 8, 8]) }, { outputs: probe.outputs });
    const shapeOf = (tensor: FloatTensor | undefined) => [...(tensor?.data ?? [])];
    expect(probe.outputs.map((output) => shapeOf(shapes[output]))).toEqual([
      [3, 4, 4, 4],
      [3, 4, 8, 8],
    ]);
  });

  test('picks names the model does not have', () => {
    const once = addShapeOutputs(parseModel(fixture('unnamed')), ['r']);
    const twice = addShapeOutputs(parseModel(writeModel(once.model)), ['r']);
    expect(twice.outputs[0]!.startsWith(once.outputs[0]!)).toBe(false);
  });
});

describe('hollowWeights(model, leastBytes)', () => {
  // every tensor's shape, by value name
  const shapesOf = async (name: string, model: OnnxModel, dims: number[]) => {
    const values = await floatValues(parseModel(modelOf(name)));
    const probe = addShapeOutputs(model, values);
    const feeds = { [model.inputs[0]!.name]: noise(dims) };
    const shapes = await runModel(writeModel(probe.model), feeds, { outputs: probe.outputs });
    return values.map((value, i) => [value, ...shapes[probe.outputs[i]!]!.data]);
  };

  test.each(running)('%s: keeps every shape, even without any weight of its products', async (name, dims) => {
    const model = parseModel(modelOf(name));
    const hollow = hollowWeights(model, 1);
    expect(await shapesOf(name, hollow, dims)).toEqual(await shapesOf(name, model, dims));
    // it can be cut down further
    const outputs = names(model.outputs);
    expect(Object.keys(await runModel(tapModel(hollow, outputs), { [model.inputs[0]!.name]: noise(dims) }))).toEqual(
      outputs,
    );
  });

  test('leaves out weights of products alone, from that size on', () => {
    const conv = parseModel(fixture('conv'));
    const kept = (model: OnnxModel, leastBytes: number) =>
      names(hollowWeights(model, leastBytes).initializers).filter((name) => !name.startsWith('convergent_dims_'));
    expect(kept(conv, 432)).toEqual(['b1', 'b2', 'b3', 'w4', 'pool_scale', 'side_scale']);
    expect(hollowWeights(conv, 4 * 6 * 80 + 1)).toBe(conv);
    // b is added, sparse weights stay sparse, and the shape that a large weight says is kept
    expect(kept(parseModel(fixture('tokens')), 1)).toEqual(['b']);
    const sparse = parseModel(fixture('sparse'));
    expect(hollowWeights(sparse, 1)).toBe(sparse);
    expect(kept(parseModel(fixture('large')), 1)).toEqual(['said', 'zero', 'three']);
  });
});
