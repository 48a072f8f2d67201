import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../../../src/base/db.ts';
import { listen } from '../../../src/listen.ts';
import { dues } from '../../../src/registry.ts';
import { buildServer } from '../../../src/server.ts';
import { apiRoutes } from '../../../src/web/api/routes.ts';
import { type Scope, scope_names } from '../../../src/web/api/scopes.ts';
import { apiOf } from '../../helpers/api.ts';
import { confirmation } from '../../helpers/confirmation.ts';
import { type House, openHouse } from '../../helpers/house.ts';

let house: House;
let api: ReturnType<typeof apiOf>;

beforeEach(async () => {
  house = await openHouse();
  api = apiOf(house);
  return () => house.close();
});

interface Route {
  method: string;
  path: string;
  scope: Scope;
}

/** Every address that the document has, with what fits in it. */
async function routes(receipt: string): Promise<Route[]> {
  const { json } = await api.ask('/openapi.json');
  const values: Record<string, string> = {
    '/payments/{receipt}': receipt,
    '/prompts/{reference}': 'PAY-7K3QX2M',
    '/customers/{number}': 'CUST-001',
    '/invoices/{number}': 'INV-20260203-0001',
    '/ledger/transactions/{key}': 'allocation:1',
    '/inbox/{id}': '1',
  };
  return Object.entries(json.paths).flatMap(([template, methods]) =>
    Object.entries(methods as Record<string, { security: [{ token: [Scope] }] }>).map(
      ([method, { security }]) => {
        const at = /^.*?\{\w+\}/.exec(template)?.[0] ?? '';
        const path = template.replace(/\{\w+\}/, values[at] ?? '');
        return { method: method.toUpperCase(), path, scope: security[0].token[0] };
      },
    ),
  );
}

const nobody_has = `karani_${'x'.repeat(43)}`;

test('every address opens to a token with its scope, and to no other', async () => {
  const paid = confirmation();
  await house.hook('c2b/confirmation', paid);
  await house.drain();
  const all = await routes(String(paid['TransID']));
  expect(all.length).toBeGreaterThan(18);
  const parts = [{ due: 'CUST-001' }];
  const bodies: Record<string, object> = {
    initiate: { due: 'INV-20260203-0001', amount: 10 },
    assign: { parts },
    reallocate: { parts, reason: 'wrong invoice' },
    customers: { name: 'Njeri' },
    invoices: { customer: 'CUST-001', total: 100 },
    void: { reason: 'sent twice' },
  };
  for (const { method, path, scope } of all) {
    const body = bodies[path.split('/').at(-1) ?? ''] ?? {};
    const ask = (token: string) =>
      method === 'GET' ? api.get(path, token) : api.post(path, token, body);
    const refused = await ask(await api.token(scope_names.filter((name) => name !== scope)));
    expect([path, refused.status, refused.json.code]).toEqual([path, 403, 'forbidden']);
    expect(refused.headers.get('www-authenticate')).toContain(`scope="${scope}"`);
    const { status, text } = await ask(await api.token([scope]));
    // There is no such prompt, and the payment waits for nobody.
    const good = path.startsWith('/prompts/')
      ? [404]
      : method === 'GET'
        ? [200]
        : [200, 201, 202, 409];
    expect([path, good.includes(status), text]).toEqual([path, true, text]);
  }
  const metrics = await (await fetch(`${house.url}/metrics`)).text();
  expect(metrics).toMatch(
    /karani_api_requests_total\{route="GET \/api\/payments\/:receipt",status="403"\} 1/,
  );
});

test.each([
  ['no token', undefined],
  ['another scheme', 'Basic d2FuamlydTpwYXNz'],
  ['a word', 'Bearer karani'],
  ['nobody’s token', `Bearer ${nobody_has}`],
])('with %s there is nothing to see', async (_, authorization) => {
  const paths = (await routes('TKL0000001')).filter((it) => it.method === 'GET').slice(0, 25);
  for (const path of [...paths.map((it) => it.path), '/nothing']) {
    const init = authorization === undefined ? {} : { headers: { authorization } };
    const { status, json, headers } = await api.ask(path, init);
    expect([path, status, json.code]).toEqual([path, 401, 'unauthorised']);
    expect(headers.get('www-authenticate')).toMatch(/^Bearer realm="karani"/);
  }
});

test('a token that is revoked opens nothing from that moment on', async () => {
  const token = await api.token(scope_names, 'till');
  expect((await api.get('/payments', token)).status).toBe(200);
  expect(await api.revoke('till')).toBe(true);
  expect((await api.get('/payments', token)).status).toBe(401);
  expect(await api.revoke('till')).toBe(false);
});

