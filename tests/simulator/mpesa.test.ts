import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Hono } from 'hono';
import { no_faults, strikes } from '../../src/simulator/faults.ts';
import { expect, onTestFinished, test } from 'vitest';
import { msisdnHash } from '../../src/base/phone.ts';
import { C2bConfirmation } from '../../src/daraja/payloads.ts';
import { openSimulator } from '../../src/simulator/simulator.ts';
import { hook_secret, openWorld, type Received } from './world.ts';

async function newWorld(answer?: (it: Received) => { status: number }) {
  const world = await openWorld(answer);
  onTestFinished(() => world.close());
  return world;
}

const receiptsOf = (received: Received[]) => received.map((it) => JSON.parse(it.body).TransID);

test('a payment under v2 reaches the registered address with a masked number', async () => {
  const world = await newWorld();
  expect((await world.register('v2')).json).toEqual({
    OriginatorCoversationID: expect.any(String),
    ResponseCode: '0',
    ResponseDescription: 'Success',
  });
  const receipt = await world.pay({ account: 'inv 20260203-0001' });
  expect(receipt).toMatch(/^[A-Z]{2}[0-9A-V][0-9A-Z]{7}$/);
  const [callback] = await world.app.hears(1);
  expect(callback?.path).toBe('/confirmation');
  const body = JSON.parse(callback?.body ?? '');
  expect(body).toEqual({
    TransactionType: 'Pay Bill',
    TransID: receipt,
    TransTime: expect.stringMatching(/^\d{14}$/),
    TransAmount: '500.00',
    BusinessShortCode: '600000',
    BillRefNumber: 'inv 20260203-0001',
    InvoiceNumber: null,
    OrgAccountBalance: '500.00',
    ThirdPartyTransID: null,
    MSISDN: '2547 ***** 004',
    FirstName: 'Kamau',
  });
  expect(C2bConfirmation.parse(body)).toMatchObject({ receipt, amount_cents: 50_000n });
});

test('a payment under v1 shows a hash, and one may ask for another form', async () => {
  const world = await newWorld();
  await world.register('v1');
  await world.pay();
  await world.app.hears(1);
  await world.pay({ msisdn: 'clear', phone: '254111222333' });
  const bodies = (await world.app.hears(2)).map((it) => JSON.parse(it.body));
  expect(bodies[0]).toMatchObject({
    MSISDN: msisdnHash('254700000004'),
    InvoiceNumber: '',
    FirstName: 'Kamau',
    LastName: '',
  });
  expect(bodies[1]).toMatchObject({ MSISDN: '254111222333', FirstName: '' });
});

test('a payment at the till has no account', async () => {
  const world = await newWorld();
  await world.register('v2', '600001');
  await world.pay({ shortcode: '600001', account: 'typed' });
  const [callback] = await world.app.hears(1);
  expect(JSON.parse(callback?.body ?? '')).toMatchObject({
    TransactionType: 'Customer Merchant Payment',
    BillRefNumber: '',
    OrgAccountBalance: '500.00',
  });
});

test('a payment that M-Pesa would refuse is refused and moves nothing', async () => {
  const world = await newWorld();
  const refused = [
    { amount: 0 },
    { amount: -5 },
    { amount: 10.5 },
    { amount: 250_001 },
    { amount: '1e3' },
    { amount: null },
    { amount: 100_001 },
    { phone: '12345' },
    { shortcode: '999999' },
    { shortcode: '600002' },
    { account: 'x'.repeat(101) },
    { msisdn: 'secret' },
  ];
  for (const wrong of refused) {
    const order = { phone: '254700000004', amount: 500, account: 'A', ...wrong };
    const { status, json } = await world.post('/sim/mpesa/pay', order);
    expect([wrong, status, typeof json.error]).toEqual([wrong, 400, 'string']);
  }
  for (const body of ['{', '[]', 'null', '"x"'])
    expect((await world.post('/sim/mpesa/pay', body)).status).toBe(400);
  expect((await world.post('/sim/mpesa/pay', 'x'.repeat(70_000))).status).toBe(413);
  expect((await world.get('/sim/mpesa/transactions')).json).toEqual([]);
});

