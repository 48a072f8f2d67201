import { expect, onTestFinished, test } from 'vitest';
import { openWorld } from './world.ts';

async function newWorld() {
  const world = await openWorld();
  onTestFinished(() => world.close());
  return world;
}

const basic = `Basic ${Buffer.from('key:secret').toString('base64')}`;

test('a token lasts "3599" seconds, as text', async () => {
  const world = await newWorld();
  const { status, json } = await world.get('/oauth/v1/generate?grant_type=client_credentials', {
    authorization: basic,
  });
  expect(status).toBe(200);
  expect(json).toEqual({ access_token: expect.any(String), expires_in: '3599' });
});

test('a token is refused without a key and secret, and without the grant type', async () => {
  const world = await newWorld();
  const grant = '/oauth/v1/generate?grant_type=client_credentials';
  for (const authorization of ['', 'Basic', 'Basic !!!', 'Bearer x', `Basic ${btoa('key:')}`]) {
    const { status, json } = await world.get(grant, { authorization });
    expect([status, json.errorCode]).toEqual([400, '400.008.01']);
  }
  const { status, json } = await world.get('/oauth/v1/generate', { authorization: basic });
  expect([status, json.errorCode]).toEqual([400, '400.008.02']);
});

test("a new token ends the previous one of its key, and nobody else's", async () => {
  const world = await newWorld();
  const [first, other] = [await world.token('one'), await world.token('two')];
  const second = await world.token('one');
  const body = {
    ShortCode: 600000,
    ResponseType: 'Completed',
    ConfirmationURL: world.app.url,
    ValidationURL: world.app.url,
  };
  const register = (headers: Record<string, string>) =>
    world.post('/mpesa/c2b/v2/registerurl', body, headers);
  expect(await register(first)).toMatchObject({
    status: 404,
    json: { errorCode: '404.001.03', errorMessage: 'Invalid Access Token' },
  });
  expect((await register({})).status).toBe(404);
  expect((await register(other)).status).toBe(200);
  expect((await register(second)).status).toBe(200);
});

test('a registration that Daraja would not take names its first wrong field', async () => {
  const world = await newWorld();
  const headers = await world.token();
  const good = {
    ShortCode: '600000',
    ResponseType: 'Completed',
    ConfirmationURL: 'https://karani.example/hooks/abc/c2b/confirmation',
    ValidationURL: 'https://karani.example/hooks/abc/c2b/validation',
  };
  const cases: [Record<string, unknown>, string][] = [
    [{ ShortCode: '111111' }, 'ShortCode'],
    [{ ResponseType: 'completed' }, 'ResponseType'],
    [{ ConfirmationURL: 'https://karani.example/mpesa/in' }, 'ConfirmationURL'],
    [{ ConfirmationURL: 'https://karani.example/hooks/xCmDx/c2b' }, 'ConfirmationURL'],
    [{ ConfirmationURL: 'ftp://karani.example/' }, 'ConfirmationURL'],
    [{ ValidationURL: 'https://karani.example/execute' }, 'ValidationURL'],
  ];
  for (const [wrong, field] of cases) {
    const { status, json } = await world.post(
      '/mpesa/c2b/v1/registerurl',
      { ...good, ...wrong },
      headers,
    );
    expect([status, json.errorCode]).toEqual([400, '400.002.02']);
    expect(json.errorMessage).toBe(`Bad Request - Invalid ${field}`);
  }
  const text = { ...headers, 'content-type': 'text/plain' };
  const untyped = await world.post('/mpesa/c2b/v1/registerurl', good, text);
  expect(untyped.json.errorMessage).toBe('Bad Request - Invalid ShortCode');
  const malformed = await world.post('/mpesa/c2b/v1/registerurl', '{', headers);
  expect(malformed.json.errorCode).toBe('400.002.05');
});

test('a simulated payment is confirmed like any other', async () => {
  const world = await newWorld();
  await world.register('v1');
  const body = {
    ShortCode: 600000,
    CommandID: 'CustomerPayBillOnline',
    Amount: '10',
    Msisdn: 254708374149,
    BillRefNumber: null,
  };
  const headers = await world.token();
  const { json } = await world.post('/mpesa/c2b/v1/simulate', body, headers);
  expect(json.ResponseCode).toBe('0');
  const [callback] = await world.app.hears(1);
  expect(JSON.parse(callback?.body ?? '')).toMatchObject({
    TransAmount: '10.00',
    BillRefNumber: '',
  });
  const refused = await world.post('/mpesa/c2b/v2/simulate', { ...body, Amount: 0 }, headers);
  expect(refused.status).toBe(400);
});
