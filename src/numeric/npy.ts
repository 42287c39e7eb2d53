/**
 * NPY: numpy's file of one array, read and written. The probe data comes in through it, every matrix
 * of the output leaves through it. Little-endian, C order, the four dtypes of the project.
 * Follows numpy/lib/format.py of numpy 1.24. differs: no Fortran order, no scalars, no pickled objects.
 */
import { PipelineError } from '../errors.ts';

/** The typed array of each dtype. */
export interface NpyArrays {
  uint8: Uint8Array<ArrayBuffer>;
  int32: Int32Array<ArrayBuffer>;
  float32: Float32Array<ArrayBuffer>;
  float64: Float64Array<ArrayBuffer>;
}
export type NpyDtype = keyof NpyArrays;
/** What can be written; a view of a larger buffer is fine, its own elements are written. */
export type NpyData = Uint8Array | Int32Array | Float32Array | Float64Array;

/** One array, row-major. */
export interface NpyArray<D extends NpyDtype = NpyDtype> {
  dtype: D;
  shape: number[];
  data: NpyArrays[D];
}

export interface NpyHeader {
  dtype: NpyDtype;
  /** At least one axis; an axis may be 0. */
  shape: number[];
  /** Bytes before the first element. */
  offset: number;
}

/** Whoever reads a file in pieces has the whole header with this many bytes from its front. */
export const NPY_HEADER_MOST_BYTES = 65_536;

/** numpy descr and bytes per element. */
const DTYPES: Record<NpyDtype, { descr: string; bytes: number }> = {
  uint8: { descr: '|u1', bytes: 1 },
  int32: { descr: '<i4', bytes: 4 },
  float32: { descr: '<f4', bytes: 4 },
  float64: { descr: '<f8', bytes: 8 },
};
export const NPY_DTYPES = Object.keys(DTYPES) as NpyDtype[];

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
const ALIGN_BYTES = 64; // ARRAY_ALIGN
const GROWTH_DIGITS = 21; // GROWTH_AXIS_MAX_DIGITS: room in which the first axis may grow in place
const AXES_MOST = 64; // NPY_MAXDIMS of numpy 2

/**
 * Reads the header of an .npy file, version 1.0, 2.0 or 3.0, from its first bytes. `source` names the
 * file in errors; `sizeBytes` is the size of the whole file, checked against header + data where given;
 * `accepts` lists the dtypes the caller can use. Cost: the header only.
 *
 * @throws data-invalid: not .npy, cut short or too long, Fortran order, big-endian, an unsupported dtype
 * (objects and structures too), no axes, a malformed or impossible header.
 */
export function parseNpyHeader(
  bytes: Uint8Array,
  source: string,
  sizeBytes?: number,
  accepts: readonly NpyDtype[] = NPY_DTYPES,
): NpyHeader {
  const fail = (expected: string, found: string, hint?: string): never => {
    throw new PipelineError('data-invalid', `${source}: expected ${expected}; found ${found}`, { hint });
  };

  // the fixed part: magic, version, length of the dictionary
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
    const start = Array.from(bytes.subarray(0, 6), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    fail(
      'an .npy file (93 4e 55 4d 50 59)',
      bytes.length ? `a file that starts with ${start}` : 'an empty file',
      SAVE_HINT,
    );
  }
  const version = bytes[6] ?? 0;
  if (bytes.length < 8) fail('a header of at least 10 bytes', `${bytes.length} bytes`, CUT_HINT);
  if (version < 1 || version > 3 || bytes[7] !== 0) {
    fail('.npy format version 1.0, 2.0 or 3.0', `version ${version}.${bytes[7]}`);
  }
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) fail(`a header of at least ${start} bytes`, `${bytes.length} bytes`, CUT_HINT);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offset = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (offset > Math.min(sizeBytes ?? Infinity, bytes.length)) {
    if (offset > NPY_HEADER_MOST_BYTES)
      fail(`a header of at most ${NPY_HEADER_MOST_BYTES} bytes`, `a length of ${offset}`);
    fail(`a header of ${offset} bytes`, `${Math.min(sizeBytes ?? Infinity, bytes.length)} bytes`, CUT_HINT);
  }

  // the dictionary
  const { descr, fortranOrder, shape } = parseDictionary(new TextDecoder().decode(bytes.subarray(start, offset)), fail);
  const dtype = dtypeOf(descr, accepts, fail);
  if (fortranOrder) fail('C order', 'Fortran order', 'Save it with numpy.ascontiguousarray(x).');
  if (shape.length === 0) fail('at least one axis', 'a single value, shape ()');

  // the size
  let dataBytes = DTYPES[dtype].bytes;
  for (const axis of shape) dataBytes *= axis;
  if (!(dataBytes <= Number.MAX_SAFE_INTEGER)) fail('a size that a file can have', `shape (${shape.join(', ')})`);
  if (sizeBytes !== undefined && sizeBytes !== offset + dataBytes) {
    const sum = `header ${offset} + ${shape.join(' × ')} ${dtype}`;
    fail(
      `${offset + dataBytes} bytes (${sum})`,
      `${sizeBytes} bytes`,
      sizeBytes < offset + dataBytes ? CUT_HINT : undefined,
    );
  }
  return { dtype, shape, offset };
}

