/**
 * The script of report.html, bundled into one function and put into the page. What runs: it shows one pair
 * at a time (the address says which), draws figures when they come near the screen, and redraws them when the
 * width, the colour scheme or the chosen alpha changes. It only adds: all numbers stand in the page without
 * it. It asks no network for anything and writes nothing but the page it is in.
 */
import { drawingId, middleAlpha } from '../embedded.ts';
import type { LayerDrawing, PageData } from '../embedded.ts';
import { formatNumber, tintOf } from '../format.ts';
import { FIGURES } from './figures.ts';
import type { FigureContext } from './figures.ts';
import { matrixViews } from './views.ts';

const page = JSON.parse(document.getElementById('page-data')!.textContent) as PageData;
/** How far from the screen a figure is drawn already. */
const NEAR = '600px';

let selectedPair = 0;
let alpha = middleAlpha(page);

// drawings are read once each, when their section first comes near
const drawings = new Map<string, FigureContext['drawing']>();
function drawingOf(pair: number, layer: number): FigureContext['drawing'] {
  const id = drawingId(pair, layer);
  if (!drawings.has(id)) {
    const data = JSON.parse(document.getElementById(id)!.textContent) as LayerDrawing;
    drawings.set(id, { ...data, views: matrixViews(data) });
  }
  return drawings.get(id)!;
}

// what is hidden waits: shown again, its width has changed
function draw(place: HTMLElement): void {
  if (place.offsetParent === null) return;
  const section = place.closest<HTMLElement>('.layer');
  const pair = section ? Number(section.dataset['pair']) : selectedPair;
  const layer = Number(section?.dataset['layer'] ?? 0);
  const names = page.pairs[pair]!;
  FIGURES[place.dataset['figure']!]?.(place, {
    page,
    pair,
    layer,
    alpha,
    a: names.a,
    b: names.b,
    section,
    get drawing() {
      return drawingOf(pair, layer);
    },
  });
  place.dataset['drawn'] = '';
}

const places = [...document.querySelectorAll<HTMLElement>('[data-figure]')];
const redraw = (which: (place: HTMLElement) => boolean = () => true): void => {
  for (const place of places) if ('drawn' in place.dataset && which(place)) draw(place);
};

// figures: first when they come near, again when their width changes
const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      draw(target as HTMLElement);
      resized.observe(target);
    }
  },
  { rootMargin: NEAR },
);
const widths = new WeakMap<Element, number>();
const resized = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const before = widths.get(target);
    widths.set(target, contentRect.width);
    if (before !== undefined && contentRect.width > 0 && Math.abs(before - contentRect.width) >= 1)
      draw(target as HTMLElement);
  }
});
for (const place of places) near.observe(place);
// and when the colours change; paper takes what hasn't been near the screen too
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => redraw());
matchMedia('print').addEventListener('change', ({ matches }) => {
  for (const place of places) if (matches || 'drawn' in place.dataset) draw(place);
});

// pairs: the one the address names, and no other
const sections = [...document.querySelectorAll<HTMLElement>('section.pair')];
function selectPair(pair: number): void {
  selectedPair = pair;
  for (const section of sections) section.hidden = Number(section.dataset['pair']) !== pair;
  for (const row of document.querySelectorAll<HTMLElement>('#overview tr[data-pair]')) {
    row.classList.toggle('selected', page.pairs.length > 1 && Number(row.dataset['pair']) === pair);
  }
  redraw((place) => place.closest('#overview') !== null);
}
function followAddress(): void {
  const target = document.getElementById(location.hash.slice(1));
  const section = target?.closest<HTMLElement>('section.pair');
  if (!section) return;
  selectPair(Number(section.dataset['pair']));
  // what stands above takes its height now, or the target would move away when it does
  for (const place of places) {
    const above = place.compareDocumentPosition(target!) & Node.DOCUMENT_POSITION_FOLLOWING;
    if (above && !('drawn' in place.dataset)) draw(place);
  }
  target!.scrollIntoView();
}
addEventListener('hashchange', followAddress);
selectPair(0);
followAddress();

// layers: the bar marks the one that is being read
const reading = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = target.parentElement!.querySelector(`.layers a[href="#${target.id}"]`);
      if (isIntersecting) link?.setAttribute('aria-current', 'true');
      else link?.removeAttribute('aria-current');
    }
  },
  { rootMargin: '-30% 0px -69% 0px' },
);
for (const section of document.querySelectorAll('section.layer')) reading.observe(section);

// regions that scroll can be reached with the keyboard, the others need no stop
const scrolled = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
    (target as HTMLElement).tabIndex = scrolls ? 0 : -1;
  }
});
for (const region of document.querySelectorAll('.scroll')) scrolled.observe(region);

// alpha: one choice for the whole page
function selectAlpha(index: number): void {
  alpha = index;
  for (const picker of document.querySelectorAll<HTMLSelectElement>('[data-alpha]')) picker.value = String(index);
  for (const text of document.querySelectorAll('[data-alpha-text]')) text.textContent = String(page.alphas[index]);
  for (const row of document.querySelectorAll<HTMLElement>('[data-alpha-row]')) {
    row.classList.toggle('selected', Number(row.dataset['alphaRow']) === index);
  }
  for (const cell of document.querySelectorAll<HTMLElement>('#overview td[data-path*=".predict."]')) {
    const path = cell.dataset['path']!.split('.');
    const [pair, layer, direction] = [Number(path[1]), Number(path[3]), path[5]];
    const value = (direction === 'a_to_b' ? page.aToB : page.bToA)[pair]![layer]![index] ?? null;
    path[6] = String(index);
    cell.dataset['path'] = path.join('.');
    cell.dataset['value'] = value === null ? '' : String(value);
    cell.className = `tint-${tintOf(value ?? 0)}`;
    cell.firstElementChild!.textContent = formatNumber(value, 'brief');
  }
  redraw((place) => ['overview-r2', 'unit-r2', 'sparsity'].includes(place.dataset['figure']!));
}
for (const picker of document.querySelectorAll<HTMLSelectElement>('[data-alpha]')) {
  picker.addEventListener('change', () => selectAlpha(Number(picker.value)));
}
document.documentElement.classList.add('scripted');
for (const element of document.querySelectorAll<HTMLElement>('[data-script]')) element.hidden = false;
for (const element of document.querySelectorAll<HTMLElement>('[data-unscripted]')) element.hidden = true;
if (page.alphas.length > 0) selectAlpha(alpha);
