/** What all pages share: head, navigation, footer, and the headers that bound what a page can do. */
import type { Context } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { assetPaths } from './assets.ts';
import { visitorOf } from './visitor.ts';
import type { PageEnv } from './visitor.ts';

/** Escaped HTML; a promise only in type. */
export type Html = ReturnType<typeof html>;

export interface PageOptions {
  title: string;
  active?: 'runs' | 'pipelines';
  status?: ContentfulStatusCode;
}

/** What a page may load and do: its own script and style, its own forms, nothing inline, in nobody's frame. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

/** A whole page around `body`, the content of its `<main>`. */
export async function page(
  c: Context<PageEnv>,
  { title, active, status = 200 }: PageOptions,
  body: Html | Html[],
): Promise<Response> {
  const { script, style } = await assetPaths();
  const visitor = await visitorOf(c);
  const link = (name: 'runs' | 'pipelines', text: string): Html =>
    html`<li><a href="/${name}" ${active === name ? html`aria-current="page"` : ''}>${text}</a></li>`;
  c.header('content-security-policy', PAGE_POLICY);
  c.header('cache-control', 'no-store');
  c.header('x-content-type-options', 'nosniff');
  // forms must keep their Origin header, which no-referrer would empty
  c.header('referrer-policy', 'same-origin');
  const document = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · Convergent</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${style}" />
        <script src="${script}" defer></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header class="top">
          <a class="brand" href="/runs">Convergent</a>
          <nav aria-label="Pages">
            <ul>
              ${link('runs', 'Runs')}${link('pipelines', 'Pipelines')}
            </ul>
          </nav>
          ${
            visitor
              ? html`<form class="who" method="post" action="/sign-out">
                  <span class="name">${visitor.name} <span class="soft">(${visitor.scope})</span></span>
                  <button>Sign out</button>
                </form>`
              : html`<a class="who" href="/sign-in">Sign in</a>`
          }
        </header>
        <main id="main" tabindex="-1">${body}</main>
        <footer>
          <a href="/trust">What is trusted, and what isn't</a>
          <a href="/docs">API</a>
        </footer>
      </body>
    </html>`;
  return c.html(document, status);
}
