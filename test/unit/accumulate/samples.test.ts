import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { layerUnits } from '../../../src/accumulate/moments.ts';
import { SampleMemory } from '../../../src/accumulate/sampleMemory.ts';
import { LayerSamples } from '../../../src/accumulate/samples.ts';
import type { FloatTensor } from '../../../src/onnx/session.ts';
import type { PlannedLayer } from '../../../src/plan/layers.ts';
import { SLAB_VALUES } from '../../../src/plan/work.ts';
import { sampleKernel } from './kernel.ts';

let kernel: WebAssembly.Module;
/** Taken back and used again from case to case, as in an isolate. */
let memory: SampleMemory;
beforeAll(async () => {
  kernel = await sampleKernel();
  memory = new SampleMemory(kernel);
});

/** Taps [row, …outer, units, …inner] of a layer, by network; `sampled`: positions used, null: all. */
interface Shape {
  outer: number[];
  inner: number[];
  units: number[];
  sampled: number[] | null;
}

const length = (sizes: readonly number[]): number => sizes.reduce((product, size) => product * size, 1);

function layerOf({ outer, inner, units, sampled }: Shape): PlannedLayer {
  const positionShape = [...outer, ...inner];
  const unitAxis = outer.length + 1;
  return {
    name: 'l',
    positionShape,
    positions: sampled?.length ?? length(positionShape),
    sampled,
    taps: units.map((count) => ({
      tensor: 't',
      valueName: 't',
      rank: positionShape.length + 2,
      unitAxis,
      units: count,
    })),
  };
}

/** What was taken, joined: the bytes of [C][samples], and of the extremes [C]. */
interface Taken {
  samples: Buffer[];
  min: Buffer;
  max: Buffer;
}

const bits = (values: Float32Array): Buffer => Buffer.from(values.slice().buffer);

function expectSame(taken: Taken, wanted: Taken): void {
  // item by item, the matchers take a minute
  const differs = wanted.samples.flatMap((own, unit) => (taken.samples[unit]?.equals(own) ? [] : [`unit ${unit}`]));
  if (!taken.min.equals(wanted.min)) differs.push('min');
  if (!taken.max.equals(wanted.max)) differs.push('max');
  expect(differs).toEqual([]);
  expect(taken.samples).toHaveLength(wanted.samples.length);
}

async function take(
  shape: Shape,
  capacity: number,
  means: Float32Array,
  batches: readonly FloatTensor[][],
): Promise<Taken> {
  const units = layerUnits([...shape.units.keys()], shape.units);
  const total = means.length;
  const pieces: Float32Array[] = [];
  const ks: number[] = [];
  memory.reset();
  const samples = new LayerSamples(layerOf(shape), units, means, capacity, memory, (y, k) => {
    expect(y).toHaveLength((total + 1) * k);
    expect(y.subarray(total * k).every((one) => one === 1)).toBe(true);
    pieces.push(y.slice());
    ks.push(k);
    return Promise.resolve();
  });
  for (const taps of batches) {
    const rows = Array.from({ length: taps[0]!.dims[0]! }, (_, row) => row);
    await samples.append({ rows }, taps);
  }
  await samples.end();
  expect(ks.slice(0, -1).every((k) => k === capacity)).toBe(true);
  const joined = Array.from({ length: total }, (_, unit) =>
    Buffer.concat(pieces.map((y, i) => bits(y.subarray(unit * ks[i]!, (unit + 1) * ks[i]!)))),
  );
  const { min, max } = samples.extremes();
  return { samples: joined, min: bits(min), max: bits(max) };
}

// unit by unit, sample by sample, in float32
function expected(
  { outer, inner, units, sampled }: Shape,
  means: Float32Array,
  batches: readonly FloatTensor[][],
): Taken {
  const [blocks, run] = [length(outer), length(inner)];
  const all = sampled ?? Array.from({ length: blocks * run }, (_, position) => position);
  const raw = units.flatMap((count, network) =>
    Array.from({ length: count }, (_, unit) =>
      batches.flatMap((taps) => {
        const { data, dims } = taps[network]!;
        return Array.from({ length: dims[0]! }, (__, row) =>
          all.map((position) => {
            const block = row * blocks + Math.floor(position / run);
            return data[(block * count + unit) * run + (position % run)]!;
          }),
        ).flat();
      }),
    ),
  );
  const extreme = (start: number, beats: (a: number, b: number) => boolean): Buffer =>
    bits(
      Float32Array.from(raw, (values) => values.reduce((most, value) => (beats(value, most) ? value : most), start)),
    );
  return {
    samples: raw.map((values, unit) => bits(Float32Array.from(values, (value) => value - means[unit]!))),
    min: extreme(Infinity, (a, b) => a < b),
    max: extreme(-Infinity, (a, b) => a > b),
  };
}

// values with many zeros of both signs and equal magnitudes; `sign` 1 or −1: of one side of zero only
function drawn(seed: number, count: number, sign: number): Float32Array {
  let state = seed | 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    const value = state / 2 ** 31;
    if ((state >>> 24) % 4 === 0) return (state >>> 20) % 2 === 0 ? 0 : -0;
    return sign === 0 ? value * 3 : sign * Math.abs(value);
  });
}

