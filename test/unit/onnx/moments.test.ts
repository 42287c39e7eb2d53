import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { momentModel, momentNames, type MomentLayer } from '../../../src/onnx/moments.ts';
import type { FloatTensor } from '../../../src/onnx/session.ts';
import { expectClose, failure, noise, runModel } from './fixtures.ts';

/** A layer with the shapes of its taps, batch first. */
interface Case {
  rows: number;
  shapes: number[][];
  unitAxes: number[];
  sampled?: number[];
}

/** Moments, minima and maxima of a layer by the definition, in float64, value by value. */
function direct(taps: FloatTensor[], unitAxes: number[], means: Float32Array, sampled: number[] | undefined) {
  const units = taps.flatMap((tap, n) => unitRows(tap, unitAxes[n]!, sampled));
  const z = [...units.map((row, c) => row.map((value) => value - means[c]!)), units[0]!.map(() => 1)];
  const joint = z.flatMap((a) => z.map((b) => a.reduce((sum, value, s) => sum + value * b[s]!, 0)));
  return { joint, min: units.map((row) => Math.min(...row)), max: units.map((row) => Math.max(...row)) };
}

// the samples of each unit: rows in order, and within a row the positions in row-major order
function unitRows(tap: FloatTensor, unitAxis: number, sampled: number[] | undefined): number[][] {
  const units: number[][] = Array.from({ length: tap.dims[unitAxis]! }, () => []);
  const index = tap.dims.map(() => 0);
  const seen = units.map(() => 0);
  for (const value of tap.data) {
    const unit = index[unitAxis]!;
    const positions = tap.dims.reduce(
      (product, dim, axis) => (axis === 0 || axis === unitAxis ? product : product * dim),
      1,
    );
    const position = seen[unit]!++ % positions;
    if (!sampled || sampled.includes(position)) units[unit]!.push(value);
    for (let axis = index.length - 1; axis >= 0 && ++index[axis]! === tap.dims[axis]; axis--) index[axis] = 0;
  }
  return units;
}

function describeLayer({ shapes, unitAxes, sampled }: Case, means: Float32Array): MomentLayer {
  const positions = shapes[0]!.filter((_, axis) => axis !== 0 && axis !== unitAxes[0]).reduce((a, b) => a * b, 1);
  const taps = shapes.map((shape, n) => ({ rank: shape.length, unitAxis: unitAxes[n]!, units: shape[unitAxes[n]!]! }));
  return { taps, positions, means, ...(sampled ? { sampledPositions: sampled } : {}) };
}

async function expectMoments(cases: Case[]): Promise<void> {
  const taps = cases.map(({ shapes }, l) => shapes.map((shape, n) => noise(shape, 17 * l + n + 1)));
  const means = cases.map(
    ({ shapes, unitAxes }) => noise([shapes.reduce((sum, shape, n) => sum + shape[unitAxes[n]!]!, 0)], 99).data,
  );
  const model = momentModel({ layers: cases.map((each, l) => describeLayer(each, means[l]!)) });
  const feeds = taps.flatMap((layer, l) => layer.map((tap, n) => [momentNames.tap(l, n), tap] as const));
  const outputs = await runModel(model, Object.fromEntries(feeds), { optimise: true });
  cases.forEach(({ unitAxes, sampled }, l) => {
    const expected = direct(taps[l]!, unitAxes, means[l]!, sampled);
    const joint = outputs[momentNames.moments(l)]!;
    const size = means[l]!.length + 1;
    expect(joint.dims).toEqual([size, size]);
    expectClose(joint.data, expected.joint, 1e-5, 'float32 sums of fewer than 1000 products');
    expect(joint.data.at(-1)).toBe(expected.joint.at(-1));
    expect([...outputs[momentNames.min(l)]!.data]).toEqual(expected.min);
    expect([...outputs[momentNames.max(l)]!.data]).toEqual(expected.max);
  });
}

