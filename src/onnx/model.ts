/**
 * An ONNX file as data: what the graph computes from what, without decoding weights. Every part
 * keeps its bytes as a view into the file, so that writing a model back copies them unchanged.
 * Field numbers are those of onnx.proto (ONNX 1.18, IR version 11).
 */
import { PipelineError } from '../errors.ts';
import { readFunction, readNode, type OnnxNode } from './node.ts';
import { readSparseTensor, readTensorHeader, type TensorHeader } from './tensor.ts';
import { readValueInfo, type ValueInfo } from './value.ts';
import { eachField, invalid, join, lengthDelimited, type RawField } from './wire.ts';

/** A stored weight; `sparse` ones count the values they store. */
export interface Initializer extends RawField, TensorHeader {
  sparse: boolean;
}

/** Names of the tensors that quantise a value. */
export interface Annotation extends RawField {
  name: string;
  uses: string[];
}

/** A parsed model; all of it views into one buffer that must not change. */
export interface OnnxModel {
  irVersion: number;
  /** Version of the default operator set, and of all by domain. */
  opset: number;
  opsets: Readonly<Record<string, number>>;
  /** Name and version of the program that wrote the file, as far as it says. */
  producer: string;
  /** All graph inputs; in old files weights stand among them ({@link networkInput}). */
  inputs: ValueInfo[];
  outputs: ValueInfo[];
  nodes: OnnxNode[];
  initializers: Initializer[];
  valueInfos: ValueInfo[];
  annotations: Annotation[];
  /** The fields that are only ever copied. */
  otherOfGraph: RawField[];
  otherOfModel: RawField[];
}

const MOST_PARTS = 250_000; // nodes, names, weights; the largest published graphs have about 1e5

/**
 * Reads a model, called `name` in errors. Cost O(bytes of structure): weights are stepped over.
 * @throws model-invalid where the bytes aren't a whole ONNX model; model-unsupported where it has too many parts, or
 *   tensors other than weights lie in other files
 */
export function parseModel(bytes: Uint8Array, name = 'model'): OnnxModel {
  if (bytes.length === 0) throw invalid(`${name}: is empty`);
  const model: OnnxModel = {
    irVersion: 0,
    opset: 0,
    opsets: {},
    producer: '',
    inputs: [],
    outputs: [],
    nodes: [],
    initializers: [],
    valueInfos: [],
    annotations: [],
    otherOfGraph: [],
    otherOfModel: [],
  };
  const opsets = new Map<string, number>();
  let graphs = 0;
  let producerVersion = '';
  const countOfFunctions = partCounter();
  eachField(bytes, name, (field) => {
    if (field.number === 7) {
      if (++graphs > 1) throw invalid(`${name}: has two graphs`);
      readGraph(field.bytes(), model);
      return;
    }
    if (field.number === 1) model.irVersion = field.integer();
    else if (field.number === 2) model.producer = field.text();
    else if (field.number === 3) producerVersion = field.text();
    else if (field.number === 8) readOpset(field.bytes(), opsets);
    else if (field.number === 25) readFunction(field.bytes(), 'model.functions', countOfFunctions);
    if (field.number !== TRAINING_INFO) keep(model.otherOfModel, field.number, field.raw());
  });
  if (graphs === 0) throw invalid(`${name}: has no graph`);
  if (opsets.size === 0) throw invalid(`${name}: names no operator set`);
  model.producer = [model.producer, producerVersion].filter((part) => part !== '').join(' ');
  model.opsets = Object.fromEntries(opsets);
  model.opset = opsets.get('') ?? 0;
  checkNames(model);
  return model;
}

// describes training steps over weights; inference never reads it, and a pruned graph may lack those weights
const TRAINING_INFO = 20;

/**
 * The model as a file of its own, parts in the order of their field numbers, each byte for byte as read.
 * @throws file-missing where weights lie in other files, which `inlineExternal` (external.ts) reads
 */
export function writeModel(model: OnnxModel): Uint8Array {
  const outside = model.initializers.find((initializer) => initializer.external !== null);
  if (outside) {
    const found = `${outside.name} in ${outside.external!.location}`;
    throw new PipelineError('file-missing', `expected a model with its weights inside; found ${found}`);
  }
  return join(filePieces(model, (initializer) => [initializer.raw]));
}

/** The pieces of the model's file one after another, each initializer as `piecesOf` gives it: one whole field. */
export function filePieces<Piece extends { length: number }>(
  model: OnnxModel,
  piecesOf: (initializer: Initializer) => (Piece | Uint8Array)[],
): (Piece | Uint8Array)[] {
  const initializers = model.initializers.map((each) => ({ number: each.number, pieces: piecesOf(each) }));
  const others = [
    ...model.nodes,
    ...model.inputs,
    ...model.outputs,
    ...model.valueInfos,
    ...model.annotations,
    ...model.otherOfGraph,
  ].map(asPieces);
  const before = model.otherOfModel.filter((field) => field.number < 7).map(asPieces);
  const after = model.otherOfModel.filter((field) => field.number > 7).map(asPieces);
  const graph = lengthDelimited<Piece | Uint8Array>(7, inOrder([...initializers, ...others]));
  return [...inOrder(before), ...graph, ...inOrder(after)];
}

