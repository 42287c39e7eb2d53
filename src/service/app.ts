/** The service's HTTP side: wiring only. */
import { Hono } from 'hono';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { CODES, fromUnknown, PipelineError } from '../errors.ts';
import { engine } from './engine.ts';
import { interim } from './interim.ts';
import { prefersHtml } from './pages/accept.ts';
import { errorPage, notFoundPage } from './pages/errors.ts';
import { pages } from './pages/pages.ts';
import type { PageEnv } from './pages/visitor.ts';

export const app = new Hono<PageEnv>();

app.onError((thrown, c) => answerError(c, errorOf(thrown)));
app.notFound((c) =>
  prefersHtml(c)
    ? notFoundPage(c)
    : answerError(c, new PipelineError('not-found', `expected a known address; found ${c.req.path.slice(0, 200)}`)),
);
app.route('/engine', engine);
app.route('/', pages);
app.route('/', interim);

function answerError(c: Context<PageEnv>, error: PipelineError): Response | Promise<Response> {
  return prefersHtml(c) ? errorPage(c, error) : c.json(error.toJSON(), CODES[error.code].http);
}

// a form of another site is refused by the framework in its own words
function errorOf(thrown: unknown): PipelineError {
  if (thrown instanceof HTTPException && thrown.status === 403)
    return new PipelineError('forbidden', 'expected a form of these pages; found one from elsewhere');
  return fromUnknown(thrown);
}
