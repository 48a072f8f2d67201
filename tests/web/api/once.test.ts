import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { apiOf } from '../../helpers/api.ts';
import { openPromptHouse } from '../../helpers/prompts.ts';

type PromptHouse = Awaited<ReturnType<typeof openPromptHouse>>;

let house: PromptHouse;
let api: ReturnType<typeof apiOf>;
let token: string;

beforeEach(async () => {
  house = await openPromptHouse();
  api = apiOf(house);
  token = await api.token();
  return () => house.close();
});

const first = { due: 'INV-20260203-0001', amount: 10 };
const at = '/payments/initiate';

test('the same key and body get the first answer byte for byte, whatever has happened since', async () => {
  const asked = await api.post(at, token, first, { key: 'k1' });
  expect([asked.status, asked.json.how, asked.json.prompt.status]).toEqual([
    202,
    'asked',
    'waiting',
  ]);
  expect(asked.headers.get('location')).toBe(`/api/prompts/${asked.json.prompt.reference}`);
  await house.send();
  await house.deliver(...(await house.answer('254700000004', 'pin')));
  // In another order and with another space it is the same body.
  const again = await api.post(at, token, '{ "amount": 10.00, "due": "INV-20260203-0001" }', {
    key: 'k1',
  });
  expect(again.text).toBe(asked.text);
  expect(again.status).toBe(202);
  expect(again.headers.get('location')).toBe(asked.headers.get('location'));
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(asked.headers.get('idempotent-replayed')).toBe(null);
  expect(await house.prompts()).toHaveLength(1);
});

test('another body under the same key is refused, and the field that differs is named', async () => {
  await api.post(at, token, first, { key: 'k1' });
  const other = await api.post(
    at,
    token,
    { ...first, amount: 11, phone: '254700000005' },
    { key: 'k1' },
  );
  expect(other.status).toBe(409);
  expect(other.json.code).toBe('idempotency-conflict');
  expect(other.json.errors.map((it: { field: string }) => it.field)).toEqual(['amount', 'phone']);
  // One that is left out differs too.
  const less = await api.post(at, token, { due: first.due }, { key: 'k1' });
  expect(less.json.errors.map((it: { field: string }) => it.field)).toEqual(['amount']);
  expect(await house.prompts()).toHaveLength(1);
});

test("a key is the token's own", async () => {
  const mine = await api.post(at, token, first, { key: 'k1' });
  const theirs = await api.post(at, await api.token(), first, { key: 'k1' });
  expect(theirs.headers.get('idempotent-replayed')).toBe(null);
  expect([theirs.status, theirs.json.how]).toEqual([202, 'already']);
  expect(theirs.json.prompt).toEqual(mine.json.prompt);
});

test('of two at once one runs, and the other hears the same or that it is under way', async () => {
  const both = await Promise.all(
    Array.from({ length: 8 }, () => api.post(at, token, first, { key: 'k1' })),
  );
  const done = both.filter((it) => it.status === 202);
  const waits = both.filter((it) => it.status === 409);
  expect(done.length).toBeGreaterThan(0);
  expect(done.length + waits.length).toBe(8);
  expect(new Set(done.map((it) => it.text)).size).toBe(1);
  expect(done.filter((it) => it.headers.get('idempotent-replayed') === null)).toHaveLength(1);
  for (const it of waits) {
    expect(it.json.code).toBe('in-progress');
    expect(it.headers.get('retry-after')).toBe('1');
  }
  expect(await house.prompts()).toHaveLength(1);
});

test('while the first is under way the second does not run', async () => {
  await house.db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ id: bigint }>`select id from api_tokens`.execute(tx);
    await sql`select pg_advisory_xact_lock(hashtextextended(${`api:${rows[0]!.id}:k1`}, 0))`.execute(
      tx,
    );
    const second = await api.post(at, token, first, { key: 'k1' });
    expect([second.status, second.json.code]).toEqual([409, 'in-progress']);
  });
  expect(await house.prompts()).toEqual([]);
  expect((await api.post(at, token, first, { key: 'k1' })).status).toBe(202);
});

