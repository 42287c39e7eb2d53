/**
 * Writes the few parts of an ONNX graph we add or make ourselves: nodes, named values, constants.
 * Each is one whole field of a GraphProto, ready to stand among the fields of a parsed model.
 * Field numbers are those of onnx.proto.
 */
import { PbfWriter } from 'pbf';
import type { Dim } from './value.ts';
import { join, lengthDelimited } from './wire.ts';

/** TensorProto.DataType of the types we write. */
export const FLOAT32 = 1;
export const INT64 = 7;

const NODE = 1;
const INITIALIZER = 5;
/** Field numbers of GraphProto. */
export const INPUT = 11;
export const OUTPUT = 12;

/** A node of the default domain; its attributes are integers or lists of integers. */
export function nodeField(
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, number | readonly number[]>> = {},
): Uint8Array {
  return field(NODE, (node) => {
    for (const input of inputs) node.writeStringField(1, input);
    node.writeStringField(2, output);
    node.writeStringField(4, opType);
    for (const [name, value] of Object.entries(attributes)) {
      // AttributeProto: name 1, i 3, ints 8, type 20 (2 is INT, 7 is INTS)
      message(node, 5, (attribute) => {
        attribute.writeStringField(1, name);
        for (const each of [value].flat()) attribute.writeVarintField(typeof value === 'number' ? 3 : 8, each);
        attribute.writeVarintField(20, typeof value === 'number' ? 2 : 7);
      });
    }
  });
}

/** A graph input or output; without a type, the runtime infers it; without dims, it is of any rank. */
export function valueField(number: number, name: string, elemType?: number, dims?: readonly Dim[]): Uint8Array {
  return field(number, (info) => {
    info.writeStringField(1, name);
    if (elemType === undefined) return;
    message(info, 2, (type) =>
      message(type, 1, (tensor) => {
        tensor.writeVarintField(1, elemType);
        if (dims)
          message(tensor, 2, (shape) => dims.forEach((dim) => message(shape, 1, (each) => writeDim(each, dim))));
      }),
    );
  });
}

function writeDim(writer: PbfWriter, dim: Dim): void {
  if (typeof dim === 'number') writer.writeVarintField(1, dim);
  else if (dim !== null) writer.writeStringField(2, dim);
}

/** A float32 or int64 constant, by the type of its values. */
export function constantField(name: string, dims: readonly number[], values: Float32Array | BigInt64Array): Uint8Array {
  return field(INITIALIZER, (tensor) => {
    for (const dim of dims) tensor.writeVarintField(1, dim);
    tensor.writeVarintField(2, values instanceof Float32Array ? FLOAT32 : INT64);
    tensor.writeStringField(8, name);
    // raw_data is little-endian, as are all platforms we run on
    tensor.writeBytesField(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  });
}

/** A model of the default operator set from the fields of its graph, which it names. */
export function modelFrom(
  opset: number,
  irVersion: number,
  graphName: string,
  graph: readonly Uint8Array[],
): Uint8Array {
  const head = new PbfWriter();
  head.writeVarintField(1, irVersion);
  head.writeStringField(2, 'convergent');
  const operatorSet = field(8, (writer) => writer.writeVarintField(2, opset));
  const name = new PbfWriter();
  name.writeStringField(2, graphName);
  return join([head.finish(), ...lengthDelimited(7, [name.finish(), ...graph]), operatorSet]);
}

// one length-delimited field by itself
function field(number: number, write: (writer: PbfWriter) => void): Uint8Array {
  const writer = new PbfWriter();
  message(writer, number, write);
  return writer.finish();
}

function message(writer: PbfWriter, number: number, write: (writer: PbfWriter) => void): void {
  writer.writeMessage(number, (_, inner) => write(inner), null);
}
