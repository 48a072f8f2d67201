import { expect, onTestFinished, test } from 'vitest';
import { toDarajaTime } from '../../src/base/clock.ts';
import { openWorld } from './world.ts';

// Pull Transactions, as Daraja has it: what a shortcode was paid, whether it was called back or not.

const hour_ms = 3_600_000;

function written(at: Date): string {
  const [, y, mo, d, h, mi, s] = /^(....)(..)(..)(..)(..)(..)$/.exec(toDarajaTime(at))!;
  return `${y}-${mo}-${d} ${h}:${mi}:${s}`;
}

async function newWorld() {
  const world = await openWorld();
  onTestFinished(() => world.close());
  await world.register('v1');
  const token = await world.token();
  const register = (change: object = {}) =>
    world.post(
      '/pulltransactions/v1/register',
      {
        ShortCode: '600000',
        RequestType: 'Pull',
        NominatedNumber: '0722000000',
        CallBackURL: `${world.app.url}/pull`,
        ...change,
      },
      token,
    );
  const pull = (change: object = {}) =>
    world.post(
      '/pulltransactions/v1/query',
      {
        ShortCode: '600000',
        StartDate: written(new Date(Date.now() - 2 * hour_ms)),
        EndDate: written(new Date()),
        OffSetValue: '0',
        ...change,
      },
      token,
    );
  return { ...world, registerPull: register, pull };
}

test('a shortcode is registered once, and says so again in other words', async () => {
  const world = await newWorld();
  expect((await world.registerPull()).json).toMatchObject({
    ResponseStatus: '1000',
    ShortCode: '600000',
  });
  const again = (await world.registerPull()).json;
  expect(again).toMatchObject({ 'Response Status': '1001', ShortCode: '600000' });
  expect(again).not.toHaveProperty('ResponseStatus');
  // It is the shortcode's own setting: neither a reset nor a restart undoes it.
  await world.post('/sim/reset', {});
  await world.reopen();
  const token = await world.token();
  const body = {
    ShortCode: '600000',
    StartDate: written(new Date(Date.now() - hour_ms)),
    EndDate: written(new Date()),
    OffSetValue: 0,
  };
  expect((await world.post('/pulltransactions/v1/query', body, token)).json.ResponseCode).toBe(
    '1001',
  );
});

test('what was never called back is there, in a list of a list, an amount as text and a number as one', async () => {
  const world = await newWorld();
  await world.registerPull();
  await world.post('/sim/faults', { drop: 1 });
  const receipt = await world.pay({ account: 'inv 1', amount: 168 });
  const { status, json } = await world.pull();
  expect(status).toBe(200);
  expect(json).toEqual({
    ResponseRefID: expect.any(String),
    ResponseCode: '1000',
    ResponseMessage: 'Success',
    Response: [
      [
        {
          transactionId: receipt,
          trxDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
          msisdn: 254700000004,
          sender: 'Kamau',
          transactiontype: 'c2b-pay-bill-debit',
          billreference: 'inv 1',
          amount: '168.00',
          organizationname: expect.any(String),
        },
      ],
    ],
  });
  const [[{ trxDate }]] = json.Response;
  expect(Math.abs(Date.parse(trxDate) - Date.now())).toBeLessThan(60_000);
});

test('where there is nothing there is no list, and nothing of another shortcode', async () => {
  const world = await newWorld();
  await world.registerPull();
  await world.pay({ shortcode: '600100' });
  const { json } = await world.pull();
  expect(json.ResponseCode).toBe('1001');
  expect(json).not.toHaveProperty('Response');
});

test('a list is read a hundred at a time, from the newest on', async () => {
  const world = await newWorld();
  await world.registerPull();
  const receipts: string[] = [];
  for (let n = 0; n < 103; n += 1) receipts.push(await world.pay({ amount: 1 }));
  const first = (await world.pull()).json.Response.flat();
  const second = (await world.pull({ OffSetValue: 100 })).json.Response.flat();
  expect((await world.pull({ OffSetValue: 103 })).json.ResponseCode).toBe('1001');
  expect([...first, ...second].map((it) => it.transactionId)).toEqual(receipts.toReversed());
  expect(first).toHaveLength(100);
});

test('only a registered shortcode is answered, with a good token and a whole question', async () => {
  const world = await newWorld();
  expect(await world.pull()).toMatchObject({ status: 400, json: { errorCode: '400.001' } });
  await world.registerPull();
  expect((await world.pull({ StartDate: '20260320101500' })).json).toMatchObject({
    errorMessage: 'Bad Request - Invalid StartDate',
  });
  expect((await world.registerPull({ RequestType: 'pull' })).json).toMatchObject({
    errorMessage: 'Bad Request - Invalid RequestType',
  });
  const wrong = { authorization: 'Bearer none' };
  expect((await world.post('/pulltransactions/v1/query', {}, wrong)).status).toBe(404);
  await world.post('/sim/faults', { refuse: 1 });
  expect((await world.pull()).json.errorCode).toBe('500.003.02');
  await world.post('/sim/faults', { lost_response: 1 });
  await expect(world.pull()).rejects.toThrow();
});