function asPieces({ number, raw }: RawField): { number: number; pieces: Uint8Array[] } {
  return { number, pieces: [raw] };
}

function inOrder<Piece>(fields: { number: number; pieces: Piece[] }[]): Piece[] {
  return fields.sort((a, b) => a.number - b.number).flatMap((field) => field.pieces);
}

/**
 * The one input a network may have: float32, batch first.
 * @throws model-unsupported naming the inputs where there are several, none, or of another type
 */
export function networkInput(model: OnnxModel): ValueInfo {
  const inputs = networkInputs(model);
  const [input] = inputs;
  if (input === undefined || inputs.length > 1) {
    const found = inputs.length === 0 ? 'none' : inputs.map((each) => each.name).join(', ');
    throw new PipelineError('model-unsupported', `expected a model with one input; found ${found}`);
  }
  if (input.elemType !== 'float32') {
    const found = input.elemType ?? 'no type';
    throw new PipelineError('model-unsupported', `input ${input.name}: expected float32; found ${found}`);
  }
  if (input.dims !== null && input.dims.length < 2) {
    const found = `rank ${input.dims.length}`;
    throw new PipelineError(
      'model-unsupported',
      `input ${input.name}: expected [batch, …] of rank 2 or more; found ${found}`,
    );
  }
  return input;
}

function networkInputs(model: OnnxModel): ValueInfo[] {
  const weights = new Set(model.initializers.map((initializer) => initializer.name));
  return model.inputs.filter((input) => !weights.has(input.name));
}

function readGraph(body: Uint8Array, model: OnnxModel): void {
  const count = partCounter();
  eachField(body, 'graph', (field) => {
    count(1);
    const { number } = field;
    const raw = field.raw();
    if (number === 1) {
      const node = readNode(field.bytes(), `graph.node[${model.nodes.length}]`, count);
      model.nodes.push({ number, raw, index: model.nodes.length, ...node });
    } else if (number === 5) {
      const where = `graph.initializer[${model.initializers.length}]`;
      model.initializers.push({ number, raw, sparse: false, ...readTensorHeader(field.bytes(), where) });
    } else if (number === 15) {
      const header = readSparseTensor(field.bytes(), 'graph.sparse_initializer');
      model.initializers.push({ number, raw, sparse: true, ...header });
    } else if (number === 11) model.inputs.push({ number, raw, ...readValueInfo(field.bytes(), 'graph.input') });
    else if (number === 12) model.outputs.push({ number, raw, ...readValueInfo(field.bytes(), 'graph.output') });
    else if (number === 13) model.valueInfos.push({ number, raw, ...readValueInfo(field.bytes(), 'graph.value_info') });
    else if (number === 14) model.annotations.push({ number, raw, ...readAnnotation(field.bytes(), count) });
    else keep(model.otherOfGraph, number, raw);
  });
}

function keep(list: RawField[], number: number, raw: Uint8Array): void {
  if (list.length >= MOST_PARTS) throw tooManyParts();
  list.push({ number, raw });
}

// bounds what a hostile file can make us hold: a part takes far more memory here than in the file
function partCounter(): (parts: number) => void {
  let left = MOST_PARTS;
  return (parts) => {
    left -= parts;
    if (left < 0) throw tooManyParts();
  };
}

function tooManyParts(): PipelineError {
  return new PipelineError('model-unsupported', `the model has more than ${MOST_PARTS} parts`);
}

function readOpset(body: Uint8Array, opsets: Map<string, number>): void {
  let domain = '';
  let version = 0;
  eachField(body, 'model.opset_import', (field) => {
    if (field.number === 1) domain = field.text();
    else if (field.number === 2) version = field.integer();
  });
  // two names of one domain
  opsets.set(domain === 'ai.onnx' ? '' : domain, version);
}

// TensorAnnotation: the value's name, and the names of its scale and zero point
function readAnnotation(body: Uint8Array, count: (parts: number) => void): { name: string; uses: string[] } {
  const where = 'graph.quantization_annotation';
  let name = '';
  const uses: string[] = [];
  eachField(body, where, (field) => {
    count(1);
    if (field.number === 1) name = field.text();
    else if (field.number === 2) {
      eachField(field.bytes(), where, (inner) => {
        if (inner.number === 2) uses.push(inner.text());
      });
    }
  });
  return { name, uses };
}

// every value has one origin; a weight may be stored twice (ONNX Runtime takes the last) and may stand among the inputs
function checkNames(model: OnnxModel): void {
  const made = new Set(model.initializers.map((initializer) => initializer.name));
  const claim = (name: string, what: string) => {
    if (made.has(name)) throw invalid(`${what} ${name} has the name of another value`);
    made.add(name);
  };
  for (const input of networkInputs(model)) claim(input.name, 'input');
  for (const node of model.nodes) for (const output of node.outputs) if (output !== '') claim(output, 'node output');
}
