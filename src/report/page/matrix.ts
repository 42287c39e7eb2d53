/**
 * A matrix on a canvas, one canvas pixel per cell and scaled up by the browser without smoothing. Pointer or
 * arrow keys pick a cell; a small label tells its units and r.
 */
import { formatNumber } from '../format.ts';
import { readScale } from './colour.ts';
import { blockOf } from './views.ts';
import type { MatrixView } from './views.ts';

const SVG = 'http://www.w3.org/2000/svg';
/** Units named for a cell that stands for several. */
const NAMED_MOST = 4;

/** Draws the view into `place`; `nameOf` names a unit. Gives the overlay, whose coordinates are cells. */
export function drawMatrix(
  place: HTMLElement,
  view: MatrixView,
  label: string,
  nameOfRow: (unit: number) => string,
  nameOfColumn: (unit: number) => string,
): SVGSVGElement {
  const { height, width, values } = view;
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  canvas.tabIndex = 0;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `${label}. Arrow keys read its cells.`);
  const context = canvas.getContext('2d')!;
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colour = readScale();
  for (const [cell, value] of values.entries()) pixels[cell] = colour(value);
  context.putImageData(image, 0, 0);

  const overlay = svg('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  const across = svg('rect', { class: 'cross', height: 1, width });
  const down = svg('rect', { class: 'cross', width: 1, height });
  overlay.append(across, down);
  const wrap = document.createElement('div');
  wrap.className = 'canvas';
  // wide and tall matrices keep a shape that can be read
  wrap.style.aspectRatio = String(Math.max(0.5, Math.min(2, width / height)));
  wrap.append(canvas, overlay);
  place.replaceChildren(wrap);
  // without smoothing a picture made smaller would lose whole rows
  canvas.classList.toggle('smooth', width > canvas.clientWidth * devicePixelRatio);
  if (view.averaged) place.append(paragraph(`Averaged down from ${view.rows.length} × ${view.columns.length}.`));

  // picking a cell
  let [row, column] = [0, 0];
  const show = (): void => {
    across.setAttribute('y', String(row));
    down.setAttribute('x', String(column));
    overlay.classList.add('picking');
    const names = [
      namesOf(blockOf(view.rows, row, height), nameOfRow),
      namesOf(blockOf(view.columns, column, width), nameOfColumn),
    ];
    const r = formatNumber(values[row * width + column]!, 'r');
    const box = canvas.getBoundingClientRect();
    const at = { x: box.left + ((column + 0.5) / width) * box.width, y: box.top + ((row + 0.5) / height) * box.height };
    showTip(at, names, `${view.averaged ? 'mean r' : 'r'} ${r}`);
  };
  const hide = (): void => {
    overlay.classList.remove('picking');
    hideTip();
  };
  const pick = (event: PointerEvent): void => {
    const box = canvas.getBoundingClientRect();
    column = clamp(Math.floor(((event.clientX - box.left) / box.width) * width), width);
    row = clamp(Math.floor(((event.clientY - box.top) / box.height) * height), height);
    show();
  };
  canvas.addEventListener('pointermove', pick);
  canvas.addEventListener('pointerdown', pick);
  canvas.addEventListener('pointerleave', hide);
  canvas.addEventListener('focus', () => canvas.matches(':focus-visible') && show());
  canvas.addEventListener('blur', hide);
  canvas.addEventListener('keydown', (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    row = clamp(row + step[0]!, height);
    column = clamp(column + step[1]!, width);
    show();
  });
  return overlay;
}

/** An SVG element with attributes. */
export function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Record<string, string | number>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/** The legend of the scale: a strip of it with −1, 0 and 1. */
export function drawLegend(place: HTMLElement): void {
  const canvas = document.createElement('canvas');
  canvas.width = 201;
  canvas.height = 1;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', 'Colour scale of r from −1 through 0, the colour of the page, to 1');
  const context = canvas.getContext('2d')!;
  const image = context.createImageData(canvas.width, 1);
  const pixels = new Uint32Array(image.data.buffer);
  const colour = readScale();
  for (let i = 0; i < pixels.length; i++) pixels[i] = colour(i / 100 - 1);
  context.putImageData(image, 0, 0);
  const marks = document.createElement('p');
  marks.append(
    ...['−1', 'r 0', '1'].map((text) => Object.assign(document.createElement('span'), { textContent: text })),
  );
  place.replaceChildren(canvas, marks);
}

const tip = Object.assign(document.createElement('div'), { className: 'tip', hidden: true });
tip.setAttribute('role', 'status');
document.body.append(tip);

function showTip(at: { x: number; y: number }, lines: string[], last: string): void {
  const strong = Object.assign(document.createElement('strong'), { textContent: last });
  tip.replaceChildren(...lines.map(paragraph), strong);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = at.x + 14 + width > innerWidth ? at.x - 14 - width : at.x + 14;
  const top = at.y + 14 + height > innerHeight ? at.y - 14 - height : at.y + 14;
  tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
}

function hideTip(): void {
  tip.hidden = true;
}

function paragraph(text: string): HTMLParagraphElement {
  return Object.assign(document.createElement('p'), { textContent: text });
}

function namesOf(units: readonly number[], nameOf: (unit: number) => string): string {
  const named = units.slice(0, NAMED_MOST).map(nameOf).join(', ');
  return units.length > NAMED_MOST ? `${named} and ${units.length - NAMED_MOST} more` : named;
}

const clamp = (value: number, count: number): number => Math.max(0, Math.min(count - 1, value));
