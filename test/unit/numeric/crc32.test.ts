import { crc32 as ofZlib } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../../src/numeric/crc32.ts';

describe('crc32', () => {
  it('of nothing, and the check value of the catalogue', () => {
    expect(crc32(new Uint8Array(0))).toBe(0);
    expect(crc32(new Uint8Array(8).subarray(3, 3))).toBe(0);
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });

  it('that of zlib, for any bytes, wherever they begin in their buffer, in any two parts', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(9), fc.nat(100), (content, offset, cut) => {
        const buffer = new Uint8Array(content.length + offset + 3);
        buffer.set(content, offset);
        const bytes = buffer.subarray(offset, offset + content.length);
        expect(crc32(bytes)).toBe(ofZlib(content));
        expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(ofZlib(content));
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});
