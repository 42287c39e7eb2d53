import { describe, expect, it } from 'vitest';
import { historiesOf, historyChart, scaleOf, spread } from '../../../src/service/pages/chart.ts';

const run = (id: string, created: number, figures: [pair: string, layer: string, mean_r: number | null][]) => ({
  id,
  created,
  figures: figures.map(([pair, layer, mean_r]) => ({ pair, layer, mean_r })),
});

describe('historiesOf', () => {
  it('gives one history per pair, runs oldest first, null where a run lacks the layer', () => {
    const newestFirst = [
      run('c', 3, [
        ['a-b', 'conv', 0.5],
        ['a-b', 'fc', 0.7],
        ['a-c', 'conv', 0.1],
      ]),
      run('b', 2, []),
      run('a', 1, [['a-b', 'conv', null]]),
    ];
    const runs = [
      { id: 'a', created: 1 },
      { id: 'c', created: 3 },
    ];
    expect(historiesOf(newestFirst)).toEqual([
      {
        pair: 'a-b',
        layers: ['conv', 'fc'],
        runs,
        values: [
          [null, 0.5],
          [null, 0.7],
        ],
      },
      { pair: 'a-c', layers: ['conv'], runs, values: [[null, 0.1]] },
    ]);
  });

  it('is empty without figures', () => {
    expect(historiesOf([run('a', 1, [])])).toEqual([]);
  });
});

describe('scaleOf', () => {
  it.each([[[]], [[0.5]], [[-1, 1]], [[0.31, 0.312]], [[0, 0]], [[0.999, 1]]])(
    'holds %j between even ticks',
    (values) => {
      const { low, high, ticks } = scaleOf(values);
      for (const value of values) {
        expect(value).toBeGreaterThanOrEqual(low);
        expect(value).toBeLessThanOrEqual(high);
      }
      expect(high).toBeGreaterThan(low);
      expect(ticks.length).toBeGreaterThanOrEqual(3);
      expect(ticks.length).toBeLessThanOrEqual(8);
      const steps = ticks.slice(1).map((tick, at) => tick - ticks[at]!);
      for (const step of steps) expect(step).toBeCloseTo(steps[0]!, 10);
    },
  );
});

describe('spread', () => {
  it('moves labels apart, keeps their order and their bounds', () => {
    const labels = [50, 50, 50, 199, 198].map((y, at) => ({ text: String(at), y }));
    const moved = spread(labels, 15, 10, 200);
    const heights = moved.map(({ y }) => y);
    for (const [at, y] of heights.entries()) {
      expect(y).toBeGreaterThanOrEqual(10);
      expect(y).toBeLessThanOrEqual(200);
      if (at > 0) expect(y - heights[at - 1]!).toBeGreaterThanOrEqual(15 - 1e-9);
    }
    expect(moved.map(({ text }) => text)).toEqual(['0', '1', '2', '4', '3']);
  });

  it('leaves labels with room where they are', () => {
    expect(spread([{ text: 'x', y: 100 }], 15, 10, 200)).toEqual([{ text: 'x', y: 100 }]);
  });
});

describe('historyChart', () => {
  it('draws a line per layer with a gap where a value is missing, escapes names, and has the same numbers as a table', async () => {
    const layers = ['<img src=x onerror=alert(1)>', 'fc'];
    const runs = ['r1', 'r2', 'r3'].map((id, created) => ({ id, created }));
    const values = [
      [0.25, null, 0.5],
      [0.125, 0.375, 0.625],
    ];
    const text = String(await historyChart({ pair: 'a-"b', layers, runs, values }, 0));
    expect(text).not.toContain('<img');
    expect(text).toContain('&lt;img');
    expect(text).toContain('aria-label="Mean matched r of a-&quot;b"');
    const paths = Array.from(text.matchAll(/<path d="([^"]*)"/g), ([, path]) => path!);
    // for wide and for narrow screens
    expect(paths.map((path) => path.replace(/[^ML]/g, ''))).toEqual(['MM', 'MLL', 'MM', 'MLL']);
    const cells = Array.from(text.matchAll(/<td>([^<]*)<\/td>/g), ([, cell]) => cell);
    expect(cells).toEqual(['0.500', '0.625', '–', '0.375', '0.250', '0.125']);
    expect(text).toMatch(/aria-labelledby="chart-0-wide chart-about-0-wide"/);
  });

  it('draws one run as points', async () => {
    const history = { pair: 'a-b', layers: ['fc'], runs: [{ id: 'r', created: 0 }], values: [[0.5]] };
    const text = String(await historyChart(history, 1));
    expect(text.match(/<circle/g)).toHaveLength(2);
    expect(text).not.toContain('NaN');
  });
});
