/**
 * The blocks of a layer's section, one per alignment: what is seen, the places of the figures, which the script
 * fills, and the tables, which are whole without any script.
 */
import { html } from 'hono/html';
import { middleAlpha } from '../embedded.ts';
import type { PageData } from '../embedded.ts';
import { formatNumber } from '../format.ts';
import type { LayerResult } from '../results.ts';
import { netName, number, numberCell } from './cells.ts';
import type { Html } from './cells.ts';

/** One pair at one layer. */
export interface Place {
  data: PageData;
  pair: number;
  layer: number;
  entry: LayerResult;
  /** Of its entry in results.json. */
  path: string;
  /** Names of the two networks. */
  a: string;
  b: string;
}

/** The matrix before and after matching, and how high the matched r are. */
export function matchBlock({ entry, path, a, b }: Place): Html {
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

/** R² against sparsity and over units, and the table by alpha. */
export function predictBlock(place: Place): Html {
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
  const fitted = predict.rows_held_out > 0 ? html`<span class="key key-dashed">on the images fitted</span>` : '';
  const columns = html`<th scope="col">held out</th>
    <th scope="col">fitted</th>
    <th scope="col">units</th>
    <th scope="col">residual</th>`;
  return html`<div class="block">
    <div class="say">
      <h4>One-to-few</h4>
      <p>
        Every unit predicted from few units of the other network; the larger α, the fewer. Fitted on
        ${number(`${path}.predict.rows_fit`, predict.rows_fit, 'count')} images,
        ${number(`${path}.predict.rows_held_out`, predict.rows_held_out, 'count')} others held out.
      </p>
      ${targetsNote(place)}
    </div>
    <div class="wide">
      <figure>
        <div class="chart" data-figure="sparsity"></div>
        <figcaption>
          <b>R² against units used</b>, one dot per α: <span class="key key-a">${a} → ${b}</span>
          <span class="key key-b">${b} → ${a}</span> ${fitted}
        </figcaption>
      </figure>
      <figure>
        <div class="chart" data-figure="unit-r2"></div>
        <figcaption>
          <b>R² of every unit</b>, sorted, at α <span data-alpha-text>${data.alphas[middleAlpha(data)]}</span>:
          <span class="key key-b">units of ${b}</span> <span class="key key-a">units of ${a}</span>
        </figcaption>
      </figure>
      <div class="scroll full" tabindex="0" role="region" aria-label="R² by alpha at ${entry.layer}">
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
    </div>
  </div>`;
}

// how many units are predicted, and that they are a sample where they are not all
function targetsNote({ data, entry, path, a, b }: Place): Html {
  const { a_to_b: ofB, b_to_a: ofA } = entry.predict!.targets;
  const [p, q] = entry.units;
  const told = (direction: string, targets: number, units: number): Html => {
    const count = number(`${path}.predict.targets.${direction}`, targets, 'count');
    return targets < units ? html`${count} of ${formatNumber(units, 'count')}` : html`all ${count}`;
  };
  return html`<p>
    Predicted are ${told('a_to_b', ofB, q)} units of ${netName(b, 'b')} and ${told('b_to_a', ofA, p)} units of
    ${netName(a, 'a')}${ofA < p || ofB < q ? `, drawn by seed ${data.seed}` : ''}.
  </p>`;
}

/** The joint matrix in the order of the clusters, and the table of these. */
export function clusterBlock({ entry, path, a, b }: Place): Html {
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
        ${cluster.isolated === 1 ? 'unit has no such correlation and stays' : 'units have no such correlation and stay'}
        out.
      </p>
      <div class="legend" data-figure="legend"></div>
    </div>
    <div class="wide">
      <figure class="matrix joint">
        <div class="plate" data-figure="clustered"></div>
        <figcaption>
          <b>Units of both networks by cluster</b>; the rim tells whose a unit is: <span class="key key-a">${a}</span>
          <span class="key key-b">${b}</span>
        </figcaption>
      </figure>
      <div class="scroll tall" tabindex="0" role="region" aria-label="Clusters at ${entry.layer}">
        <table class="plain clusters">
          <caption>
            Clusters, largest first
          </caption>
          <thead>
            <tr>
              <td colspan="2"></td>
              <th scope="colgroup" colspan="2">units</th>
              <th scope="colgroup" colspan="3">mean r</th>
            </tr>
            <tr>
              <th scope="col">no.</th>
              <td></td>
              <th scope="col">${netName(a, 'a')}</th>
              <th scope="col">${netName(b, 'b')}</th>
              <th scope="col">between</th>
              <th scope="col">in ${netName(a, 'a')}</th>
              <th scope="col">in ${netName(b, 'b')}</th>
            </tr>
          </thead>
          <tbody>
            ${rows}
          </tbody>
        </table>
      </div>
    </div>
  </div>`;
}

/** Mean activations of all networks. */
export function meansBlock({ a, b, data }: Place): Html {
  const networks = new Set(data.pairs.flatMap((pair) => [pair.a, pair.b]));
  const others = networks.size > 2 ? html` <span class="key key-other">other networks</span>` : '';
  return html`<div class="block">
    <div class="say">
      <h4>Activity</h4>
      <p>How active the units are. Networks that learned alike have curves alike, whatever the order of their units.</p>
    </div>
    <figure class="wide">
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