test('a refusal is an answer too: it undoes the work, and a new key tries anew', async () => {
  const much = { due: first.due, amount: 5001 };
  const no = await api.post(at, token, much, { key: 'k1' });
  expect([no.status, no.json.code]).toEqual([422, 'too-much']);
  expect(no.headers.get('content-type')).toBe('application/problem+json');
  const again = await api.post(at, token, much, { key: 'k1' });
  expect([again.text, again.headers.get('idempotent-replayed')]).toEqual([no.text, 'true']);
  expect(again.headers.get('content-type')).toBe('application/problem+json');
  expect(await house.prompts()).toEqual([]);
});

test('what was not begun uses no key up', async () => {
  expect((await api.post(at, token, { amount: 10 }, { key: 'k1' })).status).toBe(400);
  expect((await api.post(at, 'karani_no', first, { key: 'k1' })).status).toBe(401);
  const asked = await api.post(at, token, first, { key: 'k1' });
  expect([asked.status, asked.headers.get('idempotent-replayed')]).toEqual([202, null]);
});

test.each([undefined, '', 'a b', 'x'.repeat(101)])(
  'a POST needs a key: %j is none',
  async (key) => {
    const init = {
      method: 'POST',
      body: JSON.stringify(first),
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
    };
    const { status, json } = await api.ask(at, init);
    expect([status, json.code]).toEqual([400, 'idempotency-key-needed']);
    expect(json.errors[0].field).toBe('Idempotency-Key');
    expect(await house.prompts()).toEqual([]);
  },
);

test('the work and its record are one commit', async () => {
  await sql`alter table api_requests add constraint nothing_fits check (status = 418)`.execute(
    house.db,
  );
  const failed = await api.post(at, token, first, { key: 'k1' });
  expect([failed.status, failed.json.code]).toEqual([500, 'our-mistake']);
  expect(failed.text).not.toMatch(/nothing_fits|at .*\.ts/);
  expect(await house.prompts()).toEqual([]);
});

test('money is asked for by due, by customer or on another phone, and refused in words', async () => {
  const told = async (body: object) => {
    const { status, json } = await api.post(at, token, body);
    return status === 202
      ? `${json.how} ${json.prompt.phone} ${json.prompt.due} ${json.prompt.amount}`
      : json.code;
  };
  // What the customer has open for longest, all of it, on their own phone.
  expect(await told({ customer: 'CUST-001' })).toBe('asked 254700000004 INV-20260203-0001 5000');
  // However the reference is written; and a phone that nobody has yet.
  expect(await told({ due: 'inv 20260210 2', phone: '254711222333' })).toBe(
    'asked 254711222333 INV-20260210-0002 1500',
  );
  expect(await told({ due: 'INV-20260203-0001', customer: 'CUST-002' })).toBe('no-such-due');
  expect(await told({ due: 'INV-20260203-0009' })).toBe('no-such-due');
  expect(await told({ due: 'CUST-001' })).toBe('no-such-due');
  const elsewhere = { due: 'INV-20260210-0002', phone: '254711222444' };
  expect(await told({ ...elsewhere, amount: 10.5 })).toBe('too-little');
  expect(await told({ ...elsewhere, amount: 1501 })).toBe('too-much');
  const { rows } = await sql`
    select from addresses where value = '254711222333' and verified_at is null and kind = 'msisdn'
  `.execute(house.db);
  expect(rows).toHaveLength(1);
  house.conversations.asks_from = undefined;
  expect(await told({ customer: 'CUST-001' })).toBe('no-prompts');
  expect((await house.prompts()).map((it) => it.asked_by)).toEqual([1n, 1n]);
});

test('an invoice is asked of its customer alone, where the customer is named', async () => {
  await sql`insert into customers (number, name) values ('CUST-002', 'Njeri')`.execute(house.db);
  const { json } = await api.post(at, token, { due: first.due, customer: 'CUST-002' });
  expect(json.code).toBe('not-theirs');
});
