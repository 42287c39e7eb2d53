import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBlock } from '../../../src/reduce/block.ts';
import type { BlockSource } from '../../../src/reduce/block.ts';
import { layerDrawing, pairsDrawn } from '../../../src/report/drawing.ts';
import type { LayerDocuments } from '../../../src/report/entry.ts';
import { binStart, curveRank, packR, packUnits, unpackR, unpackUnits } from '../../../src/report/embedded.ts';
import { blockOf, clusterLabels, matrixViews } from '../../../src/report/page/views.ts';
import type { MatrixView } from '../../../src/report/page/views.ts';
import { demoDocuments, demoPlan, jointOf } from './demo.ts';
import type { Demo } from './demo.ts';

/** Half of what int16 tells apart. */
const PACKED_R = 0.5 / 32_767 + 1e-7; // and float32

async function drawn(options: Demo) {
  const plan = demoPlan(options);
  const documents = demoDocuments(options, plan, 0, 0);
  const drawing = await layerDrawing(plan, documents);
  return { plan, documents, r: await jointOf(documents), views: matrixViews(drawing), drawing };
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

/** The same blocks, a few rows at a time in a buffer that is spoilt when the next are asked for; counts passes. */
function chunked({ blocks }: LayerDocuments, rowsAtOnce: number) {
  const passes = { withinA: 0, between: 0, withinB: 0 };
  const cut = (name: keyof typeof passes): BlockSource => ({
    rows: blocks[name].rows,
    columns: blocks[name].columns,
    async *chunks() {
      passes[name]++;
      const { rows, columns } = blocks[name];
      const whole = await readBlock(blocks[name]);
      for (let first = 0; first < rows; first += rowsAtOnce) {
        const values = whole.slice(first * columns, Math.min(rows, first + rowsAtOnce) * columns);
        yield { first, values };
        values.fill(NaN);
      }
    },
  });
  return { blocks: { withinA: cut('withinA'), between: cut('between'), withinB: cut('withinB') }, passes };
}

describe.each([
  ['exact', narrow, false],
  ['averaged', broad, true],
])('%s', async (_, options, averaged) => {
  const { plan, documents, r, views, drawing } = await drawn(options);
  const { unitsA, unitsB } = drawing;
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

  it('clusters of units come back from their order and sizes', () => {
    expect(clusterLabels(drawing)).toEqual(documents.clustering!.labels);
  });

  it('curves fall, and have every unit', () => {
    const curves = [drawing.semiA!, drawing.semiB!, drawing.matched!.r, drawing.meansA, drawing.meansB];
    const counts = [unitsA, unitsB, Math.min(unitsA, unitsB), unitsA, unitsB];
    for (const [i, { count, values }] of [...curves, ...drawing.r2!.aToB].entries()) {
      expect(values).toHaveLength(count);
      if (i < counts.length) expect(count).toBe(counts[i]);
      expect(values).toEqual(values.toSorted((x, y) => y - x));
    }
  });

  it('is the same however the blocks come, and reads each once', async () => {
    for (const rowsAtOnce of [1, 7]) {
      const { blocks, passes } = chunked(documents, rowsAtOnce);
      expect(await layerDrawing(plan, { ...documents, blocks })).toEqual(drawing);
      expect(passes).toEqual({ withinA: 1, between: 1, withinB: 1 });
    }
  });
});

it('stages that are off have no drawing', async () => {
  const { views, drawing } = await drawn({ ...narrow, match: false, predict: false, cluster: false });
  expect(views).toMatchObject({ after: null, clustered: null });
  expect(drawing).toMatchObject({
    matched: null,
    semiA: null,
    semiB: null,
    clusterOrder: null,
    clusterSizes: null,
    r2: null,
  });
});

it('a page of many sections averages more, so that all of them stay within bounds', async () => {
  const names = Array.from({ length: 14 }, (_, i) => `n${i}`);
  const layers = ['a', 'b', 'c'].map((name) => ({ name, units: names.map(() => 200) }));
  const plan = demoPlan({ networks: names, layers });
  const options = { networks: ['one', 'two'], layers: [{ name: 'a', units: [200, 200] }] };
  const drawing = await layerDrawing(plan, demoDocuments(options, demoPlan(options), 0, 0));
  const sections = pairsDrawn(plan) * layers.length;
  expect(sections).toBe(91 * 3);
  expect(drawing.exact).toBeNull();
  const { before, after, clustered } = drawing.averaged!;
  const bytes = [before, after!, clustered!].reduce((sum, grid) => sum + grid.values.length, 0);
  expect(bytes * sections).toBeLessThan(12 * 2 ** 20);
  expect(JSON.stringify(drawing).length * sections).toBeLessThan(12.1 * 2 ** 20);
});

it('within-blocks are not read where no cluster is drawn', async () => {
  const options = { ...broad, cluster: false } satisfies Demo;
  const plan = demoPlan(options);
  const documents = demoDocuments(options, plan, 0, 0);
  const { blocks, passes } = chunked(documents, 50);
  await layerDrawing(plan, { ...documents, blocks });
  expect(passes).toEqual({ withinA: 0, between: 1, withinB: 0 });
});

it('blocks of other sizes are refused', async () => {
  const { plan, documents } = await drawn(narrow);
  const blocks = { ...documents.blocks, withinB: documents.blocks.withinA };
  await expect(layerDrawing(plan, { ...documents, blocks })).rejects.toThrow(
    expect.objectContaining({ code: 'internal' }),
  );
});

it('seven layers of 4,096 units make a page below 14 MiB, with curves that are thinned', async () => {
  const layers = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => ({ name, units: [4096, 4096] }));
  const drawing = await layerDrawing(demoPlan({ networks: ['one', 'two'], layers }), wideDocuments(4096));
  expect(drawing.meansA.count).toBe(4096);
  expect(drawing.meansA.values).toHaveLength(1024);
  expect([drawing.meansA.values[0], drawing.meansA.values.at(-1)]).toEqual([4096, 1]);
  expect(drawing.averaged!.before.height).toBe(384);
  // script, style and tables are below 1 MiB
  expect(JSON.stringify(drawing).length * layers.length).toBeLessThan(13 * 2 ** 20);
});

