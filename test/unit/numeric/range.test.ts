import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bufferSource, rangeChunks, readRange } from '../../../src/numeric/range.ts';
import type { RangeSource } from '../../../src/numeric/range.ts';

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);

/** A source that notes what is read of it. */
function counted(source: RangeSource): RangeSource & { reads: [number, number][] } {
  const reads: [number, number][] = [];
  return {
    size: source.size,
    reads,
    read(start, end) {
      reads.push([start, end]);
      return source.read(start, end);
    },
  };
}

describe('bufferSource', () => {
  it('gives views of the buffer', async () => {
    const source = bufferSource(bytes);
    expect(source.size).toBe(1000);
    const part = await source.read(10, 20);
    expect(part.buffer).toBe(bytes.buffer);
    expect(part).toEqual(bytes.slice(10, 20));
  });
});

describe('readRange', () => {
  it('refuses a source that gives fewer or more bytes', async () => {
    const one: RangeSource = { size: 1000, read: () => Promise.resolve(new Uint8Array(1)) };
    expect(await readRange(one, 5, 6)).toEqual(new Uint8Array(1));
    await expect(readRange(one, 5, 7)).rejects.toThrow('(object-damaged) expected 2 bytes from 5 on; found 1');
    await expect(readRange(one, 5, 5)).rejects.toMatchObject({ code: 'object-damaged' });
  });
});

describe('rangeChunks', () => {
  it('any range in pieces of any size: the range, each byte read once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1000), fc.nat(1000), fc.integer({ min: 1, max: 400 }), async (a, b, chunkBytes) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const source = counted(bufferSource(bytes));
        const parts: number[] = [];
        for await (const chunk of rangeChunks(source, start, end, chunkBytes)) {
          expect(chunk.length).toBe(Math.min(chunkBytes, end - start - parts.length));
          parts.push(...chunk);
          // one piece ahead, never more
          expect(source.reads.length).toBeLessThanOrEqual(Math.ceil(parts.length / chunkBytes) + 1);
        }
        expect(parts).toEqual([...bytes.subarray(start, end)]);
        expect(source.reads.length).toBe(Math.ceil((end - start) / chunkBytes));
      }),
      { seed: 1 },
    );
  });

  it('throws what the source throws, in its turn', async () => {
    const failing: RangeSource = {
      size: 100,
      read: (start, end) =>
        start < 20 ? Promise.resolve(bytes.subarray(start, end)) : Promise.reject(new Error('gone')),
    };
    const chunks = rangeChunks(failing, 0, 100, 10);
    await chunks.next();
    expect((await chunks.next()).value).toEqual(bytes.slice(10, 20));
    await expect(chunks.next()).rejects.toThrow('gone');
    // stopped before its turn: nobody is told, and nothing is left unhandled
    const stopped = rangeChunks(failing, 10, 100, 10);
    await stopped.next();
    await stopped.return(undefined);
  });
});
