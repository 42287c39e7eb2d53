/**
 * NPZ: several named arrays in one object, as numpy.load opens them; the form of every object the stages hand over. It
 * is written in pieces and read by range, a member at a time, so that neither side holds an array twice. Carries its
 * own checksum: a last member `sha256`, uint8 [members × 32], with SHA-256 of each member's name followed by the
 * SHA-256 of each 8 MiB of its .npy, in member order. The same arrays give the same bytes everywhere. Above 300 lines
 * because writer and reader of the one format stand together.
 */
import { fromUnknown, PipelineError } from '../errors.ts';
import { crc32 } from './crc32.ts';
import { npyArrayOver, npyHeaderFor, NPY_HEADER_MOST_BYTES, parseNpyHeader } from './npy.ts';
import type { NpyArray, NpyArrays, NpyData, NpyDtype, NpyHeader } from './npy.ts';
import { bufferSource, RANGE_CHUNK_BYTES, rangeChunks, readRange } from './range.ts';
import type { RangeSource } from './range.ts';
import { readZipDirectory, zipDirectory, zipLocalHeader, zipSize, ZIP_MOST_BYTES, ZIP_MOST_FILES } from './zip.ts';

/** An array to be written; a view of a larger buffer is fine. */
export interface NpzMember {
  data: NpyData;
  shape: readonly number[];
}
/** What an object holds, by name and in order. Names are letters, digits and `_` and start with a letter; not `sha256`. */
export type NpzMembers = Record<string, NpzMember>;

const CHECKSUM = 'sha256';
const CHECKSUM_BYTES = 32;
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const GAP_BYTES = 65_536; // two members no further apart than this are read at once

/**
 * The object of {@link writeNpz} in order, in pieces of at most 8 MiB that are views of the arrays where they can be:
 * neither these nor the arrays are to be written to before the last piece was taken. Holds 8 MiB of its own; a pass
 * over each member comes before its first piece.
 *
 * @throws internal: a name that isn't allowed, a shape that isn't the array's, 4 GiB or more
 */
export async function* npzChunks(members: Readonly<NpzMembers>): AsyncGenerator<Uint8Array> {
  const { files, sums } = layOut(members);
  const crcs: number[] = [];
  for (const [i, file] of files.entries()) {
    // the header and what follows it are hashed as one, so they are joined; all other chunks are views
    const inFirst = Math.min(file.data.length, RANGE_CHUNK_BYTES - file.header.length);
    const first = joined([file.header, file.data.subarray(0, inFirst)]);
    const chunks: Uint8Array[] = [first];
    for (let at = inFirst; at < file.data.length; at += RANGE_CHUNK_BYTES)
      chunks.push(file.data.subarray(at, at + RANGE_CHUNK_BYTES));

    // both checks in one pass: SHA-256 works beside us, the CRC meanwhile here
    const digests: Uint8Array[] = [];
    let crc = 0;
    for (const chunk of chunks) {
      const digest = sha256(chunk);
      crc = crc32(chunk, crc);
      digests.push(await digest);
    }
    crcs.push(crc);
    // the last file is the checksums: by its turn they are complete
    if (i * CHECKSUM_BYTES < sums.length) sums.set(await memberSum(file.member, digests), i * CHECKSUM_BYTES);

    const local = zipLocalHeader(file, crc);
    if (local.length + first.length <= RANGE_CHUNK_BYTES) chunks[0] = joined([local, first]);
    else chunks.unshift(local);
    yield* chunks;
  }
  yield zipDirectory(files, crcs);
}

/**
 * Bytes of the object of {@link writeNpz}, from the shapes alone.
 *
 * @throws internal as {@link npzChunks}
 */
export function npzSize(members: Readonly<NpzMembers>): number {
  return layOut(members).sizeBytes;
}

/**
 * Writes arrays as one .npz, in the order of the record's keys. The arrays are only read.
 *
 * @throws internal as {@link npzChunks}
 */
export async function writeNpz(members: Readonly<NpzMembers>): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(npzSize(members));
  let at = 0;
  for await (const chunk of npzChunks(members)) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/**
 * Opens an object of {@link writeNpz}: reads its directory and checksums, of an object below 64 KiB everything.
 * `name` names it in errors. The source must stay readable; what it throws comes through unchanged.
 *
 * @throws object-damaged: not an .npz of ours, or its directory isn't whole
 */
