/** Tokens: made, listed, revoked. */
import { z } from 'zod';
import { PipelineError } from '../../errors.ts';
import { sha256Hex, toHex } from '../../numeric/hash.ts';
import { registryOf } from '../../runtime/registry.ts';
import { newSecret, requires } from '../access.ts';
import { bodyOf } from '../body.ts';
import { madeTokenSchema, newTokenSchema, tokensSchema } from '../documents.ts';
import { json, jsonBody, newApi, problems, route, TOKEN } from '../openapi.ts';

export const tokens = newApi();

tokens.openapi(
  route({
    method: 'get',
    path: '/tokens',
    tags: ['tokens'],
    summary: 'All tokens, without their secrets',
    security: TOKEN,
    middleware: requires('admin'),
    responses: { 200: json(tokensSchema, 'The tokens, oldest first.'), ...problems('unauthorized', 'forbidden') },
  }),
  async (c) => c.json({ tokens: await registryOf(c.env).listTokens() }, 200),
);

tokens.openapi(
  route({
    method: 'post',
    path: '/tokens',
    tags: ['tokens'],
    summary: 'Makes a token',
    security: TOKEN,
    middleware: [requires('admin'), bodyOf(4096)] as const,
    request: { body: jsonBody(newTokenSchema) },
    responses: {
      201: json(madeTokenSchema, 'The token, and its secret, told this once.'),
      ...problems('unauthorized', 'forbidden', 'too-large'),
    },
  }),
  async (c) => {
    const secret = newSecret();
    const id = toHex(crypto.getRandomValues(new Uint8Array(8)));
    const token = await registryOf(c.env).addToken(await sha256Hex(secret), { id, ...c.req.valid('json') });
    c.header('cache-control', 'no-store');
    return c.json({ token, secret }, 201);
  },
);

tokens.openapi(
  route({
    method: 'delete',
    path: '/tokens/{id}',
    tags: ['tokens'],
    summary: 'Revokes a token and ends its sessions',
    security: TOKEN,
    middleware: requires('admin'),
    request: { params: z.object({ id: z.string().regex(/^[0-9a-f]{16}$/) }) },
    responses: { 204: { description: 'It is gone.' }, ...problems('unauthorized', 'forbidden', 'not-found') },
  }),
  async (c) => {
    if (await registryOf(c.env).revokeToken(c.req.valid('param').id)) return c.body(null, 204);
    throw new PipelineError('not-found', 'expected a token; found none of this id');
  },
);
