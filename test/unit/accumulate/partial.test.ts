import { describe, expect, it } from 'vitest';
import { emptyMoments, layerUnits } from '../../../src/accumulate/moments.ts';
import type { LayerUnits } from '../../../src/accumulate/moments.ts';
import {
  allBlocks,
  formOf,
  HEAD_MEMBERS,
  partialFrom,
  partialHead,
  partialMemberNames,
  partialMembers,
  requireMeans,
} from '../../../src/accumulate/partial.ts';
import type { LayerPart, Partial } from '../../../src/accumulate/partial.ts';
import { readNpz, writeNpz } from '../../../src/numeric/npz.ts';

const filled = <T extends Float32Array | Float64Array>(values: T, from: number): T => {
  for (let i = 0; i < values.length; i++) values[i] = from + i;
  return values;
};

/** A part with a different number in every place. */
function partOf(units: LayerUnits, samples: number, from: number): LayerPart {
  const each = (start: number): Map<number, Float32Array> =>
    new Map(units.networks.map((n, at) => [n, filled(new Float32Array(units.units[at]!), start + 100 * n)]));
  const moments = emptyMoments(units);
  moments.samples = samples;
  let next = from;
  for (const values of [...moments.sums.values(), ...moments.squares.values(), ...moments.blocks.values()]) {
    filled(values, (next += 1000));
  }
  const rows = new Map(
    units.networks.map((n, at) => [n, filled(new Float32Array(samples * units.units[at]!), from + 5000 * n)]),
  );
  const form = formOf(samples, units);
  return {
    samples,
    min: each(from),
    max: each(from + 50),
    moments: form === 'moments' ? moments : null,
    rows: form === 'rows' ? rows : null,
  };
}

const LAYERS: [layer: number, units: LayerUnits, samples: number][] = [
  [0, layerUnits([0, 1, 4], [3, 2, 4]), 9],
  [3, layerUnits([0, 1, 4], [5, 1, 2]), 7],
];
const partial: Partial = {
  rows: 7,
  meansHash: Uint8Array.from({ length: 32 }, (_, i) => i),
  layers: new Map(LAYERS.map(([layer, units, samples]) => [layer, partOf(units, samples, layer)])),
};

describe('formOf(samples, units)', () => {
  it('keeps rows where there are fewer samples than units of all networks', () => {
    const units = layerUnits([0, 1], [4, 6]);
    expect([9, 10, 11].map((samples) => formOf(samples, units))).toEqual(['rows', 'moments', 'moments']);
  });
});

describe('partialMembers and partialFrom', () => {
  it('come back through an .npz, one layer at a time, from the members named alone', async () => {
    const bytes = await writeNpz(partialMembers(partial));
    expect(partialHead(await readNpz(bytes, HEAD_MEMBERS))).toEqual({ rows: 7, meansHash: partial.meansHash });
    for (const [layer, units, samples] of LAYERS) {
      const form = formOf(samples, units);
      const blocks = allBlocks(units.networks);
      const members = await readNpz(bytes, partialMemberNames(layer, units.networks, blocks, form));
      expect(partialFrom(members, layer, units, blocks, form)).toEqual(partial.layers.get(layer));
    }
    expect([...partial.layers.values()].map(({ rows }) => rows === null)).toEqual([true, false]);
  });

  it('read some networks and blocks, by their names', async () => {
    const bytes = await writeNpz(partialMembers(partial));
    const some = layerUnits([1, 4], [2, 4]);
    const names = partialMemberNames(0, [1, 4], ['1_4'], 'moments');
    expect(names).not.toContain('moments_0_0_1');
    const part = partialFrom(await readNpz(bytes, names), 0, some, ['1_4'], 'moments');
    const all = partial.layers.get(0)!;
    expect([...part.moments!.blocks]).toEqual([['1_4', all.moments!.blocks.get('1_4')]]);
    expect([...part.moments!.sums]).toEqual([1, 4].map((n) => [n, all.moments!.sums.get(n)]));
    expect([...part.min]).toEqual([1, 4].map((n) => [n, all.min.get(n)]));
  });

  it('stand in the .npz as contract and numpy have them', () => {
    const members = partialMembers(partial);
    expect(Object.keys(members).filter((name) => /_0_/.test(name) && !/^m(in|ax)/.test(name))).toEqual([
      'sums_0_0',
      'squares_0_0',
      'sums_0_1',
      'squares_0_1',
      'sums_0_4',
      'squares_0_4',
      'moments_0_0_0',
      'moments_0_0_1',
      'moments_0_0_4',
      'moments_0_1_1',
      'moments_0_1_4',
      'moments_0_4_4',
    ]);
    expect(members.moments_0_0_1!.shape).toEqual([3, 2]);
    expect(members.moments_0_0_0!.shape).toEqual([6]);
    expect(members.rows_3_0!.shape).toEqual([7, 5]);
    expect(members).not.toHaveProperty('sums_3_0');
  });

  it('refuse a layer of another width, or of another form', async () => {
    const members = await readNpz(await writeNpz(partialMembers(partial)));
    const [layer, units] = LAYERS[0]!;
    expect(() => partialFrom(members, layer, layerUnits([0, 1], [3, 3]), ['0_1'], 'moments')).toThrow(
      '(object-damaged)',
    );
    expect(() => partialFrom(members, layer, units, [], 'rows')).toThrow('(object-damaged)');
    expect(() => partialFrom(members, 1, units, [], 'moments')).toThrow('(object-damaged)');
  });
});

describe('requireMeans(found, meansHash)', () => {
  it('refuses partials shifted by other means, to the last byte', () => {
    requireMeans(partial.meansHash.slice(), partial.meansHash);
    const other = partial.meansHash.slice();
    other[31]! ^= 1;
    expect(() => requireMeans(other, partial.meansHash)).toThrow('(means-differ)');
  });
});
