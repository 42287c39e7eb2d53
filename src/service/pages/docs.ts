/** The OpenAPI document as a page to read: every route with its fields and answers, and what each code means. */
import type { Context } from 'hono';
import { html } from 'hono/html';
import { CODES } from '../../errors.ts';
import type { ServiceEnv } from '../access.ts';
import type { openApiDocument } from '../openapi.ts';
import { page } from './layout.ts';

type Document = ReturnType<typeof openApiDocument>;
type Html = ReturnType<typeof html>;

/** What the page reads of a schema. */
interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  enum?: unknown[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  format?: string;
}
interface Content {
  description?: string;
  content?: Record<string, { schema?: Schema }>;
}
interface Operation {
  summary?: string;
  description?: string;
  security?: Record<string, unknown>[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema?: Schema }[];
  requestBody?: Content;
  responses?: Record<string, Content>;
}

export async function docsPage(c: Context<ServiceEnv>, document: Document): Promise<Response> {
  const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation: operation as Operation })),
  );
  const schemas = Object.entries((document.components?.schemas ?? {}) as Record<string, Schema>);
  const body = html`<h1>${document.info.title}: the API</h1>
    <p>${document.info.description} For programs: <a href="/openapi.json">the OpenAPI document</a>.</p>
    <p>
      A token goes in <code>Authorization: Bearer</code>. Errors are problem documents (RFC 9457) with a code of ours,
      listed <a href="#codes">below</a>.
    </p>
    <h2 id="routes">Routes</h2>
    ${operations.map(operationHtml)}
    <h2 id="documents">Documents</h2>
    ${schemas.map(
      ([name, schema]) =>
        html`<h3 id="${name}">${name}</h3>
          ${fieldsHtml(schema)}`,
    )}
    <h2 id="codes">Codes</h2>
    ${table(
      'Codes',
      ['Code', 'Status', 'May pass when tried again'],
      Object.entries(CODES).map(
        ([code, { http, retryable }]) =>
          html`<tr id="${code}">
            <th scope="row"><code>${code}</code></th>
            <td>${http}</td>
            <td>${retryable ? 'yes' : 'no'}</td>
          </tr>`,
      ),
    )}`;
  return page(c, { title: 'API' }, body);
}

function operationHtml({ method, path, operation }: { method: string; path: string; operation: Operation }): Html {
  const { summary, description, security = [], parameters = [], requestBody, responses = {} } = operation;
  const open = security.some((entry) => Object.keys(entry).length === 0);
  return html`<section id="${method}${path.replaceAll(/[^a-z0-9]+/gi, '-')}">
    <h3><code>${method.toUpperCase()} ${path}</code></h3>
    <p>${summary}. ${description ?? ''} ${open ? 'Public pipelines need no token.' : ''}</p>
    ${table(
      'Request and answers',
      ['Field', 'In', 'Type', 'Meaning'],
      [
        ...parameters.map((parameter) =>
          rowHtml(
            `${parameter.name}${parameter.required ? '' : ' (optional)'}`,
            parameter.in,
            typeHtml(parameter.schema),
            parameter.description ?? parameter.schema?.description ?? '',
          ),
        ),
        ...contentRows(requestBody, 'body', 'request'),
        ...Object.entries(responses).flatMap(([status, response]) => contentRows(response, status, 'answer')),
      ],
    )}
  </section>`;
}

function contentRows(response: Content | undefined, name: string, place: string): Html[] {
  if (!response) return [];
  const description = response.description ?? '';
  const contents = Object.entries(response.content ?? {});
  if (contents.length === 0) return [rowHtml(name, place, html`nothing`, description)];
  return contents.map(([type, { schema }]) =>
    rowHtml(name, place, html`${typeHtml(schema)} as <code>${type}</code>`, description),
  );
}

function fieldsHtml(schema: Schema): Html {
  const required = schema.required ?? [];
  return html`<p>${schema.description ?? ''}</p>
    ${table(
      'Fields',
      ['Field', 'Type', 'Meaning'],
      Object.entries(schema.properties ?? {}).map(
        ([name, field]) =>
          html`<tr>
            <th scope="row"><code>${name}</code>${required.includes(name) ? '' : ' (optional)'}</th>
            <td>${typeHtml(field)}</td>
            <td>${field.description ?? ''}</td>
          </tr>`,
      ),
    )}`;
}

function table(caption: string, heads: readonly string[], rows: Html[]): Html {
  return html`<table class="plain fields">
    <caption class="away">
      ${caption}
    </caption>
    <thead>
      <tr>
        ${heads.map((head) => html`<th scope="col">${head}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${rows}
    </tbody>
  </table>`;
}

function rowHtml(name: string, place: string, type: Html, meaning: string): Html {
  return html`<tr>
    <th scope="row"><code>${name}</code></th>
    <td>${place}</td>
    <td>${type}</td>
    <td>${meaning}</td>
  </tr>`;
}

function typeHtml(schema: Schema | undefined): Html {
  if (!schema) return html``;
  if (schema.$ref) {
    const name = schema.$ref.replace('#/components/schemas/', '');
    return html`<a href="#${name}">${name}</a>`;
  }
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return joined(either.map(typeHtml));
  if (schema.enum) return html`${schema.enum.map(String).join(' | ')}`;
  if (schema.items) return html`list of ${typeHtml(schema.items)}`;
  if (typeof schema.additionalProperties === 'object') return html`mapping to ${typeHtml(schema.additionalProperties)}`;
  if (schema.format === 'binary') return html`bytes`;
  if (schema.properties) return html`{ ${Object.keys(schema.properties).join(', ')} }`;
  return html`${[schema.type ?? 'anything'].flat().join(' | ')}`;
}

function joined(parts: Html[]): Html {
  return html`${parts.map((part, index) => (index === 0 ? part : html` | ${part}`))}`;
}
