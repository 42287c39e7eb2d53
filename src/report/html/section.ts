/**
 * The sections: one per pair with its bar of links, and within it one per layer with its figures (places
 * that the script fills) and its tables, which are whole without any script.
 */
import { html } from 'hono/html';
import type { PageData } from '../embedded.ts';
import type { LayerResult } from '../results.ts';
import { netName, number, numberCell } from './cells.ts';
import type { Html } from './cells.ts';
import { alphaPicker, middleAlpha, sectionId } from './overview.ts';

/** Pairs up to which each bar links to all of them. */
const PAIRS_IN_BAR = 15;

/** The beginning of a pair's section; {@link layerSection}s and {@link PAIR_END} follow. */
export function pairStart(data: PageData, pair: number): Html {
  const { a, b, folder } = data.pairs[pair]!;
  const links =
    data.pairs.length > PAIRS_IN_BAR
      ? html`<li><a href="#overview">all pairs</a></li>`
      : data.pairs.map(
          (other, p) =>
            html`<li>
              <a href="#${other.folder}" ${p === pair ? html`aria-current="true"` : ''}>${other.a} × ${other.b}</a>
            </li>`,
        );
  return html`<section class="pair" id="${folder}" data-pair="${pair}" aria-labelledby="${folder}.title">
    <nav class="bar" aria-label="Pairs and layers">
      ${data.pairs.length > 1 ? html`<ul class="pairs">${links}</ul>` : ''}
      <ul class="layers">
        ${data.layers.map((name, l) => html`<li><a href="#${sectionId(data, pair, l)}">${name}</a></li>`)}
      </ul>
      ${data.alphas.length > 0 ? alphaPicker(data, middleAlpha(data)) : ''}
      <a class="up" href="#top" aria-label="To the top">↑</a>
    </nav>
    <h2 id="${folder}.title">${netName(a, 'a')} <span class="times">×</span> ${netName(b, 'b')}</h2>`;
}

export const PAIR_END = '</section>';

/** The section of one pair at one layer; its drawing's data is embedded behind it. */
export function layerSection(data: PageData, pair: number, layer: number, entry: LayerResult): Html {
  const id = sectionId(data, pair, layer);
  const { a, b } = data.pairs[pair]!;
  const place: Place = { data, pair, layer, entry, path: `pairs.${pair}.layers.${layer}`, a, b };
  return html`<section class="layer" id="${id}" data-pair="${pair}" data-layer="${layer}" aria-labelledby="${id}.title">
    <div class="head">
      <h3 id="${id}.title">${entry.layer}</h3>
      <p class="meta">
        ${number(`${place.path}.units.0`, entry.units[0], 'count')} units of ${netName(a, 'a')}
        <code>${entry.tensor_a}</code>, ${number(`${place.path}.units.1`, entry.units[1], 'count')} of
        ${netName(b, 'b')} <code>${entry.tensor_b}</code>;
        ${number(`${place.path}.images`, entry.images, 'count')} images ×
        ${number(`${place.path}.positions`, entry.positions, 'count')}
        ${entry.positions === 1 ? 'position' : 'positions'} =
        ${number(`${place.path}.samples`, entry.samples, 'count')} samples
      </p>
    </div>
    ${deadUnits(place)}${matchBlock(place)}${predictBlock(place)}${clusterBlock(place)}${meansBlock(place)}
  </section>`;
}

interface Place {
  data: PageData;
  pair: number;
  layer: number;
  entry: LayerResult;
  path: string;
  a: string;
  b: string;
}

function deadUnits({ entry, a, b }: Place): Html | string {
  const { dead_a, dead_b } = entry;
  if (dead_a.length + dead_b.length === 0) return '';
  const told = (units: number[], name: string, side: 'a' | 'b'): Html | string =>
    units.length === 0 ? '' : html`<span class="fact">${netName(name, side)}: ${units.join(', ')}</span>`;
  return html`<p class="aside">Dead units: ${told(dead_a, a, 'a')} ${told(dead_b, b, 'b')}</p>`;
}

