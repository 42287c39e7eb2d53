/** The service's HTTP side: wiring only. Pages answer browsers; what they leave goes on to the API. */
import { HTTPException } from 'hono/http-exception';
import { fromUnknown, PipelineError } from '../errors.ts';
import { artifacts } from './api/artifacts.ts';
import { pipelines } from './api/pipelines.ts';
import { runs } from './api/runs.ts';
import { tokens } from './api/tokens.ts';
import { uploads } from './api/uploads.ts';
import { engine } from './engine.ts';
import { headers } from './headers.ts';
import { hooks } from './hooks.ts';
import { newApi, openApiDocument } from './openapi.ts';
import { prefersHtml } from './pages/accept.ts';
import { docsPage } from './pages/docs.ts';
import { errorPage, notFoundPage } from './pages/errors.ts';
import { pages } from './pages/pages.ts';
import { answerProblem } from './problems.ts';

export const app = newApi();

app.onError((thrown, c) => {
  const answer = answerProblem(thrown);
  if (!prefersHtml(c)) return answer;
  // a browser that opens a page is asked to sign in
  if (answer.status === 401 && c.req.method === 'GET') {
    const { pathname, search } = new URL(c.req.url);
    return c.redirect(`/sign-in?next=${encodeURIComponent(pathname + search)}`, 303);
  }
  // a form of another site is refused by the framework in its own words
  if (thrown instanceof HTTPException && thrown.status === 403)
    return errorPage(c, new PipelineError('forbidden', 'expected a form of these pages; found one from elsewhere'));
  return errorPage(c, fromUnknown(thrown));
});
app.notFound((c) =>
  prefersHtml(c)
    ? notFoundPage(c)
    : answerProblem(new PipelineError('not-found', 'expected an address of this service; found another')),
);

app.route('/engine', engine);
app.use(headers);
app.route('/', pages);
for (const part of [pipelines, runs, artifacts, uploads, tokens, hooks]) app.route('/', part);

let document: ReturnType<typeof openApiDocument> | undefined;
app.get('/openapi.json', (c) => c.json((document ??= openApiDocument(app))));
app.get('/docs', (c) => docsPage(c, (document ??= openApiDocument(app))));
