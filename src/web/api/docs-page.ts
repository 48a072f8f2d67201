import { html, raw } from 'hono/html';
import type { ApiDocument } from './document.ts';
import { problems } from './problems.ts';
import { style } from './docs-style.ts';

/** The API as a page to read, from its document; it loads nothing from anywhere. */
export function docsPage(document: ApiDocument) {
  const operations = operationsOf(document);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${document.info.title} · API</title>
        <style>
          ${raw(style)}
        </style>
      </head>
      <body>
        <nav>
          <a class="brand" href="#top">${document.info.title} <span>API</span></a>
          ${(document.tags ?? []).map(
            ({ name }) =>
              html`<h2>${name}</h2>
                ${operations.filter((it) => it.tag === name).map(linkTo)}`,
          )}
          <h2>More</h2>
          <a href="#schemas">Schemas</a>
          <a href="#problems">Problems</a>
          <a href="/api/openapi.json">openapi.json</a>
        </nav>
        <main id="top">
          <h1>${document.info.title}’s API</h1>
          ${prose(document.info.description ?? '')}
          ${(document.tags ?? []).map(
            ({ name, description }) =>
              html`<section>
                <h2>${name}</h2>
                <p class="lead">${description}</p>
                ${operations.filter((it) => it.tag === name).map(shownOperation)}
              </section>`,
          )}
          <section id="schemas">
            <h2>Schemas</h2>
            ${Object.entries(document.components?.schemas ?? {}).map(
              ([name, schema]) =>
                html`<article id="schema-${name}">
                  <h3>${name}</h3>
                  ${fieldsOf(schema as Schema)}
                </article>`,
            )}
          </section>
          <section id="problems">
            <h2>Problems</h2>
            <p class="lead">The last part of <code>type</code>, which is also <code>code</code>.</p>
            <table>
              <tbody>
                ${Object.entries(problems).map(
                  ([name, { status, title }]) =>
                    html`<tr id="problem-${name}">
                      <td><code>${name}</code></td>
                      <td class="number">${status}</td>
                      <td>${title}</td>
                    </tr>`,
                )}
              </tbody>
            </table>
          </section>
        </main>
      </body>
    </html>`;
}

/** As much of a JSON schema as is shown. */
interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  enum?: unknown[];
  const?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  description?: string;
  example?: unknown;
  default?: unknown;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: Schema;
}

interface Operation {
  method: string;
  path: string;
  tag: string;
  operationId: string;
  summary: string;
  description?: string;
  scope: string;
  parameters: Parameter[];
  body: Schema | undefined;
  answers: { status: string; description: string; schema: Schema | undefined }[];
}

interface RawOperation extends Omit<Operation, 'parameters' | 'answers' | 'body'> {
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Schema }> }>;
}

function operationsOf(document: ApiDocument): Operation[] {
  const paths = document.paths as unknown as Record<string, Record<string, RawOperation>>;
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, it]) => ({
      ...it,
      method: method.toUpperCase(),
      path,
      tag: it.tags?.[0] ?? '',
      scope: it.security?.[0]?.['token']?.[0] ?? '',
      parameters: it.parameters ?? [],
      body: it.requestBody?.content['application/json']?.schema,
      answers: Object.entries(it.responses).map(([status, { description, content }]) => ({
        status,
        description,
        schema: content && Object.values(content)[0]?.schema,
      })),
    })),
  );
}

const linkTo = (it: Operation) =>
  html`<a href="#${it.operationId}"><b class="${it.method}">${it.method}</b> ${it.path}</a>`;

function shownOperation(it: Operation) {
  return html`<article id="${it.operationId}">
    <h3><b class="${it.method}">${it.method}</b> <code>/api${it.path}</code></h3>
    <p>${it.summary}. <span class="scope">${it.scope}</span></p>
    ${it.description ? html`<p class="note">${inline(it.description)}</p>` : ''}
    ${
      it.parameters.length > 0
        ? html`<table>
            <tbody>
              ${it.parameters.map(
                (one) =>
                  html`<tr>
                    <td><code>${one.name}</code>${one.required ? html`<i>needed</i>` : ''}</td>
                    <td>${typeOf(one.schema)}</td>
                    <td>${words(one.description, one.schema)}</td>
                  </tr>`,
              )}
            </tbody>
          </table>`
        : ''
    }
    ${
      it.body
        ? html`<h4>Body</h4>
            <p>${typeOf(it.body)}</p>`
        : ''
    }
    <h4>Answers</h4>
    <ul class="answers">
      ${it.answers.map(
        ({ status, description, schema }) =>
          html`<li>
            <b class="s${status[0] ?? ''}">${status}</b> ${inline(description)}
            ${schema && status < '3' ? html`· ${typeOf(schema)}` : ''}
          </li>`,
      )}
    </ul>
  </article>`;
}

function fieldsOf(schema: Schema) {
  const needed = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0) return html`<p>${typeOf(schema)}</p>`;
  return html`<table>
    <tbody>
      ${fields.map(
        ([name, field]) =>
          html`<tr>
            <td><code>${name}</code>${needed.has(name) ? '' : html`<i>may be left out</i>`}</td>
            <td>${typeOf(field)}</td>
            <td>${words(field.description, field)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

type Html = ReturnType<typeof html>;

function typeOf(schema: Schema): Html | string {
  const name = schema.$ref?.split('/').at(-1);
  if (name !== undefined) return html`<a href="#schema-${name}">${name}</a>`;
  const parts = schema.allOf ?? schema.anyOf ?? schema.oneOf;
  if (parts) return html`${parts.map((part, i) => html`${i > 0 ? ' or ' : ''}${typeOf(part)}`)}`;
  if (schema.items) return html`list of ${typeOf(schema.items)}`;
  if (schema.properties) {
    return html`${Object.entries(schema.properties).map(
      ([field, one], i) => html`${i > 0 ? ', ' : ''}<code>${field}</code>: ${typeOf(one)}`,
    )}`;
  }
  if (schema.enum) return schema.enum.map(String).join(' | ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const type = [schema.type ?? 'anything'].flat().join(' or ');
  return schema.format ? `${type} (${schema.format})` : type;
}

function words(description: string | undefined, schema: Schema) {
  const text = description ?? schema.description;
  const { example } = schema;
  const standard = schema.default === undefined ? '' : ` Without it: ${plain(schema.default)}.`;
  const shown = example === undefined ? '' : html` <code class="example">${plain(example)}</code>`;
  return html`${text ? inline(text) : ''}${standard}${shown}`;
}

const plain = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

// The few marks of Markdown that the document's own texts have.
function inline(text: string) {
  const parts = text.split(/(`[^`]+`|\*\*[^*]+\*\*)/);
  return html`${parts.map((part) => {
    if (part.startsWith('`')) return html`<code>${part.slice(1, -1)}</code>`;
    return part.startsWith('**') ? html`<strong>${part.slice(2, -2)}</strong>` : part;
  })}`;
}

function prose(text: string) {
  return text.split('\n').map((line) => {
    const depth = /^( *)- /.exec(line)?.[1]?.length;
    if (depth === undefined) return line === '' ? '' : html`<p class="lead">${inline(line)}</p>`;
    return html`<p class="${depth > 0 ? 'item under' : 'item'}">
      ${inline(line.trim().slice(2))}
    </p>`;
  });
}
