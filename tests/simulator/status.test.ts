import { expect, onTestFinished, test } from 'vitest';
import { openWorld } from './world.ts';

// Transaction Status, as Daraja has it: acknowledged at once, answered at the address given.

async function newWorld() {
  const world = await openWorld();
  onTestFinished(() => world.close());
  const token = await world.token();
  const ask = (change: object) =>
    world.post(
      '/mpesa/transactionstatus/v1/query',
      {
        Initiator: 'api',
        SecurityCredential: btoa('a password'),
        CommandID: 'TransactionStatusQuery',
        PartyA: 600000,
        IdentifierType: '4',
        ResultURL: `${world.app.url}/status/result/token`,
        QueueTimeOutURL: `${world.app.url}/status/timeout/token`,
        Remarks: 'Status',
        ...change,
      },
      token,
    );
  let heard = 0;
  const result = async (change: object) => {
    const { json } = await ask(change);
    heard += 1;
    const it = (await world.app.hears(heard)).at(-1)!;
    expect(it.path).toBe('/status/result/token');
    return { ack: json, Result: JSON.parse(it.body).Result };
  };
  return { ...world, ask, result };
}

test('a payment is told with a key that is there twice, and keys without a value', async () => {
  const world = await newWorld();
  const receipt = await world.pay({ amount: 700 });
  const { ack, Result } = await world.result({ TransactionID: receipt });
  expect(ack).toMatchObject({ ResponseCode: '0', ConversationID: Result.ConversationID });
  expect(Result).toMatchObject({ ResultType: 0, ResultCode: 0, TransactionID: receipt });
  const parameters: { Key: string; Value?: string | number }[] =
    Result.ResultParameters.ResultParameter;
  expect(parameters.filter(({ Key }) => Key === 'DebitPartyName')).toEqual([
    { Key: 'DebitPartyName', Value: '254700000004 - Kamau' },
    { Key: 'DebitPartyName', Value: '600000 - Shortcode 600000' },
  ]);
  expect(parameters).toContainEqual({ Key: 'TransactionReason' });
  expect(parameters).toContainEqual({ Key: 'ReceiptNo', Value: receipt });
  expect(parameters).toContainEqual({ Key: 'TransactionStatus', Value: 'Completed' });
});

test('amounts and times are now text, now numbers', async () => {
  const world = await newWorld();
  const types = new Set<string>();
  for (let n = 0; n < 2; n += 1) {
    const { Result } = await world.result({ TransactionID: await world.pay({ amount: 700 }) });
    const parameters = Result.ResultParameters.ResultParameter;
    const valueOf = (key: string) =>
      parameters.find((it: { Key: string }) => it.Key === key)?.Value;
    expect(Number(valueOf('Amount'))).toBe(700);
    expect(String(valueOf('FinalisedTime'))).toMatch(/^20\d{12}$/);
    types.add(`${typeof valueOf('Amount')} ${typeof valueOf('FinalisedTime')}`);
  }
  expect([...types].sort()).toEqual(['number number', 'string string']);
});

test.each([
  ['a receipt that nobody has', { TransactionID: 'TKL0000000' }, 2032],
  ['neither a receipt nor a conversation', {}, 25],
  ['a credential that is none', { TransactionID: 'X', SecurityCredential: 'password!' }, 2001],
])('of %s it says so in the result alone', async (_, change, code) => {
  const world = await newWorld();
  const { ack, Result } = await world.result(change);
  expect(ack.ResponseCode).toBe('0');
  expect(Result.ResultCode).toBe(code);
  expect(Result).not.toHaveProperty('ResultParameters');
  expect(Result.ReferenceData).toEqual({ ReferenceItem: { Key: 'Occasion' } });
});

test('a payment of another shortcode does not exist', async () => {
  const world = await newWorld();
  const receipt = await world.pay({ shortcode: '600100' });
  expect((await world.result({ TransactionID: receipt })).Result.ResultCode).toBe(2032);
});

test('a wrong field is named; what meets a fault is refused, or its answer lost', async () => {
  const world = await newWorld();
  expect((await world.ask({ CommandID: 'Status' })).json.errorMessage).toBe(
    'Bad Request - Invalid CommandID',
  );
  await world.post('/sim/faults', { refuse: 1 });
  expect((await world.ask({ TransactionID: 'X' })).json.errorCode).toBe('500.003.02');
  // It is answered all the same.
  await world.post('/sim/faults', { lost_response: 1 });
  await expect(world.ask({ TransactionID: 'TKL0000000' })).rejects.toThrow();
  expect((await world.app.hears(1))[0]!.path).toBe('/status/result/token');
  await world.post('/sim/faults', { drop: 1 });
  expect((await world.ask({ TransactionID: 'TKL0000000' })).json.ResponseCode).toBe('0');
  expect(world.app.received).toHaveLength(1);
});