function matchBlock({ entry, path, a, b }: Place): Html {
  const { match } = entry;
  if (!match) return offBlock('One-to-one', 'match');
  const at = `${path}.match`;
  return html`<div class="block">
    <div class="say">
      <h4>One-to-one</h4>
      <p>Every unit with one partner, chosen so that the sum of all r is highest.</p>
      <div class="legend" data-figure="legend"></div>
      <table class="plain">
        <caption>
          Mean r
        </caption>
        <tbody>
          <tr>
            <th scope="row">one-to-one</th>
            ${numberCell(`${at}.mean_r`, match.mean_r, 'r')}
          </tr>
          <tr>
            <th scope="row">best for each of ${netName(a, 'a')}</th>
            ${numberCell(`${at}.semi_mean_r_a`, match.semi_mean_r_a, 'r')}
          </tr>
          <tr>
            <th scope="row">best for each of ${netName(b, 'b')}</th>
            ${numberCell(`${at}.semi_mean_r_b`, match.semi_mean_r_b, 'r')}
          </tr>
          <tr>
            <th scope="row">partner is the best one</th>
            ${numberCell(`${at}.share_equal`, match.share_equal, 'share')}
          </tr>
        </tbody>
      </table>
    </div>
    ${matrixFigure('before', a, b, html`<b>Before.</b> Units in each network's own order.`)}
    ${matrixFigure('after', a, b, html`<b>After.</b> Partners share the diagonal, highest r first.`)}
    <figure>
      <div class="chart" data-figure="curves"></div>
      <figcaption>
        <b>r of every unit</b>, sorted: <span class="key key-both">one-to-one</span>
        <span class="key key-a">best for each of ${a}</span> <span class="key key-b">best for each of ${b}</span>
      </figcaption>
    </figure>
  </div>`;
}

function matrixFigure(figure: string, a: string, b: string, caption: Html): Html {
  return html`<figure class="matrix">
    <p class="axis across">units of ${netName(b, 'b')}</p>
    <p class="axis down">units of ${netName(a, 'a')}</p>
    <div class="plate" data-figure="${figure}"></div>
    <figcaption>${caption}</figcaption>
  </figure>`;
}

function predictBlock(place: Place): Html {
  const { data, entry, path, a, b } = place;
  const { predict } = entry;
  if (!predict) return offBlock('One-to-few', 'predict');
  const rows = predict.a_to_b.map((row, i) => {
    const other = predict.b_to_a[i]!;
    const cells = (['a_to_b', 'b_to_a'] as const).map((direction) => {
      const at = `${path}.predict.${direction}.${i}`;
      const own = direction === 'a_to_b' ? row : other;
      return html`${numberCell(`${at}.r2_held_out`, own.r2_held_out, 'r')}
      ${numberCell(`${at}.r2_fit`, own.r2_fit, 'r')}${numberCell(`${at}.mean_nonzero`, own.mean_nonzero, 'mean')}
      ${numberCell(`${at}.max_kkt`, own.max_kkt, 'residual')}`;
    });
    return html`<tr data-alpha-row="${i}">
      <th scope="row" data-path="${path}.predict.a_to_b.${i}.alpha" data-value="${row.alpha}">${row.alpha}</th>
      ${cells}
    </tr>`;
  });
  const columns = html`<th scope="col">held out</th>
    <th scope="col">fitted</th>
    <th scope="col">units</th>
    <th scope="col">residual</th>`;
  return html`<div class="block">
    <div class="say">
      <h4>One-to-few</h4>
      <p>
        Every unit predicted from few units of the other network. A larger α uses fewer of them. Fitted on
        ${number(`${path}.predict.rows_fit`, predict.rows_fit, 'count')} images, scored on
        ${number(`${path}.predict.rows_held_out`, predict.rows_held_out, 'count')} others.
      </p>
    </div>
    <figure>
      <div class="chart" data-figure="sparsity"></div>
      <figcaption>
        <b>R² against units used</b>, one dot per α: <span class="key key-a">${a} → ${b}</span>
        <span class="key key-b">${b} → ${a}</span> <span class="key key-dashed">on the images fitted</span>
      </figcaption>
    </figure>
    <figure>
      <div class="chart" data-figure="unit-r2"></div>
      <figcaption>
        <b>R² of every unit</b>, sorted, at α <span data-alpha-text>${data.alphas[middleAlpha(data)]}</span>:
        <span class="key key-b">units of ${b}</span> <span class="key key-a">units of ${a}</span>
      </figcaption>
    </figure>
    <div class="scroll" tabindex="0" role="region" aria-label="R² by alpha">
      <table class="plain alphas">
        <caption>
          Mean R², mean number of units used, largest KKT residual
        </caption>
        <thead>
          <tr>
            <td></td>
            <th scope="colgroup" colspan="4">${netName(a, 'a')} → ${netName(b, 'b')}</th>
            <th scope="colgroup" colspan="4">${netName(b, 'b')} → ${netName(a, 'a')}</th>
          </tr>
          <tr>
            <th scope="col">α</th>
            ${columns}${columns}
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </div>`;
}

function clusterBlock({ entry, path, a, b }: Place): Html {
  const { cluster } = entry;
  if (!cluster) return offBlock('Many-to-many', 'cluster');
  const largest = Math.max(1, ...cluster.clusters.map((row) => row.units_a + row.units_b));
  const rows = cluster.clusters.map((row, i) => {
    const at = `${path}.cluster.clusters.${i}`;
    return html`<tr data-cluster="${row.cluster}">
      <th scope="row" data-path="${at}.cluster" data-value="${row.cluster}">${row.cluster}</th>
      <td class="bar-cell">
        <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
          <rect class="fill-a" width="${(100 * row.units_a) / largest}" height="8" />
          <rect
            class="fill-b"
            x="${(100 * row.units_a) / largest}"
            width="${(100 * row.units_b) / largest}"
            height="8"
          />
        </svg>
      </td>
      ${numberCell(`${at}.units_a`, row.units_a, 'count')}${numberCell(`${at}.units_b`, row.units_b, 'count')}
      ${numberCell(`${at}.mean_r_between`, row.mean_r_between, 'r')}
      ${numberCell(`${at}.mean_r_within_a`, row.mean_r_within_a, 'r')}
      ${numberCell(`${at}.mean_r_within_b`, row.mean_r_within_b, 'r')}
    </tr>`;
  });
  return html`<div class="block">
    <div class="say">
      <h4>Many-to-many</h4>
      <p>
        Units of both networks in ${number(`${path}.cluster.k`, cluster.k, 'count')} clusters, by their correlations
        above ${number(`${path}.cluster.threshold`, cluster.threshold, 'alpha')}.
        ${number(`${path}.cluster.isolated`, cluster.isolated, 'count')} live
        ${cluster.isolated === 1 ? 'unit is' : 'units are'} in none.
      </p>
      <div class="legend" data-figure="legend"></div>
    </div>
    <figure class="matrix joint">
      <div class="plate" data-figure="clustered"></div>
      <figcaption>
        <b>Units of both networks by cluster</b>; the rim tells whose a unit is: <span class="key key-a">${a}</span>
        <span class="key key-b">${b}</span>
      </figcaption>
    </figure>
    <div class="scroll tall" tabindex="0" role="region" aria-label="Clusters">
      <table class="plain clusters">
        <caption>
          Clusters, largest first: units of each network and mean r
        </caption>
        <thead>
          <tr>
            <th scope="col">#</th>
            <td></td>
            <th scope="col">${netName(a, 'a')}</th>
            <th scope="col">${netName(b, 'b')}</th>
            <th scope="col">r between</th>
            <th scope="col">within ${netName(a, 'a')}</th>
            <th scope="col">within ${netName(b, 'b')}</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
  </div>`;
}

function meansBlock({ a, b, data }: Place): Html {
  const networks = new Set(data.pairs.flatMap((pair) => [pair.a, pair.b]));
  const others = networks.size > 2 ? html` <span class="key key-other">other networks</span>` : '';
  return html`<div class="block">
    <div class="say">
      <h4>Activity</h4>
      <p>How active the units are. Networks that learned alike have curves alike, whatever the order of their units.</p>
    </div>
    <figure class="broad">
      <div class="chart" data-figure="means"></div>
      <figcaption>
        <b>Mean activation of every unit</b>, sorted: <span class="key key-a">${a}</span>
        <span class="key key-b">${b}</span>${others}
      </figcaption>
    </figure>
  </div>`;
}

function offBlock(title: string, stage: string): Html {
  return html`<div class="block off">
    <div class="say">
      <h4>${title}</h4>
      <p>Switched off in the pipeline (<code>${stage}: false</code>).</p>
    </div>
  </div>`;
}
