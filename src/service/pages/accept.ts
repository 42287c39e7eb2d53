/** HTML and JSON share addresses: what the Accept header prefers decides. */
import type { Context, Handler } from 'hono';
import { accepts } from 'hono/accepts';
import type { PageEnv } from './visitor.ts';

/** Whether a request would rather have a page; one that says nothing, or takes anything, gets JSON. */
export function prefersHtml(c: Context): boolean {
  const supports = ['text/html', 'application/json'];
  return accepts(c, { header: 'Accept', supports, default: 'application/json' }) === 'text/html';
}

/** A handler that answers browsers alone and leaves everybody else to what is mounted later. */
export function forBrowsers(handler: (c: Context<PageEnv>) => Response | Promise<Response>): Handler<PageEnv> {
  return async (c, next) => {
    c.header('vary', 'accept', { append: true });
    if (prefersHtml(c)) return handler(c);
    await next();
  };
}
