import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { unzipSync, zipSync } from 'fflate';
import { afterEach, describe, expect, it } from 'vitest';
import { PipelineError } from '../../../src/errors.ts';
import { readNpy, writeNpy } from '../../../src/numeric/npy.ts';
import type { NpyData } from '../../../src/numeric/npy.ts';
import { npzChunks, npzSize, openNpz, readNpz, takeMember, writeNpz } from '../../../src/numeric/npz.ts';
import type { NpzMembers } from '../../../src/numeric/npz.ts';
import { bufferSource } from '../../../src/numeric/range.ts';
import type { RangeSource } from '../../../src/numeric/range.ts';

const golden = JSON.parse(readFileSync(`${import.meta.dirname}/../../reference/npy.json`, 'utf8')) as {
  savez: string;
  ours: string;
};
const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

const members = {
  zeta: { data: Float64Array.of(1, -0, NaN, Infinity, 0.1, 5), shape: [2, 3] },
  alpha: { data: Int32Array.of(-1, 2 ** 31 - 1), shape: [2] },
  dead: { data: Uint8Array.of(0, 1), shape: [2] },
  f32: { data: Float32Array.of(0.1), shape: [1, 1] },
  none: { data: new Float64Array(0), shape: [0, 4] },
};
const damaged = { code: 'object-damaged' };
const MIB = 2 ** 20;

/** The checksum of a member, by its definition. */
function sumOf(name: string, file: Uint8Array): Buffer {
  const whole = createHash('sha256').update(name);
  for (let at = 0; at < file.length; at += 8 * MIB)
    whole.update(
      createHash('sha256')
        .update(file.subarray(at, at + 8 * MIB))
        .digest(),
    );
  return whole.digest();
}

/** The object of these members as another zip writer makes it. */
function zipped(from: Readonly<NpzMembers>): Uint8Array {
  const files = Object.entries(from).map(([name, { data, shape }]) => [name, writeNpy(data, shape)] as const);
  const sums = new Uint8Array(Buffer.concat(files.map(([name, file]) => sumOf(name, file))));
  const all = [...files, ['sha256', writeNpy(sums, [files.length, 32])] as const];
  return zipSync(Object.fromEntries(all.map(([name, file]) => [`${name}.npy`, file])), {
    level: 0,
    mtime: new Date(1980, 0, 1, 12),
  });
}

/** A stored .npz with the checksums that its members should have, in place; its last member is the checksums. */
function resealed(npz: Uint8Array): Uint8Array {
  const bytes = npz.slice();
  const files = Object.entries(unzipSync(bytes)).map(([file, content]) => [file.replace('.npy', ''), content] as const);
  const sums = Buffer.concat(files.slice(0, -1).map(([name, file]) => sumOf(name, file)));
  const view = new DataView(bytes.buffer);
  const directory = view.getUint32(bytes.length - 6, true);
  bytes.set(sums, directory - sums.length);
  const crc = crc32(bytes.subarray(directory - files.at(-1)![1].length, directory));
  const entry = bytes.length - 22 - 46 - 'sha256.npy'.length;
  view.setUint32(entry + 16, crc, true);
  view.setUint32(view.getUint32(entry + 42, true) + 14, crc, true);
  return bytes;
}

/** A source over `bytes` that notes what is read of it. */
function counted(bytes: Uint8Array): RangeSource & { reads: [start: number, end: number][] } {
  const reads: [number, number][] = [];
  return {
    size: bytes.length,
    reads,
    read(start, end) {
      reads.push([start, end]);
      return Promise.resolve(bytes.slice(start, end));
    },
  };
}

/** A matrix of values that differ. */
function ramp(rows: number, columns: number): { data: Float64Array<ArrayBuffer>; shape: number[] } {
  return { data: Float64Array.from({ length: rows * columns }, (_, i) => i / 3), shape: [rows, columns] };
}

/** Equal bytes; toEqual is slow on millions of elements. */
function sameBytes(a: NpyData, b: NpyData): boolean {
  const [x, y] = [a, b].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  return x!.equals(y!);
}

async function collect<T>(generator: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of generator) all.push(item);
  return all;
}

