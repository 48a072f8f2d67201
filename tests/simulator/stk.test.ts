import { expect, onTestFinished, test } from 'vitest';
import { toDarajaTime } from '../../src/base/clock.ts';
import { openWorld, type Received } from './world.ts';

// A prompt on a phone, as Daraja's STK push has it: asked for, answered, told of, asked about.

const kamau = '254700000004';
const at = toDarajaTime(new Date());
const password = (shortcode: string, passkey = 'a-passkey') => btoa(`${shortcode}${passkey}${at}`);

async function newWorld() {
  const world = await openWorld();
  onTestFinished(() => world.close());
  await world.register('v2');
  const token = await world.token();
  const push = (change: Record<string, unknown> = {}) =>
    world.post(
      '/mpesa/stkpush/v1/processrequest',
      {
        BusinessShortCode: 600000,
        Password: password('600000'),
        Timestamp: at,
        TransactionType: 'CustomerPayBillOnline',
        Amount: 500,
        PartyA: Number(kamau),
        PartyB: 600000,
        PhoneNumber: Number(kamau),
        CallBackURL: `${world.app.url}/stk/token`,
        AccountReference: 'P7K2M9',
        TransactionDesc: 'INV-1',
        ...change,
      },
      token,
    );
  const query = (id: string) =>
    world.post(
      '/mpesa/stkpushquery/v1/query',
      {
        BusinessShortCode: '600000',
        Password: password('600000'),
        Timestamp: at,
        CheckoutRequestID: id,
      },
      token,
    );
  const answer = (id: string, what: string) =>
    world.post(`/sim/mpesa/prompts/${id}`, { answer: what });
  const open = async () => (await world.get(`/sim/mpesa/prompts?phone=${kamau}`)).json;
  return { ...world, push, query, answer, open };
}

const ended = (received: Received[]) =>
  received
    .filter((it) => it.path === '/stk/token')
    .map((it) => JSON.parse(it.body).Body.stkCallback);

test('a prompt stands on the phone; with the PIN its money moves, and both callbacks tell of it', async () => {
  const world = await newWorld();
  const { status, json } = await world.push();
  expect([status, json]).toEqual([
    200,
    {
      MerchantRequestID: expect.any(String),
      CheckoutRequestID: expect.stringMatching(/^ws_CO_\d{14,}$/),
      ResponseCode: '0',
      ResponseDescription: expect.any(String),
      CustomerMessage: expect.any(String),
    },
  ]);
  const id = json.CheckoutRequestID;
  expect(await world.open()).toEqual([
    {
      id,
      phone: kamau,
      amount: 500,
      shortcode: '600000',
      account: 'P7K2M9',
      at: expect.any(String),
    },
  ]);
  const { receipt } = (await world.answer(id, 'pin')).json;
  const received = await world.app.hears(2);
  const confirmation = received.find((it) => it.path === '/confirmation');
  expect(JSON.parse(confirmation?.body ?? '')).toMatchObject({
    TransID: receipt,
    TransAmount: '500.00',
    BillRefNumber: 'P7K2M9',
  });
  const [callback] = ended(received);
  expect(callback).toMatchObject({ CheckoutRequestID: id, ResultCode: 0 });
  expect(callback.CallbackMetadata.Item).toEqual([
    { Name: 'Amount', Value: 500 },
    { Name: 'MpesaReceiptNumber', Value: receipt },
    { Name: 'Balance' },
    { Name: 'TransactionDate', Value: expect.any(Number) },
    { Name: 'PhoneNumber', Value: Number(kamau) },
  ]);
  // Asked about, it says neither the amount nor the receipt.
  expect((await world.query(id)).json).toEqual({
    ResponseCode: '0',
    ResponseDescription: expect.any(String),
    MerchantRequestID: json.MerchantRequestID,
    CheckoutRequestID: id,
    ResultCode: '0',
    ResultDesc: expect.any(String),
  });
  expect(await world.open()).toEqual([]);
});

test.each([
  ['cancel', 1032],
  ['timeout', 1037],
  ['wrong_pin', 2001],
  ['insufficient', 1],
])('a prompt that ends by %s says %i and nothing of a payment', async (what, code) => {
  const world = await newWorld();
  const id = (await world.push()).json.CheckoutRequestID;
  expect((await world.answer(id, what)).json).toEqual({ result_code: String(code) });
  const [callback] = ended(await world.app.hears(1));
  expect(callback.ResultCode).toBe(code);
  expect(callback).not.toHaveProperty('CallbackMetadata');
  expect((await world.query(id)).json.ResultCode).toBe(String(code));
  expect((await world.get('/sim/mpesa/transactions')).json).toEqual([]);
  const again = await world.answer(id, 'pin');
  expect([again.status, again.json.error]).toEqual([400, expect.stringContaining(String(code))]);
});

