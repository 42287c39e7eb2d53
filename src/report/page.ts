/**
 * The page, report.html: one file that needs no network. All numbers stand in it as HTML; its script adds
 * pictures. For tests: every number carries its place in results.json (`[data-path][data-value]`, an empty
 * value for null), shared clusters `[data-shared="<pair>.<layer>"]`, warnings `[data-warning]`, sections
 * `#<a>-<b>/<layer>`, drawn figures `[data-figure][data-drawn]`. The policy in its head allows its own script
 * and style by hash and nothing else.
 */
import { html, raw } from 'hono/html';
import type { Plan } from '../plan/plan.ts';
import { drawingId } from './embedded.ts';
import type { LayerDrawing, PageData } from './embedded.ts';
import { footerHtml } from './html/footer.ts';
import { headerHtml } from './html/header.ts';
import type { Html } from './html/cells.ts';
import { notesHtml } from './html/notes.ts';
import { overviewHtml } from './html/overview.ts';
import { layerSection, PAIR_END, pairStart } from './html/section.ts';
import type { Results } from './results.ts';
import type { Warning } from './warnings.ts';

/** The page's own script and style, as bundled by the build. */
export interface PageAssets {
  script: string;
  style: string;
}

export interface PageContent {
  plan: Plan;
  results: Results;
  warnings: readonly Warning[];
  /** By pair, then layer; null for pairs the page has no section for, which are the last ones. */
  drawings: readonly (LayerDrawing | null)[];
}

/** The bytes of report.html; encoded part by part, so that the drawings are never one more long string. */
export async function pageBytes(content: PageContent, assets: PageAssets): Promise<Uint8Array<ArrayBuffer>> {
  const { results, warnings, drawings } = content;
  const data = pageData(content);
  const script = inline(assets.script);
  const style = inline(assets.style);
  const parts: Uint8Array[] = [];
  const add = async (part: Html | string): Promise<number> => parts.push(new TextEncoder().encode(String(await part)));

  await add(headHtml(content, await policy(script, style), style));
  await add(html`${headerHtml(content)}${overviewHtml(content, data)}${notesHtml(warnings)}`);
  for (const pair of data.pairs.keys()) {
    await add(pairStart(data, pair));
    for (const layer of data.layers.keys()) {
      await add(layerSection(data, pair, layer, results.pairs[pair]!.layers[layer]!));
      // the means of all networks stand in the data that sections share
      const { meansA: _a, meansB: _b, ...drawing } = drawings[pair * data.layers.length + layer]!;
      await add(dataBlock(drawingId(pair, layer), drawing));
    }
    await add(PAIR_END);
  }
  await add(html`</main>${footerHtml()}`);
  await add(dataBlock('page-data', data));
  await add(html`<script>${raw(script)}</script></body></html>`);
  return joined(parts);
}

/** JSON in a block the browser doesn't run; no character of it can end the block. */
export function dataBlock(id: string, value: unknown): string {
  const json = JSON.stringify(value).replace(/[<\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `<script type="application/json" id="${id}">${json}</script>\n`;
}

function headHtml({ plan }: PageContent, contentPolicy: string, style: string): Html {
  const { name } = plan.definition;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${contentPolicy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${name} – Convergent report</title>
        <style>${raw(style)}</style>
      </head>
      <body>
        <a class="skip" href="#overview">Skip to the overview</a>
        <main>`;
}

async function policy(script: string, style: string): Promise<string> {
  const [scriptHash, styleHash] = await Promise.all([script, style].map(hashSource));
  const none = ['default-src', 'base-uri', 'form-action'].map((directive) => `${directive} 'none'`);
  return [...none, `script-src ${scriptHash}`, `style-src ${styleHash}`].join('; ');
}

async function hashSource(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}

// text within <script> or <style>: browsers read CRLF as LF before they hash, and nothing in it may end the element
function inline(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/<\/(script|style)/gi, '<\\/$1')
    .replace(/<!--/g, '<\\!--');
}

function pageData({ plan, results, drawings }: PageContent): PageData {
  const { predict } = plan.definition;
  const layers = plan.layers.map((layer) => layer.name);
  const shown = Math.min(plan.pairs.length, drawings.filter((drawing) => drawing !== null).length / layers.length);
  const entries = results.pairs.slice(0, shown).map((pair) => pair.layers);
  const scored = predict !== false && predict.holdout > 0 ? 'r2_held_out' : 'r2_fit';
  return {
    layers,
    pairs: results.pairs.slice(0, shown).map(({ a, b }, pair) => ({ a, b, folder: plan.pairs[pair]!.folder })),
    alphas: predict === false ? [] : predict.alphas.toSorted((x, y) => x - y),
    scored,
    matched: entries.map((own) => own.map(({ match }) => match?.mean_r ?? null)),
    aToB: entries.map((own) => own.map(({ predict: told }) => told?.a_to_b.map((row) => row[scored]) ?? [])),
    bToA: entries.map((own) => own.map(({ predict: told }) => told?.b_to_a.map((row) => row[scored]) ?? [])),
    shared: entries.map((own) =>
      own.map(({ cluster }) => {
        const both = cluster?.clusters.filter((row) => row.units_a > 0 && row.units_b > 0).length;
        return cluster && { shared: both ?? 0, all: cluster.clusters.length };
      }),
    ),
    means: layers.map((_, layer) => {
      const byNetwork = new Map<number, number[]>();
      for (const [pair, { a, b }] of plan.pairs.slice(0, shown).entries()) {
        const drawing = drawings[pair * layers.length + layer]!;
        byNetwork.set(a, drawing.meansA).set(b, drawing.meansB);
      }
      return [...byNetwork].map(([network, values]) => ({ network: plan.networks[network]!.name, values }));
    }),
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
