/** The top of the page: what was compared, with what, and the digest by which two runs can be told equal. */
import { html } from 'hono/html';
import type { PageContent } from '../pageData.ts';
import type { Html } from './cells.ts';

/** Networks named in the first sentence. */
const NAMED_MOST = 6;

export function headerHtml({ plan, results }: PageContent): Html {
  const names = plan.networks.map((network) => network.name);
  const { length: layers } = plan.layers;
  return html`<header class="top" id="top">
    <p class="eyebrow">Convergent report</p>
    <h1>${plan.definition.name}</h1>
    <p class="lead">
      Do ${namesText(names)} represent the same things? Every unit is compared with every other, at
      ${layers === 1 ? 'one layer' : `${layers} layers`}, by what it does on ${plan.rows.toLocaleString('en')}
      ${plan.rows === 1 ? 'image' : 'images'}.
    </p>
    <dl class="facts">
      <div>
        <dt>Networks</dt>
        <dd>
          ${plan.networks.map(
            ({ name, modelSha256 }) =>
              html`<span class="fact"
                >${name} <code title="SHA-256 ${modelSha256}">${modelSha256.slice(0, 8)}</code></span
              >`,
          )}
        </dd>
      </div>
      <div>
        <dt>Probe data</dt>
        <dd>
          <span class="fact">${plan.rows.toLocaleString('en')} rows in ${results.groups} groups</span>
          <code title="SHA-256 ${plan.data.sha256}">${plan.data.sha256.slice(0, 8)}</code>
        </dd>
      </div>
      <div>
        <dt>Computed by</dt>
        <dd>
          <span class="fact">Convergent <span data-path="convergent">${results.convergent}</span></span>
          <span class="fact" data-path="provider">${results.provider}</span>
        </dd>
      </div>
      <div>
        <dt>Digest of all arrays and tables</dt>
        <dd><code data-path="digest">${results.digest}</code></dd>
      </div>
    </dl>
  </header>`;
}

function namesText(names: readonly string[]): string {
  if (names.length > NAMED_MOST) return `these ${names.length} networks`;
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
