/** Pipelines: put, got, listed, deleted. */
import { z } from 'zod';
import { PipelineError } from '../../errors.ts';
import { pipelineDetail, storePipeline } from '../../runtime/pipelines.ts';
import { registryOf } from '../../runtime/registry.ts';
import { requireReader, requires } from '../access.ts';
import { bodyOf } from '../body.ts';
import { nameSchema, pipelineDetailSchema, pipelinePutSchema, pipelineSchema, pipelinesSchema } from '../documents.ts';
import { json, jsonBody, newApi, problems, route, TOKEN, TOKEN_OR_PUBLIC } from '../openapi.ts';

/** The text, as JSON escapes it at worst, and a few thousand files. */
const MOST_PUT_BYTES = 4 * 2 ** 20;

const params = z.object({ name: nameSchema });

export const pipelines = newApi();

pipelines.openapi(
  route({
    method: 'get',
    path: '/pipelines',
    tags: ['pipelines'],
    summary: 'All pipelines',
    security: TOKEN,
    middleware: requires('read'),
    responses: { 200: json(pipelinesSchema, 'Every pipeline.'), ...problems('unauthorized') },
  }),
  async (c) => c.json({ pipelines: await registryOf(c.env).listPipelines() }, 200),
);

pipelines.openapi(
  route({
    method: 'get',
    path: '/pipelines/{name}',
    tags: ['pipelines'],
    summary: 'A pipeline with its text and files',
    security: TOKEN_OR_PUBLIC,
    request: { params },
    responses: { 200: json(pipelineDetailSchema, 'The pipeline.'), ...problems('unauthorized', 'not-found') },
  }),
  async (c) => {
    const { name } = c.req.valid('param');
    await requireReader(c, name);
    return c.json(await pipelineDetail(c.env, name), 200);
  },
);

pipelines.openapi(
  route({
    method: 'put',
    path: '/pipelines/{name}',
    tags: ['pipelines'],
    summary: 'Puts a pipeline, whose files were uploaded before',
    security: TOKEN,
    middleware: [requires('admin'), bodyOf(MOST_PUT_BYTES)] as const,
    request: { params, body: jsonBody(pipelinePutSchema) },
    responses: {
      200: json(pipelineSchema, 'The pipeline as it is stored.'),
      ...problems('unauthorized', 'forbidden', 'definition-invalid', 'file-missing', 'too-large'),
    },
  }),
  async (c) => {
    const { name } = c.req.valid('param');
    return c.json(await storePipeline(c.env, name, c.req.valid('json')), 200);
  },
);

pipelines.openapi(
  route({
    method: 'delete',
    path: '/pipelines/{name}',
    tags: ['pipelines'],
    summary: 'Forgets a pipeline; its runs stay',
    security: TOKEN,
    middleware: requires('admin'),
    request: { params },
    responses: { 204: { description: 'It is gone.' }, ...problems('unauthorized', 'forbidden', 'not-found') },
  }),
  async (c) => {
    const { name } = c.req.valid('param');
    if (await registryOf(c.env).deletePipeline(name)) return c.body(null, 204);
    throw new PipelineError('not-found', `expected a pipeline; found none named ${name}`);
  },
);
