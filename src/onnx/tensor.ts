/**
 * What a TensorProto says of itself: name, element type, dims, size, and where its values lie, without
 * decoding them. What a file says of places in other files is checked here, at the door.
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
  /** Where its values lie in another file; null where they stand in the tensor. */
  external: ExternalRange | null;
}

/** Bytes of another file. */
export interface ExternalRange {
  /** Path relative to the model's folder, parts joined by `/`, leading nowhere else. */
  location: string;
  offset: number;
  /** In bytes. */
  length: number;
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
 * @throws model-invalid where dims and values disagree, or the values are said to lie where no model may point to
 */
export function readTensorHeader(body: Uint8Array, where: string): TensorHeader {
  let name = '';
  let type = 0;
  let location = 0;
  let rawBytes = null as number | null; // assigned in a callback, which narrowing doesn't see
  const dims: number[] = [];
  const entries = new Map<string, string>();
  eachField(body, where, (field) => {
    if (field.number === 1) field.integers(dims, MOST_DIMS);
    else if (field.number === 2) type = field.integer();
    else if (field.number === 8) name = field.text();
    else if (field.number === 9) rawBytes = field.bytes().length;
    else if (field.number === 13) readEntry(field.bytes(), entries, where);
    else if (field.number === 14) location = field.integer();
  });

  // a wrong size would mislead the memory plan before the runtime could refuse the tensor
  const tensor = `tensor ${name || where}`;
  const elements = dims.reduce((product, dim) => product * dim, 1);
  if (dims.some((dim) => dim < 0)) throw invalid(`${tensor}: has the dims [${dims.join(', ')}]`);
  const elemType = elementTypeName(type);
  const sizeBytes = elemType === 'string' ? body.length : Math.ceil((elements * elementBits(elemType)) / 8);
  const shape = `${elemType} [${dims.join(', ')}]`;
  if (rawBytes !== null && elemType !== 'string' && rawBytes !== sizeBytes) {
    throw invalid(`${tensor}: ${shape} takes ${sizeBytes} bytes, the file holds ${rawBytes}`);
  }

  // readers differ in what they make of a third value
  if (location !== INSIDE && location !== OUTSIDE) throw invalid(`${tensor}: has the data location ${location}`);
  if (location === INSIDE) return { name, elemType, dims, sizeBytes, external: null };
  if (elemType === 'string') throw invalid(`${tensor}: holds text, which can't lie in another file`);
  const external = externalRange(entries, sizeBytes, tensor);
  if (external.length !== sizeBytes) {
    throw invalid(`${tensor}: ${shape} takes ${sizeBytes} bytes, ${external.length} lie in ${external.location}`);
  }
  return { name, elemType, dims, sizeBytes, external };
}

// TensorProto.DataLocation
const INSIDE = 0;
const OUTSIDE = 1;

/**
 * Reads the header of a tensor that must hold its values itself: one that is no weight of the graph.
 * @throws model-unsupported where they lie in another file; model-invalid
 */
export function readInnerTensor(body: Uint8Array, where: string): TensorHeader {
  const header = readTensorHeader(body, where);
  if (header.external === null) return header;
  const found = `${header.name || where}, which is none, in ${header.external.location}`;
  throw new PipelineError(
    'model-unsupported',
    `expected only weights of the graph to lie in other files; found ${found}`,
    {
      hint: 'save the model with its weights inside, as onnx.save(onnx.load(path), out) does',
    },
  );
}

/** Reads a SparseTensorProto: the header of its values, under the dims of the whole; `sizeBytes` counts its indices too. */
export function readSparseTensor(body: Uint8Array, where: string): TensorHeader {
  let header: TensorHeader = { name: '', elemType: 'float32', dims: [], sizeBytes: 0, external: null };
  let indexBytes = 0;
  const dims: number[] = [];
  eachField(body, where, (field) => {
    if (field.number === 1) header = readInnerTensor(field.bytes(), where);
    else if (field.number === 2) indexBytes = readInnerTensor(field.bytes(), `${where} indices`).sizeBytes;
    else if (field.number === 3) field.integers(dims, MOST_DIMS);
  });
  return { ...header, dims, sizeBytes: header.sizeBytes + indexBytes };
}

const MOST_ENTRIES = 16; // the format knows five keys

// StringStringEntryProto
function readEntry(body: Uint8Array, entries: Map<string, string>, where: string): void {
  let key = '';
  let value = '';
  eachField(body, where, (field) => {
    if (field.number === 1) key = field.text();
    else if (field.number === 2) value = field.text();
  });
  if (entries.has(key)) throw invalid(`${where}: says twice which ${key} its values have in another file`);
  if (entries.size >= MOST_ENTRIES) throw invalid(`${where}: says more than ${MOST_ENTRIES} things of another file`);
  entries.set(key, value);
}

// the keys of TensorProto.external_data; a checksum isn't read, since whole files are known by their hashes
function externalRange(entries: ReadonlyMap<string, string>, sizeBytes: number, tensor: string): ExternalRange {
  const bytes = (key: string, absent: number): number => {
    const text = entries.get(key);
    const value = text === undefined ? absent : Number(text);
    if (text !== undefined && !/^\d{1,16}$/.test(text))
      throw invalid(`${tensor}: has the ${key} ${JSON.stringify(text)}`);
    if (!Number.isSafeInteger(value)) throw invalid(`${tensor}: has the ${key} ${value}`);
    return value;
  };
  const offset = bytes('offset', 0);
  const length = bytes('length', sizeBytes);
  return { location: safeLocation(entries.get('location') ?? '', tensor), offset, length };
}

/**
 * The location with its `.` parts dropped. A model comes from anywhere and must not lead its reader to other files
 * than its own: only relative paths downwards are taken, in the one spelling that all systems read alike.
 */
function safeLocation(location: string, tensor: string): string {
  const parts = location.split('/').filter((part) => part !== '.');
  // a drive letter, a Windows separator, or a character that ends or hides part of a name
  // oxlint-disable-next-line no-control-regex
  const strange = /^[A-Za-z]:|[\\\u0000-\u001f\u007f]/.test(location);
  if (strange || location.length > 1024 || parts.length === 0 || parts.some((part) => part === '' || part === '..')) {
    const found = JSON.stringify(location.slice(0, 200));
    throw invalid(`${tensor}: expected values in a file beside the model; found the location ${found}`);
  }
  return parts.join('/');
}