test('a token is good while its person is an admin', async () => {
  const token = await api.token();
  await sql`update roles set role = 'cashier' where person_id = 1 and role = 'admin'`.execute(
    house.db,
  );
  expect((await api.get('/payments', token)).status).toBe(401);
  await expect(api.token()).rejects.toThrow('not_admin');
});

test('of a token its hash alone is kept', async () => {
  const token = await api.token();
  await api.get('/payments', token);
  const { rows } = await sql<{ row: string; used: boolean }>`
    select t::text as row, used_at is not null as used from api_tokens t`.execute(house.db);
  expect(rows).toHaveLength(1);
  expect(rows[0]!.row).not.toContain(token.slice(7, 20));
  expect(rows[0]!.used).toBe(true);
});

/** The API by itself, where time passes when the test says so. */
function standing() {
  const time = { ms: 0, from_ip: '192.0.2.1' };
  const alone = apiRoutes({
    db: house.db,
    dues,
    digest_above_per_minute: 10,
    asksFrom: () => undefined,
    sourceOf: () => ({ from_ip: time.from_ip }),
    unhurried: (_, next) => next(),
    answered: () => undefined,
    now: () => time.ms,
  });
  const ask = (token: string) =>
    alone.request('/payments?limit=1', { headers: { authorization: `Bearer ${token}` } });
  /** How many of so many are let in, and when to come again. */
  const letIn = async (token: string, times: number) => {
    let count = 0;
    for (let n = 0; n < times; n += 1) count += (await ask(token)).status === 429 ? 0 : 1;
    return count;
  };
  return { time, ask, letIn };
}

test('who tries what is no token is soon not heard any more, not even with a good one', async () => {
  const { time, ask, letIn } = standing();
  expect(await letIn(nobody_has, 40)).toBe(30);
  const token = await api.token();
  const refused = await ask(token);
  expect(refused.status).toBe(429);
  expect(refused.headers.get('retry-after')).toBe('2');
  expect(await refused.json()).toMatchObject({ code: 'too-many-requests' });
  time.ms += 2_000;
  expect((await ask(token)).status).toBe(200);
  time.from_ip = '192.0.2.2';
  expect((await ask(nobody_has)).status).toBe(401);
});

test('a token that asks too often waits, at whichever process, and another does not', async () => {
  const [one, other] = [standing(), standing()];
  other.time.from_ip = '192.0.2.2';
  const [token, second] = [await api.token(), await api.token()];
  await one.letIn(token, 1);
  // As if the next two were there, and time stood still.
  await sql`
    update rates set left_milli = 2000, at = now() + interval '1 hour'
    where who = 'token:' || (select id from api_tokens order by id limit 1)`.execute(house.db);
  expect([await one.letIn(token, 1), await other.letIn(token, 3)]).toEqual([1, 1]);
  const refused = await one.ask(token);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
  expect((await one.ask(second)).status).toBe(200);
  await sql`update rates set at = now() - interval '100 milliseconds'`.execute(house.db);
  expect(await one.letIn(token, 1)).toBe(1);
});

test('an address that asks too often waits, whatever tokens it has', async () => {
  const { time, letIn } = standing();
  const tokens = [await api.token(), await api.token(), await api.token()];
  const let_in = [];
  for (const token of tokens) let_in.push(await letIn(token, 250));
  expect(let_in).toEqual([250, 250, 100]);
  time.from_ip = '192.0.2.2';
  expect(await letIn(tokens[0]!, 1)).toBe(1);
});

