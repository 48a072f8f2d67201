import type { Api } from './door.ts';
import { scope_names, scopes } from './scopes.ts';

const license = { name: 'Unlicensed', identifier: 'LicenseRef-Unlicensed' };

/** The OpenAPI document of the API, made from the schemas that its routes check. */
export function documentOf(api: Api) {
  api.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: `A token made with \`karani token create\`. Scopes: ${scope_names.join(', ')}.`,
  });
  return api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Karani',
      version: '1',
      description: about,
      license,
    },
    servers: [{ url: '/api', description: 'This server' }],
    tags: [
      { name: 'Payments', description: 'Money that reached us by M-Pesa, and what it paid.' },
      { name: 'Prompts', description: 'Payments that we ask phones for.' },
      { name: 'Customers', description: 'Who buys, what they owe, and their statements.' },
      { name: 'Invoices', description: 'What customers are asked to pay.' },
      { name: 'Ledger', description: 'The double-entry books, which only grow.' },
      { name: 'Reports', description: 'Figures by day, and whether the books are right.' },
      { name: 'Inbox', description: 'What came to our doors, exactly as it came.' },
    ],
  });
}

export type ApiDocument = ReturnType<typeof documentOf>;

const about = [
  'The API of Karani for other software. Everything is JSON.',
  '',
  '- **Tokens**: `Authorization: Bearer TOKEN`. Each has scopes, and a route says which one it needs:',
  ...scope_names.map((name) => `  - \`${name}\`: ${scopes[name]}`),
  '- **Money** is a number of shillings with at most two decimals, with `currency` beside it.',
  '- **Times** are RFC 3339 with offset, days are days in Nairobi, phones are `254[17]XXXXXXXX`.',
  '- **Lists** come by pages: give `next` of one as `after` to have the following. What is new meanwhile ' +
    'moves nothing.',
  '- **Errors** are `application/problem+json` (RFC 9457); `type` is stable, and so is `code`, its last part.',
  '- **Idempotency-Key**: every POST that makes or moves something needs one. The same key and body get the first ' +
    'answer again, byte for byte and for ever, also where that was a refusal; use a new key to try anew. Another ' +
    'body is a 409 that names the field. What was not even begun (400, 401, 403, 429, 503) uses no key up.',
  '- **Limits**: each token may ask 300 times at once and 20 times a second after that, each address twice that. Too ' +
    'much is a 429 with `Retry-After`.',
].join('\n');
