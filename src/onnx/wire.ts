/**
 * Protobuf wire format for ONNX files: walks the fields of one message without decoding what nobody
 * asks for. Every length is checked against the message it stands in, so a truncated, foreign or
 * hostile file ends in `model-invalid` after time linear in its size, and no buffer is copied.
 */
import { PbfReader } from 'pbf';
import { PipelineError } from '../errors.ts';

/** A field as it stands in the file, tag and length included. */
export interface RawField {
  number: number;
  raw: Uint8Array;
}

/** The field a walk stands on; valid only during the visit. */
export interface Field {
  number: number;
  /** The value of an integer field, signed. */
  integer(): number;
  /** The bytes of a length-delimited field, a view into the file. */
  bytes(): Uint8Array;
  /** A length-delimited field as UTF-8. */
  text(): string;
  /** Adds the integers of a repeated field, packed or not, to `list`, at most `most` in total. */
  integers(list: number[], most: number): void;
  /** The whole field, tag and length included, a view into the file. */
  raw(): Uint8Array;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

// names decide what is wired to what: two that differ must not decode to the same text
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Visits every field of `message` in file order. `where` names the message in errors (`graph.node`).
 * @throws model-invalid on a malformed field
 */
export function eachField(message: Uint8Array, where: string, visit: (field: Field) => void): void {
  const reader = new PbfReader(message);
  const end = message.length;
  let start = 0; // of the field, its tag included
  let from = 0; // of the value
  let type = VARINT;

  const expectType = (wanted: number, name: string) => {
    if (type !== wanted) throw invalid(`${where}: field ${field.number} is not ${name}`);
  };
  const field: Field = {
    number: 0,
    integer() {
      expectType(VARINT, 'an integer');
      return varint(at(from), end, where);
    },
    bytes() {
      expectType(BYTES, 'length-delimited');
      return message.subarray(from, reader.pos);
    },
    text() {
      const bytes = this.bytes();
      try {
        return utf8.decode(bytes);
      } catch {
        throw invalid(`${where}: field ${field.number} is not UTF-8 text`);
      }
    },
    integers(list, most) {
      const packed = type === BYTES;
      const inner = packed ? new PbfReader(this.bytes()) : at(from);
      const stop = packed ? inner.length : from + 1;
      while (inner.pos < stop) {
        if (list.length >= most) throw invalid(`${where}: field ${field.number} has more than ${most} numbers`);
        list.push(varint(inner, packed ? stop : end, where));
      }
    },
    raw: () => message.subarray(start, reader.pos),
  };
  const at = (position: number) => {
    const other = new PbfReader(message);
    other.pos = position;
    return other;
  };

  while (reader.pos < end) {
    start = reader.pos;
    const tag = varint(reader, end, where);
    type = tag & 7;
    field.number = Math.floor(tag / 8);
    if (field.number < 1 || tag > 0xffffffff) throw invalid(`${where}: found a field with the number ${field.number}`);

    // step over the value, which must end within the message
    let length = 0;
    if (type === BYTES) length = varint(reader, end, where);
    from = reader.pos;
    if (type === VARINT) varint(reader, end, where);
    else if (type === FIXED64) length = 8;
    else if (type === FIXED32) length = 4;
    else if (type !== BYTES) throw invalid(`${where}: field ${field.number} has the unknown wire type ${type}`);
    if (length < 0 || length > end - reader.pos) {
      throw invalid(`${where}: field ${field.number} says ${length} bytes where ${end - reader.pos} are left`);
    }
    reader.pos += length;
    visit(field);
  }
}

// one integer, which must end within the message
function varint(reader: PbfReader, end: number, where: string): number {
  let value: number | null = null;
  try {
    value = reader.readVarint(true);
  } catch {
    // more than 10 bytes, or none left: told apart below
  }
  if (reader.pos > end) throw invalid(`${where}: ends in the middle of a number`);
  if (value === null) throw invalid(`${where}: found a number of more than 10 bytes`);
  return value;
}

/** A `model-invalid` error saying what is wrong and where. */
export function invalid(fault: string): PipelineError {
  return new PipelineError('model-invalid', `expected an ONNX model; found a damaged or other file: ${fault}`, {
    hint: 'check that the file is complete and is an .onnx model (a Git LFS pointer is not)',
  });
}

/** One length-delimited field whose content is `parts`, as the pieces to be joined; a part may be bytes yet to be read. */
export function lengthDelimited<Part extends { length: number } = Uint8Array>(
  number: number,
  parts: readonly Part[],
): (Part | Uint8Array)[] {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return [varintBytes(number * 8 + BYTES), varintBytes(length), ...parts];
}

function varintBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return Uint8Array.from([...bytes, value]);
}

/** The pieces one after another in a new buffer. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