test('payments at once never take more than the phone has', async () => {
  const world = await newWorld();
  const answers = await Promise.all(
    Array.from({ length: 5 }, () =>
      world.post('/sim/mpesa/pay', { phone: '0700000004', amount: '40000', account: 'A' }),
    ),
  );
  expect(answers.filter((it) => it.status === 200)).toHaveLength(2);
  expect(answers.filter((it) => it.status === 400)).toHaveLength(3);
  const accounts: { holder: string; account: string; balance: number }[] = (
    await world.get('/sim/mpesa/accounts')
  ).json;
  expect(accounts).toContainEqual({ holder: '600000', account: 'Utility', balance: 80_000 });
  expect(accounts).toContainEqual({ holder: '254700000004', account: 'M-Pesa', balance: 20_000 });
});

test('what was not answered 200 is sent again on request, and nothing else', async () => {
  let status = 200;
  const world = await newWorld(() => ({ status }));
  await world.register('v2');
  const answered = await world.pay();
  await world.app.hears(1);
  status = 503;
  const unanswered = [await world.pay(), await world.pay()];
  await world.app.hears(3);
  status = 200;
  expect((await world.post('/sim/mpesa/redeliver', {})).json).toEqual({ sent: 2, delivered: 2 });
  const again = world.app.received.slice(3);
  expect(new Set(receiptsOf(again))).toEqual(new Set(unanswered));
  expect(world.app.received.slice(1, 3).map((it) => it.body)).toContain(again[0]?.body);
  expect((await world.post('/sim/mpesa/redeliver', '')).json).toEqual({ sent: 0, delivered: 0 });
  const body = { receipt: answered };
  expect((await world.post('/sim/mpesa/redeliver', body)).json.sent).toBe(0);
  const unknown = await world.post('/sim/mpesa/redeliver', { receipt: 'TKL0000000' });
  expect(unknown.status).toBe(404);
});

test('redelivering while the first confirmation is under way does not double it', async () => {
  const world = await newWorld();
  await world.register('v2');
  await world.pay();
  expect((await world.post('/sim/mpesa/redeliver', {})).json).toEqual({ sent: 0, delivered: 0 });
  expect(world.app.received).toHaveLength(1);
});

test('a payment to a shortcode without an address completes in silence', async () => {
  const world = await newWorld();
  const receipt = await world.pay();
  expect((await world.post('/sim/mpesa/redeliver', {})).json).toEqual({ sent: 0, delivered: 0 });
  expect((await world.get('/sim/mpesa/transactions')).json).toEqual([
    {
      receipt,
      kind: 'paybill',
      amount: 500,
      from: '254700000004',
      to: '600000',
      account: 'INV-1',
      at: expect.stringMatching(/Z$/),
      state: 'completed',
      delivered: false,
    },
  ]);
});

test('the same seed drops the same callbacks', async () => {
  const world = await newWorld();
  await world.register('v2');
  const delivered = async () => {
    const known: { delivered: boolean }[] = (await world.get('/sim/mpesa/transactions')).json;
    return known.filter((it) => it.delivered).length;
  };
  const droppedOfTwenty = async () => {
    await world.post('/sim/reset', '');
    await world.post('/sim/faults', { drop: 0.5, seed: 7 });
    const receipts: string[] = [];
    for (let n = 0; n < 20; n += 1) receipts.push(await world.pay());
    const rolls = Array.from({ length: 20 }, (_, n) => ({ kind: 'payment' as const, n }));
    const kept = rolls.filter(
      (roll) => !strikes({ ...no_faults, drop: 0.5, seed: 7 }, 'drop', roll),
    );
    while ((await delivered()) < kept.length);
    const { sent } = (await world.post('/sim/mpesa/redeliver', {})).json;
    const dropped = new Set(receiptsOf(world.app.received.slice(-sent)));
    return receipts.map((receipt) => dropped.has(receipt));
  };
  const dropped = await droppedOfTwenty();
  expect(new Set(dropped).size).toBe(2);
  expect(await droppedOfTwenty()).toEqual(dropped);
  expect(await delivered()).toBe(20);
});

test('a duplicate is the same bytes twice', async () => {
  const world = await newWorld();
  await world.register('v2');
  await world.post('/sim/faults', { duplicate: 1, seed: 'any' });
  await world.pay();
  const [one, two] = await world.app.hears(2);
  expect(one?.body).toBe(two?.body);
});

test('faults that are unknown or out of range are refused by name', async () => {
  const world = await newWorld();
  for (const body of [{ drop: 2 }, { drop: -1 }, { drop: '1' }, { seed: {} }])
    expect((await world.post('/sim/faults', body)).status).toBe(400);
  const { status, json } = await world.post('/sim/faults', { rain: 5 });
  expect(status).toBe(400);
  expect(json.error).toContain('rain');
  expect(json.error).toContain('drop, duplicate, delay_ms, reorder, lost_response, refuse, seed');
});

