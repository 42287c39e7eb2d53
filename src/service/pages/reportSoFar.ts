/** The numbers of a pair, layer by layer, before the report is whole: the entries that results.json will have. */
import { html } from 'hono/html';
import type { Plan } from '../../plan/plan.ts';
import { netName, number, numberCell } from '../../report/html/cells.ts';
import type { LayerResult } from '../../report/results.ts';
import type { Html } from './layout.ts';

/** The layers of one pair as far as they are there; `missing` says of the others why not. */
export function pairTable(
  plan: Plan,
  pair: number,
  rows: { layer: number; entry: LayerResult | null }[],
  missing: string,
): Html {
  const { a, b, folder } = plan.pairs[pair]!;
  const [nameA, nameB] = [plan.networks[a]!.name, plan.networks[b]!.name];
  const alphas = plan.definition.predict === false ? [] : plan.definition.predict.alphas;
  // by rising alpha, as results.json has them; the middle one stands for all
  const middle = Math.floor((alphas.length - 1) / 2);
  const alpha = [...alphas].sort((x, y) => x - y)[middle];
  return html`<section aria-labelledby="pair-${pair}">
    <h2 id="pair-${pair}">${netName(nameA, 'a')} <span class="soft">and</span> ${netName(nameB, 'b')}</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="${folder}">
      <table class="plain numbers">
        <caption>
          Mean r of units, and mean R² of predictions${alpha === undefined ? '' : ` at α ${alpha}, held out`}
        </caption>
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col" class="amount">Units</th>
            <th scope="col" class="amount">One-to-one r</th>
            <th scope="col" class="amount">Best for each of ${nameA}</th>
            <th scope="col" class="amount">Best for each of ${nameB}</th>
            <th scope="col" class="amount">R² ${nameA} → ${nameB}</th>
            <th scope="col" class="amount">R² ${nameB} → ${nameA}</th>
            <th scope="col" class="amount">Clusters</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(({ layer, entry }) => layerRow(plan.layers[layer]!.name, `pairs.${pair}.layers.${layer}`, entry, middle, missing))}
        </tbody>
      </table>
    </div>
  </section>`;
}

function layerRow(name: string, path: string, entry: LayerResult | null, middle: number, missing: string): Html {
  if (entry === null) {
    return html`<tr class="missing">
      <th scope="row">${name}</th>
      <td colspan="7">${missing}</td>
    </tr>`;
  }
  const { match, predict, cluster } = entry;
  const r = (figure: 'mean_r' | 'semi_mean_r_a' | 'semi_mean_r_b'): Html =>
    match === null ? html`<td>off</td>` : numberCell(`${path}.match.${figure}`, match[figure], 'r');
  const r2 = (direction: 'a_to_b' | 'b_to_a'): Html =>
    predict === null
      ? html`<td>off</td>`
      : numberCell(`${path}.predict.${direction}.${middle}.r2_held_out`, predict[direction][middle]!.r2_held_out, 'r');
  return html`<tr>
    <th scope="row">${name}</th>
    <td>
      ${number(`${path}.units.0`, entry.units[0], 'count')} × ${number(`${path}.units.1`, entry.units[1], 'count')}
    </td>
    ${r('mean_r')}${r('semi_mean_r_a')}${r('semi_mean_r_b')}${r2('a_to_b')}${r2('b_to_a')}
    ${cluster === null ? html`<td>off</td>` : numberCell(`${path}.cluster.k`, cluster.k, 'count')}
  </tr>`;
}
