import { describe, expect, it } from 'vitest';
import { writeNpy } from '../../../src/numeric/npy.ts';
import { parseProbeHeader, probeHeadBytes } from '../../../src/plan/probe.ts';

const header = (file: Uint8Array) =>
  parseProbeHeader(file.subarray(0, probeHeadBytes(file.length)), 'x.npy', file.length);

describe('parseProbeHeader(head, path, sizeBytes)', () => {
  it('tells rows from the shape of one, and where the first begins', () => {
    const file = writeNpy(new Float32Array(24), [4, 2, 3]);
    expect(header(file)).toEqual({ rows: 4, rowShape: [2, 3], dtype: 'float32', offset: 128, sizeBytes: 224 });
    expect(header(writeNpy(new Uint8Array(5), [5, 1]))).toMatchObject({ rows: 5, rowShape: [1], dtype: 'uint8' });
  });

  it('needs no more of a long file than its head', () => {
    const file = writeNpy(new Uint8Array(200_000), [2, 100_000]);
    expect(probeHeadBytes(file.length)).toBe(65_536);
    expect(header(file)).toMatchObject({ rows: 2, sizeBytes: 200_128 });
  });

  it.each([
    [writeNpy(new Float32Array(7), [7]), 'x.npy: expected rows of data, at least two axes; found shape (7)'],
    [writeNpy(new Float64Array(4), [2, 2]), "expected uint8 ('|u1') or float32 ('<f4'); found float64 ('<f8')"],
  ])('refuses what is no rows of uint8 or float32: %#', (file, message) => {
    expect(() => header(file)).toThrow(expect.objectContaining({ code: 'data-invalid' }) as Error);
    expect(() => header(file)).toThrow(message);
  });
});
