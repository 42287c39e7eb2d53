/** Mean matched r by layer over runs, as SVG made on the server: one line per layer, named at its end. */
import { html } from 'hono/html';
import { formatNumber } from '../../report/format.ts';
import type { RunRecord } from '../documents.ts';
import { timeText } from './amounts.ts';
import type { Html } from './layout.ts';

type Figured = Pick<RunRecord, 'id' | 'created' | 'figures'>;

/** One pair's mean matched r: `values[layer][run]`, runs oldest first; null where a run has none. */
export interface History {
  pair: string;
  layers: string[];
  runs: { id: string; created: number }[];
  values: (number | null)[][];
}

/** A label and where its middle stands. */
export interface Label {
  text: string;
  y: number;
}

/** Drawn twice, as text keeps its size: one is shown on wide screens, one on narrow ones. `right`: room for names. */
const SIZES = [
  { look: 'wide', width: 640, right: 120, characters: 16 },
  { look: 'narrow', width: 340, right: 86, characters: 11 },
];
type Size = (typeof SIZES)[number];
const LINE_HEIGHT = 15;
const TOP = 10;
const LEFT = 36;
const BOTTOM = 26;
/** Steps of colour from the first layer to the last; style.css has one class for each. */
const COLOURS = 9;

/** The histories of all pairs that any run has figures of, in the newest run's order. */
export function historiesOf(newestFirst: readonly Figured[]): History[] {
  const withFigures = newestFirst.filter(({ figures }) => figures.length > 0);
  const runs = withFigures.toReversed();
  const unique = (names: string[]): string[] => [...new Set(names)];
  return unique(withFigures.flatMap(({ figures }) => figures.map(({ pair }) => pair))).map((pair) => {
    const layers = unique(
      withFigures.flatMap(({ figures }) => figures.flatMap((each) => (each.pair === pair ? [each.layer] : []))),
    );
    const values = layers.map((layer) =>
      runs.map(({ figures }) => figures.find((each) => each.pair === pair && each.layer === layer)?.mean_r ?? null),
    );
    return { pair, layers, runs: runs.map(({ id, created }) => ({ id, created })), values };
  });
}

/** The chart of one history and the same numbers as a table; `index` makes its ids unique on the page. */
export function historyChart(history: History, index: number): Html {
  return html`<figure class="history">
      ${SIZES.map((size) => drawing(history, `${index}-${size.look}`, size))}
      <figcaption>${history.pair}: mean r of the one-to-one matching, by layer</figcaption>
    </figure>
    ${historyTable(history, index)}`;
}

function drawing({ pair, layers, runs, values }: History, id: string, size: Size): Html {
  const height = TOP + BOTTOM + Math.max(200, layers.length * LINE_HEIGHT);
  const end = size.width - size.right;
  const { low, high, ticks } = scaleOf(values.flat().filter((value) => value !== null));
  const alone = runs.length === 1;
  const x = (run: number): number => (alone ? (LEFT + end) / 2 : LEFT + (run / (runs.length - 1)) * (end - LEFT));
  const y = (value: number): number => TOP + ((high - value) / (high - low)) * (height - TOP - BOTTOM);
  const ends = layers.flatMap((layer, at) => {
    const last = values[at]!.findLast((value) => value !== null) ?? null;
    return last === null ? [] : [{ text: layer, y: y(last), at }];
  });
  const labels = spread(ends, LINE_HEIGHT, TOP + LINE_HEIGHT / 2, height - BOTTOM);
  const [first, last] = [runs[0]!, runs.at(-1)!];
  const date = (run: number, anchor: string): Html =>
    html`<text class="tick" x="${fixed(x(run))}" y="${height - 6}" text-anchor="${anchor}">
      ${timeText(runs[run]!.created).slice(0, 10)}
    </text>`;
  return html`<svg
    class="${size.look}"
    viewBox="0 0 ${size.width} ${height}"
    role="img"
    aria-labelledby="chart-${id} chart-about-${id}"
  >
    <title id="chart-${id}">${pair}: mean matched r by layer over ${runs.length} ${alone ? 'run' : 'runs'}</title>
    <desc id="chart-about-${id}">
      One line per layer from ${timeText(first.created)} to ${timeText(last.created)}; the table below has the numbers.
    </desc>
    ${ticks.map(
      (tick) =>
        html`<line class="grid" x1="${LEFT}" x2="${end}" y1="${fixed(y(tick))}" y2="${fixed(y(tick))}" />
          <text class="tick" x="${LEFT - 6}" y="${fixed(y(tick))}" dy="0.32em" text-anchor="end">
            ${formatNumber(tick, 'brief')}
          </text>`,
    )}
    ${date(0, alone ? 'middle' : 'start')} ${alone ? '' : date(runs.length - 1, 'end')}
    ${layers.map((layer, at) => {
      const points = values[at]!.map((value, run) =>
        value === null ? null : ([fixed(x(run)), fixed(y(value))] as const),
      );
      const label = labels.find((each) => each.at === at);
      return html`<g class="series series-${colourOf(at, layers.length)}">
        <path d="${pathOf(points)}" />
        ${points.map((point, run) =>
          point === null
            ? ''
            : html`<circle cx="${point[0]}" cy="${point[1]}" r="2.6">
                <title>${layer}, ${runs[run]!.id}: ${formatNumber(values[at]![run]!, 'r')}</title>
              </circle>`,
        )}
        ${
          label === undefined
            ? ''
            : html`<text x="${end + 10}" y="${fixed(label.y)}" dy="0.32em">${shortened(layer, size.characters)}</text>`
        }
      </g>`;
    })}
  </svg>`;
}

