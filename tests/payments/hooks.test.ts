import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { networkList } from '../../src/base/config.ts';
import { openDatabase } from '../../src/base/db.ts';
import { listen } from '../../src/listen.ts';
import { buildServer } from '../../src/server.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { hook_secret, type House, openHouse, paymentsOf, postSigned } from '../helpers/house.ts';

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const confirm = (body: string | Buffer | object) => house.hook('c2b/confirmation', body);
const rejected = () => house.db.selectFrom('inbox_rejected').selectAll().orderBy('id').execute();

const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
const not_understood: [string, string | Buffer][] = [
  ['nothing', ''],
  ['no JSON', 'hello'],
  ['a list', '[]'],
  ['null', 'null'],
  ['another shape', '{"Body":{"stkCallback":{}}}'],
  ['deep nesting', deep],
  ['bytes that are no text', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ['a NUL byte', '{"a":"\0"}'],
  ['an amount below nothing', JSON.stringify(confirmation({ TransAmount: '-5.00' }))],
  ['an amount of nothing', JSON.stringify(confirmation({ TransAmount: 0 }))],
  ['a fraction of a cent', JSON.stringify(confirmation({ TransAmount: '1.005' }))],
  ['an amount without end', JSON.stringify(confirmation()).replace('"500.00"', '1e999')],
  ['a receipt of 200 characters', JSON.stringify(confirmation({ TransID: 'A'.repeat(200) }))],
  ['a receipt of nothing', JSON.stringify(confirmation({ TransID: '' }))],
  ['no such day', JSON.stringify(confirmation({ TransTime: '20260231120000' }))],
  ['no shortcode', JSON.stringify(confirmation({ BusinessShortCode: undefined }))],
];

test.each(not_understood)('%s is answered 400 and its head is kept', async (_, body) => {
  const before = (await rejected()).length;
  const response = await confirm(body);
  expect(response.status).toBe(400);
  const kept = (await rejected()).slice(before);
  expect(kept).toHaveLength(1);
  expect(kept[0]!.head.length).toBeLessThanOrEqual(4096);
  expect(kept[0]!.length_bytes).toBe(BigInt(Buffer.byteLength(body)));
  expect(kept[0]!.from_ip).toBe('127.0.0.1');
});

test('the same wrong bytes again are kept once, and the admins told once', async () => {
  await confirm('{"what":"is this"}');
  const before = await rejected();
  const told = await house.db.selectFrom('outbox').selectAll().execute();
  await confirm('{"what":"is this"}');
  expect(await rejected()).toHaveLength(before.length);
  expect(await house.db.selectFrom('outbox').selectAll().execute()).toHaveLength(told.length);
});

test('nobody fills the disk with what cannot be read', async () => {
  const other = await openHouse();
  try {
    await other.db
      .insertInto('inbox_rejected')
      .values(
        Array.from({ length: 1000 }, (_, n) => ({
          source: 'c2b_confirmation',
          reason: 'test',
          head: Buffer.from(''),
          length_bytes: 0n,
          body_hash: Buffer.from(String(n).padStart(32, '0')),
          from_ip: null,
        })),
      )
      .execute();
    expect((await other.hook('c2b/confirmation', 'one more')).status).toBe(400);
    expect(await other.db.selectFrom('inbox_rejected').selectAll().execute()).toHaveLength(1000);
  } finally {
    await other.close();
  }
});

test('more than 64 KiB is answered 413 and kept nowhere', async () => {
  const before = (await rejected()).length;
  const response = await confirm(
    JSON.stringify(confirmation({ FirstName: 'x'.repeat(1_048_576) })),
  );
  expect(response.status).toBe(413);
  expect(await rejected()).toHaveLength(before);
});

test('a wrong secret, a wrong method and a wrong address are all simply not there', async () => {
  const body = JSON.stringify(confirmation());
  const post = (path: string) => fetch(`${house.url}${path}`, { method: 'POST', body });
  const answers = await Promise.all([
    post('/hooks/wrong-secret-0123456789/c2b/confirmation'),
    post(`/hooks/${hook_secret}x/c2b/confirmation`),
    post('/hooks//c2b/confirmation'),
    post(`/hooks/${hook_secret}/c2b/nothing`),
    post(`/hooks/${hook_secret}`),
    fetch(`${house.url}/hooks/${hook_secret}/c2b/confirmation`),
    fetch(`${house.url}/hooks/${hook_secret}/c2b/confirmation`, { method: 'PUT', body }),
    post('/nowhere'),
  ]);
  for (const answer of answers) {
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe('Not found');
  }
  const metrics = await (await fetch(`${house.url}/metrics`)).text();
  expect(metrics).toMatch(/karani_callbacks_total\{door="unknown",status="404"\} [1-9]/);
  expect(metrics).not.toContain(hook_secret);
});

test('numbers as text and text as numbers, nulls and missing names are all a payment', async () => {
  const before = (await paymentsOf(house.db)).length;
  const odd = [
    confirmation({
      TransAmount: 250,
      TransTime: 20261120143000,
      BusinessShortCode: 600000,
      MSISDN: 254700000004,
    }),
    confirmation({
      InvoiceNumber: null,
      ThirdPartyTransID: null,
      MiddleName: null,
      LastName: undefined,
    }),
    confirmation({ FirstName: '💰 \u202EKAMAU\u202C <b>', LastName: 'ناجي' }),
    confirmation({ BillRefNumber: null, MSISDN: '2547 ***** 126' }),
    confirmation({ MSISDN: `${'a'.repeat(34)} ***** ${'b'.repeat(25)}` }),
    confirmation({ BillRefNumber: "'; drop table payments; --" }),
    confirmation({ TransAmount: '0.01' }),
  ];
  for (const body of odd) expect((await confirm(body)).status).toBe(200);
  await house.drain();
  expect(await paymentsOf(house.db)).toHaveLength(before + odd.length);
  expect(await house.findings()).toEqual([]);
});

test('whatever is posted, the answer is a 200 or a 400', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.jsonValue(), fc.record({ TransID: fc.string(), TransAmount: fc.anything() })),
      async (value) => {
        const body =
          JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)) ?? '';
        const { status } = await confirm(body);
        expect([200, 400]).toContain(status);
      },
    ),
    { numRuns: 100 },
  );
});

