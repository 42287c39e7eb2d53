/**
 * A network changed so that its shapes can be measured: with shapes as outputs, so that no value need be fetched,
 * and without its large weights, so that they need be neither read nor loaded.
 */
import { constantField, FLOAT32, nodeField } from './build.ts';
import type { Initializer, OnnxModel } from './model.ts';
import type { OnnxNode } from './node.ts';
import { allTaps, outputInfo } from './tap.ts';

/**
 * The model with one more output for each value of `valueNames`: its shape, as float32, so that
 * shapes can be measured without holding the values themselves.
 * @returns the model, and the names of the new outputs in the order of `valueNames`
 */
export function addShapeOutputs(
  model: OnnxModel,
  valueNames: readonly string[],
): { model: OnnxModel; outputs: string[] } {
  const prefix = freePrefix(model, 'convergent_shape_');
  const outputs = valueNames.map((_, i) => `${prefix}${i}`);
  // last first: the runtime orders nodes by walking back from the last of them, so that it computes the first shape
  // first, and drops each value as soon as the network itself is done with it
  const nodes = valueNames.flatMap((name, i) => [
    nodeField('Shape', [name], `${outputs[i]}_int64`),
    nodeField('Cast', [`${outputs[i]}_int64`], outputs[i]!, { to: FLOAT32 }),
  ]);
  nodes.reverse();
  return {
    model: {
      ...model,
      otherOfGraph: [...model.otherOfGraph, ...nodes.map((raw) => ({ number: 1, raw }))],
      outputs: [...model.outputs, ...outputs.map((name) => outputInfo(name, undefined))],
    },
    outputs,
  };
}

/**
 * The model with zeros for each float32 weight of `leastBytes` or more, made as it runs, so that shapes of a large
 * network can be measured without reading or loading its weights; itself where there are none, or no way to say so.
 * Only weights that nothing but products read: the shape of a product doesn't depend on its values.
 */
export function hollowWeights(model: OnnxModel, leastBytes: number): OnnxModel {
  const others = new Set(
    model.nodes.flatMap((node) => (isProduct(node) ? node.captures : [...node.inputs, ...node.captures])),
  );
  for (const name of model.annotations.flatMap((annotation) => annotation.uses)) others.add(name);
  // the last of two stored under one name counts
  const large = new Map(model.initializers.map((each) => [each.name, each]));
  for (const { name, elemType, sizeBytes, sparse } of model.initializers) {
    if (others.has(name) || elemType !== 'float32' || sizeBytes < leastBytes || sparse) large.delete(name);
  }
  if (large.size === 0 || model.opset < FIRST_CONSTANT_OF_SHAPE) return model;

  const prefix = freePrefix(model, 'convergent_dims_');
  const nodes: OnnxNode[] = [];
  const sizes: Initializer[] = [];
  for (const { name, dims } of large.values()) {
    const input = `${prefix}${nodes.length}`;
    const size = { name: input, elemType: 'int64', dims: [dims.length], sizeBytes: 8 * dims.length };
    const sizeField = constantField(input, size.dims, BigInt64Array.from(dims, BigInt));
    sizes.push({ ...size, number: INITIALIZER, raw: sizeField, sparse: false, external: null });
    const opType = 'ConstantOfShape';
    const node = { index: nodes.length, name: '', opType, domain: '', inputs: [input], outputs: [name] };
    nodes.push({ ...node, number: NODE, raw: nodeField(opType, [input], name), captures: [], tensorBytes: 0 });
  }
  return {
    ...model,
    nodes: [...nodes, ...model.nodes],
    initializers: [...sizes, ...model.initializers.filter((each) => !large.has(each.name))],
    inputs: model.inputs.filter((each) => !large.has(each.name)),
  };
}

// fields of GraphProto
const NODE = 1;
const INITIALIZER = 5;
const FIRST_CONSTANT_OF_SHAPE = 9; // opset
const PRODUCTS = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'LSTM', 'GRU', 'RNN']);

function isProduct(node: OnnxNode): boolean {
  return node.domain === '' && PRODUCTS.has(node.opType);
}

// a beginning that no value's name has
function freePrefix(model: OnnxModel, wanted: string): string {
  const values = [
    ...allTaps(model).map((tap) => tap.valueName),
    ...[...model.inputs, ...model.initializers].map((value) => value.name),
  ];
  let prefix = wanted;
  while (values.some((name) => name.startsWith(prefix))) prefix += '_';
  return prefix;
}
