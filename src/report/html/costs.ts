/** The last section of the page: what the run took beside its forecast, and what it would cost in the cloud. */
import { html } from 'hono/html';
import type { RunCosts } from '../costs.ts';
import { formatCost, formatNumber } from '../format.ts';
import type { CostUnit } from '../format.ts';
import type { Html } from './cells.ts';

export function costsHtml(costs: RunCosts | null): Html | string {
  if (costs === null) return '';
  const { rows, cloud, pricesRead, note } = costs;
  return html`<section id="costs" class="costs" aria-labelledby="title/costs">
    <h2 id="title/costs">What it cost</h2>
    <p class="aside">${note}</p>
    <div class="tables">
      ${table(
        'Seconds of all tasks together, memory of the largest',
        ['stage', 'tasks', 'forecast', 'took', 'memory forecast', 'peak'],
        rows.map((row) => ({
          head: row.stage,
          cells: [
            formatNumber(row.tasks, 'count'),
            ...costCells([row.forecastSeconds, row.actualSeconds], 's'),
            ...costCells([row.forecastBytes, row.peakBytes], 'MiB'),
          ],
        })),
      )}
      ${cloud.length === 0 ? '' : cloudTable(cloud, pricesRead)}
    </div>
  </section>`;
}

function cloudTable(cloud: RunCosts['cloud'], pricesRead: string): Html {
  return table(
    `Forecast on Cloudflare, prices read ${pricesRead}`,
    ['Workers at once', 'time', 'cost'],
    cloud.map((row) => ({
      head: formatNumber(row.workers, 'count'),
      cells: [formatCost(row.wallSeconds, 's'), formatCost(row.dollars, '$')],
    })),
  );
}

function table(caption: string, columns: readonly string[], rows: readonly { head: string; cells: string[] }[]): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <table class="plain">
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${columns.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ head, cells }) =>
            html`<tr>
              <th scope="row">${head}</th>
              ${cells.map((cell) => html`<td>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function costCells(values: readonly (number | null)[], unit: CostUnit): string[] {
  return values.map((value) => formatCost(value, unit));
}
