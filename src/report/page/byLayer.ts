/** The charts of the overview: one line per pair, that of the selected pair in front. */
import { axisY, dot, gridY, line, pointer, tip } from '@observablehq/plot';
import { formatNumber } from '../format.ts';
import type { FigureContext } from './figures.ts';
import { A, B, INK, lowest, OTHER, putChart, quietAxis, quietTip } from './plotting.ts';
import type { Point } from './plotting.ts';

/** Mean matched r. */
export function drawMatchedByLayer(place: HTMLElement, context: FigureContext): void {
  const { page, pair } = context;
  const lines = page.pairs.map(({ a, b }, p) => lineOf(`${a} × ${b}`, page.matched[p]!));
  drawByLayer(place, context, 'Mean matched r by layer', lines, coloured(lines[pair]!, INK), rRange(lines));
}

/** R² of both directions at the chosen alpha. */
export function drawR2ByLayer(place: HTMLElement, context: FigureContext): void {
  const { page, pair, alpha } = context;
  const at = (values: (number | null)[][]): (number | null)[] => values.map((row) => row[alpha] ?? null);
  const aToB = page.pairs.map(({ a, b }, p) => lineOf(`${a} → ${b}`, at(page.aToB[p]!)));
  const bToA = page.pairs.map(({ a, b }, p) => lineOf(`${b} → ${a}`, at(page.bToA[p]!)));
  const selected = [...coloured(aToB[pair]!, A), ...coloured(bToA[pair]!, B)];
  const lines = [...aToB, ...bToA];
  drawByLayer(place, context, `Mean R² by layer at α ${page.alphas[alpha]}`, lines, selected, rRange(lines));
}

/** Number of shared clusters. */
export function drawSharedByLayer(place: HTMLElement, context: FigureContext): void {
  const { page, pair } = context;
  const shared = page.shared.map((row) => row.map((own) => own && own.shared));
  const lines = page.pairs.map(({ a, b }, p) => lineOf(`${a} × ${b}`, shared[p]!));
  const most = Math.max(1, ...page.shared.flat().map((own) => own?.all ?? 0));
  drawByLayer(place, context, 'Shared clusters by layer', lines, coloured(lines[pair]!, INK), [0, most]);
}

type ColouredPoint = Point & { colour: string };

// lines above the columns of the table below, whose heads name the layers
function drawByLayer(
  place: HTMLElement,
  { page }: FigureContext,
  label: string,
  lines: Point[][],
  selected: ColouredPoint[],
  range: [number, number],
): void {
  const table = place.parentElement!.querySelector('table')!;
  const { left } = table.getBoundingClientRect();
  const heads = [...table.querySelectorAll('th[scope="col"]')].map((head) => head.getBoundingClientRect());
  const x = ({ x: layer }: Point): number => heads[layer]!.left - left + heads[layer]!.width / 2;
  const isCount = range[1] > 1;
  const told = (value: number): string => (isCount ? String(value) : formatNumber(value, 'r'));
  putChart(place, label, {
    width: table.offsetWidth,
    height: 170,
    marginLeft: heads[0]!.left - left,
    marginRight: 0,
    marginTop: 12,
    marginBottom: 10,
    x: { type: 'identity', axis: null },
    y: { domain: range, clamp: true, nice: isCount },
    marks: [
      gridY({ ticks: 4 }),
      axisY({ ...quietAxis, ticks: 4, label: null }),
      ...(page.pairs.length > 1 ? lines.map((own) => line(own, { x, y: 'y', stroke: OTHER, strokeWidth: 1.25 })) : []),
      line(selected, { x, y: 'y', z: 'name', stroke: 'colour', strokeWidth: 2.25 }),
      dot(selected, { x, y: 'y', fill: 'colour', r: 3.5 }),
      tip(
        lines.flat(),
        pointer({
          ...quietTip,
          x,
          y: 'y',
          title: (point: Point) => `${point.name}, ${page.layers[point.x]}\n${told(point.y)}`,
        }),
      ),
    ],
  });
}

function lineOf(name: string, values: readonly (number | null)[]): Point[] {
  return values.flatMap((value, layer) => (value === null ? [] : [{ x: layer, y: value, name }]));
}

function coloured(points: readonly Point[], colour: string): ColouredPoint[] {
  return points.map((point) => ({ ...point, colour }));
}

function rRange(lines: Point[][]): [number, number] {
  return [lowest(lines.flat().map((point) => point.y)), 1];
}