test('when addresses are configured, a callback from elsewhere is not there, and its head is kept', async () => {
  const other = await openHouse({ allowed_sources: { daraja: ['196.201.214.0/24'] } });
  try {
    const response = await other.hook('c2b/confirmation', confirmation());
    expect(response.status).toBe(404);
    const kept = await other.db.selectFrom('inbox_rejected').selectAll().execute();
    expect(kept.map((row) => row.reason)).toEqual(['not an allowed address']);
    expect(await paymentsOf(other.db)).toEqual([]);
    expect(networkList(['196.201.214.0/24']).check('196.201.214.7')).toBe(true);
  } finally {
    await other.close();
  }
});

test('with the database away the answer is 503 and nothing is promised', async () => {
  const nowhere = openDatabase('postgres://karani@127.0.0.1:1/none', 1);
  const app = buildServer({
    settings: house.settings,
    database: nowhere,
    house: house.conversations,
  });
  const listening = await listen(app, '127.0.0.1', 0);
  const response = await fetch(`${listening.url}/hooks/${hook_secret}/c2b/confirmation`, {
    method: 'POST',
    body: JSON.stringify(confirmation()),
  });
  expect(response.status).toBe(503);
  // What cannot be read and could not be kept either: it may be money, so it is to come again.
  const unread = await fetch(`${listening.url}/hooks/${hook_secret}/c2b/confirmation`, {
    method: 'POST',
    body: 'hello',
  });
  expect(unread.status).toBe(503);
  expect((await fetch(`${listening.url}/readyz`)).status).toBe(503);
  expect((await fetch(`${listening.url}/healthz`)).status).toBe(200);
  await listening.stop();
});

test("a provider's secret opens its own doors alone", async () => {
  const hooks = {
    daraja: [hook_secret],
    ussd: ['another-0123456789'],
    sms: [],
    whatsapp: ['a-third-0123456789'],
  };
  const other = await openHouse({ hooks });
  try {
    expect((await other.hook('c2b/confirmation', confirmation())).status).toBe(200);
    await expect(other.keys('254700000004', 'ATUid_other', '')).rejects.toThrow('404');
    expect((await postSigned(other.url, '{}')).status).toBe(404);
  } finally {
    await other.close();
  }
});

test('more than 64 KiB without a length is answered 413 too', async () => {
  const response = await fetch(`${house.url}/hooks/${hook_secret}/c2b/confirmation`, {
    method: 'POST',
    body: new Blob([JSON.stringify(confirmation({ FirstName: 'x'.repeat(100_000) }))]).stream(),
    duplex: 'half',
  });
  expect(response.status).toBe(413);
});

test('a word that JavaScript knows is no address either', async () => {
  for (const word of ['constructor', 'toString', '__proto__']) {
    const response = await fetch(`${house.url}/hooks/${hook_secret}/${word}/x`, { method: 'POST' });
    expect(response.status).toBe(404);
  }
});

test('however many cannot be read, the admins are told once in ten minutes, and of strangers never', async () => {
  const told = async (it: House) =>
    (await it.db.selectFrom('outbox').select('template').execute()).filter(
      (row) => row.template === 'callback_rejected',
    ).length;
  const other = await openHouse();
  const closed = await openHouse({ allowed_sources: { daraja: ['196.201.214.0/24'] } });
  try {
    for (let n = 0; n < 5; n += 1) {
      await other.hook('c2b/confirmation', `junk ${n}`);
      await closed.hook('c2b/confirmation', `junk ${n}`);
    }
    // Two admins; five more when the clock went over into another ten minutes on the way.
    expect([2, 4]).toContain(await told(other));
    expect(await told(closed)).toBe(0);
  } finally {
    await other.close();
    await closed.close();
  }
});

test('behind a declared proxy the forwarded address counts, and otherwise not', async () => {
  const settings = { allowed_sources: { daraja: ['196.201.214.0/24'] } };
  const open = await openHouse({ ...settings, trusted_proxies: ['127.0.0.1'] });
  const other = await openHouse(settings);
  const from_safaricom = { 'x-forwarded-for': '196.201.214.200' };
  try {
    expect((await open.hook('c2b/confirmation', confirmation(), from_safaricom)).status).toBe(200);
    expect((await other.hook('c2b/confirmation', confirmation(), from_safaricom)).status).toBe(404);
  } finally {
    await open.close();
    await other.close();
  }
});

test('validation accepts what it cannot judge', async () => {
  const response = await house.hook('c2b/validation', confirmation());
  expect(await response.json()).toEqual({ ResultCode: '0', ResultDesc: 'Accepted' });
});

test('what never answers an error does not for a body of more than 64 KiB either', async () => {
  const long = 'x'.repeat(70_000);
  const validation = await house.hook('c2b/validation', long);
  expect([validation.status, await validation.json()]).toEqual([
    200,
    { ResultCode: '0', ResultDesc: 'Accepted' },
  ]);
  const ussd = await house.hook('ussd', long);
  expect([ussd.status, await ussd.text()]).toEqual([200, expect.stringMatching(/^END Sorry/)]);
});
