import { beforeEach, expect, test } from 'vitest';
import { apiOf } from '../../helpers/api.ts';
import { confirmation } from '../../helpers/confirmation.ts';
import { type House, openHouse, paymentsOf } from '../../helpers/house.ts';

let house: House;
let api: ReturnType<typeof apiOf>;
let token: string;

beforeEach(async () => {
  house = await openHouse();
  api = apiOf(house);
  token = await api.token(['payments:write', 'payments:read']);
  return async () => {
    expect(await house.findings()).toEqual([]);
    await house.close();
  };
});

/** A payment of which nobody knows what it pays. */
async function unmatched(amount = '700'): Promise<string> {
  const body = confirmation({
    TransAmount: amount,
    BillRefNumber: 'shoes',
    MSISDN: '254711000000',
  });
  await house.hook('c2b/confirmation', body);
  await house.drain();
  return String(body['TransID']);
}

const [first, second] = ['INV-20260203-0001', 'INV-20260210-0002'];

test('an unmatched payment is assigned once, by the person of the token', async () => {
  const receipt = await unmatched();
  const parts = [
    { due: 'inv 20260203 1', amount: 200.5, currency: 'KES' },
    { due: second, amount: 300 },
  ];
  const assigned = await api.post(`/payments/${receipt}/assign`, token, { parts }, { key: 'a' });
  expect([assigned.status, assigned.json]).toMatchObject([
    200,
    {
      status: 'unmatched',
      rule: 'person',
      allocated_amount: 500.5,
      allocations: [
        { due: first, amount: 200.5 },
        { due: second, amount: 300 },
      ],
    },
  ]);
  const again = await api.post(`/payments/${receipt}/assign`, token, { parts }, { key: 'a' });
  expect(again.text).toBe(assigned.text);
  // Under another key it would be the rest, and it has to fit.
  const more = await api.post(`/payments/${receipt}/assign`, token, { parts });
  expect([more.status, more.json.code]).toEqual([422, 'too-much']);
  expect(await paymentsOf(house.db)).toEqual([`700.00 person ${first}=200.50 ${second}=300.00`]);
  const allocations = await house.db.selectFrom('allocations').select('decided_by').execute();
  expect(allocations.map((it) => it.decided_by)).toEqual([1n, 1n]);
  const rest = await api.post(`/payments/${receipt}/assign`, token, {
    parts: [{ due: 'CUST-001', as_credit: true }],
  });
  expect(rest.json).toMatchObject({ status: 'matched', allocated_amount: 700 });
  const over = await api.post(`/payments/${receipt}/assign`, token, { parts: [{ due: first }] });
  expect([over.status, over.json.code]).toEqual([409, 'over']);
});

test('of two that assign a payment at once one does', async () => {
  const receipt = await unmatched();
  const both = await Promise.all(
    [first, second].map((due) =>
      api.post(`/payments/${receipt}/assign`, token, { parts: [{ due }] }),
    ),
  );
  expect(both.map((it) => it.status).sort()).toEqual([200, 409]);
});

test('a wrong invoice is taken back with its reason, and another one paid', async () => {
  const body = confirmation({ TransAmount: '500' });
  await house.hook('c2b/confirmation', body);
  await house.drain();
  const at = `/payments/${String(body['TransID'])}/reallocate`;
  const moved = await api.post(at, token, { parts: [{ due: second }], reason: 'wrong invoice' });
  expect(moved.json).toMatchObject({
    status: 'matched',
    rule: 'person',
    allocations: [
      { due: first, amount: 500, reversed_for: 'wrong invoice' },
      { due: second, amount: 500, reversed_at: null },
    ],
  });
  for (const reason of [undefined, '', ' x', 'a\u0000b', 'x'.repeat(201)]) {
    const { status, json } = await api.post(at, token, { parts: [{ due: first }], reason });
    expect([reason, status, json.errors[0].field]).toEqual([reason, 400, 'reason']);
  }
});

test('what is to be given back is marked, and matching leaves it alone', async () => {
  const receipt = await unmatched();
  const marked = await api.post(`/payments/${receipt}/mark-refund`, token, {});
  expect(marked.json).toMatchObject({ status: 'unmatched', refund_marked_at: expect.any(String) });
  expect((await api.post(`/payments/${receipt}/mark-refund`, token, {})).json.code).toBe('over');
  expect((await api.post('/payments/reprocess', token, {})).json).toEqual({ matched: 0 });
});

test('what waits is looked at again, one or all', async () => {
  const [one, other] = [await unmatched(), await unmatched('20')];
  const [row] = await house.db
    .selectFrom('people')
    .select('id')
    .where('name', '=', 'Kamau')
    .execute();
  await house.db
    .insertInto('addresses')
    .values({ person_id: row!.id, kind: 'msisdn', value: '254711000000' })
    .execute();
  const again = await api.post(`/payments/${one}/reprocess`, token, {});
  expect(again.json).toMatchObject({ receipt: one, status: 'matched', rule: 'oldest' });
  expect((await api.post('/payments/reprocess', token, {})).json).toEqual({ matched: 1 });
  expect((await api.get(`/payments/${other}`, token)).json.status).toBe('matched');
});

test('what is not there, or names nothing, changes nothing', async () => {
  const receipt = await unmatched();
  const told = async (path: string, body: object) => {
    const { status, json } = await api.post(path, token, body);
    return `${status} ${json.code}`;
  };
  const parts = [{ due: first }];
  expect(await told('/payments/TKL9999999/assign', { parts })).toBe('404 not-found');
  expect(await told(`/payments/${receipt}/assign`, { parts: [] })).toBe('400 not-valid');
  expect(await told(`/payments/${receipt}/assign`, { parts: [{ due: 'INV-20260203-0099' }] })).toBe(
    '422 no-such-due',
  );
  expect(await told(`/payments/${receipt}/assign`, { parts: [{ due: first, amount: 701 }] })).toBe(
    '422 too-much',
  );
  expect(await told(`/payments/${receipt}/assign`, { parts, reason: 'none' })).toBe(
    '400 not-valid',
  );
  expect(await paymentsOf(house.db)).toEqual(['700.00 unmatched']);
});
