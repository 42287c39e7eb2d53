/**
 * The page, report.html: one file that needs no network. All numbers stand in it as HTML; its script adds
 * pictures. For tests: every number carries its place in results.json (`[data-path][data-value]`, an empty
 * value for null), shared clusters `[data-shared="<pair>.<layer>"]`, warnings `[data-warning]`, sections
 * `#<a>-<b>/<layer>`, drawn figures `[data-figure][data-drawn]`, the pickers of alpha `select[data-alpha]`.
 * The policy in its head allows its own script and style by hash and nothing else.
 */
import { html, raw } from 'hono/html';
import { drawingId } from './embedded.ts';
import type { PageData } from './embedded.ts';
import { costsHtml } from './html/costs.ts';
import { footerHtml } from './html/footer.ts';
import { dataBlock, inline, policy } from './html/embed.ts';
import { headerHtml } from './html/header.ts';
import type { Html } from './html/cells.ts';
import { notesHtml } from './html/notes.ts';
import { overviewHtml } from './html/overview.ts';
import { layerSection, pairSection } from './html/section.ts';
import { pageData } from './pageData.ts';
import type { PageContent } from './pageData.ts';

/** The page's own script and style, as bundled by the build. */
export interface PageAssets {
  script: string;
  style: string;
}

/** Where something is to be put between two parts of a template. */
const GAP = raw('\0');

/** The bytes of report.html; encoded part by part, so that the drawings are never one more long string. */
export async function pageBytes(content: PageContent, assets: PageAssets): Promise<Uint8Array> {
  const { results, drawings } = content;
  const data = pageData(content);
  const script = inline(assets.script);
  const style = inline(assets.style);
  const parts: Uint8Array[] = [];
  const add = (part: string): number => parts.push(new TextEncoder().encode(part));

  const [top = '', middle = '', end = ''] = await split(
    documentHtml(content, data, await policy(script, style), style),
  );
  add(top);
  for (const pair of data.pairs.keys()) {
    const [before = '', after = ''] = await split(pairSection(data, pair, GAP));
    add(before);
    for (const layer of data.layers.keys()) {
      add(String(await layerSection(data, pair, layer, results.pairs[pair]!.layers[layer]!)));
      // the means of all networks stand in the data that sections share
      const { meansA: _a, meansB: _b, ...drawing } = drawings[pair * data.layers.length + layer]!;
      add(dataBlock(drawingId(pair, layer), drawing));
    }
    add(after);
  }
  add(middle);
  add(dataBlock('page-data', data));
  add(`<script>${script}</script>`);
  add(end);
  return joined(parts);
}

async function split(template: Html): Promise<string[]> {
  return String(await template).split(String(GAP));
}

function documentHtml(content: PageContent, data: PageData, contentPolicy: string, style: string): Html {
  const { name } = content.plan.definition;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${contentPolicy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${name} – Convergent report</title>
        ${raw(`<style>${style}</style>`)}
      </head>
      <body>
        <a class="skip" href="#overview">Skip to the overview</a>
        <noscript><p class="unscripted">The pictures of this page need JavaScript. Its numbers don't.</p></noscript>
        <main>
          ${headerHtml(content)}${overviewHtml(content, data)}${notesHtml(content.warnings)}${GAP}${costsHtml(content.costs)}
        </main>
        ${footerHtml()}${GAP}
      </body>
    </html> `;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
