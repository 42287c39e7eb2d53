/** The warnings of the run, grouped by what they are about: visible, not shouting. */
import { html } from 'hono/html';
import type { Warning, WarningKind } from '../warnings.ts';
import type { Html } from './cells.ts';

const TITLES: Record<WarningKind, string> = {
  samples: 'Amount of data',
  units: 'Dead units',
  precision: 'Precision',
  prediction: 'Prediction',
  clustering: 'Clustering',
};

/** Groups up to this size stand open. */
const OPEN_MOST = 4;

export function notesHtml(warnings: readonly Warning[]): Html {
  if (warnings.length === 0) {
    return html`<section id="notes" class="notes calm" aria-labelledby="title/notes">
      <h2 id="title/notes">Before reading on</h2>
      <p>No warnings: enough images, every unit live, every solver converged.</p>
    </section>`;
  }
  const groups = (Object.keys(TITLES) as WarningKind[])
    .map((kind) => ({ kind, own: warnings.filter((warning) => warning.kind === kind) }))
    .filter(({ own }) => own.length > 0);
  return html`<section id="notes" class="notes" aria-labelledby="title/notes">
    <h2 id="title/notes">Before reading on</h2>
    <div class="groups">
      ${groups.map(
        ({ kind, own }) =>
          html`<details ${own.length <= OPEN_MOST ? 'open' : ''}>
            <summary>${TITLES[kind]} <span class="count">${own.length}</span></summary>
            <ul>
              ${own.map(({ text }) => html`<li data-warning>${text}</li>`)}
            </ul>
          </details>`,
      )}
    </div>
  </section>`;
}
