/** What a pipeline declares for the service, in sentences: what starts it, its gate, who is told. */
import { Cron } from 'croner';
import { html } from 'hono/html';
import type { GateRule, Notice, ServiceDefinition, Trigger } from '../../definition/service.ts';
import type { Html } from './layout.ts';
import { moment } from './runTable.ts';

/** `origin`: where people reach the service. */
export function declared({ triggers, gate, notify }: ServiceDefinition, name: string, origin: string): Html {
  const none = html`<p class="soft">None.</p>`;
  return html`<div class="declared">
    <section aria-labelledby="triggers">
      <h2 id="triggers">Triggers</h2>
      ${
        triggers.length === 0
          ? none
          : html`<ul>
              ${triggers.map((trigger, at) => html`<li>${triggerItem(trigger, at, name, origin)}</li>`)}
            </ul>`
      }
    </section>
    <section aria-labelledby="gate">
      <h2 id="gate">Gate</h2>
      ${
        gate.length === 0
          ? none
          : html`<ul>
              ${gate.map((rule) => html`<li>${ruleText(rule)}</li>`)}
            </ul>`
      }
    </section>
    <section aria-labelledby="notices">
      <h2 id="notices">Notices</h2>
      ${
        notify.length === 0
          ? none
          : html`<ul>
              ${notify.map((notice) => html`<li>${noticeText(notice)}</li>`)}
            </ul>`
      }
    </section>
  </div>`;
}

function triggerItem(trigger: Trigger, at: number, name: string, origin: string): Html {
  if (trigger.kind === 'schedule') {
    const next = new Cron(trigger.cron, { timezone: 'UTC', paused: true }).nextRun();
    return html`Schedule <code>${trigger.cron}</code>${next ? html`, next ${moment(next.getTime())} UTC` : ''}`;
  }
  if (trigger.kind === 'upload')
    return html`Uploads below <code>${trigger.prefix}</code> become the model of ${trigger.network}`;
  const kinds = { github: 'GitHub', huggingface: 'Hugging Face', webhook: 'Standard Webhooks' };
  const id = `hook-${at}`;
  const { event, when, set } = trigger;
  return html`<label for="${id}"
      >${kinds[trigger.kind]}${event === undefined ? '' : `, event ${event}`}, address:</label
    >
    <span class="copy">
      <input id="${id}" readonly value="${origin}/hooks/${name}/${trigger.kind}" />
      <button type="button" class="scripted" data-copy="${id}">Copy</button>
    </span>
    <span class="soft">
      Signed with <code>${trigger.secret}</code>${when.map(
        ({ pointer, equals }) => html`, where <code>${pointer}</code> is <code>${JSON.stringify(equals)}</code>`,
      )}${set.map(({ network, key, pointer }) => html`; ${key} of ${network} from <code>${pointer}</code>`)}
    </span>`;
}

/** A rule as a sentence. */
export function ruleText({ layer, pair, figure, alpha, atLeast, atMost, dropAtMost }: GateRule): string {
  const bound =
    atLeast !== undefined
      ? `at least ${atLeast}`
      : atMost !== undefined
        ? `at most ${atMost}`
        : `at most ${dropAtMost} below the last run that passed`;
  const at = `${layer === '*' ? 'every layer' : layer}, ${pair ?? 'every pair'}`;
  return `${at}: ${figure}${alpha === undefined ? '' : ` at α ${alpha}`} ${bound}`;
}

function noticeText(notice: Notice): Html {
  return notice.kind === 'webhook'
    ? html`A signed message to <code>${new URL(notice.url).host}</code>, with <code>${notice.secret}</code>`
    : html`A commit status on GitHub, with <code>${notice.token}</code>`;
}
