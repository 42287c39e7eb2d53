/**
 * The work of a network, counted from measured shapes for planning: floating point operations and weights by
 * the taps that need them, and the largest work buffer of a kernel. Runs nothing.
 */
import type { OnnxModel } from '../onnx/model.ts';
import type { OnnxNode } from '../onnx/node.ts';
import { pruneModel } from '../onnx/tap.ts';

/** The nodes and weights that one set of taps needs, and no other tap does. */
export interface WorkPart {
  /** Indices into the inspection's `taps`, ascending; never empty. */
  taps: number[];
  weightsBytes: number;
  /** Of which are factors of matrix products, which ONNX Runtime keeps once more, packed. */
  packedBytes: number;
  /** Floating point operations for one row of the input, rounded up; see {@link nodeFlops}. */
  flops: number;
}

/** Operators whose constant factor is packed when a session is made (ONNX Runtime 1.30, PrePack). */
const PACKING: ReadonlySet<string> = new Set(['Gemm', 'MatMul', 'LSTM', 'GRU']);

/** Dims of a value by name; null where it has none (a sequence) or none were measured. */
export type DimsOf = (value: string) => readonly number[] | null;

/**
 * The parts of a network by the taps that need them: for any subset of the taps, the network cut down to it has
 * the weights, and takes the work, of the parts with a tap in it. `values` are the taps' value names, `dimsOf`
 * was measured on `rows` rows. Cost O(taps × nodes).
 */
export function workParts(model: OnnxModel, values: readonly string[], dimsOf: DimsOf, rows: number): WorkPart[] {
  const needs = new Map<object, number[]>();
  values.forEach((value, tap) => {
    const { nodes, initializers } = pruneModel(model, [value]);
    for (const part of [...nodes, ...initializers]) needs.set(part, [...(needs.get(part) ?? []), tap]);
  });

  const parts = new Map<string, WorkPart>();
  const add = (part: object, weightsBytes: number, packedBytes: number, flops: number): void => {
    const taps = needs.get(part);
    if (taps === undefined) return;
    const sum = parts.get(taps.join()) ?? { taps, weightsBytes: 0, packedBytes: 0, flops: 0 };
    parts.set(taps.join(), {
      taps,
      weightsBytes: sum.weightsBytes + weightsBytes,
      packedBytes: sum.packedBytes + packedBytes,
      flops: sum.flops + flops,
    });
  };
  const factors = new Set(model.nodes.flatMap(({ opType, inputs }) => (PACKING.has(opType) ? inputs.slice(0, 2) : [])));
  for (const node of model.nodes) add(node, node.tensorBytes, 0, nodeFlops(node, dimsOf));
  for (const initializer of model.initializers) {
    const { name, sizeBytes } = initializer;
    add(initializer, sizeBytes, factors.has(name) ? sizeBytes : 0, 0);
  }
  return [...parts.values()].map((part) => ({ ...part, flops: Math.ceil(part.flops / rows) }));
}

/** Weights of a model, those in attributes of its nodes included, in bytes. */
export function weightsBytes(model: OnnxModel): number {
  const stored = model.initializers.reduce((sum, initializer) => sum + initializer.sizeBytes, 0);
  return model.nodes.reduce((sum, node) => sum + node.tensorBytes, stored);
}

/**
 * Floating point operations of a node on the measured rows: 2 for each multiply-add of a product (biases aren't
 * counted), 1 for each value made by any other node, 0 for a constant. A rough count: pooling, normalisation and
 * softmax do a few per value, views none, and bodies of If, Loop and Scan aren't looked into.
 */
export function nodeFlops(node: OnnxNode, dimsOf: DimsOf): number {
  const [a, b, c, d] = node.inputs.map((name) => dimsOf(name));
  const made = node.outputs.reduce((sum, name) => sum + elements(dimsOf(name)), 0);
  const standard = node.domain === '' || node.domain === 'ai.onnx';
  if (!standard) return made;
  switch (node.opType) {
    case 'Constant':
      return 0;
    // weights [units, channels / group, …kernel]: each value made sums over all but the first axis
    case 'Conv':
    case 'ConvInteger':
      return 2 * made * elements(b?.slice(1));
    case 'QLinearConv':
      return 2 * made * elements(d?.slice(1));
    // weights [channels, units / group, …kernel]: each value read goes to all but the first axis
    case 'ConvTranspose':
      return 2 * elements(a) * elements(b?.slice(1));
    // [m, n] from m × k values, transposed or not
    case 'Gemm':
      return made === 0 ? 0 : 2 * made * (elements(a) / dimsOf(node.outputs[0] ?? '')![0]!);
    case 'MatMul':
    case 'MatMulInteger':
    case 'QLinearMatMul':
      return 2 * made * (a?.at(-1) ?? 0);
    // x [steps, rows, features]; weights [directions, gates, features], [directions, gates, state]
    case 'LSTM':
    case 'GRU':
    case 'RNN':
      return a && b && c ? (2 * elements(a) * (elements(b) + elements(c))) / Math.max(1, a.at(-1)!) : 0;
    default:
      return made;
  }
}

/**
 * The largest work buffer that a convolution may take for one row, in bytes: its input unrolled to a matrix, as
 * (channels / group × kernel) × output positions float32 values (Chellapilla, Puri & Simard 2006, "High Performance
 * Convolutional Neural Networks for Document Processing"); for a ConvTranspose the matrix that is folded back.
 * A 1×1 convolution that makes a value at each position needs none. An upper bound: kernels may unroll piecewise.
 */
export function workspaceBytes(model: Pick<OnnxModel, 'nodes'>, dimsOf: DimsOf): number {
  let most = 0;
  for (const node of model.nodes) {
    const transposed = node.opType === 'ConvTranspose';
    if (node.opType !== 'Conv' && !transposed) continue;
    const [x, weight, y] = [node.inputs[0], node.inputs[1], node.outputs[0]].map((name) => dimsOf(name ?? ''));
    if (!x || !weight || !y) continue;
    const pointwise = elements(weight.slice(2)) === 1 && x.slice(2).join() === y.slice(2).join();
    if (!pointwise) most = Math.max(most, 4 * elements(weight.slice(1)) * elements((transposed ? x : y).slice(2)));
  }
  return most;
}

function elements(dims: readonly number[] | null | undefined): number {
  return dims ? dims.reduce((product, dim) => product * dim, 1) : 0;
}
