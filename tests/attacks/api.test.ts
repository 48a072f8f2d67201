import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { inTransaction } from '../../src/base/db.ts';
import { log } from '../../src/base/log.ts';
import { dues } from '../../src/registry.ts';
import { apiRoutes } from '../../src/web/api/routes.ts';
import { type Scope, scope_names } from '../../src/web/api/scopes.ts';
import { createToken } from '../../src/web/api/tokens.ts';
import { otieno, personOf } from '../helpers/admins.ts';
import { apiOf } from '../helpers/api.ts';
import { hers, mary, seedVictims, standingOf, waiting_receipt } from '../helpers/attacks.ts';
import { openPromptHouse } from '../helpers/prompts.ts';

// Software that has no token, a lesser one, one that is over, or means to get at what it may not.

let house: Awaited<ReturnType<typeof openPromptHouse>>;
let api: ReturnType<typeof apiOf>;
let routes: Route[];
/** What was logged of refusals. */
let lines: unknown[] = [];

beforeAll(async () => {
  house = await openPromptHouse();
  api = apiOf(house);
  await seedVictims(house);
  routes = await allRoutes();
});
afterAll(() => house.close());

beforeEach(() => {
  lines = [];
  vi.spyOn(log, 'warn').mockImplementation((line: unknown) => void lines.push(line));
  return () => vi.restoreAllMocks();
});

interface Route {
  method: string;
  path: string;
  scopes: Scope[];
}

/** Every route of the document, whatever there is by now. */
async function allRoutes(): Promise<Route[]> {
  const { json } = await api.ask('/openapi.json');
  type Methods = Record<string, { security?: { token?: Scope[] }[] }>;
  return Object.entries<Methods>(json.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path,
      scopes: security?.[0]?.token ?? [],
    })),
  );
}

let asked = 0;
let alone: ReturnType<typeof apiRoutes>;

