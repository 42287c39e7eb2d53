/**
 * What a TensorProto says of itself: name, element type, dims and size, without decoding its values.
 * Field numbers are those of onnx.proto (ONNX 1.18, IR version 11).
 */
import { PipelineError } from '../errors.ts';
import { eachField, invalid } from './wire.ts';

// TensorProto.DataType: name as ONNX Runtime's JavaScript API writes it, width in bits
const ELEMENT_TYPES: Readonly<Record<number, readonly [name: string, bits: number]>> = {
  1: ['float32', 32],
  2: ['uint8', 8],
  3: ['int8', 8],
  4: ['uint16', 16],
  5: ['int16', 16],
  6: ['int32', 32],
  7: ['int64', 64],
  8: ['string', 0],
  9: ['bool', 8],
  10: ['float16', 16],
  11: ['float64', 64],
  12: ['uint32', 32],
  13: ['uint64', 64],
  14: ['complex64', 64],
  15: ['complex128', 128],
  16: ['bfloat16', 16],
  17: ['float8e4m3fn', 8],
  18: ['float8e4m3fnuz', 8],
  19: ['float8e5m2', 8],
  20: ['float8e5m2fnuz', 8],
  21: ['uint4', 4],
  22: ['int4', 4],
  23: ['float4e2m1', 4],
};

/** More axes than any real tensor has. */
export const MOST_DIMS = 16;

/** The header of a stored tensor. */
export interface TensorHeader {
  name: string;
  elemType: string;
  dims: number[];
  /** Bytes of its values in memory; for strings, in the file. */
  sizeBytes: number;
}

/** The name of an element type by its number in the file. */
export function elementTypeName(number: number): string {
  return ELEMENT_TYPES[number]?.[0] ?? `type ${number}`;
}

/** The number of an element type in the file; undefined for a name that isn't one. */
export function elementTypeNumber(name: string): number | undefined {
  const entry = Object.entries(ELEMENT_TYPES).find(([, [known]]) => known === name);
  return entry && Number(entry[0]);
}

/** Bits of one element, 32 for a type that isn't known. */
export function elementBits(name: string): number {
  return Object.values(ELEMENT_TYPES).find((entry) => entry[0] === name)?.[1] ?? 32;
}

/**
 * Reads a TensorProto's header.
 * @throws model-unsupported where the values lie in another file; model-invalid where dims and values disagree
 */
export function readTensorHeader(body: Uint8Array, where: string): TensorHeader {
  let name = '';
  let type = 0;
  let external = false;
  let rawBytes = null as number | null; // assigned in a callback, which narrowing doesn't see
  const dims: number[] = [];
  eachField(body, where, (field) => {
    if (field.number === 1) field.integers(dims, MOST_DIMS);
    else if (field.number === 2) type = field.integer();
    else if (field.number === 8) name = field.text();
    else if (field.number === 9) rawBytes = field.bytes().length;
    else if (field.number === 13) external = true;
    else if (field.number === 14) external = field.integer() === 1;
  });
  if (external) {
    throw new PipelineError('model-unsupported', `tensor ${name || where}: its values lie in another file`, {
      hint: 'save the model with its weights inside, as onnx.save(onnx.load(path), out) does',
    });
  }

  // a wrong size would mislead the memory plan before the runtime could refuse the tensor
  const elements = dims.reduce((product, dim) => product * dim, 1);
  if (dims.some((dim) => dim < 0)) throw invalid(`tensor ${name || where}: has the dims [${dims.join(', ')}]`);
  const elemType = elementTypeName(type);
  const sizeBytes = elemType === 'string' ? body.length : Math.ceil((elements * elementBits(elemType)) / 8);
  if (rawBytes !== null && elemType !== 'string' && rawBytes !== sizeBytes) {
    const shape = `${elemType} [${dims.join(', ')}]`;
    throw invalid(`tensor ${name || where}: ${shape} takes ${sizeBytes} bytes, the file holds ${rawBytes}`);
  }
  return { name, elemType, dims, sizeBytes };
}