function batchesOf(
  { outer, inner, units }: Shape,
  rows: readonly number[],
  seed: number,
  sign: number,
): FloatTensor[][] {
  return rows.map((count, batch) =>
    units.map((own, network) => {
      const dims = [count, ...outer, own, ...inner];
      return { data: drawn(seed + 31 * batch + 977 * network, length(dims), sign), dims };
    }),
  );
}

const small = fc.integer({ min: 1, max: 9 });
const axes = fc.array(small, { maxLength: 2 });
const shapes: fc.Arbitrary<Shape> = fc
  .record({
    outer: axes,
    inner: axes,
    units: fc.array(fc.integer({ min: 1, max: 37 }), { minLength: 1, maxLength: 3 }),
    picks: fc.option(fc.array(fc.nat(), { minLength: 1, maxLength: 6 }), { nil: null }),
  })
  .map(({ outer, inner, units, picks }) => {
    const positions = length([...outer, ...inner]);
    const sampled = picks && [...new Set(picks.map((pick) => pick % positions))].sort((a, b) => a - b);
    return { outer, inner, units, sampled };
  });

describe('LayerSamples', () => {
  it('takes what a loop over units and samples takes, bit by bit, whatever the shape, batches and buffer', async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.array(small, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer(),
        fc.constantFrom(-1, 0, 1),
        async (shape, rows, capacity, seed, sign) => {
          const batches = batchesOf(shape, rows, seed, sign);
          const means = drawn(seed + 5, length([shape.units.reduce((sum, own) => sum + own, 0)]), 0);
          expectSame(await take(shape, capacity, means, batches), expected(shape, means, batches));
        },
      ),
      { numRuns: 200, seed: 7 },
    );
  });

  it.each<[string, Shape, number, number]>([
    ['an image of more than a slab', { outer: [], inner: [71, 53], units: [40, 3], sampled: null }, 3, 1000],
    ['several images of a slab', { outer: [], inner: [8, 8], units: [70], sampled: null }, 40, 1024],
    ['tokens of more than a slab', { outer: [101], inner: [], units: [770, 5], sampled: null }, 3, 259],
    ['a unit axis of more than a slab', { outer: [], inner: [], units: [SLAB_VALUES + 3], sampled: null }, 3, 2],
    [
      'picked positions of more than a slab',
      { outer: [60], inner: [40], units: [90], sampled: [...Array(2000).keys()] },
      2,
      4096,
    ],
  ])('takes %s', async (_, shape, rows, capacity) => {
    const batches = batchesOf(shape, [rows, 1], 3, 0);
    const means = drawn(
      8,
      shape.units.reduce((sum, own) => sum + own, 0),
      0,
    );
    expectSame(await take(shape, capacity, means, batches), expected(shape, means, batches));
  });

  it('keeps the sign of the zero that came first, wherever it stands in a vector', async () => {
    for (const inner of [[], [1], [3], [4], [7], [21]]) {
      for (let other = 0; other < length(inner) * 6; other++) {
        for (const [first, second] of [
          [0, -0],
          [-0, 0],
        ] as const) {
          const shape = { outer: [], inner, units: [5], sampled: null };
          const data = new Float32Array(6 * 5 * length(inner)).fill(second);
          // beyond zero before, so that the zero is an extreme of its own
          for (let at = 0; at <= other; at++) {
            const [row, position] = [Math.floor(at / length(inner)), at % length(inner)];
            for (let unit = 0; unit < 5; unit++) {
              const before = unit % 2 === 0 ? 1 : -1;
              data[(row * 5 + unit) * length(inner) + position] = at < other ? before : first;
            }
          }
          const batches = [[{ data, dims: [6, 5, ...inner] }]];
          const means = new Float32Array(5);
          expectSame(await take(shape, 4096, means, batches), expected(shape, means, batches));
        }
      }
    }
  });

  it('leaves other layers in the same memory alone', async () => {
    const shape: Shape = { outer: [], inner: [5], units: [6], sampled: null };
    const shared = new SampleMemory(kernel);
    const units = layerUnits([0], [6]);
    const taken: number[][] = [[], []];
    const means = [drawn(1, 6, 0), drawn(2, 6, 0)];
    const both = means.map(
      (own, at) =>
        new LayerSamples(layerOf(shape), units, own, 8, shared, (y, k) => {
          taken[at]!.push(...y.subarray(0, 6 * k));
          return Promise.resolve();
        }),
    );
    const batches = [batchesOf(shape, [4], 11, 0), batchesOf(shape, [4], 12, 0)];
    for (const [at, samples] of both.entries()) await samples.append({ rows: [0, 1, 2, 3] }, batches[at]![0]!);
    for (const [at, samples] of both.entries()) {
      await samples.end();
      const alone: number[] = [];
      const own = new LayerSamples(layerOf(shape), units, means[at]!, 8, new SampleMemory(kernel), (y, k) => {
        alone.push(...y.subarray(0, 6 * k));
        return Promise.resolve();
      });
      await own.append({ rows: [0, 1, 2, 3] }, batches[at]![0]!);
      await own.end();
      expect(taken[at]).toEqual(alone);
      expect(samples.extremes()).toEqual(own.extremes());
    }
  });
});
