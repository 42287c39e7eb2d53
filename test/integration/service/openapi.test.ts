/** The document of the API: whole by OpenAPI 3.1's own rules, and what the routes really do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CODES } from '../../../src/errors.ts';
import { startService } from '../service.ts';
import type { Service } from '../service.ts';

interface Operation {
  summary?: string;
  security?: Record<string, string[]>[];
  parameters?: { name: string; in: string; required?: boolean; schema?: unknown }[];
  requestBody?: { content: Record<string, { schema?: unknown }> };
  responses: Record<string, { description?: string; content?: Record<string, { schema?: { $ref?: string } }> }>;
}
interface OpenApi {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, { type: string; scheme: string }> };
}

let service: Service;
let document: OpenApi;
let operations: { path: string; method: string; operation: Operation }[];

beforeAll(async () => {
  service = await startService();
  document = (await (await service.ask('GET', '/openapi.json', { token: null })).json()) as OpenApi;
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  );
});
afterAll(() => service.close());

// every object within a value
function* within(value: unknown): Generator<Record<string, unknown>> {
  if (value === null || typeof value !== 'object') return;
  if (!Array.isArray(value)) yield value as Record<string, unknown>;
  for (const part of Object.values(value)) yield* within(part);
}

describe('the OpenAPI document', () => {
  it('is of version 3.1, with a title and a version', () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({
      title: 'Convergent',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string,
    });
    expect(document.components.securitySchemes.bearer).toMatchObject({ type: 'http', scheme: 'bearer' });
  });

  it('names every route of the API', () => {
    expect(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort()).toEqual(
      [
        'GET /pipelines',
        'GET /pipelines/{name}',
        'PUT /pipelines/{name}',
        'DELETE /pipelines/{name}',
        'POST /runs',
        'GET /runs',
        'GET /runs/{id}',
        'POST /runs/{id}/cancel',
        'POST /runs/{id}/retry',
        'GET /runs/{id}/tasks',
        'GET /runs/{id}/log',
        'GET /runs/{id}/events',
        'GET /runs/{id}/artifacts',
        'GET /runs/{id}/artifacts/{path}',
        'GET /uploads/{sha256}',
        'PUT /uploads/{sha256}',
        'POST /uploads/{sha256}',
        'PUT /uploads/{sha256}/parts/{part}',
        'POST /uploads/{sha256}/complete',
        'GET /tokens',
        'POST /tokens',
        'DELETE /tokens/{id}',
        'POST /hooks/{pipeline}/{kind}',
      ].sort(),
    );
  });

  it('refers to nothing that is not in it, and uses no keyword of 3.0', () => {
    const schemas = new Set(Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`));
    const used = [...within(document)].flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []));
    expect(used.length).toBeGreaterThan(20);
    for (const reference of used) expect(schemas).toContain(reference);
    for (const object of within(document)) {
      expect(object).not.toHaveProperty('nullable');
      if (typeof object.exclusiveMinimum === 'boolean') expect(object).not.toHaveProperty('exclusiveMinimum');
    }
  });

  it('declares the parameters of every path', () => {
    for (const { path, operation } of operations) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(declared.map(({ name }) => name).sort(), path).toEqual(names.sort());
      for (const { name, required, schema } of declared)
        expect([name, required, typeof schema]).toEqual([name, true, 'object']);
    }
  });

  it('says of every route what it answers, problems included, and who may ask', () => {
    for (const { path, method, operation } of operations) {
      const place = `${method} ${path}`;
      expect(operation.summary, place).toBeTruthy();
      for (const entry of operation.security!)
        for (const scheme of Object.keys(entry)) expect(document.components.securitySchemes).toHaveProperty(scheme);
      const statuses = Object.keys(operation.responses);
      expect(
        statuses.some((status) => status.startsWith('2')),
        place,
      ).toBe(true);
      expect(statuses, place).toEqual(expect.arrayContaining(['400', '401', '429', '500']));
      for (const [status, { description, content }] of Object.entries(operation.responses)) {
        expect(description, `${place} ${status}`).toBeTruthy();
        if (Number(status) < 400 || status === '416') continue;
        expect(content?.['application/problem+json']?.schema?.$ref).toBe('#/components/schemas/Problem');
        for (const code of description!.split(', ')) expect(CODES).toHaveProperty(code);
      }
    }
  });

  it('has routes that are there', async () => {
    for (const { path, method } of operations) {
      const address = path
        .replace('{sha256}', 'a'.repeat(64))
        .replace('{id}', '0123456789abcdef')
        .replace('{kind}', 'github')
        .replace('{part}', '1')
        .replace(/\{\w+\}/g, 'unknown');
      const answer = await service.ask(method.toUpperCase(), address, { token: null });
      const { detail } = (await answer.json()) as { detail: string };
      expect([401, 404], path).toContain(answer.status);
      expect(detail, path).not.toContain('an address of this service');
    }
  });
});

describe('the page of the API', () => {
  it('shows every route, document and code, and needs nothing else', async () => {
    const answer = await service.ask('GET', '/docs', { token: null });
    expect(answer.headers.get('content-type')).toBe('text/html; charset=UTF-8');
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self'");
    const text = await answer.text();
    for (const { path, method } of operations) expect(text).toContain(`<code>${method.toUpperCase()} ${path}</code>`);
    for (const name of Object.keys(document.components.schemas)) expect(text).toContain(`<h3 id="${name}">`);
    for (const code of Object.keys(CODES)) expect(text).toContain(`<tr id="${code}">`);
    // in the style of the other pages' tables
    const tables = [...text.matchAll(/<table[^>]*>/g)].map(([tag]) => tag);
    expect(tables.length).toBeGreaterThan(operations.length);
    expect(new Set(tables)).toEqual(new Set(['<table class="plain fields">']));
    expect(text).not.toMatch(/<script(?! src="\/)|style=|https?:|\son\w+=|\[object|undefined/);
    // links within the page lead somewhere
    for (const [, id] of text.matchAll(/href="#([^"]+)"/g)) expect(text).toContain(`id="${id}"`);
  });
});