function historyTable({ pair, layers, runs, values }: History, index: number): Html {
  const newest = [...runs.keys()].reverse();
  return html`<details id="history-${index}">
    <summary>The numbers</summary>
    <div class="scroll tall" tabindex="0" role="region" aria-label="Mean matched r of ${pair}">
      <table class="plain numbers">
        <caption>
          Mean matched r of ${pair}
        </caption>
        <thead>
          <tr>
            <th scope="col">Run</th>
            ${layers.map((layer) => html`<th scope="col" class="amount">${layer}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${newest.map(
            (run) =>
              html`<tr>
                <th scope="row"><a href="/runs/${runs[run]!.id}">${runs[run]!.id}</a></th>
                ${values.map((row) => html`<td>${formatNumber(row[run]!, 'r')}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

/** The range of an axis that holds all values of r, with even ticks; at least a tenth high. */
export function scaleOf(values: readonly number[]): { low: number; high: number; ticks: number[] } {
  const [least, most] = values.length === 0 ? [0, 1] : [Math.min(...values), Math.max(...values)];
  const span = Math.max(most - least, 0.05);
  const step = [0.02, 0.05, 0.1, 0.2, 0.5].find((each) => span / each <= 5) ?? 0.5;
  const from = Math.floor(least / step + 1e-9);
  const to = Math.max(from + 2, Math.ceil(most / step - 1e-9));
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => Math.round((from + i) * step * 100) / 100);
  return { low: ticks[0]!, high: ticks.at(-1)!, ticks };
}

/** Labels moved apart to `gap` and kept between `top` and `bottom` as far as there is room, in their order by height. */
export function spread<T extends Label>(labels: readonly T[], gap: number, top: number, bottom: number): T[] {
  const sorted = labels.map((label) => ({ ...label })).sort((p, q) => p.y - q.y);
  let above = top - gap;
  for (const label of sorted) above = label.y = Math.max(label.y, above + gap);
  let below = bottom + gap;
  for (const label of sorted.toReversed()) below = label.y = Math.min(label.y, below - gap);
  return sorted;
}

// a gap in the values is a gap in the line
function pathOf(points: readonly (readonly [number, number] | null)[]): string {
  return points
    .map((point, at) => (point === null ? '' : `${at > 0 && points[at - 1] ? 'L' : 'M'}${point[0]} ${point[1]}`))
    .join('');
}

const colourOf = (layer: number, layers: number): number =>
  layers === 1 ? 0 : Math.round((layer / (layers - 1)) * (COLOURS - 1));
const fixed = (value: number): number => Math.round(value * 10) / 10;
const shortened = (name: string, most: number): string => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
