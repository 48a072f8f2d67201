import { bodyLimit } from 'hono/body-limit';
import { createMiddleware } from 'hono/factory';
import { addCustomers } from './customers.ts';
import { type Api, type ApiEnv, type ApiParts, makeAdmission, newApi } from './door.ts';
import { docsPage } from './docs-page.ts';
import { documentOf } from './document.ts';
import { addInbox } from './inbox.ts';
import { addInvoices } from './invoices.ts';
import { addLedger } from './ledger.ts';
import { addPaymentDecisions } from './payment-decisions.ts';
import { addPayments } from './payments.ts';
import { answerProblem, Problem } from './problems.ts';
import { addPrompts } from './prompts.ts';
import { addReports } from './reports.ts';

const most_bytes = 64 * 1024;

/** The API, for other software: to be mounted at /api. */
export function apiRoutes(parts: ApiParts): Api {
  const api = newApi();
  const admit = makeAdmission(parts);
  api.onError(answerProblem);
  api.use('*', counted(parts));
  api.use('*', parts.unhurried);
  api.use('*', limited);
  api.use('*', async (c, next) => {
    c.set('admit', admit);
    await next();
    c.header('cache-control', 'no-store');
    c.header('x-content-type-options', 'nosniff');
  });
  for (const add of [
    addPayments,
    addPaymentDecisions,
    addPrompts,
    addCustomers,
    addInvoices,
    addLedger,
    addReports,
    addInbox,
  ]) {
    add(api, parts);
  }
  addDocument(api);
  addNothingElse(api);
  return api;
}

// Open to anybody: it says what there is, and nothing of whoever's it is.
function addDocument(api: Api): void {
  const document = documentOf(api);
  const text = JSON.stringify(document, undefined, 2);
  api.get('/openapi.json', (c) => {
    c.set('route', 'GET /api/openapi.json');
    return c.body(text, 200, { 'content-type': 'application/json' });
  });
  api.get('/docs', (c) => {
    c.set('route', 'GET /api/docs');
    // Its own style is the only thing that the page may load.
    c.header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    );
    return c.html(docsPage(document));
  });
}

// Whoever has no token hears of no address whether it is there.
function addNothingElse(api: Api): void {
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of api.routes) {
    if (method === 'ALL') continue;
    methods.set(path, (methods.get(path) ?? new Set()).add(method));
  }
  for (const [path, there] of methods) {
    api.all(path, async (c) => {
      await c.var.admit(c, null);
      const allow = [...there].sort().join(', ');
      throw new Problem('method-not-allowed', { headers: { allow } });
    });
  }
  api.all('*', async (c) => {
    await c.var.admit(c, null);
    throw new Problem('not-found');
  });
}

function counted({ answered }: ApiParts) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const since = performance.now();
    await next();
    const seconds = (performance.now() - since) / 1_000;
    answered(c.var.route ?? 'unknown', c.res.status, seconds);
  });
}

const limited = bodyLimit({
  maxSize: most_bytes,
  // What is left of it is not read, so the connection is of no more use.
  onError: (c) => answerProblem(new Problem('too-large', { headers: { connection: 'close' } }), c),
});
