/** Draws the tasks of a run over time; of a height that the kinds of tasks give, so that nothing below moves. */
import { durationText } from '../amounts.ts';
import type { Followed } from '../follow.ts';
import { timelineOf } from '../timeline.ts';
import type { Bar, Timeline } from '../timeline.ts';

const ROW = 26;
const GAP = 5;
const AXIS = 20;
const TICKS = 4;
/** Narrowest bar, pixels. */
const LEAST = 1.5;

/** Draws into `place`, whatever its width. */
export function drawTimeline(place: HTMLElement, run: Followed): void {
  const kinds = run.tasks?.kinds.map(({ kind }) => kind) ?? [];
  const over = run.state !== 'running';
  const last = run.log.at(-1)?.time ?? 0;
  const timeline = timelineOf(
    run.tries,
    kinds,
    over ? last : Math.max(last, ...run.tries.map(({ started }) => started)),
  );
  if (!timeline) return;
  const width = Math.max(260, place.clientWidth);
  const left = width < 480 ? 76 : 100;
  const height = timeline.rows.length * (ROW + GAP) + AXIS;
  const svg = element('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img' });
  svg.setAttribute('aria-label', describe(timeline, run));
  const span = width - left - 8;
  for (let tick = 0; tick <= TICKS; tick++) {
    const x = left + (span * tick) / TICKS;
    svg.append(element('line', { class: 'grid', x1: x, x2: x, y1: 0, y2: height - AXIS }));
    const text = durationText(((timeline.to - timeline.from) * tick) / TICKS);
    const anchor = tick === 0 ? 'start' : tick === TICKS ? 'end' : 'middle';
    svg.append(element('text', { class: 'tick', x, y: height - 5, 'text-anchor': anchor }, text));
  }
  for (const [at, { kind, lanes, bars }] of timeline.rows.entries()) {
    const top = at * (ROW + GAP);
    svg.append(
      element('text', { class: 'kind', x: left - 8, y: top + ROW / 2, dy: '0.35em', 'text-anchor': 'end' }, kind),
    );
    const lane = ROW / lanes;
    const thick = Math.max(1, lane - (lane > 3 ? 1 : 0));
    for (const bar of bars) svg.append(...drawBar(bar, left, span, top + bar.lane * lane, thick));
  }
  place.replaceChildren(svg);
}

function drawBar(bar: Bar, left: number, span: number, y: number, height: number): SVGElement[] {
  const { task, state, delivery, started, ended, error } = bar.try;
  const x = left + bar.start * span;
  const width = Math.max(LEAST, (bar.end - bar.start) * span);
  const rect = element('rect', { class: `bar bar-${state}`, x, y, width, height, rx: Math.min(2, height / 3) });
  const took = ended === null ? 'running' : durationText(ended - started);
  const again = delivery > 1 ? `, try ${delivery}` : '';
  rect.append(
    element(
      'title',
      {},
      `${task}: ${state === 'retry' ? 'tried again' : state}, ${took}${again}${error === null ? '' : `: ${error}`}`,
    ),
  );
  if (state !== 'retry' && state !== 'failed') return [rect];
  // a cross as well as a colour
  const [end, middle] = [x + width, y + height / 2];
  const cross = `M${end - 3} ${middle - 3}l6 6m0-6l-6 6`;
  return [rect, element('path', { class: 'cross', d: cross })];
}

function describe({ from, to, rows }: Timeline, run: Followed): string {
  const retries = run.tries.filter(({ state }) => state === 'retry').length;
  const tries = rows.reduce((sum, { bars }) => sum + bars.length, 0);
  return `${tries} tasks over ${durationText(to - from)}, ${retries} of them tried again; the same is in the table below`;
}

function element(name: string, attributes: Record<string, string | number>, text?: string): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes))
    made.setAttribute(key, typeof value === 'number' ? String(Math.round(value * 100) / 100) : value);
  if (text !== undefined) made.textContent = text;
  return made;
}
