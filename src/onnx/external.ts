/**
 * External data: weights that lie in files beside the model, as all networks above 2 GB and many others keep
 * them. Names the files, and writes the model with these weights inside, reading only the bytes that the
 * weights at hand take; so prune first. Finds no files itself: its caller knows where they are.
 */
import { PipelineError } from '../errors.ts';
import type { RangeSource } from '../numeric/range.ts';
import { filePieces, type Initializer, type OnnxModel } from './model.ts';
import type { ExternalRange } from './tensor.ts';
import { eachField, invalid, lengthDelimited } from './wire.ts';

/** Gives random access to the file at a location, a path relative to the model's folder ({@link externalFiles}). */
export type ReadExternal = (location: string) => Promise<RangeSource>;

/** protobuf's limit of a message, which is what a session is opened from (protobuf.dev, Proto Limits). */
const MOST_BYTES = 2 ** 31;
/** The most that is read at once, so that little is held twice. */
const READ_BYTES = 2 ** 24;

/** The distinct locations that the model's weights lie at, sorted: none for a model in one file. */
export function externalFiles(model: OnnxModel): string[] {
  return [...new Set(model.initializers.flatMap((each) => each.external?.location ?? []))].sort();
}

/**
 * The model's file with all weights inside, as `writeModel` gives it for a model that has them there.
 * Holds one buffer of the file's size, which the caller owns, and at most 16 MiB of what it reads.
 * @throws model-invalid where a weight lies beyond the end of its file; plan-too-large where the file would
 *   have 2 GiB or more; what `read` throws
 */
export async function inlineExternal(model: OnnxModel, read: ReadExternal): Promise<Uint8Array> {
  const pieces = filePieces<ExternalRange>(model, initializerPieces);
  const sources = await openExternal(model, read);
  const file = new Uint8Array(totalLength(pieces));
  let at = 0;
  for (const piece of pieces) {
    if (piece instanceof Uint8Array) file.set(piece, at);
    else await readInto(file.subarray(at, at + piece.length), piece, sources.get(piece.location)!);
    at += piece.length;
  }
  return file;
}

/**
 * Opens the files that the model's weights lie in, by location, and checks that they are there in full, and that the
 * model's file with them inside would be below 2 GiB. Reads nothing.
 * @throws as {@link inlineExternal}
 */
export async function openExternal(model: OnnxModel, read: ReadExternal): Promise<Map<string, RangeSource>> {
  const sizeBytes = totalLength(filePieces<ExternalRange>(model, initializerPieces));
  if (sizeBytes >= MOST_BYTES) {
    const found = `${sizeBytes} bytes of weights and graph`;
    throw new PipelineError(
      'plan-too-large',
      `expected a network below ${MOST_BYTES} bytes, protobuf's limit; found ${found}`,
      {
        hint: 'compare earlier layers: only what the layers need is loaded',
      },
    );
  }

  const sources = new Map<string, RangeSource>();
  for (const location of externalFiles(model)) sources.set(location, await read(location));
  for (const { name, external } of model.initializers) {
    if (external) checkRange(name, external, sources.get(external.location)!.size);
  }
  return sources;
}

function totalLength(pieces: readonly { length: number }[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

// TensorProto's fields that hold values or say where they are; segment is long out of use
const VALUES = new Set([3, 4, 5, 6, 7, 9, 10, 11, 13, 14]);
const RAW_DATA = 9;

// one field initializer of the graph, its values as raw_data yet to be read
function initializerPieces({ raw, number, external }: Initializer): (Uint8Array | ExternalRange)[] {
  if (external === null) return [raw];
  const before: Uint8Array[] = [];
  const after: Uint8Array[] = [];
  eachField(raw, 'graph.initializer', (whole) =>
    eachField(whole.bytes(), 'graph.initializer', (field) => {
      if (!VALUES.has(field.number)) (field.number < RAW_DATA ? before : after).push(field.raw());
    }),
  );
  const values = lengthDelimited(RAW_DATA, [external]);
  return lengthDelimited<Uint8Array | ExternalRange>(number, [...before, ...values, ...after]);
}

function checkRange(name: string, { location, offset, length }: ExternalRange, sizeBytes: number): void {
  if (offset + length <= sizeBytes) return;
  throw invalid(
    `tensor ${name}: takes the bytes ${offset} to ${offset + length} of ${location}, which has ${sizeBytes}`,
  );
}

async function readInto(target: Uint8Array, { location, offset }: ExternalRange, source: RangeSource): Promise<void> {
  for (let start = 0; start < target.length; start += READ_BYTES) {
    const end = Math.min(start + READ_BYTES, target.length);
    const bytes = await source.read(offset + start, offset + end);
    if (bytes.length !== end - start)
      throw invalid(`${location}: ends early, after it said to have ${source.size} bytes`);
    target.set(bytes, start);
  }
}
