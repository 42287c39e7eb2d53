/**
 * The report of a run: the finished page once there is one, before that the numbers of each pair and layer as they
 * come. The numbers are the entries that results.json will have.
 */
import { Hono } from 'hono';
import { html } from 'hono/html';
import type { LayerSummary } from '../../report/report.ts';
import type { LayerResult } from '../../report/results.ts';
import type { Plan } from '../../plan/plan.ts';
import { summaryKey } from '../../runtime/results.ts';
import { getPlan } from '../../runtime/store.ts';
import type { RunRecord } from '../documents.ts';
import { forBrowsers } from './accept.ts';
import { page } from './layout.ts';
import type { Html } from './layout.ts';
import { pairTable } from './reportSoFar.ts';
import { followedRun, readableRun } from './run.ts';
import { artifactAddress, facts, outcome, unfinished } from './runParts.ts';
import type { PageEnv } from './visitor.ts';

/** Pairs and layers of one page: each is read from the bucket. */
const MOST_SHOWN = 200;
const READ_AT_ONCE = 6;

export const liveReport = new Hono<PageEnv>();

liveReport.get(
  '/runs/:id/report',
  forBrowsers(async (c) => {
    const found = await readableRun(c);
    if (found instanceof Response) return found;
    if (found.state === 'done') return c.redirect(artifactAddress(found.id, 'report.html'), 303);
    const { last } = await followedRun(c.env, found.id);
    const plan = found.plan === null ? null : await getPlan(c.env.BUCKET, found.plan);
    return page(
      c,
      { title: `Report of ${found.id}`, active: 'runs' },
      html`<div
        data-live="report"
        data-run="${found.id}"
        data-last="${last}"
        data-state="${found.state}"
        data-attempt="${found.attempt}"
      >
        <header>
          <h1><span class="eyebrow">Report so far</span> <span>${found.pipeline}</span></h1>
          <p class="soft">
            Numbers come as layers are done; the pictures come with the finished report.
            <a href="/runs/${found.id}">Back to the run</a>
          </p>
          ${facts(found, Date.now())}
        </header>
        ${outcome(found)}
        ${
          plan === null
            ? html`<p class="empty">
                ${unfinished(found) ? 'The networks are still being read.' : 'Nothing was planned.'}
              </p>`
            : await pairs(c.env.BUCKET, found, plan)
        }
        <p class="away" role="status" data-said></p>
      </div>`,
    );
  }),
);

async function pairs(bucket: R2Bucket, found: RunRecord, plan: Plan): Promise<Html> {
  const places = plan.pairs.flatMap((_, pair) => plan.layers.map((_, layer) => ({ pair, layer })));
  const shown = places.slice(0, MOST_SHOWN);
  const entries: (LayerResult | null)[] = [];
  for (let at = 0; at < shown.length; at += READ_AT_ONCE) {
    entries.push(
      ...(await Promise.all(
        shown.slice(at, at + READ_AT_ONCE).map(async ({ pair, layer }) => {
          const object = await bucket.get(summaryKey(found.plan!, pair, layer));
          return object && (await object.json<LayerSummary>()).entry;
        }),
      )),
    );
  }
  const there = entries.filter((entry) => entry !== null).length;
  const missing = unfinished(found) ? 'still to come' : 'never came';
  return html`<p data-there>
      ${there} of ${shown.length} ${shown.length === 1 ? 'layer is' : 'layers are'}
      there${there < shown.length ? `; ${shown.length - there} ${missing}` : '; the report is being written'}.
      ${shown.length < places.length ? `Of ${places.length} pairs and layers, the first ${shown.length} are shown here.` : ''}
    </p>
    ${plan.pairs.map((_, pair) => {
      const own = shown.flatMap((place, at) =>
        place.pair === pair ? [{ layer: place.layer, entry: entries[at]! }] : [],
      );
      return own.length === 0 ? '' : pairTable(plan, pair, own, missing);
    })}`;
}
