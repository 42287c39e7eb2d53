/**
 * Taps: which value of a network a name means, and the network cut down to what computes it.
 * Surgery copies every part it keeps byte for byte and changes only which parts stand in the file
 * and what the graph's outputs are.
 */
import { nearest, PipelineError } from '../errors.ts';
import { OUTPUT, valueField } from './build.ts';
import { networkInput, writeModel, type OnnxModel } from './model.ts';
import type { OnnxNode } from './node.ts';
import { elementTypeNumber } from './tensor.ts';
import type { ValueInfo } from './value.ts';
import { invalid } from './wire.ts';

const MOST_CANDIDATES = 20_000; // names compared with an unknown one

/** A value of a network, and the node that makes it. */
export interface Tap {
  /** As written in the pipeline file. */
  asked: string;
  valueName: string;
  /** Empty where the exporter gave none. */
  nodeName: string;
  op: string;
}

/**
 * What `asked` names: an ONNX value, else the one output of the node of that name.
 * @throws tap-unknown with the nearest names; tap-unsupported where it names the input, a weight, or several outputs
 */
export function resolveTap(model: OnnxModel, asked: string): Tap {
  const maker = model.nodes.find((node) => asked !== '' && node.outputs.includes(asked));
  if (maker) return tapOf(maker, asked, asked);

  const named = model.nodes.filter((node) => asked !== '' && node.name === asked);
  const outputs = named.flatMap((node) => node.outputs).filter((name) => name !== '');
  if (outputs.length > 1) {
    const nodes = named.length === 1 ? `node ${asked} has` : `${named.length} nodes named ${asked} have`;
    throw new PipelineError('tap-unsupported', `${nodes} ${outputs.length} outputs: ${outputs.join(', ')}`, {
      hint: 'name one of these outputs instead of the node',
    });
  }
  const [node] = named;
  const [valueName] = outputs;
  if (node && valueName !== undefined) return tapOf(node, asked, valueName);

  const what = model.initializers.some((initializer) => initializer.name === asked)
    ? 'a weight'
    : networkInput(model).name === asked && 'the input';
  if (!what) throw unknownTap(model, asked);
  throw new PipelineError('tap-unsupported', `expected an activation; found ${asked}, ${what} of the network`);
}

function tapOf(node: OnnxNode, asked: string, valueName: string): Tap {
  return { asked, valueName, nodeName: node.name, op: node.opType };
}

function unknownTap(model: OnnxModel, asked: string): PipelineError {
  const names = new Set(model.nodes.flatMap((node) => [node.name, ...node.outputs]));
  names.delete('');
  // very long names are nobody's typing mistake, and cost time to compare
  const candidates = [...names].filter((name) => name.length < 200).slice(0, MOST_CANDIDATES);
  const near = nearest(asked.slice(0, 200), candidates);
  return new PipelineError('tap-unknown', `expected the name of a value or node of the network; found ${asked}`, {
    hint: near.length > 0 ? `nearest: ${near.join(', ')}` : undefined,
  });
}
/** Every value a node makes, in node order. */
export function allTaps(model: OnnxModel): Tap[] {
  return model.nodes.flatMap((node) =>
    node.outputs.filter((name) => name !== '').map((name) => tapOf(node, name, name)),
  );
}

/**
 * The model with `valueNames` as its only outputs, in this order, and without the nodes, weights and
 * notes that none of them needs. Functions stay. Cost O(nodes + names).
 * @throws tap-unknown where no node makes one of the values; model-invalid where a needed value has no origin
 */
export function pruneModel(model: OnnxModel, valueNames: readonly string[]): OnnxModel {
  const makers = new Map(model.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  makers.delete('');
  for (const name of valueNames) if (!makers.has(name)) throw unknownTap(model, name);

  // walk back from the taps
  const given = new Set([...model.initializers, ...model.inputs].map((value) => value.name));
  const keptNodes = new Set<OnnxNode>();
  const kept = new Set(valueNames);
  for (const name of kept) {
    const node = makers.get(name);
    if (node === undefined || keptNodes.has(node)) continue;
    keptNodes.add(node);
    for (const needed of [...node.inputs, ...node.captures]) {
      if (needed === '') continue;
      if (!makers.has(needed) && !given.has(needed)) {
        throw invalid(`node ${node.name || node.index} (${node.opType}) reads ${needed}, which nothing makes`);
      }
      kept.add(needed);
    }
    for (const output of node.outputs) kept.add(output);
  }
  // notes on kept values name weights of their own
  const annotations = model.annotations.filter((annotation) => kept.has(annotation.name));
  for (const annotation of annotations) for (const name of annotation.uses) kept.add(name);

  const input = networkInput(model).name;
  const infos = new Map([...model.valueInfos, ...model.outputs].map((info) => [info.name, info]));
  const outputs = new Set(valueNames);
  return {
    ...model,
    nodes: model.nodes.filter((node) => keptNodes.has(node)),
    initializers: model.initializers.filter((initializer) => kept.has(initializer.name)),
    inputs: model.inputs.filter((value) => value.name === input || kept.has(value.name)),
    outputs: [...outputs].map((name) => outputInfo(name, infos.get(name))),
    valueInfos: model.valueInfos.filter((info) => kept.has(info.name) && !outputs.has(info.name)),
    annotations,
  };
}

/**
 * A graph output. The element type is carried over for operators the runtime can't infer it of; dims never are,
 * files state stale ones.
 */
export function outputInfo(name: string, noted: ValueInfo | undefined): ValueInfo {
  const elemType = noted?.elemType ?? null;
  const type = elemType === null ? undefined : elementTypeNumber(elemType);
  return { number: OUTPUT, raw: valueField(OUTPUT, name, type), name, elemType, dims: null };
}

/** The file of {@link pruneModel}: the network cut down to its taps. */
export function tapModel(model: OnnxModel, valueNames: readonly string[]): Uint8Array {
  return writeModel(pruneModel(model, valueNames));
}