/** Up to five arrays of any dtype, with empty axes. */
const anyMembers: fc.Arbitrary<NpzMembers> = fc
  .uniqueArray(fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,8}$/), { maxLength: 5 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name) =>
        fc.record({
          name: fc.constant(name),
          shape: fc.array(fc.nat(5), { minLength: 1, maxLength: 3 }),
          kind: fc.nat(3),
          first: fc.double(),
        }),
      ),
    ),
  )
  .map((all) =>
    Object.fromEntries(
      all.map(({ name, shape, kind, first }) => {
        const values = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => first + i);
        const kinds = [Float64Array, Float32Array, Int32Array, Uint8Array];
        return [name, { data: kinds[kind]!.from(values) as NpyData, shape }];
      }),
    ),
  );

describe('numpy', () => {
  it('opened what writeNpz writes: the bytes are those it opened', async () => {
    expect(await writeNpz(await readNpz(resealed(bytesOf(golden.savez))))).toEqual(resealed(bytesOf(golden.ours)));
  });

  it('an .npz of numpy.savez with our checksums is read', async () => {
    const arrays = await readNpz(resealed(bytesOf(golden.savez)));
    expect(Object.keys(arrays)).toEqual(['moments', 'count', 'dead', 'mean_f32', 'none']);
    expect(arrays['count']).toEqual({ dtype: 'int32', shape: [1], data: Int32Array.of(3) });
    expect(arrays['mean_f32']?.data).toEqual(Float32Array.of(0.1, 0.2));
    expect(arrays['moments']?.data[14]).toBe(4);
  });
});

