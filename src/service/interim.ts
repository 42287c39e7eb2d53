/** What pages need of the API until it stands: events, artifacts, tokens, pipelines; for the local engine's token alone. */
import { Hono } from 'hono';
import { PipelineError } from '../errors.ts';
import { sha256Hex } from '../numeric/hash.ts';
import { progressOf } from '../runtime/consumer.ts';
import { storePipeline } from '../runtime/pipelines.ts';
import { registryOf } from '../runtime/registry.ts';
import { resultPrefix } from '../runtime/results.ts';
import { runOf } from '../runtime/runs.ts';
import { bearerIs } from './access.ts';
import { pipelinePutSchema } from './documents.ts';
import type { Scope } from './documents.ts';
import type { PageEnv } from './pages/visitor.ts';
import { signInFirst } from './pages/visitor.ts';

export const interim = new Hono<PageEnv>();

interim.get('/runs/:id/events', async (c) => {
  const { id, pipeline } = await runOf(c.env, c.req.param('id'));
  return (await signInFirst(c, pipeline)) ?? progressOf(c.env, id).fetch(c.req.raw);
});
interim.get('/runs/:id/artifacts/:path{.+}', async (c) => {
  const { pipeline, plan } = await runOf(c.env, c.req.param('id'));
  const elsewhere = await signInFirst(c, pipeline);
  if (elsewhere) return elsewhere;
  const path = c.req.param('path');
  const object = await c.env.BUCKET.get(`${resultPrefix(plan ?? '')}${path}`);
  if (!object) throw new PipelineError('not-found', 'expected an artifact; found none');
  return c.body(object.body, 200, {
    'content-type': path.endsWith('.html') ? 'text/html; charset=utf-8' : 'application/octet-stream',
  });
});
interim.post('/tokens', async (c) => {
  await requireEngine(c.env.ENGINE_TOKEN, c.req.header('authorization'));
  const { name, scope } = await c.req.json<{ name: string; scope: Scope }>();
  const secret = `cvg_${crypto.randomUUID()}`;
  return c.json(
    {
      ...(await registryOf(c.env).addToken(await sha256Hex(secret), { id: crypto.randomUUID(), name, scope })),
      secret,
    },
    201,
  );
});
interim.put('/pipelines/:name', async (c) => {
  await requireEngine(c.env.ENGINE_TOKEN, c.req.header('authorization'));
  return c.json(await storePipeline(c.env, c.req.param('name'), pipelinePutSchema.parse(await c.req.json())));
});
async function requireEngine(token: string | undefined, header: string | undefined): Promise<void> {
  if (token === undefined || !(await bearerIs(header, token)))
    throw new PipelineError('unauthorized', 'expected the engine token');
}