test('a field that is not as it should be is named, with what was expected', async () => {
  const token = await api.token();
  const faults = async (path: string) => {
    const { status, json, headers } = await api.get(path, token);
    expect([status, json.type]).toEqual([400, '/api/docs#problem-not-valid']);
    expect(headers.get('content-type')).toBe('application/problem+json');
    return json.errors.map(
      (it: Record<string, string>) => `${it['in']} ${it['field']}: ${it['expected']}`,
    );
  };
  expect(await faults('/payments?limit=0&phone=0712345678&colour=red')).toEqual([
    'query limit: a whole number from 1 to 100',
    'query phone: a phone number such as 254712345678',
    'query colour: nothing: there is no such field here',
  ]);
  expect(await faults('/payments?amount=1.234')).toEqual([
    'query amount: an amount in shillings above 0, with at most two decimals',
  ]);
  expect(await faults('/payments?from=2026-02-30')).toHaveLength(1);
  expect(await faults('/payments?from=2026-02-03T00:00:00')).toHaveLength(1);
  expect(await faults('/payments?from=2026-02-04&to=2026-02-03')).toEqual([
    'query to: a time after `from`',
  ]);
  expect(await faults('/payments?limit=1&limit=2')).toHaveLength(1);
  expect(await faults('/payments?after=nonsense')).toEqual([
    'query after: what `next` of the page before said',
  ]);
  expect(await faults('/payments?text=%00')).toHaveLength(1);
  expect(await faults('/payments/lower')).toEqual(['path receipt: a receipt such as TKL0000001']);
  expect(await faults('/payments/TKL0000001?x=1')).toHaveLength(1);
  expect(await faults('/stats?from=2020-01-01&to=2026-01-01')).toHaveLength(1);
  expect(await faults('/inbox?from_ip=here')).toHaveLength(1);
  const wrong = await api.post('/payments/initiate', token, {
    due: 5,
    amount: '10',
    colour: 'red',
  });
  expect(wrong.json.errors).toEqual([
    { in: 'body', field: 'due', expected: 'a reference such as INV-20260203-0001' },
    {
      in: 'body',
      field: 'amount',
      expected: 'an amount in shillings above 0, with at most two decimals',
    },
    { in: 'body', field: 'colour', expected: 'nothing: there is no such field here' },
  ]);
});

test('a cursor of another list, or made by hand, is none', async () => {
  const token = await api.token();
  const place = (...keys: unknown[]) => Buffer.from(JSON.stringify(keys)).toString('base64url');
  for (const path of ['/payments', '/prompts', '/customers', '/ledger/accounts', '/inbox']) {
    for (const after of [
      place("1' or true"),
      place(1),
      place('x', 'y', 'z'),
      place(),
      'null',
      '',
    ]) {
      const { status } = await api.get(`${path}?after=${after}`, token);
      expect([path, after, status]).toEqual([path, after, 400]);
    }
  }
});

test('a wrong address, method, type or size is told as such', async () => {
  const token = await api.token();
  const missing = await api.get('/nothing/here', token);
  expect([missing.status, missing.json.code]).toEqual([404, 'not-found']);
  const headers = { authorization: `Bearer ${token}` };
  const method = await api.ask('/payments', { method: 'DELETE', headers });
  expect([method.status, method.headers.get('allow')]).toEqual([405, 'GET']);
  const at = '/payments/initiate';
  const typed = await api.post(at, token, 'due=INV-1', {
    'content-type': 'application/x-www-form-urlencoded',
  });
  expect([typed.status, typed.json.code]).toEqual([415, 'media-type']);
  const broken = await api.post(at, token, '{"due":');
  expect([broken.status, broken.json.code]).toEqual([400, 'not-json']);
  const large = await api.post(at, token, { due: 'x'.repeat(64 * 1024) });
  expect([large.status, large.json.code]).toEqual([413, 'too-large']);
  const list = await api.post(at, token, [first]);
  expect([list.status, list.json.code]).toEqual([400, 'not-valid']);
});

const first = { due: 'INV-20260203-0001', amount: 10 };

test('a guessed number or receipt finds nothing, and says no more', async () => {
  const token = await api.token();
  for (const path of [
    '/payments/TKL9999999',
    '/prompts/PAY-0000000',
    '/customers/CUST-999',
    '/customers/CUST-999/statement',
    '/invoices/INV-20260203-9999',
    '/ledger/transactions/payment:NOPE:received',
    '/ledger/transactions/a%00b',
    '/inbox/999',
    '/inbox/999/body',
    '/inbox/999999999999999999',
  ]) {
    const { status, json } = await api.get(path, token);
    expect([path, status, json]).toEqual([
      path,
      404,
      {
        type: '/api/docs#problem-not-found',
        title: expect.any(String),
        status: 404,
        code: 'not-found',
      },
    ]);
  }
});

test('without its database it says that it is not available, and nothing of why', async () => {
  const { settings, conversations } = house;
  const database = openDatabase('postgres://karani@127.0.0.1:1/none', 1);
  const app = buildServer({ settings, database, house: conversations });
  const listening = await listen(app, '127.0.0.1', 0);
  try {
    const away = apiOf({ url: listening.url, db: database.db });
    const { status, json, headers, text } = await away.get('/payments', nobody_has);
    expect([status, json.code, headers.get('retry-after')]).toEqual([503, 'busy', '5']);
    expect(text).not.toMatch(/ECONN|postgres|127\.0/);
  } finally {
    await listening.stop();
    await database.pool.end();
  }
});
