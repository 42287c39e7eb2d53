/**
 * The overview: three answers for every pair and layer, each with a chart (drawn by the script), a table of
 * the numbers and one sentence on how to read it. The tables are the way into the sections.
 */
import { html } from 'hono/html';
import { middleAlpha } from '../embedded.ts';
import type { PageData } from '../embedded.ts';
import { tintOf } from '../format.ts';
import type { PageContent } from '../pageData.ts';
import type { LayerResult } from '../results.ts';
import { tintedCell } from './cells.ts';
import type { Html } from './cells.ts';

/** Pairs and layers of the page, and which alpha is shown first. */
interface Overview {
  data: PageData;
  layerOf: (pair: number, layer: number) => LayerResult;
  alpha: number;
}

export function overviewHtml({ results }: PageContent, data: PageData): Html {
  const overview: Overview = {
    data,
    layerOf: (pair, layer) => results.pairs[pair]!.layers[layer]!,
    alpha: middleAlpha(data),
  };
  const { length: all } = results.pairs;
  const note =
    data.pairs.length < all
      ? html`<p class="aside">
          This page shows the first ${data.pairs.length} of ${all} pairs; results.json has them all.
        </p>`
      : '';
  return html`<section id="overview" aria-labelledby="title/overview">
    <h2 id="title/overview">At a glance</h2>
    ${note}
    <div class="glance">${matchPanel(overview)}${predictPanel(overview)}${clusterPanel(overview)}</div>
  </section>`;
}

/** A list of the penalties to pick from; of use only to the script, which shows it. */
export function alphaPicker({ alphas }: PageData, selected: number): Html {
  const options = alphas.map(
    (alpha, i) => html`<option value="${i}" ${i === selected ? 'selected' : ''}>${alpha}</option>`,
  );
  return html`<label class="picker" data-script hidden
    >α
    <select data-alpha>
      ${options}
    </select></label
  >`;
}

function matchPanel(overview: Overview): Html {
  const { data, layerOf } = overview;
  if (data.matched.every((row) => row.every((value) => value === null))) return offPanel('One-to-one', 'match');
  const rows = data.pairs.map((pair, p) => ({
    pair: p,
    label: html`${pair.a} × ${pair.b}`,
    cells: data.layers.map((_, l) => {
      const value = layerOf(p, l).match?.mean_r ?? null;
      return tintedCell(`pairs.${p}.layers.${l}.match.mean_r`, value, 'brief', href(data, p, l), value ?? 0);
    }),
  }));
  return panel({
    title: 'One-to-one',
    measure: 'mean r of matched units',
    reading: 'Each unit gets one partner in the other network. 1: the same units, only in another order.',
    table: chartAndTable(data, 'overview-matched', 'Mean r of one-to-one matched units', rows),
  });
}

function predictPanel(overview: Overview): Html {
  const { data, layerOf, alpha } = overview;
  if (data.alphas.length === 0) return offPanel('One-to-few', 'predict');
  const part = data.scored === 'r2_held_out' ? 'images held out' : 'the images fitted on';
  const rows = data.pairs.flatMap(({ a, b }, p) =>
    (['a_to_b', 'b_to_a'] as const).map((direction) => ({
      pair: p,
      label: direction === 'a_to_b' ? html`${a} → ${b}` : html`${a} ← ${b}`,
      cells: data.layers.map((_, l) => {
        const value = layerOf(p, l).predict?.[direction][alpha]?.[data.scored] ?? null;
        const path = `pairs.${p}.layers.${l}.predict.${direction}.${alpha}.${data.scored}`;
        return tintedCell(path, value, 'brief', href(data, p, l), value ?? 0);
      }),
    })),
  );
  return panel({
    title: 'One-to-few',
    measure: html`mean R² at ${alphaPicker(data, alpha)}
      <span data-unscripted>α <span data-alpha-text>${data.alphas[alpha]}</span></span>`,
    reading: `Each unit is predicted from a few units of the other network and scored on ${part}. 1: wholly predicted, 0: no better than its mean.`,
    table: chartAndTable(data, 'overview-r2', 'Mean R² of sparse prediction', rows),
  });
}

function clusterPanel(overview: Overview): Html {
  const { data } = overview;
  if (data.shared.every((row) => row.every((value) => value === null))) return offPanel('Many-to-many', 'cluster');
  const rows = data.pairs.map((pair, p) => ({
    pair: p,
    label: html`${pair.a} × ${pair.b}`,
    cells: data.layers.map((_, l) => {
      const { shared, all } = data.shared[p]![l] ?? { shared: 0, all: 0 };
      const tint = tintOf(all === 0 ? 0 : shared / all);
      return html`<td class="tint-${tint}" data-shared="${p}.${l}" data-value="${shared}">
        <a href="${href(data, p, l)}">${shared}<small>/${all}</small></a>
      </td>`;
    }),
  }));
  return panel({
    title: 'Many-to-many',
    measure: 'clusters with units of both networks',
    reading: 'Units of both networks are clustered together. A cluster is shared when both networks have units in it.',
    table: chartAndTable(data, 'overview-shared', 'Shared clusters, of all clusters', rows),
  });
}

interface Panel {
  title: string;
  measure: string | Html;
  reading: string;
  table: Html;
}

function panel({ title, measure, reading, table }: Panel): Html {
  return html`<article class="panel">
    <h3>${title}<span class="measure">${measure}</span></h3>
    <p class="reading">${reading}</p>
    ${table}
  </article>`;
}

function offPanel(title: string, stage: string): Html {
  return html`<article class="panel off">
    <h3>${title}</h3>
    <p class="reading">Switched off in the pipeline (<code>${stage}: false</code>).</p>
  </article>`;
}

// the chart stands on the table's columns, whose heads are its axis; the two scroll together
function chartAndTable(
  data: PageData,
  figure: string,
  caption: string,
  rows: { pair: number; label: Html; cells: Html[] }[],
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <div class="chart" data-figure="${figure}"></div>
    <table class="heat">
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          <td></td>
          ${data.layers.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ pair, label, cells }) =>
            html`<tr data-pair="${pair}">
              <th scope="row"><a href="#${data.pairs[pair]!.folder}">${label}</a></th>
              ${cells}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Where the section of one pair at one layer is. */
export function sectionId({ pairs, layers }: PageData, pair: number, layer: number): string {
  return `${pairs[pair]!.folder}/${layers[layer]!}`;
}

const href = (data: PageData, pair: number, layer: number): string => `#${sectionId(data, pair, layer)}`;
