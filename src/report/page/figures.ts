/** Every figure of the page by the name in its place's `data-figure`. */
import type { LayerDrawing, PageData } from '../embedded.ts';
import { drawMatchedByLayer, drawR2ByLayer, drawSharedByLayer } from './byLayer.ts';
import { drawLegend, drawMatrix, svg } from './matrix.ts';
import { drawCurves, drawMeans, drawUnitR2 } from './sorted.ts';
import { drawSparsity } from './sparsity.ts';
import { clusterLabels } from './views.ts';
import type { MatrixViews } from './views.ts';

/** What a figure is drawn from. Figures of the overview take the selected pair and no drawing. */
export interface FigureContext {
  page: PageData;
  pair: number;
  layer: number;
  /** Index of the chosen alpha. */
  alpha: number;
  a: string;
  b: string;
  section: HTMLElement | null;
  readonly drawing: Omit<LayerDrawing, 'meansA' | 'meansB'> & { views: MatrixViews };
}

export type Figure = (place: HTMLElement, context: FigureContext) => void;

export const FIGURES: Record<string, Figure> = {
  'overview-matched': drawMatchedByLayer,
  'overview-r2': drawR2ByLayer,
  'overview-shared': drawSharedByLayer,
  legend: drawLegend,
  before: (place, { drawing, a, b }) => drawBetween(place, drawing.views.before, 'before matching', a, b),
  after: (place, { drawing, a, b }) => drawBetween(place, drawing.views.after!, 'after matching', a, b),
  curves: drawCurves,
  sparsity: drawSparsity,
  'unit-r2': drawUnitR2,
  clustered: drawClustered,
  means: drawMeans,
};

function drawBetween(place: HTMLElement, view: MatrixViews['before'], when: string, a: string, b: string): void {
  const label = `Correlations of ${view.rows.length} units of ${a} with ${view.columns.length} units of ${b}, ${when}`;
  drawMatrix(
    place,
    view,
    label,
    (unit) => `${a} unit ${unit}`,
    (unit) => `${b} unit ${unit}`,
  );
}

// the joint matrix: blocks of clusters outlined, the rim coloured by network
function drawClustered(place: HTMLElement, { drawing, a, b, section }: FigureContext): void {
  const { unitsA, views } = drawing;
  const labels = clusterLabels(drawing);
  const view = views.clustered!;
  const nameOf = (unit: number): string => {
    const name = unit < unitsA ? `${a} unit ${unit}` : `${b} unit ${unit - unitsA}`;
    return labels![unit]! < 0 ? `${name}, no cluster` : `${name}, cluster ${labels![unit]}`;
  };
  const overlay = drawMatrix(
    place,
    view,
    `Correlations of all units of ${a} and ${b}, ordered by cluster`,
    nameOf,
    nameOf,
  );
  const order = view.rows;
  const scale = view.height / order.length;

  // outlines: where the label changes
  const blocks = new Map<number, SVGRectElement>();
  for (let start = 0; start < order.length;) {
    const label = labels![order[start]!]!;
    let end = start;
    while (end < order.length && labels![order[end]!] === label) end++;
    if (label >= 0) {
      const [at, size] = [start * scale, (end - start) * scale];
      const block = svg('rect', { class: 'cluster', x: at, y: at, width: size, height: size });
      overlay.append(block);
      blocks.set(label, block);
    }
    start = end;
  }

  // the rim, one canvas pixel per unit
  for (const side of ['across', 'down'] as const) {
    const rim = document.createElement('canvas');
    rim.className = `rim ${side}`;
    rim.setAttribute('aria-hidden', 'true');
    rim.width = side === 'across' ? order.length : 1;
    rim.height = side === 'across' ? 1 : order.length;
    const context = rim.getContext('2d')!;
    const style = getComputedStyle(place);
    for (const [i, unit] of order.entries()) {
      context.fillStyle = style.getPropertyValue(unit < unitsA ? '--a' : '--b');
      context.globalAlpha = labels![unit]! < 0 ? 0.35 : 1;
      context.fillRect(side === 'across' ? i : 0, side === 'across' ? 0 : i, 1, 1);
    }
    overlay.before(rim);
  }

  // a row of the table points at its block
  for (const row of section?.querySelectorAll<HTMLElement>('tr[data-cluster]') ?? []) {
    const block = blocks.get(Number(row.dataset['cluster']));
    row.onpointerenter = () => block?.classList.add('pointed');
    row.onpointerleave = () => block?.classList.remove('pointed');
  }
}
