/**
 * The memory that the values of one run take, for planning: values are held from the node that makes
 * them to the last node that reads them, in the graph's order.
 */
import type { OnnxModel } from '../onnx/model.ts';
import { elementBits } from '../onnx/tensor.ts';

/**
 * The most bytes that values take at once, from measured `shapes`. The input and the outputs are held
 * throughout; constants count as weights. An upper bound on what the runtime holds of values, since it also computes
 * in place; its kernels' own work buffers aren't in it. `types` names element types; a type that isn't known counts as float32.
 */
export function peakBytes(
  model: OnnxModel,
  inputBytes: number,
  shapes: ReadonlyMap<string, readonly number[]>,
  types: Readonly<Record<string, string>>,
): number {
  const noted = new Map(model.valueInfos.map((info) => [info.name, info.elemType]));
  const constants = new Set(model.nodes.filter((node) => node.opType === 'Constant').flatMap((node) => node.outputs));
  const bytesOf = (name: string) => {
    if (constants.has(name)) return 0;
    const elements = shapes.get(name)?.reduce((product, dim) => product * dim, 1) ?? 0;
    return (elements * elementBits(types[name] ?? noted.get(name) ?? 'float32')) / 8;
  };

  // the last reader of each value; an output has none
  const lastReader = new Map<string, number>();
  model.nodes.forEach((node, i) => {
    for (const name of [...node.inputs, ...node.outputs, ...node.captures]) lastReader.set(name, i);
  });
  for (const output of model.outputs) lastReader.delete(output.name);

  let live = inputBytes;
  let peak = live;
  model.nodes.forEach((node, i) => {
    for (const name of node.outputs) live += bytesOf(name);
    peak = Math.max(peak, live);
    for (const name of new Set([...node.inputs, ...node.outputs, ...node.captures])) {
      if (lastReader.get(name) === i) live -= bytesOf(name);
    }
  });
  return peak;
}