export async function openNpz(source: RangeSource, name = 'object'): Promise<NpzObject> {
  const fail = failFor(name);
  const { places, tail } = await readZipDirectory(source, fail);
  const members = new Map<string, Member>();
  for (const place of places) {
    const member = place.name.replace(/\.npy$/, '');
    if (member === place.name || !NAME.test(member) || members.has(member))
      throw fail('a member name that is not ours');
    members.set(member, { start: place.start, end: place.end, index: members.size });
  }
  const last = [...members.keys()].at(-1);
  const place = members.get(CHECKSUM);
  if (last !== CHECKSUM || place === undefined) throw fail('no checksums at its end');
  members.delete(CHECKSUM);

  // what was read with the directory isn't read again
  const tailed: RangeSource = {
    size: source.size,
    read: (start, end) =>
      start < tail.start
        ? readRange(source, start, end)
        : Promise.resolve(tail.bytes.subarray(start - tail.start, end - tail.start)),
  };
  const sizeBytes = place.end - place.start;
  if (sizeBytes > NPY_HEADER_MOST_BYTES + members.size * CHECKSUM_BYTES) throw fail(`checksums of ${sizeBytes} bytes`);
  const file = await tailed.read(place.start, place.end);
  const { shape, offset } = headerOf(file, sizeBytes, CHECKSUM, fail, ['uint8']);
  if (shape.length !== 2 || shape[0] !== members.size || shape[1] !== CHECKSUM_BYTES)
    throw fail(`${members.size} members and checksums of shape (${shape.join(', ')})`);
  return new NpzObject(tailed, members, file.slice(offset), fail);
}

interface Member {
  start: number;
  end: number;
  /** Its place among the members, and that of its checksum. */
  index: number;
}

/** An object whose directory was read; its members are read, and verified, when they are asked for. */
export class NpzObject {
  readonly names: readonly string[];
  readonly #source: RangeSource;
  readonly #members: ReadonlyMap<string, Member>;
  readonly #sums: Uint8Array;
  readonly #fail: Fail;

