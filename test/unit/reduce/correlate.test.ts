import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layerUnits } from '../../../src/accumulate/moments.ts';
import type { LayerUnits } from '../../../src/accumulate/moments.ts';
import { formOf, partialMembers } from '../../../src/accumulate/partial.ts';
import type { LayerPart } from '../../../src/accumulate/partial.ts';
import type { NpyArray } from '../../../src/numeric/npy.ts';
import { readNpz, writeNpz } from '../../../src/numeric/npz.ts';
import type { ProductSession } from '../../../src/onnx/product.ts';
import { correlateLayer } from '../../../src/reduce/correlate.ts';
import type { Correlations, GroupPart } from '../../../src/reduce/correlate.ts';
import { mergePartials } from '../../../src/reduce/merge.ts';
import { twoPass } from '../accumulate/sums.ts';
import { noise } from '../accumulate/world.ts';

type Form = 'moments' | 'rows';

/** Products in float64, rounded once at the end as float32 is. */
const product: ProductSession = {
  timesTransposed(a, b, k) {
    const [m, n] = [a.length / k, b.length / k];
    const result = new Float32Array(m * n);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let s = 0; s < k; s++) sum += a[i * k + s]! * b[j * k + s]!;
        result[i * n + j] = sum;
      }
    }
    return Promise.resolve(result);
  },
  release: () => Promise.resolve(),
};
const openedNever = (): Promise<ProductSession> => Promise.reject(new Error('nothing to multiply'));

/** A part of samples [n][C] about `means`, in float64, as moments or as rows. */
function partOf(samples: number[][], units: LayerUnits, means: readonly number[], form: Form): LayerPart {
  const y = samples.map((sample) => sample.map((value, unit) => value - means[unit]!));
  const by = <T>(make: (first: number, last: number) => T): Map<number, T> =>
    new Map(units.networks.map((n, at) => [n, make(units.offsets[at]!, units.offsets[at + 1]!)]));
  const each = (make: (unit: number) => number): Map<number, Float64Array> =>
    by((first, last) => Float64Array.from({ length: last - first }, (_, unit) => make(first + unit)));
  const blocks = new Map<string, Float64Array>();
  units.networks.forEach((i, at) =>
    units.networks.slice(at).forEach((j, offset) => {
      const values: number[] = [];
      for (let a = units.offsets[at]!; a < units.offsets[at + 1]!; a++) {
        const other = at + offset;
        for (let b = offset === 0 ? a : units.offsets[other]!; b < units.offsets[other + 1]!; b++) {
          values.push(y.reduce((sum, row) => sum + row[a]! * row[b]!, 0));
        }
      }
      blocks.set(`${i}_${j}`, Float64Array.from(values));
    }),
  );
  const extreme = (pick: (...values: number[]) => number): Map<number, Float32Array> =>
    by((first, last) =>
      Float32Array.from({ length: last - first }, (_, unit) => pick(...samples.map((sample) => sample[first + unit]!))),
    );
  return {
    samples: samples.length,
    min: extreme(Math.min),
    max: extreme(Math.max),
    moments:
      form === 'rows'
        ? null
        : {
            samples: samples.length,
            sums: each((unit) => y.reduce((sum, row) => sum + row[unit]!, 0)),
            squares: each((unit) => y.reduce((sum, row) => sum + row[unit]! ** 2, 0)),
            blocks,
          },
    rows: form === 'rows' ? by((first, last) => Float32Array.from(y.flatMap((row) => row.slice(first, last)))) : null,
  };
}

const meansOf = (units: LayerUnits, means: readonly number[]): Map<number, Float32Array> =>
  new Map(units.networks.map((n, at) => [n, Float32Array.from(means.slice(units.offsets[at], units.offsets[at + 1]))]));
const blocksOf = ({ networks }: LayerUnits): [number, number][] =>
  networks.flatMap((i, at) => networks.slice(at).map((j): [number, number] => [i, j]));

/** Correlates groups of samples. */
function correlate(
  groups: readonly number[][][],
  units: LayerUnits,
  means: readonly number[],
  fitGroups: number,
  form: Form = 'moments',
  blocks = blocksOf(units),
): Promise<Correlations> {
  const parts = async function* (): AsyncGenerator<GroupPart> {
    for (const group of groups) yield { rows: group.length, part: partOf(group, units, means, form) };
  };
  const open = form === 'rows' ? () => Promise.resolve(product) : openedNever;
  return correlateLayer(parts(), units, meansOf(units, means), blocks, fitGroups, open);
}