/** Documents of a layer so wide that its blocks are made up row by row. */
function wideDocuments(units: number): LayerDocuments {
  const row = Float64Array.from({ length: units }, (_, j) => Math.sin(j));
  const block: BlockSource = {
    rows: units,
    columns: units,
    async *chunks() {
      for (let first = 0; first < units; first++) yield { first, values: row };
    },
  };
  const each = (value: (i: number) => number): Float64Array => Float64Array.from({ length: units }, (_, i) => value(i));
  const ids = Int32Array.from({ length: units }, (_, i) => i);
  const flags = new Uint8Array(units);
  const r = each((i) => Math.cos(i));
  const stats = {
    mean: each((i) => i + 1),
    std: each(() => 1),
    dead: flags,
    varianceLost: flags,
    meanShift: each(() => 0),
    fitConstant: flags,
    heldOut: null,
  };
  const alphas = Float64Array.of(0.003, 0.01, 0.03, 0.1, 0.3);
  const chosen = Uint8Array.from({ length: units }, (_, i) => (i < 512 ? 1 : 0));
  const scores = {
    alphas,
    sources: units,
    targets: units,
    chosen,
    scored: chosen,
    predictors: chosen,
    r2Fit: Float64Array.from({ length: 5 * units }, (_, i) => Math.sin(i)),
    r2HeldOut: null,
    nonzero: new Int32Array(5 * units),
    kkt: new Float64Array(5 * units),
  };
  const semi = { partner: ids, r };
  return {
    counts: { rows: 9, samples: 9, fitRows: 9, fitSamples: 9, heldOutRows: 0, heldOutSamples: 0 },
    a: stats,
    b: stats,
    blocks: { withinA: block, between: block, withinB: block },
    matching: { semiA: semi, semiB: semi, pairsA: ids, pairsB: ids, r, dualA: r, dualB: r },
    aToB: scores,
    bToA: scores,
    clustering: {
      k: 1,
      threshold: 0.2,
      labels: new Int32Array(2 * units),
      isolated: 0,
      components: 1,
      eigenvalues: Float64Array.of(0),
      summaries: [{ cluster: 0, unitsA: units, unitsB: units, meanRBetween: 0, meanRWithinA: 0, meanRWithinB: 0 }],
    },
    tasks: { withinA: 0, between: 0, withinB: 0, aToB: 1, bToA: 2 },
  };
}

it('packUnits and unpackUnits: every unit comes back', () => {
  const property = fc.property(fc.array(fc.integer({ min: 0, max: 65_535 }), { maxLength: 50 }), (units) => {
    expect(unpackUnits(packUnits(units))).toEqual(units);
  });
  fc.assert(property, { seed: 1 });
});

it('curveRank: ranks rise from the first unit to the last, all of them where all are kept', () => {
  const property = fc.property(fc.integer({ min: 2, max: 300 }), fc.integer({ min: 0, max: 9000 }), (points, more) => {
    const ranks = Array.from({ length: points }, (_, point) => curveRank(point, points, points + more));
    expect([ranks[0], ranks.at(-1)]).toEqual([0, points + more - 1]);
    for (let i = 1; i < points; i++) expect(ranks[i]!).toBeGreaterThan(ranks[i - 1]!);
  });
  fc.assert(property, { seed: 1 });
  expect(curveRank(0, 1, 1)).toBe(0);
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