describe('writeNpz', () => {
  const zone = process.env['TZ'];
  afterEach(() => {
    if (zone === undefined) delete process.env['TZ'];
    else process.env['TZ'] = zone;
  });

  it('the same bytes in every time zone, and twice', async () => {
    const bytes = await writeNpz(members);
    for (const other of ['Pacific/Kiritimati', 'America/Los_Angeles', 'Asia/Kathmandu']) {
      process.env['TZ'] = other;
      expect(await writeNpz(members)).toEqual(bytes);
    }
  });

  it('keeps the members’ order: another order is another object', async () => {
    expect(Object.keys(await readNpz(await writeNpz(members)))).toEqual(Object.keys(members));
    const { zeta, ...rest } = members;
    expect(await writeNpz({ ...rest, zeta })).not.toEqual(await writeNpz(members));
  });

  it('an object without members', async () => {
    expect(await readNpz(await writeNpz({}))).toEqual({});
  });

  it('the bytes of another zip writer, with checksums by their definition; any arrays', async () => {
    expect(await writeNpz(members)).toEqual(zipped(members));
    await fc.assert(
      fc.asyncProperty(anyMembers, async (any) => {
        const bytes = await writeNpz(any);
        expect(bytes).toEqual(zipped(any));
        expect(npzSize(any)).toBe(bytes.length);
        const back = await readNpz(bytes);
        expect(Object.keys(back)).toEqual(Object.keys(any));
        for (const [name, { data, shape }] of Object.entries(any)) {
          expect(back[name]!.data).toEqual(data);
          expect(back[name]!.shape).toEqual(shape);
        }
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  it('views of larger and of shared buffers', async () => {
    const shared = new Float64Array(new SharedArrayBuffer(64));
    shared.set([1, 2, 3, 4], 2);
    const odd = new Uint8Array(20).fill(7).subarray(3, 10);
    const viewed = { a: { data: shared.subarray(2, 6), shape: [4] }, b: { data: odd, shape: [7] } };
    const copied = { a: { data: Float64Array.of(1, 2, 3, 4), shape: [4] }, b: { data: odd.slice(), shape: [7] } };
    expect(await writeNpz(viewed)).toEqual(await writeNpz(copied));
  });

  it('chunks of a large array: at most 8 MiB, views of it, together the object; numpy’s size to the byte', async () => {
    // header and values that fill one, two chunks exactly, and one value less and more
    for (const values of [MIB - 16, 2 * MIB - 16].flatMap((fill) => [fill - 1, fill, fill + 1])) {
      const large = { small: members.zeta, large: ramp(values, 1), last: members.dead };
      const chunks = await collect(npzChunks(large));
      expect(Math.max(...chunks.map((chunk) => chunk.length))).toBeLessThanOrEqual(8 * MIB);
      expect(npzSize(large)).toBe(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      const own = chunks.filter((chunk) => chunk.buffer !== large.large.data.buffer);
      expect(own.reduce((sum, chunk) => sum + chunk.length, 0)).toBeLessThan(8 * MIB + 2000);
      expect(sameBytes(Buffer.concat(chunks), zipped(large))).toBe(true);
      expect(sameBytes((await readNpz(Buffer.concat(chunks)))['large']!.data, large.large.data)).toBe(true);
    }
  });

  it('refuses 4 GiB, a shape that isn’t the array’s, and more files than a directory counts', async () => {
    const quarter = { data: new Uint8Array(2 ** 30 - 1000), shape: [2 ** 30 - 1000] };
    const most = { a: quarter, b: quarter, c: quarter, d: quarter };
    expect(npzSize(most)).toBeLessThan(2 ** 32);
    expect(() => npzSize({ ...most, e: { data: new Uint8Array(5000), shape: [5000] } })).toThrow(
      /\(internal\) expected an object of .* 4294967294 bytes; found 6 files and 4294969\d{3} bytes/,
    );
    const wrong = { a: { data: new Float64Array(5), shape: [2, 3] } };
    expect(() => npzSize(wrong)).toThrow('(internal)');
    await expect(collect(npzChunks(wrong))).rejects.toMatchObject({ code: 'internal' });
    const many = Object.fromEntries(Array.from({ length: 65_534 }, (_, i) => [`m${i}`, members.none]));
    expect(() => npzSize(many)).toThrow('found 65535 files');
  });

  it.each(['sha256', '7', '', 'a/b', '../a', 'a b', 'é', '__proto__'])('refuses the name %j', async (name) => {
    await expect(writeNpz(Object.fromEntries([[name, members.dead]]))).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('readNpz', () => {
  it('gives back every value, as aligned arrays of their own', async () => {
    const arrays = await readNpz(await writeNpz(members));
    for (const [name, { data, shape }] of Object.entries(members)) {
      expect(arrays[name]?.data).toEqual(data);
      expect(arrays[name]?.shape).toEqual(shape);
      expect(arrays[name]?.data.buffer.byteLength).toBe(data.byteLength);
    }
  });

  it('only: these members and no others, and damage elsewhere does not matter', async () => {
    const bytes = await writeNpz(members);
    expect(Object.keys(await readNpz(bytes, ['f32', 'alpha']))).toEqual(['f32', 'alpha']);
    expect(await readNpz(bytes, [])).toEqual({});
    bytes[170] = 1 ^ (bytes[170] ?? 0); // inside the first member's values
    await expect(readNpz(bytes)).rejects.toMatchObject(damaged);
    await expect(readNpz(bytes, ['zeta'])).rejects.toThrow("member 'zeta' with another checksum");
    expect((await readNpz(bytes, ['dead']))['dead']?.data).toEqual(members.dead.data);
  });

  it('a member that is not there', async () => {
    await expect(readNpz(await writeNpz(members), ['beta'], 'partial 7')).rejects.toThrow(
      "(object-damaged) partial 7: expected a whole .npz with its checksums; found no member 'beta'",
    );
    await expect(readNpz(await writeNpz(members), ['sha256'])).rejects.toMatchObject(damaged);
  });

  it('every cut and every changed byte: object-damaged, or the very same arrays', async () => {
    const bytes = await writeNpz({ a: members.zeta, b: members.dead });
    const whole = await readNpz(bytes);
    for (let length = 0; length < bytes.length; length += 13) {
      await expect(readNpz(bytes.subarray(0, length))).rejects.toMatchObject(damaged);
      await expect(readNpz(bytes.subarray(length + 1))).rejects.toMatchObject(damaged);
    }
    let found = 0;
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice();
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
      try {
        expect(await readNpz(changed)).toEqual(whole);
      } catch (error) {
        expect(error).toMatchObject(damaged);
        found++;
      }
    }
    // what may stay unnoticed is dates, attributes and check values of the zip itself
    expect(found).toBeGreaterThanOrEqual(128 + 48 + 128 + 2);
  });

  it('garbage and hostile directories', async () => {
    const end = [0x50, 0x4b, 5, 6];
    const zip64 = [0x50, 0x4b, 6, 7, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    const endless = [0, 0, 0, 0, 0x50, 0x4b, 6, 6, ...new Uint8Array(44).fill(255), ...zip64];
    const oversized = await writeNpz({ a: members.dead, b: members.dead });
    const directory = oversized.length - 22 - 2 * (46 + 5) - (46 + 10);
    oversized.set([255, 255, 255, 127, 255, 255, 255, 127], directory + 20);
    const changed = async (change: (view: DataView, directory: number, end: number) => void): Promise<Uint8Array> => {
      const whole = await writeNpz({ a: members.dead, b: members.dead });
      change(new DataView(whole.buffer), directory, whole.length - 22);
      return whole;
    };
    const hostile: [string, Uint8Array, string][] = [
      ['nothing', new Uint8Array(0), '0 bytes without a zip'],
      ['zeros', new Uint8Array(5000), '5000 bytes without a zip'],
      ['an empty zip', Uint8Array.from([...end, ...new Uint8Array(18)]), 'no checksums'],
      [
        '65535 entries at nowhere',
        Uint8Array.from([...end, 0, 0, 0, 0, ...new Uint8Array(12).fill(255), 0, 0]),
        'a directory of 65535 files in 4294967295 bytes from 4294967295 on, of 22',
      ],
      [
        'a zip64 of 4 billion entries',
        Uint8Array.from([...endless, ...end, 0, 0, 0, 0, ...new Uint8Array(12).fill(255), 0, 0]),
        'a directory of 65535 files',
      ],
      ['a comment', Uint8Array.from([...end, ...new Uint8Array(16), 255, 255]), "22 bytes without a zip's end"],
      ['several parts', Uint8Array.from([...end, 1, ...new Uint8Array(17)]), 'an archive in several parts'],
      ['a member of 2 GB', oversized, "'a.npy' of 2147483647 bytes between 0 and"],
      ['a name of 4 GB', await changed((view, at) => view.setUint16(at + 28, 65535, true)), 'cut short'],
      ['a file less', await changed((view, _, at) => view.setUint32(at + 8, 0x20002, true)), 'cut short or too long'],
      ['a file more', await changed((view, _, at) => view.setUint32(at + 8, 0x40004, true)), 'cut short or too long'],
      [
        'members that overlap',
        await changed((view, at) => view.setUint32(at + 51 + 42, 100, true)),
        "'a.npy' of 130 bytes",
      ],
      [
        'a member behind the end',
        await changed((view, at) => view.setUint32(at + 51 + 42, 9e8, true)),
        "'a.npy' of 130",
      ],
      [
        'half a header',
        await changed((view, at) => view.setUint32(at + 42, 20, true)),
        "'a.npy' of 130 bytes between 20",
      ],
      [
        'a directory that is everything',
        Uint8Array.from([...new Uint8Array(1e5), ...end, 0, 0, 0, 0, 1, 0, 1, 0, 0xa0, 0x86, 1, ...new Uint8Array(7)]),
        'a directory of 1 files in 100000 bytes',
      ],
      ['encrypted', await changed((view, at) => view.setUint16(at + 8, 1, true)), "'a.npy' encrypted"],
      ['compressed', zipSync({ 'a.npy': new Uint8Array(1e5) }), "'a.npy' compressed"],
      ['other files', zipSync({ 'readme.txt': new Uint8Array(3) }, { level: 0 }), 'a member name that is not ours'],
      ['no checksums', zipSync({ 'a.npy': writeNpy(new Uint8Array(1), [1]) }, { level: 0 }), 'no checksums at its end'],
      ['checksums that are none', zipSync({ 'sha256.npy': new Uint8Array(7) }, { level: 0 }), 'an .npy file'],
      ['endless checksums', zipSync({ 'sha256.npy': new Uint8Array(1e5) }, { level: 0 }), 'checksums of 100000 bytes'],
      [
        'checksums of another shape',
        zipSync({ 'sha256.npy': writeNpy(new Uint8Array(32), [32]) }, { level: 0 }),
        '0 members and checksums of shape (32)',
      ],
      [
        'checksums of nobody',
        zipSync({ 'sha256.npy': writeNpy(new Uint8Array(32), [1, 32]) }, { level: 0 }),
        '0 members and checksums of shape (1, 32)',
      ],
    ];
    for (const [name, bytes, found] of hostile) {
      await expect(readNpz(bytes), name).rejects.toMatchObject(damaged);
      await expect(readNpz(bytes), name).rejects.toThrow(found);
    }
  });

  it('a member whose place in the directory holds another of its own: refused', async () => {
    // the same .npy under another name has another checksum
    const bytes = await writeNpz({ ab: members.dead, cd: members.dead });
    const text = Buffer.from(bytes).toString('latin1').replaceAll('ab.npy', 'xx.npy').replaceAll('cd.npy', 'ab.npy');
    const swapped = new Uint8Array(Buffer.from(text.replaceAll('xx.npy', 'cd.npy'), 'latin1'));
    await expect(readNpz(swapped)).rejects.toMatchObject(damaged);
    const doubled = Buffer.from(Buffer.from(bytes).toString('latin1').replaceAll('cd.npy', 'ab.npy'), 'latin1');
    await expect(readNpz(new Uint8Array(doubled))).rejects.toMatchObject(damaged);
  });

  it('random bytes behind a true end', async () => {
    const bytes = await writeNpz({ a: members.dead });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (noise) => {
        const changed = bytes.slice();
        changed.set(noise, bytes.length - 22 - noise.length); // over the directory
        await readNpz(changed).then(
          (arrays) => expect(arrays['a']?.data).toEqual(members.dead.data),
          (error: unknown) => expect(error).toMatchObject(damaged),
        );
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});

describe('openNpz', () => {
  it('reads the directory from the end, no member, and is told by range what is where', async () => {
    const large = { small: members.zeta, big: ramp(20_000, 4), last: members.f32 };
    const bytes = await writeNpz(large);
    const source = counted(bytes);
    const object = await openNpz(source);
    expect(source.reads).toEqual([[bytes.length - 65_536, bytes.length]]);
    expect(object.names).toEqual(['small', 'big', 'last']);
    expect(object.has('big')).toBe(true);
    expect(object.has('sha256')).toBe(false);
    expect(object.has('constructor')).toBe(false);
    for (const [name, { data, shape }] of Object.entries(large)) {
      const { start, end } = object.range(name);
      expect(sameBytes(bytes.subarray(start, end), writeNpy(data, shape))).toBe(true);
    }
    expect(() => object.range('sha256')).toThrow("found no member 'sha256'");
  });

  it('header: dtype and shape, from no more than 64 KiB', async () => {
    const bytes = await writeNpz({ big: ramp(100, 1000), ...members });
    const source = counted(bytes);
    const object = await openNpz(source);
    expect(await object.header('big')).toEqual({ dtype: 'float64', shape: [100, 1000] });
    expect(await object.header('none')).toEqual({ dtype: 'float64', shape: [0, 4] });
    expect(source.reads.every(([start, end]) => end - start <= 65_536)).toBe(true);
    await expect(object.header('beta')).rejects.toMatchObject(damaged);
  });

  it('a directory beyond the last 64 KiB', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 1500 }, (_, i) => [`m${i}`, { data: Int32Array.of(i), shape: [1] }]),
    );
    const source = counted(await writeNpz(many));
    const object = await openNpz(source, 'partial');
    expect(source.reads.length).toBeLessThanOrEqual(3);
    expect((await object.read(['m777']))['m777']!.data).toEqual(Int32Array.of(777));
    expect(Object.keys(await object.read())).toEqual(Object.keys(many));
  });

  it('any members in any order by range: as in the whole; neighbours in one read', async () => {
    const large = { first: ramp(9000, 1), ...members, big: ramp(9000, 2), tail: members.dead };
    const bytes = await writeNpz(large);
    const whole = await readNpz(bytes);
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(Object.keys(large)), async (names) => {
        const source = counted(bytes);
        const found = await (await openNpz(source)).read(names);
        expect(Object.keys(found)).toEqual(names);
        for (const name of names) expect(sameBytes(found[name]!.data, whole[name]!.data), name).toBe(true);
        expect(source.reads.length).toBeLessThanOrEqual(4);
      }),
      { seed: 6 },
    );
    expect(Object.keys(await readNpz(counted(bytes), ['big', 'big']))).toEqual(['big']);
  });

  it('joins no reads that would be large, or mostly of others', async () => {
    const large = {
      near: members.zeta,
      hole: ramp(9000, 1),
      far: members.dead,
      x: ramp(700_000, 1),
      y: ramp(700_000, 1),
    };
    const bytes = await writeNpz({ ...large, end: ramp(9000, 1) });
    const read = async (...names: string[]): Promise<number[]> => {
      const source = counted(bytes);
      await (await openNpz(source)).read(names);
      return source.reads.slice(1).map(([start, end]) => end - start);
    };
    expect(await read('near', 'far')).toEqual([176, 130]);
    expect(await read('x', 'y')).toEqual([5_600_128, 5_600_128]);
    expect(await read('near', 'hole', 'far')).toHaveLength(1);
  });

  it('an object below 64 KiB is read once', async () => {
    const source = counted(await writeNpz(members));
    const object = await openNpz(source);
    await object.read();
    await object.header('zeta');
    expect(source.reads).toEqual([[0, source.size]]);
  });

  it('takes a member out of a large object in bounded reads, and finds its damage', async () => {
    const large = { big: ramp(1.5 * MIB, 2), small: members.zeta };
    const bytes = await writeNpz(large);
    const source = counted(bytes);
    const { big } = await (await openNpz(source)).read(['big']);
    expect(sameBytes(big!.data, large.big.data)).toBe(true);
    expect(Math.max(...source.reads.map(([start, end]) => end - start))).toBe(8 * MIB);
    expect(source.reads.slice(1).reduce((sum, [start, end]) => sum + end - start, 0)).toBe(24 * MIB); // its last bytes came with the directory
    bytes[20 * MIB]! ^= 4;
    await expect(readNpz(bytes, ['big'])).rejects.toThrow("member 'big' with another checksum");
    const object = await openNpz(bufferSource(bytes));
    await expect(object.verify('big')).rejects.toThrow("member 'big' with another checksum");
    await expect(object.verify('none')).rejects.toMatchObject(damaged);
    await object.verify('small');
    expect((await readNpz(bytes, ['small']))['small']!.data).toEqual(members.zeta.data);
  });

  it('a source that is shorter than it says, and one that fails', async () => {
    const bytes = await writeNpz({ big: ramp(100, 1000) });
    const short: RangeSource = {
      size: bytes.length,
      read: (start, end) => Promise.resolve(bytes.slice(start, start > 0 ? end : end - 1)),
    };
    await expect(readNpz(short)).resolves.toBeDefined();
    const cut: RangeSource = { size: bytes.length, read: (start, end) => Promise.resolve(bytes.slice(start, end - 1)) };
    await expect(readNpz(cut)).rejects.toMatchObject(damaged);
    const gone: RangeSource = {
      size: bytes.length,
      read: () => Promise.reject(new PipelineError('object-missing', 'gone')),
    };
    await expect(readNpz(gone)).rejects.toMatchObject({ code: 'object-missing' });
  });
});

describe('rows', () => {
  const open = async (
    from: Readonly<NpzMembers>,
    name: string,
    rowsPerChunk?: number,
  ): Promise<[number, number[]][]> => {
    const object = await openNpz(bufferSource(await writeNpz(from)));
    return (await collect(object.rows(name, rowsPerChunk))).map(({ first, values }) => [first, [...values]]);
  };

  it('whole rows in order, as many as asked at a time', async () => {
    const m = { data: Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8), shape: [4, 2] };
    expect(await open({ m }, 'm')).toEqual([[0, [1, 2, 3, 4, 5, 6, 7, 8]]]);
    expect(await open({ m }, 'm', 3)).toEqual([
      [0, [1, 2, 3, 4, 5, 6]],
      [3, [7, 8]],
    ]);
    expect(await open({ m }, 'm', 0)).toHaveLength(4);
    expect(await open({ m }, 'm', NaN)).toHaveLength(4);
    expect(await open({ m: { data: Float32Array.of(1, 2), shape: [2, 1] } }, 'm', 1)).toEqual([
      [0, [1]],
      [1, [2]],
    ]);
  });

  it('a matrix without values gives nothing', async () => {
    for (const shape of [
      [0, 4],
      [4, 0],
      [0, 0],
    ])
      expect(await open({ m: { data: new Float64Array(0), shape } }, 'm')).toEqual([]);
  });

  it('of a large matrix: pieces of at most 8 MiB across the chunks it is read in, aligned and not shared', async () => {
    for (const [rows, columns] of [
      [3001, 1001],
      [3, MIB],
      [2, MIB + 3],
      [2.5 * MIB, 1],
    ] as const) {
      const matrix = ramp(rows, columns);
      const object = await openNpz(bufferSource(await writeNpz({ before: members.dead, matrix })));
      let at = 0;
      for await (const { first, values } of object.rows('matrix')) {
        expect(first).toBe(at);
        expect(values.length % columns).toBe(0);
        expect(values.byteLength).toBeLessThanOrEqual(Math.max(8 * MIB, columns * 8));
        expect(sameBytes(values, matrix.data.subarray(at * columns, at * columns + values.length))).toBe(true);
        values.fill(-1);
        at += values.length / columns;
      }
      expect(at).toBe(rows);
    }
  });

  it('a damaged matrix: object-damaged before its last rows', async () => {
    const bytes = await writeNpz({ matrix: ramp(1100, 2048) });
    for (const at of [1000, 9 * MIB, bytes.length - 500]) {
      const changed = bytes.slice();
      changed[at]! ^= 1;
      let rows = 0;
      const pass = async (): Promise<void> => {
        const object = await openNpz(bufferSource(changed));
        for await (const { values } of object.rows('matrix')) rows += values.length / 2048;
      };
      await expect(pass(), `byte ${at}`).rejects.toMatchObject(damaged);
      expect(rows).toBeLessThan(1100);
    }
  });

  it('a pass may be left early', async () => {
    const object = await openNpz(bufferSource(await writeNpz({ matrix: ramp(1100, 2048) })));
    for await (const { first } of object.rows('matrix', 10)) if (first >= 20) break;
    expect((await object.read())['matrix']!.shape).toEqual([1100, 2048]);
  });

  it.each(['alpha', 'dead', 'vector', 'beta'])('refuses %s', async (name) => {
    const vector = { data: Float64Array.of(1), shape: [1] };
    await expect(open({ ...members, vector }, name)).rejects.toMatchObject(damaged);
  });
});

describe('takeMember', () => {
  const arrays = { x: readNpy(writeNpy(Float64Array.of(1, 2, 3, 4, 5, 6), [2, 3])) };

  it('gives the typed array of the expected dtype and shape', () => {
    expect(takeMember(arrays, 'x', 'float64', [2, 3])).toBe(arrays.x.data);
    expect(takeMember(arrays, 'x', 'float64', [-1, 3])).toBe(arrays.x.data);
  });

  it.each([
    ['y', 'float64', [2, 3], "member 'y': expected float64 (2, 3); found no such member"],
    ['x', 'float32', [2, 3], "member 'x': expected float32 (2, 3); found float64 (2, 3)"],
    ['x', 'float64', [3, 2], "member 'x': expected float64 (3, 2); found float64 (2, 3)"],
    ['x', 'float64', [2, 3, 1], "member 'x': expected float64 (2, 3, 1); found float64 (2, 3)"],
  ] as const)('refuses %s as %s %j', (name, dtype, shape, message) => {
    expect(() => takeMember(arrays, name, dtype, shape)).toThrow(`(object-damaged) ${message}`);
  });
});
