/** Uploads of models and data, by their SHA-256: whole, or in parts. */
import { z } from 'zod';
import { PipelineError } from '../../errors.ts';
import { MOST_WHOLE_UPLOAD_BYTES, UPLOAD_PART_BYTES } from '../../runtime/limits.ts';
import { beginUpload, completeUpload, putPart, putWhole, uploadOf } from '../../runtime/inputs.ts';
import { requires } from '../access.ts';
import { bodyOf, sizedBody } from '../body.ts';
import { hashSchema, newUploadSchema, uploadSchema } from '../documents.ts';
import { bytes, json, jsonBody, newApi, problems, route, TOKEN } from '../openapi.ts';

const params = z.object({ sha256: hashSchema });
const partParams = params.extend({
  part: z.coerce.number().int().min(1).max(10_000).meta({ description: 'Number of the part, from 1.' }),
});

export const uploads = newApi();

uploads.openapi(
  route({
    method: 'get',
    path: '/uploads/{sha256}',
    tags: ['uploads'],
    summary: 'How far an upload is',
    security: TOKEN,
    middleware: requires('run'),
    request: { params },
    responses: {
      200: json(uploadSchema, 'The upload.'),
      ...problems('unauthorized', 'forbidden', 'not-found'),
    },
  }),
  async (c) => {
    const upload = await uploadOf(c.env, c.req.valid('param').sha256);
    if (!upload) throw new PipelineError('not-found', 'expected an upload; found none of this hash');
    return c.json(upload, 200);
  },
);

uploads.openapi(
  route({
    method: 'put',
    path: '/uploads/{sha256}',
    tags: ['uploads'],
    summary: `A file whole, of at most ${MOST_WHOLE_UPLOAD_BYTES / 2 ** 20} MiB`,
    security: TOKEN,
    middleware: requires('run'),
    request: { params, body: { ...bytes('application/octet-stream', 'The file.'), required: true } },
    responses: {
      200: json(uploadSchema, 'It is there.'),
      ...problems('unauthorized', 'forbidden', 'payload-invalid', 'too-large'),
    },
  }),
  async (c) => {
    const { body } = sizedBody(c.req.raw, MOST_WHOLE_UPLOAD_BYTES);
    return c.json(await putWhole(c.env, c.req.valid('param').sha256, body), 200);
  },
);

uploads.openapi(
  route({
    method: 'post',
    path: '/uploads/{sha256}',
    tags: ['uploads'],
    summary: 'Begins an upload in parts, or goes on with the one there is',
    security: TOKEN,
    middleware: [requires('run'), bodyOf(1024)] as const,
    request: { params, body: jsonBody(newUploadSchema) },
    responses: {
      200: json(uploadSchema, 'What is there, and how to go on.'),
      ...problems('unauthorized', 'forbidden', 'too-large'),
    },
  }),
  async (c) => c.json(await beginUpload(c.env, c.req.valid('param').sha256, c.req.valid('json').bytes), 200),
);

uploads.openapi(
  route({
    method: 'put',
    path: '/uploads/{sha256}/parts/{part}',
    tags: ['uploads'],
    summary: `One part: ${UPLOAD_PART_BYTES / 2 ** 20} MiB, the last one what is left`,
    security: TOKEN,
    middleware: requires('run'),
    request: { params: partParams, body: { ...bytes('application/octet-stream', 'The part.'), required: true } },
    responses: {
      200: json(uploadSchema, 'The part is there; it may be sent again.'),
      ...problems('unauthorized', 'forbidden', 'not-found', 'conflict', 'too-large'),
    },
  }),
  async (c) => {
    const { sha256, part } = c.req.valid('param');
    const sized = sizedBody(c.req.raw, UPLOAD_PART_BYTES);
    return c.json(await putPart(c.env, sha256, part, sized.body, sized.bytes), 200);
  },
);

uploads.openapi(
  route({
    method: 'post',
    path: '/uploads/{sha256}/complete',
    tags: ['uploads'],
    summary: 'Joins the parts, and checks the hash of the whole',
    security: TOKEN,
    middleware: requires('run'),
    request: { params },
    responses: {
      200: json(uploadSchema, 'It is there.'),
      ...problems('unauthorized', 'forbidden', 'not-found', 'conflict', 'payload-invalid'),
    },
  }),
  async (c) => c.json(await completeUpload(c.env, c.req.valid('param').sha256), 200),
);
