/** The service's HTTP side: wiring only. */
import { PipelineError } from '../errors.ts';
import { artifacts } from './api/artifacts.ts';
import { pipelines } from './api/pipelines.ts';
import { runs } from './api/runs.ts';
import { tokens } from './api/tokens.ts';
import { uploads } from './api/uploads.ts';
import { engine } from './engine.ts';
import { headers } from './headers.ts';
import { hooks } from './hooks.ts';
import { newApi, openApiDocument } from './openapi.ts';
import { docsPage } from './pages/docs.ts';
import { answerProblem, wantsPage } from './problems.ts';

export const app = newApi();

app.onError((thrown, c) => {
  const answer = answerProblem(thrown);
  // a browser that opens a page is asked to sign in
  if (answer.status !== 401 || c.req.method !== 'GET' || !wantsPage(c)) return answer;
  const { pathname, search } = new URL(c.req.url);
  return c.redirect(`/sign-in?to=${encodeURIComponent(pathname + search)}`, 303);
});
app.notFound(() => answerProblem(new PipelineError('not-found', 'expected an address of this service; found another')));

app.route('/engine', engine);
app.use(headers);
for (const part of [pipelines, runs, artifacts, uploads, tokens, hooks]) app.route('/', part);

let document: ReturnType<typeof openApiDocument> | undefined;
app.get('/openapi.json', (c) => c.json((document ??= openApiDocument(app))));
app.get('/docs', (c) => docsPage(c, (document ??= openApiDocument(app))));
