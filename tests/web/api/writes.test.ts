import { beforeEach, expect, test } from 'vitest';
import { apiOf } from '../../helpers/api.ts';
import { confirmation } from '../../helpers/confirmation.ts';
import { type House, openHouse } from '../../helpers/house.ts';

let house: House;
let api: ReturnType<typeof apiOf>;
let token: string;

beforeEach(async () => {
  house = await openHouse();
  api = apiOf(house);
  token = await api.token();
  return async () => {
    expect(await house.findings()).toEqual([]);
    await house.close();
  };
});

const told = async (path: string, body: object) => {
  const { status, json } = await api.post(path, token, body);
  return `${status} ${json.code}`;
};

test('a customer is added once, and is there with nothing owed', async () => {
  const njeri = { name: 'Njeri', phone: '254711000000' };
  const added = await api.post('/customers', token, njeri, { key: 'a' });
  expect([added.status, added.json]).toMatchObject([
    201,
    { name: 'Njeri', phone: '254711000000', owed: 0, credit: 0, open_invoices: 0 },
  ]);
  expect(added.headers.get('location')).toBe(`/api/customers/${added.json.number}`);
  expect((await api.get(`/customers/${added.json.number}`, token)).json).toEqual(added.json);
  expect((await api.post('/customers', token, njeri, { key: 'a' })).text).toBe(added.text);
  expect(await told('/customers', { ...njeri, name: 'Another' })).toBe('409 exists');
  expect(await told('/customers', { name: ' ' })).toBe('400 not-valid');
  expect(await told('/customers', { name: 'x\u0000' })).toBe('400 not-valid');
  expect((await api.get('/customers', token)).json.data).toHaveLength(2);
});

test('an invoice is issued once, paid by what was paid ahead, and made void', async () => {
  await house.hook('c2b/confirmation', confirmation({ TransAmount: '6600' }));
  await house.drain();
  const shoes = {
    customer: 'CUST-001',
    total: 250.5,
    currency: 'KES',
    description: 'school shoes',
  };
  const issued = await api.post('/invoices', token, shoes, { key: 'a' });
  expect([issued.status, issued.json]).toMatchObject([
    201,
    {
      customer: 'CUST-001',
      total: 250.5,
      outstanding: 150.5,
      status: 'PARTIALLY_PAID',
      description: 'school shoes',
      voided_at: null,
      paid_by: [{ receipt: null, amount: 100, reversed_at: null }],
    },
  ]);
  const { number } = issued.json;
  expect((await api.post('/invoices', token, shoes, { key: 'a' })).text).toBe(issued.text);
  expect((await api.get(`/invoices/${number}`, token)).json).toEqual(issued.json);
  const gone = await api.post(`/invoices/${number}/void`, token, { reason: 'sent twice' });
  expect(gone.json).toMatchObject({
    status: 'VOID',
    outstanding: 0,
    void_reason: 'sent twice',
    paid_by: [{ receipt: null, amount: 100, reversed_at: expect.any(String) }],
  });
  expect(await told(`/invoices/${number}/void`, { reason: 'again' })).toBe('409 void');
  expect((await api.get('/invoices?status=VOID', token)).json.data).toHaveLength(1);
  expect((await api.get('/customers/CUST-001', token)).json).toMatchObject({
    owed: 0,
    credit: 100,
  });
  const statement = (await api.get('/customers/CUST-001/statement', token)).json;
  expect([statement.invoiced, statement.paid, statement.closing_balance]).toEqual([
    6500, 6600, -100,
  ]);
});

test('an invoice that cannot be, is not', async () => {
  const shoes = { customer: 'CUST-001', total: 100 };
  expect(await told('/invoices', { ...shoes, customer: 'CUST-009' })).toBe('422 no-such-customer');
  expect(await told('/invoices', { ...shoes, due_on: '2020-01-01' })).toBe('422 too-early');
  expect(await told('/invoices', { ...shoes, total: 10_000_000 })).toBe('400 not-valid');
  expect(await told('/invoices', { ...shoes, total: 0.001 })).toBe('400 not-valid');
  expect(await told('/invoices/INV-20260203-0099/void', { reason: 'x' })).toBe('404 not-found');
  expect(await told('/invoices/INV-20260203-0001/void', {})).toBe('400 not-valid');
  await house.hook('c2b/confirmation', confirmation({ TransAmount: '10' }));
  await house.drain();
  expect(await told('/invoices/INV-20260203-0001/void', { reason: 'x' })).toBe('409 partly-paid');
  expect((await api.get('/invoices', token)).json.data).toHaveLength(2);
});
