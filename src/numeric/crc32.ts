/**
 * CRC-32 as zip archives carry it: ISO 3309, polynomial 0xedb88320 (reflected). Part of the floor under zip.ts; our own
 * checks are SHA-256, this one is for other programs that open the archive.
 * Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation", IEEE Transactions on
 * Computers 57(11), 2008, doi:10.1109/TC.2008.85 (slicing by 8; by 16 was slower in V8). Needs a little-endian machine.
 */

/** Table k, entry b at 256 k + b: the remainder of byte b followed by k zero bytes. */
const TABLE = makeTable();

/** CRC-32 of `bytes`, unsigned; `before` is that of the bytes in front of them. O(bytes), about 1 GB/s. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  let at = 0;

  // up to the first whole word of the buffer
  while (at < bytes.length && (bytes.byteOffset + at) % 4 !== 0) crc = afterByte(crc, bytes[at++]!);

  // eight bytes at a time
  const count = (bytes.length - at) >>> 2;
  const words = count === 0 ? new Int32Array(0) : new Int32Array(bytes.buffer, bytes.byteOffset + at, count);
  const even = words.length & ~1;
  for (let i = 0; i < even; i += 2) {
    const low = words[i]! ^ crc;
    const high = words[i + 1]!;
    crc =
      TABLE[1792 | (low & 255)]! ^
      TABLE[1536 | ((low >>> 8) & 255)]! ^
      TABLE[1280 | ((low >>> 16) & 255)]! ^
      TABLE[1024 | (low >>> 24)]! ^
      TABLE[768 | (high & 255)]! ^
      TABLE[512 | ((high >>> 8) & 255)]! ^
      TABLE[256 | ((high >>> 16) & 255)]! ^
      TABLE[high >>> 24]!;
  }

  // the rest
  for (at += 4 * even; at < bytes.length; at++) crc = afterByte(crc, bytes[at]!);
  return ~crc >>> 0;
}

function afterByte(crc: number, byte: number): number {
  return TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
}

function makeTable(): Int32Array {
  const table = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    table[byte] = crc;
  }
  for (let i = 256; i < table.length; i++) table[i] = (table[i - 256]! >>> 8) ^ table[table[i - 256]! & 255]!;
  return table;
}
