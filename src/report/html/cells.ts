/**
 * Numbers on the page. Each carries where it stands in results.json and its whole value, so that a program
 * can compare the two: `data-path="pairs.0.layers.1.match.mean_r" data-value="0.62…"`, an empty value for null.
 */
import { html } from 'hono/html';
import { formatNumber, tintOf } from '../format.ts';
import type { NumberKind } from '../format.ts';

/** Escaped HTML; a promise only in type, as nothing on the page waits. */
export type Html = ReturnType<typeof html>;

/** A number in running text. */
export function number(path: string, value: number | null, kind: NumberKind): Html {
  return html`<span data-path="${path}" data-value="${valueText(value)}">${formatNumber(value, kind)}</span>`;
}

/** A number in a table. */
export function numberCell(path: string, value: number | null, kind: NumberKind): Html {
  return html`<td data-path="${path}" data-value="${valueText(value)}">${formatNumber(value, kind)}</td>`;
}

/** A number of an overview table: it leads to its section and is tinted by `share`, 0 … 1 of the highest possible. */
export function tintedCell(path: string, value: number | null, kind: NumberKind, href: string, share: number): Html {
  return html`<td class="tint-${tintOf(share)}" data-path="${path}" data-value="${valueText(value)}">
    <a href="${href}">${formatNumber(value, kind)}</a>
  </td>`;
}

/** A network's name with the colour it has within its pair. */
export function netName(name: string, side: 'a' | 'b'): Html {
  return html`<span class="net net-${side}">${name}</span>`;
}

const valueText = (value: number | null): string => (value === null ? '' : String(value));