/** Asks from an address of its own, so that only what is asked decides. */
async function ask({ method, path }: Route, it: { token?: string; id?: string; body?: object }) {
  asked += 1;
  alone ??= apiRoutes({
    db: house.db,
    dues,
    digest_above_per_minute: 10,
    asksFrom: () => '600000',
    sourceOf: () => ({ from_ip: `2001:db8::${asked.toString(16)}` }),
    unhurried: (_, next) => next(),
    answered: () => undefined,
  });
  const headers: Record<string, string> = { 'idempotency-key': `attack-${asked}` };
  if (it.token !== undefined) headers['authorization'] = `Bearer ${it.token}`;
  if (method !== 'GET') headers['content-type'] = 'application/json';
  const address = path.replaceAll(/\{\w+\}/g, it.id ?? mary.number);
  const response = await alone.request(address, {
    method,
    headers,
    ...(method === 'GET' ? {} : { body: JSON.stringify(it.body ?? {}) }),
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

test('no route opens without a good token', async () => {
  expect(routes.length).toBeGreaterThan(20);
  const over = await api.token(scope_names, 'over');
  await api.revoke('over');
  const before = await standingOf(house.db);
  const [one] = routes;
  for (const route of routes) {
    for (const token of [undefined, over, `${over.slice(0, -1)}x`, "' or true --"]) {
      const { status, text } = await ask(route, token === undefined ? {} : { token });
      expect([route.path, status, hers.test(text)]).toEqual([route.path, 401, false]);
    }
  }
  expect(lines).toHaveLength(routes.length * 4);
  expect(lines[0]).toEqual({ from_ip: expect.any(String), status: 401 });
  expect(JSON.stringify(lines)).not.toContain(over.slice(10, 30));
  await expect(ask(one!, { token: over.toUpperCase() })).resolves.toMatchObject({ status: 401 });
  expect(await standingOf(house.db)).toEqual(before);
});

test('a scope opens what the document says of it, and nothing besides', async () => {
  const tokens = new Map<Scope, string>();
  for (const scope of scope_names) tokens.set(scope, await api.token([scope]));
  const before = await standingOf(house.db);
  for (const route of routes) {
    expect([route.path, route.scopes.length]).toEqual([route.path, 1]);
    expect(scope_names).toContain(route.scopes[0]);
    for (const [scope, token] of tokens) {
      if (scope === route.scopes[0]) continue;
      const { status, text, headers } = await ask(route, { token });
      expect([route.path, scope, status]).toEqual([route.path, scope, 403]);
      expect(text).not.toMatch(hers);
      expect(headers.get('www-authenticate')).toContain(`scope="${route.scopes[0]}"`);
    }
  }
  expect(lines).toHaveLength(routes.length * (scope_names.length - 1));
  expect(lines[0]).toEqual({
    from_ip: expect.any(String),
    status: 403,
    token_id: expect.any(String),
    scope: routes[0]!.scopes[0],
  });
  expect(await standingOf(house.db)).toEqual(before);
});

const guesses = [
  ...['-1', '0', '1', '00', '1e9', '9'.repeat(40), '0x10', '1.0', 'NaN', 'null', 'undefined', '*'],
  ...['7f9c2ba4-e88f-11ee-951b-325096b39f47', 'CUST-0', 'CUST-999', 'INV-1', 'PAY-0000000', 'me'],
  ...[
    "1' or '1'='1",
    "'; drop table payments; --",
    '1;select pg_sleep(9)',
    'CUST-002%00',
    '\u0000',
  ],
  ...['../payments', '..%2f..%2finbox', 'CUST-002/../CUST-001', '{{7*7}}', '${7*7}', '__proto__'],
  ...['UM1', 'payment:NOPE:received', '🦄', 'a'.repeat(5_000), ' ', 'cust-002 '],
];

test('whatever is guessed as an id, nothing is found, changed or told of the inside', async () => {
  const token = await api.token();
  const before = await standingOf(house.db);
  for (const route of routes.filter(({ path }) => path.includes('{'))) {
    for (const guess of guesses) {
      const { status, text } = await ask(route, { token, id: encodeURIComponent(guess) });
      // An inbox row has a number, and this token may read it.
      const fits = route.path.startsWith('/inbox') && guess === '1';
      const good = fits ? [200] : [400, 404];
      expect([route.path, guess, status]).toEqual([
        route.path,
        guess,
        expect.toSatisfy((it: number) => good.includes(it)),
      ]);
      expect(text).not.toMatch(/select |syntax|postgres|\.ts:|node_modules/i);
    }
    await sql`delete from rates`.execute(house.db);
  }
  expect(await standingOf(house.db)).toEqual(before);
});

test('under the key of another token nothing is heard, and nothing repeated', async () => {
  const [one, other] = [await api.token(scope_names, 'one'), await api.token()];
  const reader = await api.token(['payments:read', 'customers:read']);
  const made = await api.post('/customers', one, { name: 'Njeri' }, { key: 'the-same-key' });
  expect(made.status).toBe(201);
  const before = await standingOf(house.db);
  const body = { name: 'Njeri' };
  const read = await api.post('/customers', reader, body, { key: 'the-same-key' });
  expect([read.status, read.text.includes(made.json.number)]).toEqual([403, false]);
  const invoice = { customer: mary.number, total: -5 };
  const wrong = await api.post('/invoices', one, invoice, { key: 'the-same-key' });
  expect([wrong.status, wrong.text.includes(made.json.number)]).toEqual([400, false]);
  const conflict = await api.post('/customers', one, { name: 'Mary' }, { key: 'the-same-key' });
  expect(conflict.json.code).toBe('idempotency-conflict');
  await api.revoke('one');
  const late = await api.post('/customers', one, body, { key: 'the-same-key' });
  expect([late.status, late.text.includes(made.json.number)]).toEqual([401, false]);
  expect(await standingOf(house.db)).toMatchObject({
    ...before,
    api_tokens: expect.any(String),
  });
  // To another token the key is new.
  const theirs = await api.post('/customers', other, body, { key: 'the-same-key' });
  expect([theirs.status, theirs.json.number === made.json.number]).toEqual([201, false]);
});

test('a body that is too large, of another type, or shaped to deceive does nothing', async () => {
  const token = await api.token();
  const before = await standingOf(house.db);
  const at = `/payments/${waiting_receipt}/assign`;
  const parts = [{ due: 'CUST-001' }];
  const chunked = new ReadableStream({
    start(controller) {
      for (let n = 0; n < 70; n += 1) controller.enqueue(new Uint8Array(1_024).fill(32));
      controller.enqueue(new TextEncoder().encode(JSON.stringify({ parts })));
      controller.close();
    },
  });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'idempotency-key': 'chunked',
  };
  const long = await api.ask(at, {
    method: 'POST',
    headers,
    body: chunked,
    duplex: 'half',
  });
  expect([long.status, long.json.code]).toEqual([413, 'too-large']);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
    const { status } = await api.post(at, token, { parts }, { 'content-type': type });
    expect([type, status]).toEqual([type, 415]);
  }
  for (const body of [
    [],
    [{ parts }],
    { parts, by: 2 },
    { parts, person_id: 1 },
    { parts: [{ due: 'CUST-001', amount: 1e20 }] },
    { parts: [{ due: 'CUST-001', amount: -1 }] },
    { parts: [{ due: 'CUST-001', amount: '10' }] },
    { parts: [{ due: "CUST-001' or true --" }] },
    { parts: [{ due: 'CUST-001', verified: true }] },
    { parts: Array.from({ length: 21 }, () => ({ due: 'CUST-001', amount: 1 })) },
    '{"parts":[{"due":"CUST-001"}],"__proto__":{"as_credit":true}}',
    `{"parts":${'['.repeat(20_000)}`,
  ]) {
    const { status } = await api.post(at, token, body);
    expect([JSON.stringify(body).slice(0, 60), status]).toEqual([expect.any(String), 400]);
  }
  expect(await standingOf(house.db)).toEqual(before);
});

// A place of one kind is only a place there; these go by something else, or are no lists.
const by_other_keys = [
  ...['/payments', '/ledger/accounts'],
  ...['/stats', '/reports/balance', '/reports/verify'],
];

test('a place in one list is none in another, and opens nothing that the other does not show', async () => {
  const token = await api.token();
  for (const name of ['A', 'B']) await api.post('/customers', token, { name: `Forger ${name}` });
  const { json: page } = await api.get('/customers?limit=1', token);
  expect(page.next).toEqual(expect.any(String));
  const lists = routes.filter(({ method, path }) => method === 'GET' && !path.includes('{'));
  const refused = [];
  for (const { path } of lists) {
    const { json: whole } = await api.get(path, token);
    const { status, json } = await api.get(`${path}?after=${page.next}`, token);
    if (status === 400) refused.push(path);
    else expect([path, status, whole.data]).toEqual([path, 200, expect.arrayContaining(json.data)]);
  }
  expect(refused.toSorted()).toEqual(by_other_keys.toSorted());
});

test('a customer has no token, and one ends with the role it came with', async () => {
  await expect(api.token()).resolves.toMatch(/^karani_/);
  for (const msisdn of ['254700000004', mary.phone, '254799999999', "' or true --"]) {
    const it = { name: `for ${msisdn}`, scopes: scope_names, msisdn };
    await expect(inTransaction(house.db, (tx) => createToken(tx, it))).rejects.toThrow('not_admin');
  }
  const it = { name: 'of Otieno', scopes: scope_names, msisdn: otieno };
  const token = await inTransaction(house.db, (tx) => createToken(tx, it));
  const [one] = routes.filter(({ method, path }) => method === 'GET' && path === '/payments');
  expect((await ask(one!, { token })).status).toBe(200);
  await sql`
    delete from roles where role = 'admin' and person_id = ${await personOf(house, otieno)}
  `.execute(house.db);
  for (const route of routes) {
    const { status, text } = await ask(route, { token });
    expect([route.path, status, hers.test(text)]).toEqual([route.path, 401, false]);
  }
});

test('a phone that never asked is not asked again and again, and never for what is not owed', async () => {
  const token = await api.token();
  const theirs = { due: mary.invoice, customer: 'CUST-001', amount: 10 };
  expect((await api.post('/payments/initiate', token, theirs)).json.code).toBe('not-theirs');
  const over = { due: mary.invoice, amount: 1_235 };
  expect((await api.post('/payments/initiate', token, over)).json.code).toBe('too-much');
  const phone = '254733000999';
  const press = (more: object = {}) =>
    api.post('/payments/initiate', token, { due: mary.invoice, phone, amount: 10, ...more });
  const answers = [];
  for (let n = 0; n < 12; n += 1) {
    answers.push((await press()).json.code ?? 'asked');
    // It is cancelled on the phone.
    await sql`update prompts set state = 'failed', ended_at = now(), look_at = null
              where state <> 'paid'`.execute(house.db);
  }
  expect(answers).toEqual([
    ...Array.from({ length: 10 }, () => 'asked'),
    'asked-too-often',
    'asked-too-often',
  ]);
  expect((await press({ phone: '254733000998' })).status).toBe(202);
  await sql`update prompts set created_at = created_at - interval '1 hour'`.execute(house.db);
  expect((await press()).status).toBe(202);
});
