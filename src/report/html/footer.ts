/** The end of the page: what the files beside it hold, and the conventions behind the numbers. */
import { html } from 'hono/html';
import type { Html } from './cells.ts';

const FILES: [name: string, what: string][] = [
  ['results.json', 'every number of this page, unrounded'],
  ['between.npy, within_a.npy, within_b.npy', 'r of all units, float64'],
  ['mean_a.npy, std_a.npy, mean_b.npy, std_b.npy', 'activation of each unit'],
  ['matching.csv, semi_matching.csv, semi_matching_b.csv', 'partners and their r'],
  [
    'prediction.csv, prediction_units.csv, weights_<α>.npy',
    'a → b; with _b in the name: b → a; weights of wide layers are .npz, for scipy.sparse.load_npz',
  ],
  ['clusters.csv, cluster_summary.csv', 'which unit is in which cluster'],
];

export function footerHtml(): Html {
  return html`<footer>
    <div>
      <h2>Files</h2>
      <p>Beside this page, in one folder per pair and layer:</p>
      <dl>
        ${FILES.map(
          ([name, what]) =>
            html`<dt><code>${name}</code></dt>
              <dd>${what}</dd>`,
        )}
      </dl>
    </div>
    <div>
      <h2>Conventions</h2>
      <ul>
        <li>r is the signed Pearson correlation over all images and positions. A dead unit's r is 0.</li>
        <li>Units are numbered from 0. Standard deviations divide by the number of samples.</li>
        <li>R² is 1 − SSE/SST per unit, then the plain mean over units. It has no lower bound.</li>
        <li>
          The highest of many correlations grows with their number: layers of unlike width don't compare directly.
        </li>
        <li>Runs of one definition, provider and version give the same digest.</li>
        <li>Charts are drawn by Observable Plot and D3 (ISC licence).</li>
      </ul>
    </div>
  </footer>`;
}
