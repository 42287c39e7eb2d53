/** Errors for people: what was expected, what was found, and where to go from here. */
import type { Context } from 'hono';
import { html } from 'hono/html';
import { CODES, PipelineError } from '../../errors.ts';
import type { ErrorCode } from '../../errors.ts';
import { page } from './layout.ts';
import { fault } from './runParts.ts';
import { visitorOf } from './visitor.ts';
import type { PageEnv } from './visitor.ts';

const TITLES: Partial<Record<ErrorCode, string>> = {
  'not-found': 'Not found',
  forbidden: 'Not allowed',
  unauthorized: 'Sign in first',
  conflict: 'Not now',
  'rate-limited': 'Too many requests',
};

/** An error as a page, with its status. What an unexpected one says is for the log alone. */
export async function errorPage(c: Context<PageEnv>, error: PipelineError): Promise<Response> {
  // what is wrong may be who asks: the page is made for nobody then
  await visitorOf(c).catch(() => c.set('caller', null));
  const { http } = CODES[error.code];
  const title = TITLES[error.code] ?? (http >= 500 ? 'Something went wrong' : 'That did not work');
  const told =
    error.code === 'internal'
      ? { code: error.code, message: 'The service met something it did not expect.' }
      : error.toJSON();
  return page(
    c,
    { title, status: http === 200 ? 409 : http },
    html`<h1 class="away">${title}</h1>
      ${fault(title, told)}
      <p>
        ${error.code === 'unauthorized' || error.code === 'forbidden' ? html`<a class="button" href="/sign-in">Sign in</a> ` : ''}
        <a class="button" href="/runs">All runs</a>
      </p>`,
  );
}

/** The page of an address that nobody has. */
export function notFoundPage(c: Context<PageEnv>): Promise<Response> {
  return errorPage(c, new PipelineError('not-found', `expected a page; found none at ${c.req.path.slice(0, 200)}`));
}
