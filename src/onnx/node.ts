/**
 * One node of an ONNX graph: what it reads and what it makes. Bodies of If, Loop and Scan stand in a
 * node's attributes and read values of the graph around them without naming them as inputs; those
 * names are found here, at any depth.
 */
import { PipelineError } from '../errors.ts';
import { readInnerTensor, readSparseTensor } from './tensor.ts';
import { eachField, invalid, type RawField } from './wire.ts';

/** A node, with its bytes as they stand in the file. */
export interface OnnxNode extends RawField {
  /** Place in the graph's order, which ONNX requires to be topological. */
  index: number;
  /** Empty where the exporter gave none. */
  name: string;
  opType: string;
  domain: string;
  /** Value names; empty for an optional one left out. */
  inputs: string[];
  outputs: string[];
  /** Values of the graph around that the bodies in its attributes read. */
  captures: string[];
  /** Bytes of the tensors stored in its attributes, bodies included. */
  tensorBytes: number;
}

const DEEPEST = 32; // bodies within bodies; exporters nest two or three

type Count = (parts: number) => void;
type NodeContent = Omit<OnnxNode, keyof RawField | 'index'>;

/** Reads a NodeProto. `count` is told of every part held. */
export function readNode(body: Uint8Array, where: string, count: Count, depth = 0): NodeContent {
  const node: NodeContent = { name: '', opType: '', domain: '', inputs: [], outputs: [], captures: [], tensorBytes: 0 };
  const captures = new Set<string>();

  eachField(body, where, (field) => {
    count(1);
    if (field.number === 1) node.inputs.push(field.text());
    else if (field.number === 2) node.outputs.push(field.text());
    else if (field.number === 3) node.name = field.text();
    else if (field.number === 4) node.opType = field.text();
    else if (field.number === 5) {
      const attribute = readAttribute(field.bytes(), where, count, depth);
      node.tensorBytes += attribute.tensorBytes;
      for (const name of attribute.captures) captures.add(name);
    } else if (field.number === 7) node.domain = field.text();
  });
  if (node.opType === '') throw invalid(`${where}: names no operator`);
  node.captures = [...captures];
  return node;
}

/**
 * Walks a FunctionProto, an operator defined in the file, which is only ever copied: nothing in it may lead the
 * runtime to other files.
 */
export function readFunction(body: Uint8Array, where: string, count: Count): void {
  eachField(body, where, (field) => {
    count(1);
    if (field.number === 7) readNode(field.bytes(), where, count);
    else if (field.number === 11) readAttribute(field.bytes(), where, count, 0);
  });
}

type Content = Pick<OnnxNode, 'captures' | 'tensorBytes'>;

// AttributeProto: tensors count as weights, bodies are searched for captured names
function readAttribute(body: Uint8Array, where: string, count: Count, depth: number): Content {
  const content: Content = { captures: [], tensorBytes: 0 };
  eachField(body, where, (field) => {
    const { number } = field;
    if (number === 5 || number === 10) {
      count(1);
      content.tensorBytes += readInnerTensor(field.bytes(), `${where} attribute`).sizeBytes;
    } else if (number === 22 || number === 23) {
      count(1);
      content.tensorBytes += readSparseTensor(field.bytes(), `${where} attribute`).sizeBytes;
    } else if (number === 6 || number === 11) {
      const inner = readBody(field.bytes(), `${where} body`, count, depth + 1);
      content.tensorBytes += inner.tensorBytes;
      for (const name of inner.captures) content.captures.push(name);
    }
  });
  return content;
}

// a GraphProto inside an attribute: names it reads but doesn't make itself
function readBody(body: Uint8Array, where: string, count: Count, depth: number): Content {
  if (depth > DEEPEST) {
    throw new PipelineError('model-unsupported', `${where}: bodies nested more than ${DEEPEST} deep`);
  }
  const read = new Set<string>();
  const own = new Set<string>(['']);
  let tensorBytes = 0;
  eachField(body, where, (field) => {
    count(1);
    if (field.number === 1) {
      const node = readNode(field.bytes(), where, count, depth);
      for (const name of [...node.inputs, ...node.captures]) read.add(name);
      for (const name of node.outputs) own.add(name);
      tensorBytes += node.tensorBytes;
    } else if (field.number === 5) {
      const tensor = readInnerTensor(field.bytes(), where);
      own.add(tensor.name);
      tensorBytes += tensor.sizeBytes;
    } else if (field.number === 15) {
      const tensor = readSparseTensor(field.bytes(), where);
      own.add(tensor.name);
      tensorBytes += tensor.sizeBytes;
    } else if (field.number === 11) own.add(nameOf(field.bytes(), 1, where));
    else if (field.number === 12) read.add(nameOf(field.bytes(), 1, where));
  });
  return { captures: [...read].filter((name) => !own.has(name)), tensorBytes };
}

function nameOf(body: Uint8Array, number: number, where: string): string {
  let name = '';
  eachField(body, where, (field) => {
    if (field.number === number) name = field.text();
  });
  return name;
}