describe('momentModel({ layers }) equals sums taken value by value in float64', () => {
  test('at rank 4, batch 3', () =>
    expectMoments([
      {
        rows: 3,
        shapes: [
          [3, 4, 5, 6],
          [3, 2, 5, 6],
        ],
        unitAxes: [1, 1],
      },
    ]));
  test('at rank 3, tokens', () =>
    expectMoments([
      {
        rows: 5,
        shapes: [
          [5, 7, 4],
          [5, 7, 3],
        ],
        unitAxes: [2, 2],
      },
    ]));
  test('at rank 2, one position', () =>
    expectMoments([
      {
        rows: 7,
        shapes: [
          [7, 4],
          [7, 9],
        ],
        unitAxes: [1, 1],
      },
    ]));
  test('for one row of one unit', () =>
    expectMoments([
      {
        rows: 1,
        shapes: [
          [1, 1],
          [1, 1],
        ],
        unitAxes: [1, 1],
      },
    ]));

  test('for networks of different axis orders, at the same positions', () =>
    expectMoments([
      {
        rows: 2,
        shapes: [
          [2, 4, 3, 5],
          [2, 3, 5, 4],
          [2, 3, 6, 5],
        ],
        unitAxes: [1, 3, 2],
      },
    ]));

  test('at sampled positions', () =>
    expectMoments([
      {
        rows: 3,
        shapes: [
          [3, 4, 3, 5],
          [3, 3, 5, 2],
          [3, 3, 6, 5],
        ],
        unitAxes: [1, 3, 2],
        sampled: [0, 4, 7, 14],
      },
    ]));

  test('for several layers at once, each with its own number of rows', () =>
    expectMoments([
      {
        rows: 3,
        shapes: [
          [3, 4, 2, 2],
          [3, 5, 2, 2],
        ],
        unitAxes: [1, 1],
      },
      {
        rows: 11,
        shapes: [
          [11, 6],
          [11, 2],
        ],
        unitAxes: [1, 1],
      },
      {
        rows: 2,
        shapes: [
          [2, 9, 3],
          [2, 9, 3],
        ],
        unitAxes: [2, 2],
        sampled: [8],
      },
    ]));

  test('for any ranks, unit axes, widths and samples', async () => {
    const layer = fc
      .record({
        rows: fc.integer({ min: 1, max: 5 }),
        positions: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
        networks: fc.array(fc.record({ units: fc.integer({ min: 1, max: 5 }), axis: fc.nat() }), {
          minLength: 1,
          maxLength: 3,
        }),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      })
      .map(({ rows, positions, networks, share }): Case => {
        const unitAxes = networks.map(({ axis }) => 1 + (axis % (positions.length + 1)));
        const shapes = networks.map(({ units }, n) => [rows, ...positions.toSpliced(unitAxes[n]! - 1, 0, units)]);
        const all = Array.from({ length: positions.reduce((a, b) => a * b, 1) }, (_, position) => position);
        const sampled = all.filter((position) => (position * 0.618) % 1 < share);
        return { rows, shapes, unitAxes, ...(sampled.length > 0 ? { sampled } : {}) };
      });
    await fc.assert(fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 2 }), expectMoments), {
      seed: 3,
      numRuns: 40,
    });
  });
});

describe('a layer that contradicts itself', () => {
  const layer: MomentLayer = { taps: [{ rank: 4, unitAxis: 1, units: 3 }], positions: 6, means: new Float32Array(3) };
  test.each<[string, Partial<MomentLayer>]>([
    ['no taps', { taps: [], means: new Float32Array(0) }],
    ['too few means', { means: new Float32Array(2) }],
    ['the batch as unit axis', { taps: [{ rank: 4, unitAxis: 0, units: 3 }] }],
    ['a unit axis beyond the rank', { taps: [{ rank: 4, unitAxis: 4, units: 3 }] }],
    ['positions at rank 2', { taps: [{ rank: 2, unitAxis: 1, units: 3 }] }],
    ['no sampled positions', { sampledPositions: [] }],
    ['positions out of order', { sampledPositions: [3, 2] }],
    ['a position twice', { sampledPositions: [3, 3] }],
    ['a position too many', { sampledPositions: Int32Array.of(0, 6) }],
  ])('is refused: %s', async (_, change) => {
    await failure('internal', () => momentModel({ layers: [{ ...layer, ...change }] }));
  });

  test('of other shape than described is refused at the run', async () => {
    const model = momentModel({ layers: [layer] });
    await failure('data-mismatch', () => runModel(model, { tap_0_0: noise([2, 4, 2, 3]) }));
    await failure('internal', () => runModel(model, { tap_0_0: noise([2, 3, 2, 4]) }));
  });
});
