/** What all line charts of the page share, by Observable Plot. Colours come from page.css, so that both schemes have them. */
import { plot } from '@observablehq/plot';
import type { Markish, PlotOptions } from '@observablehq/plot';

/** Ink is for what belongs to both networks, A and B for one of the pair, OTHER for what is only shown beside. */
export const INK = 'var(--ink)';
export const A = 'var(--a)';
export const B = 'var(--b)';
export const OTHER = 'var(--other)';

/** A point of the line `name`. */
export interface Point {
  x: number;
  y: number;
  name: string;
}

/** Axes without marks and arrows; the captions of the page say the rest. */
export const quietAxis = { tickSize: 0, labelArrow: 'none' } as const;

/** Tips that look like the one of matrices. */
export const quietTip = { fill: INK, stroke: 'none', pathFilter: 'none', lineWidth: 40, textPadding: 9 } as const;

/** Puts a chart into `place`, as wide as it is. */
export function putChart(place: HTMLElement, label: string, options: PlotOptions & { marks: Markish[] }): void {
  const chart = plot({
    width: place.clientWidth,
    marginLeft: 40,
    marginRight: 14,
    marginTop: 22,
    marginBottom: 38,
    style: { fontFamily: 'inherit', fontSize: '0.74rem', background: 'none', overflow: 'visible' },
    ariaLabel: label,
    ...options,
  });
  // the page's policy allows no style but its own; page.css has these rules
  chart.querySelector('style')?.remove();
  place.replaceChildren(chart);
}

/** Where a scale of r or R² begins: at 0, or lower where values are negative, but not below −1. */
export function lowest(values: readonly number[]): number {
  return Math.max(-1, Math.min(0, ...values));
}
