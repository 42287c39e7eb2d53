/** What all routes of the API share: how they are declared, and the document of them. */
import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import type { RouteConfig } from '@hono/zod-openapi';
import type { z } from 'zod';
import { CODES } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { ServiceEnv } from './access.ts';
import { problemSchema } from './documents.ts';
import { refuseInvalid } from './problems.ts';

declare const CONVERGENT_VERSION: string;

/** A part of the API: what its schemas refuse becomes a problem document. */
export function newApi(): OpenAPIHono<ServiceEnv> {
  const api = new OpenAPIHono<ServiceEnv>({ defaultHook: refuseInvalid });
  return api;
}

/** A response with a document. */
export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  content: { 'application/json': { schema } },
  description,
});

/** A body with a document. */
export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  content: { 'application/json': { schema } },
  required: true as const,
});

/** A response of bytes. */
export const bytes = (type: string, description: string) => ({
  content: { [type]: { schema: { type: 'string' as const, format: 'binary' } } },
  description,
});

/** Problem documents of these codes, by status; what every route may answer is added. */
export function problems(...codes: ErrorCode[]) {
  const byStatus = new Map<number, string[]>();
  for (const code of [...codes, 'usage', 'rate-limited', 'internal'] as const) {
    const { http } = CODES[code];
    byStatus.set(http, [...new Set([...(byStatus.get(http) ?? []), code])]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, own]) => [
      String(status),
      { content: { 'application/problem+json': { schema: problemSchema } }, description: own.join(', ') },
    ]),
  );
}

/** The routes' security: a token, or nothing where anybody may read what is public. */
export const TOKEN = [{ bearer: [] }];
export const TOKEN_OR_PUBLIC = [{ bearer: [] }, {}];

/** A route of the API. */
export const route = createRoute;

/** The OpenAPI 3.1 document of `api`. */
export function openApiDocument(api: OpenAPIHono<ServiceEnv>): ReturnType<typeof api.getOpenAPI31Document> {
  api.openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
    type: 'http',
    scheme: 'bearer',
    description: 'A token: `convergent token` makes one. Scopes: read, run, admin; each includes those before it.',
  });
  return api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Convergent',
      version: CONVERGENT_VERSION,
      description: 'Comparisons of neural networks: pipelines, their runs, and what came out.',
    },
    servers: [{ url: '/' }],
  });
}

/** One route, as it is declared. */
export type { RouteConfig };
