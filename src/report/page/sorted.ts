/** Charts of one value per unit, sorted: matched r, R² at the chosen alpha, mean activations. */
import { axisX, axisY, dot, gridY, line, pointer, ruleY, tip } from '@observablehq/plot';
import { curveRank } from '../embedded.ts';
import type { SortedCurve } from '../embedded.ts';
import { formatNumber } from '../format.ts';
import type { FigureContext } from './figures.ts';
import { A, B, INK, lowest, OTHER, putChart, quietAxis, quietTip } from './plotting.ts';
import type { Point } from './plotting.ts';

interface Curve {
  name: string;
  colour: string;
  curve: SortedCurve;
}

/** How values stand on the vertical axis, and how a tip tells them. */
interface Scale {
  y: { domain: [number, number]; clamp?: boolean; type?: 'log' } | { nice: true; zero: true };
  ticks: number | number[];
  label: string;
  told: (value: number) => string;
}

/** Units up to which each is a dot on its line. */
const DOTS_MOST = 40;
const HEIGHT = 250;
/** The chart beside two matrices is about as high as they are. */
const CURVE_HEIGHTS = [280, 480] as const;

/** r of every unit: one-to-one, and with the best partner in both directions. */
export function drawCurves(place: HTMLElement, { drawing, a, b }: FigureContext): void {
  const curves = [
    { name: `best for each of ${a}`, colour: A, curve: drawing.semiA! },
    { name: `best for each of ${b}`, colour: B, curve: drawing.semiB! },
    { name: 'one-to-one', colour: INK, curve: drawing.matched!.r },
  ];
  const height = Math.max(CURVE_HEIGHTS[0], Math.min(CURVE_HEIGHTS[1], place.clientWidth));
  drawSorted(place, 'Sorted r of units', curves, rScale(curves, 'r'), height);
}

/** R² of every unit at the chosen alpha. */
export function drawUnitR2(place: HTMLElement, { drawing, a, b, alpha }: FigureContext): void {
  const curves = [
    { name: `units of ${b}, from ${a}`, colour: B, curve: drawing.r2!.aToB[alpha]! },
    { name: `units of ${a}, from ${b}`, colour: A, curve: drawing.r2!.bToA[alpha]! },
  ];
  drawSorted(place, 'Sorted R² of units', curves, rScale(curves, 'R²'), HEIGHT);
}

/** Mean activations of all networks; on a log scale when they span more than one order of magnitude. */
export function drawMeans(place: HTMLElement, { page, layer, a, b }: FigureContext): void {
  const colourOf = (name: string): string => (name === a ? A : name === b ? B : OTHER);
  const curves = page.means[layer]!.map(({ network, curve }) => ({
    name: network,
    colour: colourOf(network),
    curve,
  })).sort((x, y) => Number(x.colour !== OTHER) - Number(y.colour !== OTHER));
  const all = curves.flatMap(({ curve }) => curve.values);
  const live = all.filter((value) => value > 0);
  const told = (value: number): string => value.toPrecision(3).replace('-', '−');
  if (all.every((value) => value >= 0) && Math.max(...live) > 10 * Math.min(...live)) {
    const ticks = logTicks(Math.min(...live), Math.max(...live));
    const y = { type: 'log', domain: [ticks[0]!, ticks.at(-1)!] as [number, number] } as const;
    drawSorted(place, 'Sorted mean activations', curves, { y, ticks, label: 'mean activation', told }, HEIGHT);
    return;
  }
  const scale: Scale = { y: { nice: true, zero: true }, ticks: 5, label: 'mean activation', told };
  drawSorted(place, 'Sorted mean activations', curves, scale, HEIGHT);
}

function drawSorted(place: HTMLElement, label: string, curves: readonly Curve[], scale: Scale, height: number): void {
  const { y, ticks, told } = scale;
  const isLog = 'type' in y;
  const points = curves.flatMap(({ name, colour, curve: { count, values } }) =>
    values.flatMap((value, i) =>
      isLog && value <= 0 ? [] : [{ x: curveRank(i, values.length, count) + 1, y: value, name, colour }],
    ),
  );
  const most = Math.max(2, ...points.map((point) => point.x));
  const title = (point: Point): string => `${point.name}\nno. ${point.x}: ${told(point.y)}`;
  putChart(place, label, {
    height,
    x: { domain: [1, most] },
    y,
    marks: [
      gridY({ ticks }),
      axisX({ ...quietAxis, ticks: 5, label: 'units, sorted', labelAnchor: 'right' }),
      axisY({ ...quietAxis, ticks, label: scale.label, ...(Array.isArray(ticks) ? { tickFormat: String } : {}) }),
      ...(points.some((point) => point.y < 0) ? [ruleY([0], { stroke: 'var(--soft)' })] : []),
      line(points, { x: 'x', y: 'y', z: 'name', stroke: 'colour', strokeWidth: 2 }),
      ...(most <= DOTS_MOST ? [dot(points, { x: 'x', y: 'y', fill: 'colour', r: 2.25 })] : []),
      tip(points, pointer({ ...quietTip, x: 'x', y: 'y', title })),
    ],
  });
}

function rScale(curves: readonly Curve[], label: string): Scale {
  const least = lowest(curves.flatMap(({ curve }) => curve.values));
  return { y: { domain: [least, 1], clamp: true }, ticks: 5, label, told: (value) => formatNumber(value, 'r') };
}

// powers of ten, with 2 and 5 where these are few, from the last one below `low` to the first above `high`
function logTicks(low: number, high: number): number[] {
  const powers = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))] as const;
  const steps = powers[1] - powers[0] > 3 ? [1] : [1, 2, 5];
  const count = powers[1] - powers[0] + 1;
  const all = Array.from({ length: count }, (_, i) => steps.map((step) => Number(`${step}e${powers[0] + i}`))).flat();
  const first = all.findLastIndex((tick) => tick <= low);
  const last = all.findIndex((tick) => tick >= high);
  return all.slice(Math.max(0, first), last < 0 ? undefined : last + 1);
}
