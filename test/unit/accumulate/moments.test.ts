import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addMoments, addProducts, emptyMoments, layerUnits } from '../../../src/accumulate/moments.ts';
import type { LayerUnits, Moments } from '../../../src/accumulate/moments.ts';
import { addRowProducts, emptyRows, fillRows } from '../../../src/accumulate/rows.ts';
import type { ProductSession } from '../../../src/onnx/product.ts';
import { openProduct } from '../../../src/onnx/product.ts';
import { wasmRuntime } from '../onnx/fixtures.ts';
import { expectSums } from './sums.ts';
import { noise } from './world.ts';

/** Products of whole numbers up to 2²⁴ are exact in any order, so that sums can be compared to the bit. */
function exactProduct(): ProductSession & { sizes: [m: number, n: number, k: number][] } {
  const sizes: [number, number, number][] = [];
  return {
    sizes,
    timesTransposed(a, b, k) {
      const [m, n] = [a.length / k, b.length / k];
      sizes.push([m, n, k]);
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
}

// samples [samples][C] as the product wants them: [(C + 1) × k], ones last
function columns(samples: readonly (readonly number[])[], units: number): Float32Array {
  const y = new Float32Array((units + 1) * samples.length).fill(1, units * samples.length);
  samples.forEach((sample, s) => sample.forEach((value, unit) => (y[unit * samples.length + s] = value)));
  return y;
}

async function momentsOf(layer: LayerUnits, parts: number[][][], product = exactProduct()): Promise<Moments> {
  const moments = emptyMoments(layer);
  for (const part of parts)
    await addProducts(moments, layer, columns(part, layer.offsets.at(-1)!), part.length, product);
  return moments;
}

const whole = (samples: number, units: number): number[][] =>
  Array.from({ length: samples }, (_, s) => Array.from({ length: units }, (__, u) => Math.round(9 * noise(s, u))));

describe('addProducts(into, layer, y, k, product)', () => {
  it.each([
    [[1, 1]],
    [[3, 5]],
    [[5, 1, 4]],
    // one tile less one, exactly one, one and one more, several
    [[95]],
    [[96]],
    [[97]],
    [[50, 47, 100]],
    [[200, 3]],
    // beyond this layers have wider tiles
    [[1500, 549]],
  ])('has every product in its place, whatever the tiles: widths %j', async (widths) => {
    const layer = layerUnits(
      widths.map((_, network) => 2 * network + 1),
      widths,
    );
    const samples = whole(4, layer.offsets.at(-1)!);
    const product = exactProduct();
    const moments = await momentsOf(layer, [samples], product);
    expectSums(moments, layer, samples, 4);
    // each product once: a tile against itself and what follows
    const cells = product.sizes.reduce((sum, [m, n]) => sum + m * n, 0);
    const total = layer.offsets.at(-1)!;
    expect(cells).toBeGreaterThanOrEqual((total * (total + 1)) / 2);
    expect(cells).toBeLessThanOrEqual((total * (total + 1)) / 2 + total * 256);
  });

  it('makes only the blocks that are asked for, and the sums of all networks', async () => {
    const layer = layerUnits([0, 2, 5], [3, 4, 2]);
    const samples = whole(6, 9);
    const all = await momentsOf(layer, [samples]);
    const some = emptyMoments(layer, new Set(['0_2', '5_5']));
    await addProducts(some, layer, columns(samples, 9), 6, exactProduct());
    expect([...some.blocks.keys()]).toEqual(['0_2', '5_5']);
    for (const [name, block] of some.blocks) expect(block).toEqual(all.blocks.get(name));
    expect([some.sums, some.squares, some.samples]).toEqual([all.sums, all.squares, all.samples]);
  });

  it('gives the same for any split of the samples and any order of merging', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 0, max: 99 }),
        async (widths, sizes, turn) => {
          const layer = layerUnits([...widths.keys()], widths);
          const samples = whole(
            sizes.reduce((sum, size) => sum + size, 0),
            layer.offsets.at(-1)!,
          );
          const parts: number[][][] = [];
          let at = 0;
          for (const size of sizes) parts.push(samples.slice(at, (at += size)));
          const reference = await momentsOf(layer, [samples]);
          expect(await momentsOf(layer, parts)).toEqual(reference);
          const merged = emptyMoments(layer);
          const shift = turn % parts.length;
          for (const part of [...parts.slice(shift), ...parts.slice(0, shift)].toReversed()) {
            addMoments(merged, await momentsOf(layer, [part]));
          }
          expect(merged).toEqual(reference);
        },
      ),
      { seed: 11, numRuns: 60 },
    );
  });
});

describe('addMoments(into, from)', () => {
  it('refuses moments of another width, and blocks that are missing', async () => {
    const [narrow, wide] = [layerUnits([0, 1], [2, 3]), layerUnits([0, 1], [2, 4])];
    expect(() => addMoments(emptyMoments(narrow), emptyMoments(wide))).toThrow('(internal)');
    expect(() => addMoments(emptyMoments(narrow), emptyMoments(narrow, new Set(['0_0'])))).toThrow('(internal)');
    // more than is wanted is no fault
    const some = emptyMoments(narrow, new Set(['0_0']));
    addMoments(some, await momentsOf(narrow, [whole(3, 5)]));
    expect(some.samples).toBe(3);
  });
});

describe('fillRows and addRowProducts', () => {
  it('are the moments of the same samples, in pieces of any size', async () => {
    const layer = layerUnits([0, 3], [40, 33]);
    const samples = whole(37, 73);
    const rows = emptyRows(layer, 37);
    for (const [from, to] of [
      [0, 1],
      [1, 20],
      [20, 37],
    ] as const) {
      fillRows(rows, layer, columns(samples.slice(from, to), 73), to - from, from);
    }
    expect([...rows[1]!.subarray(33, 66)]).toEqual(samples[1]!.slice(40));
    const moments = emptyMoments(layer);
    await addRowProducts(moments, layer, rows, 37, exactProduct());
    expect(moments).toEqual(await momentsOf(layer, [samples]));
  });

  it('multiply more samples than one product takes, in ONNX Runtime', async () => {
    const layer = layerUnits([0, 1], [2, 3]);
    const samples = Array.from({ length: 9000 }, (_, s) => [0, 1, 2, 3, 4].map((u) => Math.fround(noise(s, u))));
    const rows = emptyRows(layer, 9000);
    fillRows(rows, layer, columns(samples, 5), 9000, 0);
    const moments = emptyMoments(layer);
    await addRowProducts(moments, layer, rows, 9000, await openProduct(await wasmRuntime()));
    expectSums(moments, layer, samples, 4096);
  });
});
