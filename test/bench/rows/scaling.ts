/** How time grows with images and with units: the plot. */
import { median } from '../measure.ts';
import { runOurs, secondsByKind } from '../ours.ts';
import type { OurRun } from '../ours.ts';
import { table } from '../row.ts';
import type { Row, RowContext } from '../row.ts';
import { fashionRuns } from './fashion.ts';

const EXPONENT = 1;
const WITHIN = 0.05;

/** A point of the plot. */
export interface Point {
  /** Rows or units. */
  x: number;
  /** Provider, or kind of task. */
  series: string;
  seconds: number;
}

export const scaling: Row = {
  name: 'scaling',
  how: 'Σ seconds of the activation tasks (activate + accumulate) of the shipped pair on 2,000 to 60,000 images, native (median of 3 rounds over all sizes) and isolate: least-squares slope of log seconds on log images. Beside it every stage’s seconds on a layer of 64 to 1,024 units, 10,000 images at 9 positions, native.',
  async run(context) {
    const byRows = await rowsPoints(context);
    const byUnits = await unitsPoints(context);
    const native = byRows.filter(({ series }) => series === 'native');
    const isolate = byRows.filter(({ series }) => series === 'isolate');
    const exponents = { native: slope(native), isolate: slope(isolate) };
    return {
      lines: Object.entries(exponents).map(([provider, exponent]) => ({
        what: `activate + accumulate against images, fitted exponent, ${provider}`,
        value: exponent.toFixed(3),
        aim: `${EXPONENT.toFixed(2)} ± ${WITHIN}`,
        reached: Math.abs(exponent - EXPONENT) <= WITHIN,
      })),
      details: [
        asTable('images', byRows),
        asTable('units', byUnits),
        '![Seconds against images and units](scaling.svg)',
      ],
      data: { byRows, byUnits },
    };
  },
};

async function rowsPoints(context: RowContext): Promise<Point[]> {
  const counts = context.quick ? [500, 1000] : [2000, 10000, 20000, 60000];
  const points: Point[] = [];
  for (const provider of ['native', 'isolate'] as const) {
    // all sizes in turn, since a machine's speed drifts
    const rounds = provider === 'native' && !context.quick ? 3 : 1;
    const runs = new Map<number, OurRun[]>();
    for (let round = 1; round <= rounds; round++)
      for (const x of counts) runs.set(x, await fashionRuns(context, provider, x, round));
    for (const [x, own] of runs)
      points.push({ x, series: provider, seconds: median(own.map((run) => secondsByKind(run).activate!)) });
  }
  return points;
}

async function unitsPoints(context: RowContext): Promise<Point[]> {
  const { fixtures, scratch, quick, say } = context;
  await fixtures.need(say, 'wide');
  const points: Point[] = [];
  for (const x of quick ? [64, 128] : [64, 128, 256, 512, 1024]) {
    say(`${x} units`);
    const run: OurRun = await runOurs(fixtures.path(`wide${x}.yaml`), 'native', scratch);
    for (const [kind, seconds] of Object.entries(secondsByKind(run))) {
      if (kind !== 'pilot') points.push({ x, series: kind, seconds });
    }
  }
  return points;
}

function slope(points: readonly Point[]): number {
  const xs = points.map(({ x }) => Math.log(x));
  const ys = points.map(({ seconds }) => Math.log(seconds));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x0, y0] = [mean(xs), mean(ys)];
  const over = xs.reduce((sum, x, i) => sum + (x - x0) * (ys[i]! - y0), 0);
  return over / xs.reduce((sum, x) => sum + (x - x0) ** 2, 0);
}

function asTable(axis: string, points: readonly Point[]): string {
  const xs = [...new Set(points.map(({ x }) => x))];
  const series = [...new Set(points.map((point) => point.series))];
  const rows = xs.map((x) => [
    String(x),
    ...series.map((name) => points.find((point) => point.x === x && point.series === name)?.seconds ?? ''),
  ]);
  return table([`seconds by ${axis}`, ...series], rows);
}
