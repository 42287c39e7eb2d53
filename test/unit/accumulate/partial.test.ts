import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addMoments,
  emptyMoments,
  partialFrom,
  partialMembers,
  partialMemberNames,
} from '../../../src/accumulate/partial.ts';
import type { LayerMoments, Partial } from '../../../src/accumulate/partial.ts';
import { readNpz, writeNpz } from '../../../src/numeric/npz.ts';

// small whole numbers: sums of them are exact in any order
function momentsFrom(values: readonly number[], units: number): LayerMoments {
  const layer = emptyMoments(units);
  layer.samples = values.length;
  layer.moments.forEach((_, k) => (layer.moments[k] = values[k % values.length]!));
  layer.min.fill(Math.min(...values));
  layer.max.fill(Math.max(...values));
  return layer;
}

const valuesArbitrary = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 9 });

describe('addMoments(into, from)', () => {
  it('gives the same for any order of merging', () => {
    fc.assert(
      fc.property(fc.array(valuesArbitrary, { minLength: 2, maxLength: 6 }), (parts) => {
        const sum = (order: readonly number[][]): LayerMoments => {
          const total = emptyMoments(3);
          for (const part of order) addMoments(total, momentsFrom(part, 3));
          return total;
        };
        expect(sum(parts.toReversed())).toEqual(sum(parts));
      }),
      { seed: 4 },
    );
  });

  it('leaves a sum as it is when nothing is added', () => {
    const layer = momentsFrom([1, 2, 3], 2);
    addMoments(layer, emptyMoments(2));
    expect(layer).toEqual(momentsFrom([1, 2, 3], 2));
  });
});

describe('partialMembers(partial) and partialFrom(members, layer, units)', () => {
  const partial: Partial = {
    rows: 7,
    meansHash: new Uint8Array(32).fill(9),
    layers: new Map([
      [0, momentsFrom([1, -2], 4)],
      [1, momentsFrom([5], 2)],
    ]),
  };

  it('come back through an .npz, one layer at a time', async () => {
    const bytes = await writeNpz(partialMembers(partial));
    for (const [layer, units] of [
      [0, 4],
      [1, 2],
    ] as const) {
      const read = partialFrom(await readNpz(bytes, partialMemberNames(layer)), layer, units);
      expect(read).toEqual({ ...partial, layers: new Map([[layer, partial.layers.get(layer)!]]) });
    }
  });

  it('refuse a layer of another width', async () => {
    const members = await readNpz(await writeNpz(partialMembers(partial)));
    expect(() => partialFrom(members, 0, 5)).toThrow('(object-damaged)');
  });
});
