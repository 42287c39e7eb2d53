/**
 * ZIP archives whose files are stored, not compressed: their records, and reading the directory of one by range. The
 * frame of numeric/npz.ts, which says what stands in it. PKWARE, "APPNOTE.TXT", version 6.3.10, §4.3; differs: no zip64
 * (below 4 GiB), no encryption, no data descriptors, no comments; files follow each other in the directory's order,
 * and one ends where the next begins. The same files give the same bytes everywhere: the dates are fixed.
 */
import { readRange } from './range.ts';
import type { RangeSource } from './range.ts';

/** Most files and bytes of an archive: all ones in a field would mean zip64. */
export const ZIP_MOST_FILES = 0xfffe;
export const ZIP_MOST_BYTES = 0xfffffffe;

/** Bytes at the end that are read for the directory, of a shorter archive all. */
const TAIL_BYTES = 65_536;

const LOCAL_BYTES = 30;
const ENTRY_BYTES = 46;
const END_BYTES = 22;
const [LOCAL, ENTRY, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const VERSION = 20; // 2.0, what every program reads
const DATE = (1 << 21) | (1 << 16) | (12 << 11); // 1980-01-01, 12:00: MS-DOS's first day, in no time zone
const FLAGS_REFUSED = 0b1001; // encrypted, with a data descriptor
const ENTRY_MOST_BYTES = 256; // ours are below 120; a bound on what a hostile end record makes us read

/** A file to be written; its name is ASCII. */
export interface ZipFile {
  name: string;
  sizeBytes: number;
}

/** Bytes that the archive of `files` has. */
export function zipSize(files: readonly ZipFile[]): number {
  return files.reduce(
    (sum, { name, sizeBytes }) => sum + LOCAL_BYTES + ENTRY_BYTES + 2 * name.length + sizeBytes,
    END_BYTES,
  );
}

/** What stands in front of a file's bytes. */
export function zipLocalHeader({ name, sizeBytes }: ZipFile, crc: number): Uint8Array<ArrayBuffer> {
  const record = new Uint8Array(LOCAL_BYTES + name.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, LOCAL, true);
  writeCommon(view, 4, crc, name, sizeBytes);
  new TextEncoder().encodeInto(name, record.subarray(LOCAL_BYTES));
  return record;
}

/** What stands behind the last file: the directory and its end. `crcs`: CRC-32 of each file. */
export function zipDirectory(files: readonly ZipFile[], crcs: readonly number[]): Uint8Array<ArrayBuffer> {
  const directoryBytes = files.reduce((sum, { name }) => sum + ENTRY_BYTES + name.length, 0);
  const record = new Uint8Array(directoryBytes + END_BYTES);
  const view = new DataView(record.buffer);
  let at = 0;
  let offset = 0;
  for (const [i, { name, sizeBytes }] of files.entries()) {
    view.setUint32(at, ENTRY, true);
    view.setUint16(at + 4, VERSION, true);
    writeCommon(view, at + 6, crcs[i]!, name, sizeBytes);
    view.setUint32(at + 42, offset, true);
    new TextEncoder().encodeInto(name, record.subarray(at + ENTRY_BYTES));
    at += ENTRY_BYTES + name.length;
    offset += LOCAL_BYTES + name.length + sizeBytes;
  }
  view.setUint32(at, END, true);
  view.setUint16(at + 8, files.length, true);
  view.setUint16(at + 10, files.length, true);
  view.setUint32(at + 12, directoryBytes, true);
  view.setUint32(at + 16, offset, true);
  return record;
}

// the fields that both headers have: version, flags, method, date, CRC, sizes, lengths of name and extra
function writeCommon(view: DataView, at: number, crc: number, name: string, sizeBytes: number): void {
  view.setUint16(at, VERSION, true);
  view.setUint32(at + 6, DATE, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, sizeBytes, true);
  view.setUint32(at + 18, sizeBytes, true);
  view.setUint16(at + 22, name.length, true);
}

/** Where the bytes of a file stand in the archive. */
export interface ZipPlace {
  name: string;
  start: number;
  end: number;
}

/** The files of an archive in order, and its last bytes, which were read on the way. */
export interface ZipDirectory {
  places: ZipPlace[];
  tail: { start: number; bytes: Uint8Array };
}

/**
 * Reads the directory of a stored archive: the last 64 KiB, and more only where the directory is longer. The places
 * are in the archive and don't overlap. Headers in front of the files are not looked at.
 *
 * @throws what `fail` makes of a sentence about the fault; whatever the source throws
 */
export async function readZipDirectory(source: RangeSource, fail: (found: string) => Error): Promise<ZipDirectory> {
  // the end record
  const { size } = source;
  const noEnd = (): Error => fail(`${size} bytes without a zip's end`);
  if (size < END_BYTES) throw noEnd();
  const tailStart = Math.max(0, size - TAIL_BYTES);
  const tail = await readRange(source, tailStart, size);
  const end = viewOf(tail.subarray(tail.length - END_BYTES));
  if (end.getUint32(0, true) !== END || end.getUint16(20, true) !== 0) throw noEnd();
  const count = end.getUint16(10, true);
  const directoryBytes = end.getUint32(12, true);
  const directoryStart = end.getUint32(16, true);
  if (end.getUint32(4, true) !== 0 || end.getUint16(8, true) !== count) throw fail('an archive in several parts');
  if (directoryStart + directoryBytes !== size - END_BYTES || directoryBytes > count * ENTRY_MOST_BYTES)
    throw fail(`a directory of ${count} files in ${directoryBytes} bytes from ${directoryStart} on, of ${size}`);

  // the directory
  const whole =
    directoryStart >= tailStart
      ? tail.subarray(directoryStart - tailStart, tail.length - END_BYTES)
      : await readRange(source, directoryStart, size - END_BYTES);
  const entries: { name: string; offset: number; sizeBytes: number }[] = [];
  for (let rest = whole; entries.length < count || rest.length > 0;) {
    const view = viewOf(rest);
    if (entries.length === count || rest.length < ENTRY_BYTES || view.getUint32(0, true) !== ENTRY)
      throw fail('a directory that is cut short or too long');
    const nameEnd = ENTRY_BYTES + view.getUint16(28, true);
    const entryEnd = nameEnd + view.getUint16(30, true) + view.getUint16(32, true);
    if (entryEnd > rest.length) throw fail('a directory that is cut short or too long');
    const name = String.fromCharCode(...rest.subarray(ENTRY_BYTES, Math.min(nameEnd, ENTRY_BYTES + ENTRY_MOST_BYTES)));
    const sizeBytes = view.getUint32(24, true);
    if (view.getUint16(10, true) !== 0 || view.getUint32(20, true) !== sizeBytes) throw fail(`'${name}' compressed`);
    if ((view.getUint16(8, true) & FLAGS_REFUSED) !== 0) throw fail(`'${name}' encrypted, or of unknown size`);
    entries.push({ name, offset: view.getUint32(42, true), sizeBytes });
    rest = rest.subarray(entryEnd);
  }

  // a file ends where the next one's header begins
  const places = entries.map(({ name, offset, sizeBytes }, i) => {
    const fileEnd = entries[i + 1]?.offset ?? directoryStart;
    const start = fileEnd - sizeBytes;
    if (start < offset + LOCAL_BYTES + name.length || fileEnd > directoryStart)
      throw fail(`'${name}' of ${sizeBytes} bytes between ${offset} and ${fileEnd}`);
    return { name, start, end: fileEnd };
  });
  return { places, tail: { start: tailStart, bytes: tail } };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