test('a phone shows one prompt at a time, and what is not over is being processed', async () => {
  const world = await newWorld();
  const id = (await world.push()).json.CheckoutRequestID;
  expect(await world.push({ Amount: 600 })).toMatchObject({
    status: 500,
    json: { errorCode: '500.001.1001', errorMessage: expect.stringMatching(/^Unable to lock/) },
  });
  expect(await world.query(id)).toMatchObject({
    status: 500,
    json: { errorCode: '500.001.1001', errorMessage: 'The transaction is being processed' },
  });
  expect(await world.query('ws_CO_nobody')).toMatchObject({
    status: 500,
    json: { errorMessage: 'The transaction does not Exist' },
  });
});

test('a request that Daraja would not take names its first wrong field, or the password', async () => {
  const world = await newWorld();
  for (const [field, value] of [
    ['BusinessShortCode', 111111],
    ['Timestamp', '2026'],
    ['TransactionType', 'CustomerPayBill'],
    ['Amount', '10.50'],
    ['Amount', 0],
    ['PhoneNumber', '0511'],
    ['CallBackURL', 'https://karani.example/mpesa/in'],
    ['AccountReference', 'INV-20260203-0001'],
    ['TransactionDesc', 'fourteen signs'],
  ] as const) {
    expect((await world.push({ [field]: value })).json).toMatchObject({
      errorCode: '400.002.02',
      errorMessage: `Bad Request - Invalid ${field}`,
    });
  }
  for (const Password of ['', btoa(`600000${at}`), password('600001')]) {
    const { json } = await world.push({ Password });
    expect(json).toMatchObject({ errorCode: '500.001.1001', errorMessage: 'Wrong credentials' });
  }
  expect(await world.open()).toEqual([]);
});

test('a till is paid as goods; what does not fit its shortcode reaches no phone', async () => {
  const world = await newWorld();
  const till = { BusinessShortCode: '600001', Password: password('600001'), PartyB: '600001' };
  await world.push(till);
  expect(await world.open()).toEqual([]);
  expect(ended(await world.app.hears(1))[0].ResultCode).toBe(2028);
  const goods = { ...till, TransactionType: 'CustomerBuyGoodsOnline' };
  const id = (await world.push(goods)).json.CheckoutRequestID;
  await world.answer(id, 'pin');
  const [transaction] = (await world.get('/sim/mpesa/transactions')).json;
  expect(transaction).toMatchObject({ kind: 'till', to: '600001', account: '' });
});

test('the same amount to the same shop within two minutes is not taken again', async () => {
  const world = await newWorld();
  await world.answer((await world.push()).json.CheckoutRequestID, 'pin');
  const again = (await world.push()).json.CheckoutRequestID;
  expect((await world.answer(again, 'pin')).json).toEqual({ result_code: '17' });
  const more = (await world.push({ Amount: 501 })).json.CheckoutRequestID;
  expect((await world.answer(more, 'pin')).json).toMatchObject({ result_code: '0' });
});

test('a PIN that is sent twice at once pays once, and a restart later it is paid', async () => {
  const world = await newWorld();
  const id = (await world.push()).json.CheckoutRequestID;
  const answers = await Promise.all([world.answer(id, 'pin'), world.answer(id, 'pin')]);
  expect(answers.map((it) => it.status).toSorted()).toEqual([200, 400]);
  await world.reopen();
  expect((await world.get('/sim/mpesa/transactions')).json).toHaveLength(1);
  expect((await world.answer(id, 'pin')).status).toBe(400);
});

test('a prompt outlives a restart', async () => {
  const world = await newWorld();
  const id = (await world.push()).json.CheckoutRequestID;
  await world.reopen();
  expect((await world.open())[0]).toMatchObject({ id, amount: 500 });
  expect((await world.answer(id, 'pin')).json).toMatchObject({ result_code: '0' });
  await world.reopen();
  expect(await world.open()).toEqual([]);
});

test('a refused request shows nothing; one whose answer is lost stands on the phone', async () => {
  const world = await newWorld();
  await world.post('/sim/faults', { refuse: 1 });
  expect((await world.push()).json.errorCode).toBe('500.003.02');
  expect(await world.open()).toEqual([]);
  await world.post('/sim/faults', { lost_response: 1 });
  await expect(world.push()).rejects.toThrow();
  const [prompt] = await world.open();
  expect((await world.answer(prompt.id, 'pin')).json).toMatchObject({ result_code: '0' });
  expect(ended(await world.app.hears(2))[0].CheckoutRequestID).toBe(prompt.id);
});

test('callbacks can be lost, doubled, and overtake each other', async () => {
  const world = await newWorld();
  const cancelled = async () => {
    const id = (await world.push()).json.CheckoutRequestID;
    await world.answer(id, 'cancel');
    return id;
  };
  await world.post('/sim/faults', { drop: 1 });
  await cancelled();
  await world.post('/sim/faults', { duplicate: 1, delay_ms: 5 });
  const doubled = await cancelled();
  const [one, two] = ended(await world.app.hears(2));
  expect([one.CheckoutRequestID, two.CheckoutRequestID]).toEqual([doubled, doubled]);
  await world.post('/sim/faults', { reorder: 1 });
  const held = await cancelled();
  await world.post('/sim/faults', {});
  const next = await cancelled();
  const order = ended(await world.app.hears(4)).map((it) => it.CheckoutRequestID);
  expect(order.slice(2)).toEqual([next, held]);
});