/**
 * The array of a whole .npy file; a copy, so that the caller owns it and it is aligned.
 *
 * @throws data-invalid as {@link parseNpyHeader}
 */
export function readNpy(bytes: Uint8Array, source = 'array', accepts: readonly NpyDtype[] = NPY_DTYPES): NpyArray {
  const { dtype, shape, offset } = parseNpyHeader(bytes, source, bytes.length, accepts);
  const buffer = new ArrayBuffer(bytes.length - offset);
  new Uint8Array(buffer).set(bytes.subarray(offset));
  return { dtype, shape, data: npyArrayOver(dtype, buffer) };
}

/** A buffer of elements as the typed array of their dtype; no copy. Its length is a multiple of the element's. */
export function npyArrayOver<D extends NpyDtype>(dtype: D, buffer: ArrayBuffer): NpyArrays[D];
export function npyArrayOver(dtype: NpyDtype, buffer: ArrayBuffer): NpyArrays[NpyDtype] {
  if (dtype === 'float64') return new Float64Array(buffer);
  if (dtype === 'float32') return new Float32Array(buffer);
  return dtype === 'int32' ? new Int32Array(buffer) : new Uint8Array(buffer);
}

/**
 * The bytes that `numpy.save` of numpy 1.24 and later writes for this array (format 1.0, 64-byte aligned).
 * `shape` has at least one axis and multiplies to the array's length; empty arrays are fine.
 *
 * @throws internal where shape and length differ
 */
export function writeNpy(data: NpyData, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const header = npyHeaderFor(data, shape);
  const bytes = new Uint8Array(header.length + data.byteLength);
  bytes.set(header);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return bytes;
}

/**
 * What stands in front of the elements of this array; file = header + elements.
 *
 * @throws internal where shape and length differ
 */
export function npyHeaderFor(data: NpyData, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const count = shape.reduce((product, axis) => product * axis, 1);
  if (shape.length === 0 || count !== data.length) {
    throw new PipelineError('internal', `expected ${data.length} elements; found shape (${shape.join(', ')})`);
  }
  return npyHeaderBytes(dtypeOfArray(data), shape);
}

/**
 * The header of a file whose elements are written by themselves, row-major; a multiple of 64 bytes, mostly 128.
 *
 * @throws internal: no axes, or one that isn't a whole number
 */
export function npyHeaderBytes(dtype: NpyDtype, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  if (
    shape.length === 0 ||
    shape.length > AXES_MOST ||
    !shape.every((axis) => Number.isSafeInteger(axis) && axis >= 0)
  ) {
    throw new PipelineError('internal', `expected 1 to ${AXES_MOST} axes; found shape (${shape.join(', ')})`);
  }

  // the dictionary as Python prints it, then room for the first axis to grow, then padding to the alignment
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${DTYPES[dtype].descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const unpadded = dictionary.length + Math.max(0, GROWTH_DIGITS - String(shape[0]).length) + 1;
  const length = unpadded + ALIGN_BYTES - ((10 + unpadded) % ALIGN_BYTES);
  const text = dictionary.padEnd(length - 1) + '\n';

  const bytes = new Uint8Array(10 + length);
  bytes.set(MAGIC);
  bytes.set([1, 0, length & 255, length >> 8], 6);
  bytes.set(new TextEncoder().encode(text), 10);
  return bytes;
}

type Fail = (expected: string, found: string, hint?: string) => never;

const SAVE_HINT = 'Make it with numpy.save.';
const CUT_HINT = 'The file looks cut short; copy or save it again.';

// one `'key': value` of the dictionary; a value is a string, a bool or a tuple of whole numbers
const ENTRY = /\s*(?:'(\w+)'|"(\w+)")\s*:\s*(?:'([^']*)'|"([^"]*)"|(True|False)|\(([^()'"]*)\))\s*(,|(?=\}))/y;

