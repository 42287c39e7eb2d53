/** The page, report.html. */
import { html, raw } from 'hono/html';
import type { Plan } from '../plan/plan.ts';
import type { LayerDrawing } from './grid.ts';
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
  drawings: readonly (LayerDrawing | null)[];
}

/** The bytes of report.html. */
export async function pageBytes({ plan, results }: PageContent, assets: PageAssets): Promise<Uint8Array<ArrayBuffer>> {
  const page = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${plan.definition.name}</title>
        <style>
          ${raw(assets.style)}
        </style>
      </head>
      <body>
        <h1>${plan.definition.name}</h1>
        <pre>${JSON.stringify(results, null, 2)}</pre>
      </body>
    </html>`;
  return new TextEncoder().encode(String(page));
}