  /** Use {@link openNpz}. */
  constructor(source: RangeSource, members: ReadonlyMap<string, Member>, sums: Uint8Array, fail: Fail) {
    this.names = [...members.keys()];
    this.#source = source;
    this.#members = members;
    this.#sums = sums;
    this.#fail = fail;
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** Where the member's .npy stands in the object. @throws object-damaged: no such member */
  range(name: string): { start: number; end: number } {
    const { start, end } = this.#member(name);
    return { start, end };
  }

  /**
   * Dtype and shape, which fit the member's size; not verified, since the checksum is of the whole member.
   *
   * @throws object-damaged: no such member, or not an .npy
   */
  async header(name: string): Promise<{ dtype: NpyDtype; shape: number[] }> {
    const { start, end } = this.range(name);
    const bytes = await this.#source.read(start, Math.min(end, start + NPY_HEADER_MOST_BYTES));
    const { dtype, shape } = headerOf(bytes, end - start, name, this.#fail);
    return { dtype, shape };
  }

  /**
   * The members of these names, verified; all without `names`. Arrays are aligned and owned by the caller. Holds up
   * to 24 MiB besides them. Small members that stand near each other are read at once.
   *
   * @throws object-damaged: no such member, a wrong checksum, not an .npy
   */
  async read(names: readonly string[] = this.names): Promise<Record<string, NpyArray>> {
    const wanted = [...new Set(names)].map((name) => ({ name, ...this.range(name) }));
    const inOrder = [...wanted].sort((a, b) => a.start - b.start);
    const arrays = new Map<string, NpyArray>();
    for (let i = 0; i < inOrder.length;) {
      const { start } = inOrder[i]!;
      let [last, { end }] = [i, inOrder[i]!];
      for (let next = inOrder[last + 1]; next !== undefined; next = inOrder[last + 1]) {
        if (next.end - start > RANGE_CHUNK_BYTES || next.start - end > GAP_BYTES) break;
        end = next.end;
        last++;
      }
      const source = last > i ? within(await this.#source.read(start, end), start) : this.#source;
      for (; i <= last; i++) arrays.set(inOrder[i]!.name, await this.#array(inOrder[i]!.name, source));
    }
    return Object.fromEntries(wanted.map(({ name }) => [name, arrays.get(name)!]));
  }

  /**
   * Whole rows of a float64 or float32 matrix in order: at most 8 MiB, or one row, and at most `rowsPerChunk` rows at
   * a time. The arrays are the caller's. The last rows come only after the whole member was verified, and those before
   * are to be taken back if it fails. A matrix without values gives nothing. Holds up to 32 MiB.
   *
   * @throws object-damaged: no such member, not a matrix of floats, a wrong checksum (at the latest before the last rows)
   */
  async *rows(name: string, rowsPerChunk = Infinity): AsyncGenerator<NpzRows> {
    const { start, end } = this.range(name);
    let header: NpyHeader | undefined;
    let piece = new Uint8Array(0);
    let filled = 0;
    let first = 0;
    for await (const chunk of this.#chunks(name, this.#source)) {
      let at = header === undefined ? (header = headerOf(chunk, end - start, name, this.#fail)).offset : 0;
      const { dtype, shape } = header;
      const [rows = 0, columns = 0] = shape;
      if (shape.length !== 2 || (dtype !== 'float64' && dtype !== 'float32'))
        throw this.#fail(`member '${name}' of ${dtype} (${shape.join(', ')}) where a matrix of floats is due`);
      const rowBytes = columns * (dtype === 'float64' ? 8 : 4);
      const most = Math.max(1, Math.floor(Math.min(rowsPerChunk, RANGE_CHUNK_BYTES / rowBytes)) || 1);
      while (at < chunk.length) {
        if (filled === 0) piece = new Uint8Array(Math.min(most, rows - first) * rowBytes);
        const part = chunk.subarray(at, at + piece.length - filled);
        piece.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled < piece.length) continue;
        yield { first, values: npyArrayOver(dtype, piece.buffer) };
        first += piece.length / rowBytes;
        filled = 0;
      }
    }
  }

  /**
   * Reads the member without keeping it. Holds up to 24 MiB.
   *
   * @throws object-damaged where {@link read} would
   */
  async verify(name: string): Promise<void> {
    const { start, end } = this.range(name);
    let header: NpyHeader | undefined;
    for await (const chunk of this.#chunks(name, this.#source))
      header ??= headerOf(chunk, end - start, name, this.#fail);
  }

  /** The bytes of a member's .npy in order, verified: the last piece comes only after the checksum was found right. */
  bytes(name: string): AsyncGenerator<Uint8Array> {
    return this.#chunks(name, this.#source);
  }

  /** Where the values start within the member's .npy. */
  async payloadOffset(name: string): Promise<number> {
    const { start, end } = this.range(name);
    const bytes = await this.#source.read(start, Math.min(end, start + NPY_HEADER_MOST_BYTES));
    return headerOf(bytes, end - start, name, this.#fail).offset;
  }

  #member(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw this.#fail(`no member '${name}'`);
    return member;
  }

  // a member, verified: chunk by chunk into its own array
  async #array(name: string, source: RangeSource): Promise<NpyArray> {
    const { start, end } = this.range(name);
    let header: NpyHeader | undefined;
    let bytes = new Uint8Array(0);
    let filled = 0;
    for await (const chunk of this.#chunks(name, source)) {
      let data = chunk;
      if (header === undefined) {
        header = headerOf(chunk, end - start, name, this.#fail);
        bytes = new Uint8Array(end - start - header.offset);
        data = chunk.subarray(header.offset);
      }
      bytes.set(data, filled);
      filled += data.length;
    }
    if (header === undefined) throw this.#fail(`member '${name}' without bytes`);
    return { dtype: header.dtype, shape: header.shape, data: npyArrayOver(header.dtype, bytes.buffer) };
  }

  // the bytes of a member's .npy; the last chunk comes only once the checksum of all was found right
  async *#chunks(name: string, source: RangeSource): AsyncGenerator<Uint8Array> {
    const { start, end, index } = this.#member(name);
    const digests: Uint8Array[] = [];
    let at = start;
    for await (const chunk of rangeChunks(source, start, end)) {
      digests.push(await sha256(chunk));
      at += chunk.length;
      if (at === end) {
        const sum = await memberSum(name, digests);
        const expected = this.#sums.subarray(index * CHECKSUM_BYTES);
        if (sum.some((byte, i) => byte !== expected[i])) throw this.#fail(`member '${name}' with another checksum`);
      }
      yield chunk;
    }
  }
}

/** Rows `first`, `first` + 1, … of a matrix, row-major. */
export interface NpzRows {
  first: number;
  values: Float64Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
}

/**
 * Reads an .npz of {@link writeNpz} and verifies the checksum of every member it returns; `only` limits
 * that to the names given, without it all are read and their set must be complete. Arrays are copies, owned
 * by the caller. Bytes that differ from what was written either fail or give the very same arrays.
 *
 * @throws object-damaged on any fault; `source` names the object
 */
export async function readNpz(
  object: Uint8Array | RangeSource,
  only?: readonly string[],
  source = 'object',
): Promise<Record<string, NpyArray>> {
  return (await openNpz(object instanceof Uint8Array ? bufferSource(object) : object, source)).read(only);
}

/**
 * One array of an object that was read, with the dtype and shape its reader relies on; −1 in `shape` lets
 * that axis be anything.
 *
 * @throws object-damaged: absent, another dtype or another shape
 */
export function takeMember<D extends NpyDtype>(
  members: Readonly<Record<string, NpyArray>>,
  name: string,
  dtype: D,
  shape: readonly number[],
): NpyArrays[D] {
  const found = members[name];
  const fits =
    found?.dtype === dtype &&
    found.shape.length === shape.length &&
    found.shape.every((axis, i) => shape[i] === -1 || shape[i] === axis);
  if (found === undefined || !fits) {
    const what = found === undefined ? 'no such member' : `${found.dtype} (${found.shape.join(', ')})`;
    throw new PipelineError(
      'object-damaged',
      `member '${name}': expected ${dtype} (${shape.join(', ')}); found ${what}`,
    );
  }
  return found.data as NpyArrays[D];
}

interface MemberFile {
  member: string;
  /** In the archive. */
  name: string;
  header: Uint8Array;
  data: Uint8Array;
  sizeBytes: number;
}

// the files of an object, the checksums last; `sums` is what the last one holds, to be filled
function layOut(members: Readonly<NpzMembers>): { files: MemberFile[]; sums: Uint8Array; sizeBytes: number } {
  const names = Object.keys(members);
  for (const name of names)
    if (!NAME.test(name) || name === CHECKSUM)
      throw new PipelineError('internal', `expected a member name; found '${name}'`);
  const sums = new Uint8Array(names.length * CHECKSUM_BYTES);
  const all: [string, NpzMember][] = [
    ...Object.entries(members),
    [CHECKSUM, { data: sums, shape: [names.length, CHECKSUM_BYTES] }],
  ];
  const files = all.map(([member, { data, shape }]) => {
    const header = npyHeaderFor(data, shape);
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { member, name: `${member}.npy`, header, data: bytes, sizeBytes: header.length + bytes.length };
  });
  const sizeBytes = zipSize(files);
  if (sizeBytes > ZIP_MOST_BYTES || files.length > ZIP_MOST_FILES)
    throw new PipelineError(
      'internal',
      `expected an object of at most ${ZIP_MOST_FILES} files and ${ZIP_MOST_BYTES} bytes; found ${files.length} files and ${sizeBytes} bytes`,
    );
  return { files, sums, sizeBytes };
}

type Fail = (found: string, cause?: unknown) => PipelineError;

function failFor(object: string): Fail {
  return (found, cause) =>
    new PipelineError('object-damaged', `${object}: expected a whole .npz with its checksums; found ${found}`, {
      cause,
    });
}

// the header of a member of an object: what is wrong with it is wrong with the object
function headerOf(
  bytes: Uint8Array,
  sizeBytes: number,
  member: string,
  fail: Fail,
  accepts?: readonly NpyDtype[],
): NpyHeader {
  try {
    return parseNpyHeader(bytes, `member '${member}'`, sizeBytes, accepts);
  } catch (error) {
    throw fail(fromUnknown(error).plainMessage, error);
  }
}

async function memberSum(name: string, digests: readonly Uint8Array[]): Promise<Uint8Array> {
  return sha256(joined([new TextEncoder().encode(name), ...digests]));
}

async function sha256(bytes: Uint8Array): Promise<Uint8Array> {
  // shared memory can't be hashed in place
  const own = bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : bytes.slice();
  return new Uint8Array(await crypto.subtle.digest('SHA-256', own));
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

// bytes that were read from `start` on, as if they were the object
function within(bytes: Uint8Array, start: number): RangeSource {
  return {
    size: start + bytes.length,
    read: (from, to) => Promise.resolve(bytes.subarray(from - start, to - start)),
  };
}
