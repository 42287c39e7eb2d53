import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layerDrawing, pairsDrawn } from '../../../src/report/drawing.ts';
import { binStart, packR, unpackR } from '../../../src/report/embedded.ts';
import { blockOf, matrixViews } from '../../../src/report/page/views.ts';
import type { MatrixView } from '../../../src/report/page/views.ts';
import { demoDocuments, demoPlan } from './demo.ts';
import type { Demo } from './demo.ts';

/** Half of what int16 tells apart. */
const PACKED_R = 0.5 / 32_767 + 1e-7; // and float32

function drawn(options: Demo) {
  const plan = demoPlan(options);
  const documents = demoDocuments(options, plan, 0, 0);
  return { plan, documents, views: matrixViews(layerDrawing(plan, documents)), drawing: layerDrawing(plan, documents) };
}

/** Each pixel is the mean of r over the units behind it. */
function expectMeans(
  { height, width, values, rows, columns }: MatrixView,
  r: (row: number, column: number) => number,
): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const cells = blockOf(rows, y, height).flatMap((row) =>
        blockOf(columns, x, width).map((column) => r(row, column)),
      );
      const mean = cells.reduce((sum, value) => sum + value, 0) / cells.length;
      if (Math.abs(values[y * width + x]! - mean) > PACKED_R)
        throw new Error(`pixel ${y}, ${x}: ${values[y * width + x]} for ${mean}`);
    }
  }
}

const narrow: Demo = { networks: ['one', 'two'], layers: [{ name: 'conv', units: [9, 14], dead: [[3], [0]] }] };
const broad: Demo = { ...narrow, layers: [{ name: 'conv', units: [500, 130] }] };

describe.each([
  ['exact', narrow, false],
  ['averaged', broad, true],
])('%s', (_, options, averaged) => {
  const { documents, views, drawing } = drawn(options);
  const { r, unitsA, unitsB } = documents.correlation;
  const n = unitsA + unitsB;

  it('before: units in their own order', () => {
    expect(views.before.averaged).toBe(averaged);
    expect([...views.before.rows]).toEqual(Array.from({ length: unitsA }, (__, i) => i));
    expectMeans(views.before, (a, b) => r[a * n + unitsA + b]!);
  });

  it('after: each unit once, matched ones on the diagonal by falling r', () => {
    const view = views.after!;
    expect(view.rows.toSorted((x, y) => x - y)).toEqual(Array.from({ length: unitsA }, (__, i) => i));
    expect(view.columns.toSorted((x, y) => x - y)).toEqual(Array.from({ length: unitsB }, (__, i) => i));
    const { pairsA, pairsB } = documents.matching!;
    const partner = new Map(Array.from(pairsA, (a, i) => [a, pairsB[i]]));
    const onDiagonal = view.rows.slice(0, pairsA.length);
    expect(onDiagonal.map((a) => partner.get(a))).toEqual(view.columns.slice(0, pairsA.length));
    const values = onDiagonal.map((a) => r[a * n + unitsA + partner.get(a)!]!);
    expect(values).toEqual(values.toSorted((x, y) => y - x));
    expectMeans(view, (a, b) => r[a * n + unitsA + b]!);
  });

  it('clustered: clusters by number, a before b, units in none last', () => {
    const view = views.clustered!;
    const { labels, k } = documents.clustering!;
    const key = (unit: number): number => (labels[unit]! < 0 ? k : labels[unit]!) * n + unit;
    expect(view.rows).toEqual(Array.from({ length: n }, (__, i) => i).sort((x, y) => key(x) - key(y)));
    expectMeans(view, (i, j) => r[i * n + j]!);
  });

  it('curves fall', () => {
    for (const curve of [drawing.semiA!, drawing.semiB!, drawing.matched!.r, drawing.meansA, ...drawing.r2!.aToB]) {
      expect(curve.length).toBeGreaterThan(0);
      expect(curve).toEqual(curve.toSorted((x, y) => y - x));
    }
  });
});

it('stages that are off have no drawing', () => {
  const { views, drawing } = drawn({ ...narrow, match: false, predict: false, cluster: false });
  expect(views).toMatchObject({ after: null, clustered: null });
  expect(drawing).toMatchObject({
    matched: null,
    semiA: null,
    semiB: null,
    clusterOrder: null,
    labels: null,
    r2: null,
  });
});

it('a page of many sections averages more, so that all of them stay within bounds', () => {
  const names = Array.from({ length: 14 }, (_, i) => `n${i}`);
  const layers = ['a', 'b', 'c'].map((name) => ({ name, units: names.map(() => 200) }));
  const plan = demoPlan({ networks: names, layers });
  const options = { networks: ['one', 'two'], layers: [{ name: 'a', units: [200, 200] }] };
  const drawing = layerDrawing(plan, demoDocuments(options, demoPlan(options), 0, 0));
  const sections = pairsDrawn(plan) * layers.length;
  expect(sections).toBe(91 * 3);
  expect(drawing.exact).toBeNull();
  const { before, after, clustered } = drawing.averaged!;
  const bytes = [before, after!, clustered!].reduce((sum, grid) => sum + grid.values.length, 0);
  expect(bytes * sections).toBeLessThan(13 * 2 ** 20);
});

it('packR and unpackR: every r comes back to half a step', () => {
  const property = fc.property(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { maxLength: 50 }), (values) => {
    const back = unpackR(packR(Float64Array.from(values)));
    expect(back).toHaveLength(values.length);
    for (const [i, value] of values.entries()) expect(Math.abs(back[i]! - value)).toBeLessThanOrEqual(PACKED_R);
  });
  fc.assert(property, { seed: 1 });
  expect([...unpackR(packR(Float64Array.of(-1, 0, 1)))]).toEqual([-1, 0, 1]);
});

it('binStart: pixels share all units, none twice, and no pixel is empty', () => {
  const property = fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300 }), (pixels, more) => {
    const count = pixels + more - 1;
    const starts = Array.from({ length: pixels + 1 }, (_, pixel) => binStart(pixel, pixels, count));
    expect(starts[0]).toBe(0);
    expect(starts.at(-1)).toBe(count);
    for (let i = 0; i < pixels; i++) expect(starts[i + 1]!).toBeGreaterThan(starts[i]!);
  });
  fc.assert(property, { seed: 1 });
});