test('the truth survives a restart, and receipts go on', async () => {
  const world = await newWorld(() => ({ status: 500 }));
  await world.register('v1');
  await world.post('/sim/faults', { drop: 1, seed: 3 });
  const receipts = [await world.pay(), await world.pay({ name: 'Jane Wanjiku Doe' })];
  const before = (await world.get('/sim/mpesa/transactions')).json;
  const accounts = (await world.get('/sim/mpesa/accounts')).json;
  await world.reopen();
  expect((await world.get('/sim/mpesa/transactions')).json).toEqual(before);
  expect((await world.get('/sim/mpesa/accounts')).json).toEqual(accounts);
  receipts.push(await world.pay());
  expect(new Set(receipts).size).toBe(3);
  world.app.answer = () => ({ status: 200 });
  await world.reopen();
  expect((await world.post('/sim/mpesa/redeliver', {})).json).toEqual({ sent: 3, delivered: 3 });
  const names = world.app.received.map((it) => JSON.parse(it.body).LastName);
  expect(names.filter((name) => name === 'Doe')).toHaveLength(1);
});

test('a torn last line is left out, and a spoilt file stops the start', async () => {
  const world = await newWorld();
  const receipt = await world.pay();
  const file = join(world.data_dir, 'simulator.jsonl');
  const whole = await readFile(file, 'utf8');
  await writeFile(file, `${whole}{"kind":"paid","transac`);
  await world.reopen();
  expect((await world.get('/sim/mpesa/transactions')).json).toMatchObject([{ receipt }]);
  await writeFile(file, `{"kind":\n${whole}`);
  await expect(world.reopen()).rejects.toThrow(/Line 1 of .* cannot be read/);
});

test('a reset empties the accounts and keeps the registered addresses', async () => {
  const world = await newWorld();
  await world.register('v2');
  const first = await world.pay();
  await world.app.hears(1);
  expect((await world.post('/sim/reset', '')).status).toBe(200);
  expect((await world.get('/sim/mpesa/transactions')).json).toEqual([]);
  expect(await world.pay()).not.toBe(first);
  await world.app.hears(2);
});

test('a payment that was answered is on file at that moment', async () => {
  const world = await newWorld();
  const receipts = await Promise.all(Array.from({ length: 50 }, () => world.pay({ amount: 1 })));
  const data_dir = await mkdtemp(join(tmpdir(), 'karani-simulator-'));
  onTestFinished(() => rm(data_dir, { recursive: true, force: true }));
  await cp(world.data_dir, data_dir, { recursive: true });
  const simulator = await openSimulator({ data_dir, app_url: 'http://x', hook_secret });
  onTestFinished(() => simulator.close());
  const response = await simulator.routes.request('/sim/mpesa/transactions');
  const kept = JSON.parse(await response.text());
  expect(new Set(kept.map((it: { receipt: string }) => it.receipt))).toEqual(new Set(receipts));
});

test("mounted in the app's server it claims none of the app's paths", async () => {
  const data_dir = await mkdtemp(join(tmpdir(), 'karani-simulator-'));
  onTestFinished(() => rm(data_dir, { recursive: true, force: true }));
  const simulator = await openSimulator({ data_dir, app_url: () => undefined, hook_secret });
  onTestFinished(() => simulator.close());
  const server = new Hono().route('/', simulator.routes);
  server.get('/', (c) => c.text('app'));
  server.notFound((c) => c.text('app has no such page', 404));
  expect(await (await server.request('/')).text()).toBe('app');
  for (const path of ['/api/v1/messages', '/hooks/x/whatsapp', '/sim', '/v1.0/x'])
    expect(await (await server.request(path, { method: 'POST' })).text()).toContain('app has no');
  const refused = await server.request('/sim/mpesa/pay', { method: 'POST', body: '{}' });
  expect(refused.status).toBe(400);
  expect(JSON.parse(await refused.text()).error).toMatch(/^phone: /);
});

test('another site that is open in the same browser cannot pay here', async () => {
  const world = await newWorld();
  const order = { phone: '0700000004', amount: 500, account: 'INV-1' };
  const { status } = await world.post('/sim/mpesa/pay', order, { 'sec-fetch-site': 'cross-site' });
  expect(status).toBe(403);
  expect((await world.get('/sim/mpesa/transactions')).json).toEqual([]);
});