/** One network's columns. */
const columns = (samples: number[][], { networks, offsets }: LayerUnits, network: number): number[][] => {
  const at = networks.indexOf(network);
  return samples.map((sample) => sample.slice(offsets[at], offsets[at + 1]));
};

function expectTwoPass(
  found: Correlations,
  samples: number[][],
  units: LayerUnits,
  digits: number,
  which: 'r' | 'fitR' = 'r',
): void {
  for (const [name, block] of found.blocks) {
    const [i, j] = name.split('_').map(Number) as [number, number];
    const reference = twoPass(columns(samples, units, i), columns(samples, units, j));
    const [p, q] = [i, j].map((n) => units.units[units.networks.indexOf(n)]!) as [number, number];
    expect(block[which].length).toBe(p * q);
    for (let a = 0; a < p; a++) {
      for (let b = 0; b < q; b++) expect(block[which][a * q + b]).toBeCloseTo(reference.r(a, b), digits);
    }
    if (which === 'fitR') continue;
    const { mean, std } = found.stats.get(i)!;
    for (let a = 0; a < p; a++) {
      expect(mean[a]).toBeCloseTo(reference.mean[a]!, digits);
      expect(std[a]).toBeCloseTo(reference.std[a]!, digits);
    }
  }
}

const world = (samples: number, units: number): number[][] =>
  Array.from({ length: samples }, (_, s) => Array.from({ length: units }, (__, u) => Math.fround(noise(s, u))));
const split = (samples: number[][], sizes: readonly number[]): number[][][] => {
  let at = 0;
  return sizes.map((size) => samples.slice(at, (at += size)));
};

