/** Mean R² against the mean number of units used, one dot per alpha; read from the table beside it. */
import { axisX, axisY, dot, gridY, line, pointer, tip } from '@observablehq/plot';
import { formatNumber } from '../format.ts';
import type { FigureContext } from './figures.ts';
import { A, B, lowest, putChart, quietAxis, quietTip } from './plotting.ts';
import type { Point } from './plotting.ts';

type AlphaPoint = Point & { colour: string; alpha: number };

/** Both directions; dashed on the images fitted, where others are held out. */
export function drawSparsity(place: HTMLElement, { page, section, a, b, alpha }: FigureContext): void {
  const valueOf = (direction: string, index: number, key: string): number | null => {
    const cell = section!.querySelector<HTMLElement>(`td[data-path$=".${direction}.${index}.${key}"]`)!;
    return cell.dataset['value'] === '' ? null : Number(cell.dataset['value']);
  };
  const lineOf = (direction: string, key: string, name: string, colour: string): AlphaPoint[] =>
    page.alphas.flatMap((told, index) => {
      const x = valueOf(direction, index, 'mean_nonzero');
      const y = valueOf(direction, index, key);
      return x === null || y === null ? [] : [{ x, y, name, colour, alpha: told }];
    });
  const both = (key: string, suffix: string): AlphaPoint[] => [
    ...lineOf('a_to_b', key, `${a} → ${b}${suffix}`, A),
    ...lineOf('b_to_a', key, `${b} → ${a}${suffix}`, B),
  ];
  const scored = both(page.scored, '');
  const fitted = page.scored === 'r2_fit' ? [] : both('r2_fit', ', on the images fitted');
  const all = [...fitted, ...scored];
  const chosen = scored.filter((point) => point.alpha === page.alphas[alpha]);
  const title = (point: AlphaPoint): string =>
    `${point.name}, α ${point.alpha}\nR² ${formatNumber(point.y, 'r')} from ${formatNumber(point.x, 'mean')} units`;
  const at = { x: 'x', y: 'y', z: 'name' };
  putChart(place, 'R² against number of units used', {
    height: 250,
    x: { zero: true, nice: true },
    y: { domain: [lowest(all.map((point) => point.y)), 1], clamp: true },
    marks: [
      gridY({ ticks: 5 }),
      axisX({ ...quietAxis, ticks: 5, label: 'units used' }),
      axisY({ ...quietAxis, ticks: 5, label: 'R²' }),
      line(fitted, { ...at, stroke: 'colour', strokeWidth: 1.25, strokeDasharray: '3 3' }),
      line(scored, { ...at, stroke: 'colour', strokeWidth: 2 }),
      dot(scored, { ...at, fill: 'colour', r: 3.5 }),
      dot(chosen, { ...at, stroke: 'colour', r: 7, strokeWidth: 1.5 }),
      tip(all, pointer({ ...quietTip, x: 'x', y: 'y', title })),
    ],
  });
}
