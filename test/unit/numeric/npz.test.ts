import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { afterEach, describe, expect, it } from 'vitest';
import { readNpy, writeNpy } from '../../../src/numeric/npy.ts';
import { readNpz, takeMember, writeNpz } from '../../../src/numeric/npz.ts';

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

describe('numpy', () => {
  it('opened what writeNpz writes: the bytes are those it opened', async () => {
    expect(await writeNpz(await readNpz(bytesOf(golden.savez)))).toEqual(bytesOf(golden.ours));
  });

  it('an .npz of numpy.savez with our checksums is read', async () => {
    const arrays = await readNpz(bytesOf(golden.savez));
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
    const hostile: [string, Uint8Array, string][] = [
      ['nothing', new Uint8Array(0), '0 bytes without a zip'],
      ['zeros', new Uint8Array(5000), '5000 bytes without a zip'],
      ['an empty zip', Uint8Array.from([...end, ...new Uint8Array(18)]), 'no checksums'],
      [
        '65535 entries at nowhere',
        Uint8Array.from([...end, 0, 0, 0, 0, ...new Uint8Array(14).fill(255)]),
        'a member name that is not ours',
      ],
      [
        'a zip64 of 4 billion entries',
        Uint8Array.from([...endless, ...end, 0, 0, 0, 0, ...new Uint8Array(14).fill(255)]),
        'a member name that is not ours',
      ],
      ['a member of 2 GB', oversized, 'members of 2147483647 bytes in'],
      ['compressed', zipSync({ 'a.npy': new Uint8Array(1e5) }), "member 'a' compressed"],
      ['other files', zipSync({ 'readme.txt': new Uint8Array(3) }, { level: 0 }), 'a member name that is not ours'],
      ['no checksums', zipSync({ 'a.npy': writeNpy(new Uint8Array(1), [1]) }, { level: 0 }), 'no checksums at its end'],
      ['checksums that are none', zipSync({ 'sha256.npy': new Uint8Array(7) }, { level: 0 }), 'an .npy file'],
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