describe('correlateLayer(groups, units, means, blocks, fitGroups, product)', () => {
  it('equals two-pass statistics for any samples, groups, widths and provisional means', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 15 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 12, maxLength: 12 }),
        fc.nat(),
        async (widths, sizes, means, seed) => {
          const units = layerUnits([...widths.keys()], widths);
          const rows = sizes.reduce((sum, size) => sum + size, 0) + 2;
          const samples = world(rows, 12).map((sample) => sample.slice(0, units.offsets.at(-1)));
          const fitGroups = 1 + (seed % sizes.length);
          const found = await correlate(split(samples, [sizes[0]! + 2, ...sizes.slice(1)]), units, means, fitGroups);
          const fitted = sizes.slice(0, fitGroups).reduce((sum, size) => sum + size, 2);
          expect(found.counts).toEqual({
            rows,
            samples: rows,
            fitRows: fitted,
            fitSamples: fitted,
            heldOutRows: rows - fitted,
            heldOutSamples: rows - fitted,
          });
          // moments about means that are off by up to 8 deviations lose 2 digits of 16
          expectTwoPass(found, samples, units, 9);
          expectTwoPass(found, samples.slice(0, fitted), units, 9, 'fitR');
        },
      ),
      { numRuns: 60, seed: 3 },
    );
  });

  it('gives the same from rows as from moments, whichever groups are multiplied together', async () => {
    const units = layerUnits([0, 1], [30, 41]);
    const samples = world(5000, 71);
    const means = Array.from({ length: 71 }, (_, unit) => (unit * 7) % 5);
    // beyond 4,096 waiting samples the first groups are multiplied
    const groups = split(samples, [2000, 1990, 500, 10, 500]);
    const [rows, moments] = [
      await correlate(groups, units, means, 4, 'rows'),
      await correlate(groups, units, means, 4),
    ];
    expect(rows.counts).toEqual(moments.counts);
    for (const [name, block] of moments.blocks) {
      for (const what of ['r', 'fitR', 'heldOutSecond'] as const) {
        const [found, expected] = [rows.blocks.get(name)![what]!, block[what]!];
        const scale = what === 'heldOutSecond' ? 500 : 1;
        const gap = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0);
        // products are rounded to float32 once: 2⁻²⁴ of a variance, twice
        expect(gap, `${name} ${what}`).toBeLessThanOrEqual(1e-6 * scale);
      }
    }
  });

  it.each(['moments', 'rows'] as const)('gives each block alone what it gives all at once: %s', async (form) => {
    const units = layerUnits([0, 2, 3], [4, 3, 5]);
    const samples = world(40, 12);
    const means = Array.from({ length: 12 }, () => 1);
    const groups = split(samples, [10, 20, 10]);
    const all = await correlate(groups, units, means, 2, form);
    for (const [i, j] of blocksOf(units)) {
      const own = [...new Set([i, j])];
      const narrow = layerUnits(
        own,
        own.map((n) => units.units[units.networks.indexOf(n)]!),
      );
      const pick = (values: readonly number[]): number[] =>
        own.flatMap((n) =>
          values.slice(units.offsets[units.networks.indexOf(n)], units.offsets[units.networks.indexOf(n) + 1]),
        );
      const one = await correlate(
        groups.map((group) => group.map(pick)),
        narrow,
        pick(means),
        2,
        form,
        [[i, j]],
      );
      expect([...one.blocks]).toEqual([[`${i}_${j}`, all.blocks.get(`${i}_${j}`)]]);
      for (const n of own) expect(one.stats.get(n)).toEqual(all.stats.get(n));
      expect(one.counts).toEqual(all.counts);
    }
  });

  it('standardises the held-out part by the fit part', async () => {
    const units = layerUnits([0, 1], [2, 2]);
    const samples = Array.from({ length: 30 }, (_, k) => [0, 1, 2, 3].map((unit) => Math.sin(k * (unit + 1)) + unit));
    const [fit, held] = [samples.slice(0, 20), samples.slice(20)];
    const found = await correlate([fit, held], units, [0, 1, 2, 3], 1);
    const reference = twoPass(fit, fit);
    const z = held.map((sample) => sample.map((value, unit) => (value - reference.mean[unit]!) / reference.std[unit]!));
    const sum = (of: (row: number[]) => number): number => z.reduce((total, row) => total + of(row), 0);
    for (let i = 0; i < 4; i++) {
      const { heldOut } = found.stats.get(i >> 1)!;
      expect(heldOut!.sum[i & 1]).toBeCloseTo(
        sum((row) => row[i]!),
        9,
      );
      expect(heldOut!.square[i & 1]).toBeCloseTo(
        sum((row) => row[i]! ** 2),
        9,
      );
      for (let j = 0; j < 4; j++) {
        if (i >> 1 > j >> 1) continue;
        const second = found.blocks.get(`${i >> 1}_${j >> 1}`)!.heldOutSecond!;
        expect(second[(i & 1) * 2 + (j & 1)]).toBeCloseTo(
          sum((row) => row[i]! * row[j]!),
          9,
        );
      }
    }
  });

  it('with a holdout of 0 fits on everything: one array for both, and nothing scored', async () => {
    const units = layerUnits([0, 1], [2, 2]);
    const found = await correlate(split(world(20, 4), [10, 10]), units, [0, 0, 0, 0], 2);
    for (const { r, fitR, heldOutSecond } of found.blocks.values()) {
      expect(fitR).toBe(r);
      expect(heldOutSecond).toBeNull();
    }
    expect(found.stats.get(0)!.heldOut).toBeNull();
    expect(found.counts).toMatchObject({ heldOutRows: 0, heldOutSamples: 0, fitRows: 20 });
  });

  it('takes a unit whose max is its min for dead: std exactly 0, r 0 everywhere, whatever rounding left', async () => {
    const units = layerUnits([0, 1], [2, 2]);
    const samples = Array.from({ length: 9 }, (_, k) => [0.1, k, k * k, -k].map(Math.fround));
    const found = await correlate([samples], units, [0, 0, 0, 0], 1);
    const { dead, std, mean, varianceLost, meanShift, fitConstant } = found.stats.get(0)!;
    expect([...dead]).toEqual([1, 0]);
    expect([...fitConstant]).toEqual([1, 0]);
    expect([...varianceLost]).toEqual([0, 0]);
    expect([std[0], meanShift[0]]).toEqual([0, 0]);
    expect(mean[0]).toBeCloseTo(0.1, 6);
    expect([...found.blocks.get('0_1')!.r.subarray(0, 2)]).toEqual([0, 0]);
    // also on the diagonal, where a live unit has exactly 1
    expect([...found.blocks.get('0_0')!.r]).toEqual([0, 0, 0, 1]);
    expect([...found.blocks.get('1_1')!.r].filter((_, at) => at % 3 === 0)).toEqual([1, 1]);
  });

  it('knows a unit that is constant in the fitted or in the scored part alone', async () => {
    const units = layerUnits([0, 1], [2, 1]);
    const fit = Array.from({ length: 6 }, (_, k) => [7, k, k % 2]);
    const held = Array.from({ length: 6 }, (_, k) => [k, 3, k % 3]);
    const { stats, blocks } = await correlate([fit, held], units, [0, 0, 0], 1);
    const own = stats.get(0)!;
    expect([...own.dead]).toEqual([0, 0]);
    expect([...own.fitConstant]).toEqual([1, 0]);
    expect([...own.heldOut!.constant]).toEqual([1, 1]);
    // never a NaN: 0 where the fit part has no deviation
    expect(Math.abs(blocks.get('0_1')!.fitR[0]!)).toBe(0);
    expect(Math.abs(blocks.get('0_1')!.heldOutSecond![0]!)).toBe(0);
    for (const { r, fitR, heldOutSecond } of blocks.values())
      for (const values of [r, fitR, heldOutSecond!]) expect(values.every(Number.isFinite)).toBe(true);
  });

  it('says where a variance was lost to rounding, and how far the provisional mean is off', async () => {
    const units = layerUnits([0, 1], [2, 2]);
    // max ≠ min, but the products say Σ y² = (Σ y)²/n
    const part = partOf([[1, 2, 3, 4]], units, [0, 0, 0, 0], 'moments');
    part.max.get(0)![1] = 2.5;
    const one = async function* (): AsyncGenerator<GroupPart> {
      yield { rows: 1, part };
    };
    const lost = await correlateLayer(one(), units, meansOf(units, [0, 0, 0, 0]), [[0, 1]], 1, openedNever);
    expect([...lost.stats.get(0)!.varianceLost]).toEqual([0, 1]);
    expect([...lost.stats.get(0)!.dead]).toEqual([1, 1]);

    const samples = [[-1], [1]].map((sample) => [...sample, ...sample]);
    const found = await correlate([samples], layerUnits([0, 1], [1, 1]), [3, 0], 1);
    expect([found.stats.get(0)!.meanShift[0], found.stats.get(1)!.meanShift[0]]).toEqual([3, 0]);
  });
});