// the header's Python dictionary: exactly descr, fortran_order and shape, in any order
function parseDictionary(text: string, fail: Fail): { descr: string; fortranOrder: boolean; shape: number[] } {
  if (/['"]descr['"]\s*:\s*[[(]/.test(text)) fail('one number per element', 'a structured dtype', DTYPE_HINT);
  const malformed = (): never => fail('a header with descr, fortran_order and shape', quote(text.trim()));

  let descr: string | undefined;
  let fortranOrder: boolean | undefined;
  let shape: number[] | undefined;
  const open = /^\s*\{/.exec(text) ?? malformed();
  ENTRY.lastIndex = open[0].length;
  let end = ENTRY.lastIndex;
  for (let entry = ENTRY.exec(text); entry !== null; entry = ENTRY.exec(text)) {
    const key = entry[1] ?? entry[2];
    const string = entry[3] ?? entry[4];
    if (key === 'descr' && descr === undefined && string !== undefined) descr = string;
    else if (key === 'fortran_order' && fortranOrder === undefined && entry[5]) fortranOrder = entry[5] === 'True';
    else if (key === 'shape' && shape === undefined && entry[6] !== undefined) shape = parseShape(entry[6], fail);
    else malformed();
    end = ENTRY.lastIndex;
  }
  if (!/^\s*\}\s*$/.test(text.slice(end))) malformed();
  if (descr === undefined || fortranOrder === undefined || shape === undefined) return malformed();
  return { descr, fortranOrder, shape };
}

// the inside of a shape tuple: `10, 28, 28`, `10,` or nothing; Python 2 wrote long integers as 10L
function parseShape(inside: string, fail: Fail): number[] {
  const items = inside.trim().replace(/,$/, '').split(',');
  if (items.length === 1 && items[0] === '') return [];
  const expected = `a shape of at most ${AXES_MOST} whole numbers`;
  if (items.length > AXES_MOST) fail(expected, `${items.length} axes`);
  return items.map((item) => {
    const axis = /^\d{1,16}L?$/.test(item.trim()) ? parseInt(item, 10) : NaN;
    return Number.isSafeInteger(axis) ? axis : fail(expected, quote(`(${inside})`));
  });
}

function dtypeOf(descr: string, accepts: readonly NpyDtype[], fail: Fail): NpyDtype {
  const dtype = NPY_DTYPES.find((name) => DTYPES[name].descr.slice(1) === descr.replace(/^[<|=]/, ''));
  if (dtype !== undefined && accepts.includes(dtype)) return dtype;
  const expected = accepts.map((name) => `${name} ('${DTYPES[name].descr}')`).join(' or ');
  if (descr.startsWith('>')) return fail('little-endian numbers', `big-endian ${quote(descr)}`, BIG_ENDIAN_HINT);
  if (/^\|?O/.test(descr)) return fail(expected, `Python objects ${quote(descr)}`, DTYPE_HINT);
  return fail(expected, dtype === undefined ? `dtype ${quote(descr)}` : `${dtype} ('${descr}')`, DTYPE_HINT);
}

const DTYPE_HINT = "Convert it with x.astype('float32') before numpy.save.";
const BIG_ENDIAN_HINT = "Convert it with x.astype(x.dtype.newbyteorder('<')) before numpy.save.";

function dtypeOfArray(data: NpyData): NpyDtype {
  if (data instanceof Float64Array) return 'float64';
  if (data instanceof Float32Array) return 'float32';
  return data instanceof Int32Array ? 'int32' : 'uint8';
}

// text from a file for an error message: printable, and not endless
function quote(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?');
  return printable.length > 80 ? `'${printable.slice(0, 77)}…'` : `'${printable}'`;
}
