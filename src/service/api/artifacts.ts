/** The files of a run's result: listed, and sent whole or in a range. */
import type { Context } from 'hono';
import { z } from 'zod';
import { PipelineError } from '../../errors.ts';
import { openFile, readManifest } from '../../runtime/resultFiles.ts';
import type { PlacedFile } from '../../runtime/resultFiles.ts';
import type { ServiceEnv } from '../access.ts';
import { artifactsSchema } from '../documents.ts';
import type { RunRecord } from '../documents.ts';
import { bytes, json, newApi, problems, route, TOKEN_OR_PUBLIC } from '../openapi.ts';
import { readableRun, runParams } from './readable.ts';

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  csv: 'text/csv; charset=utf-8',
};

/**
 * The report is a page of ours with names in it that come from outside. Its own policy, in a meta element, allows one
 * script and one style by hash; around it, it is a document without an origin, so that whatever ran there could read
 * no cookie and ask this service for nothing.
 */
const REPORT_POLICY =
  "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; " +
  "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

export const artifacts = newApi();

artifacts.openapi(
  route({
    method: 'get',
    path: '/runs/{id}/artifacts',
    tags: ['artifacts'],
    summary: "The files of a run's result; none before it is done",
    security: TOKEN_OR_PUBLIC,
    request: { params: runParams },
    responses: { 200: json(artifactsSchema, 'The files.'), ...problems('unauthorized', 'not-found') },
  }),
  async (c) => {
    const run = await readableRun(c, c.req.valid('param').id);
    const files = await filesOf(c, run);
    return c.json(
      { digest: files && run.digest, files: (files ?? []).map(({ path, sha256, bytes }) => ({ path, sha256, bytes })) },
      200,
    );
  },
);

// a path has slashes, which no parameter of OpenAPI has: declared here, answered below
artifacts.openAPIRegistry.registerPath(
  route({
    method: 'get',
    path: '/runs/{id}/artifacts/{path}',
    tags: ['artifacts'],
    summary: 'One file, as the list names it',
    security: TOKEN_OR_PUBLIC,
    request: {
      params: runParams.extend({ path: z.string().meta({ description: 'With its slashes as they are.' }) }),
      headers: z.object({
        range: z.string().optional().meta({ description: 'One range of bytes.' }),
        'if-none-match': z.string().optional(),
        'if-range': z.string().optional(),
      }),
    },
    responses: {
      200: bytes('application/octet-stream', 'The file.'),
      206: bytes('application/octet-stream', 'The range.'),
      304: { description: 'What was asked about is what there is.' },
      416: { description: 'There is no such range.' },
      ...problems('unauthorized', 'not-found', 'object-missing'),
    },
  }),
);

artifacts.get('/runs/:id/artifacts/:path{.+}', async (c) => {
  const id = runParams.shape.id.safeParse(c.req.param('id'));
  const run = await readableRun(c, id.success ? id.data : '');
  const path = c.req.param('path');
  const file = (await filesOf(c, run))?.find((entry) => entry.path === path);
  if (!file) throw new PipelineError('not-found', `expected a file of run ${run.id}; found none of this path`);
  return send(c, file);
});

async function filesOf(c: Context<ServiceEnv>, run: RunRecord): Promise<PlacedFile[] | null> {
  return run.state === 'done' ? ((await readManifest(c.env.BUCKET, run.plan!))?.files ?? null) : null;
}

async function send(c: Context<ServiceEnv>, file: PlacedFile): Promise<Response> {
  const { path, sha256, bytes: size } = file;
  const extension = /\.([a-z]+)$/.exec(path)?.[1] ?? '';
  const etag = `"${sha256}"`;
  const headers = new Headers({
    etag,
    'accept-ranges': 'bytes',
    'content-type': TYPES[extension] ?? 'application/octet-stream',
    // a later run of the same plan writes its own costs into the page, and access may end: always asked about again
    'cache-control': 'private, no-cache',
  });
  if (extension === 'html') {
    headers.set('content-security-policy', REPORT_POLICY);
    // browsers refuse a sandboxed document that isolates its opener
    headers.set('cross-origin-opener-policy', 'unsafe-none');
  }
  if (extension !== 'html' && extension !== 'json') headers.set('content-disposition', 'attachment');

  const known = (c.req.header('if-none-match') ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known.includes(etag) || known.includes('*')) return new Response(null, { status: 304, headers });

  const valid = c.req.header('if-range') ?? etag;
  const range = valid === etag ? rangeOf(c.req.header('range'), size) : null;
  if (range === 'none') {
    headers.set('content-range', `bytes */${size}`);
    return new Response(null, { status: 416, headers });
  }
  if (range) headers.set('content-range', `bytes ${range.offset}-${range.offset + range.length - 1}/${size}`);
  const status = range ? 206 : 200;
  if (c.req.method === 'HEAD') {
    headers.set('content-length', String(range?.length ?? size));
    return new Response(null, { status, headers });
  }
  const found = await openFile(c.env.BUCKET, file, range ?? undefined);
  headers.set('content-length', String(range?.length ?? size));
  return new Response(found.body, { status, headers });
}

/** The one range of bytes that is asked for (RFC 9110, section 14); null: the whole, as for what isn't understood. */
function rangeOf(header: string | undefined, size: number): { offset: number; length: number } | 'none' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const [, first, last] = match;
  const offset = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null;
  return offset >= size || end <= offset ? 'none' : { offset, length: end - offset };
}