describe('mergePartials(objects, layers, product)', () => {
  const units = layerUnits([0, 1], [2, 1]);
  const means = [9, -9, 2];
  // whole numbers: float32 and float64 sums are exact in any order
  const samples = Array.from({ length: 20 }, (_, k) => [k, -k, (k * 7) % 5]);
  const hash = new Uint8Array(32);
  const members = async (part: number[][], meansHash = hash): Promise<Record<string, NpyArray>> => {
    const layer = partOf(part, units, means, formOf(part.length, units));
    return readNpz(await writeNpz(partialMembers({ rows: part.length, meansHash, layers: new Map([[4, layer]]) })));
  };
  const merged = async (parts: number[][][], hashes = parts.map(() => hash)): ReturnType<typeof mergePartials> => {
    const objects = async function* (): AsyncGenerator<Record<string, NpyArray>> {
      for (const [at, part] of parts.entries()) yield members(part, hashes[at]);
    };
    const layers = [{ layer: 4, units, samples: parts.map((part) => part.length) }];
    return mergePartials(objects(), layers, () => Promise.resolve(product));
  };

  it.each([
    [[20]],
    [[3, 17]],
    [[10, 10]],
    // parts with fewer samples than units are rows
    [[1, 2, 1, 16]],
    [[2, 2, 2, 2, 2, 2, 2, 2, 2, 2]],
  ])('adds moments, counts and extremes: sizes %j give what the whole gives', async (sizes) => {
    const { rows, meansHash, layers } = await merged(split(samples, sizes));
    expect([rows, meansHash]).toEqual([20, hash]);
    expect(layers.get(4)).toEqual(partOf(samples, units, means, 'moments'));
  });

  it('keeps rows while there are fewer of them than units', async () => {
    const { layers } = await merged(split(samples.slice(0, 2), [1, 1]));
    expect(layers.get(4)).toEqual(partOf(samples.slice(0, 2), units, means, 'rows'));
  });

  it('never adds partials that were shifted by different means', async () => {
    await expect(merged(split(samples, [10, 10]), [hash, hash.slice().fill(1)])).rejects.toThrow('(means-differ)');
  });

  it('refuses nothing to merge', async () => {
    await expect(merged([])).rejects.toThrow('(internal)');
  });
});
