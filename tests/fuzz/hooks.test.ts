import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfirmation } from '../../src/payments/read-callback.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { damaged, mutated, oddJson, oddText, runs, written } from './arbitraries.ts';
import { confirmationFields } from './bodies.ts';

// Daraja's doors on a real house: whatever is posted, nothing is lost, doubled or answered 500.

let house: House;
const kept = new Map<string, string>();

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

async function rejectedSoFar(): Promise<number> {
  return (await house.db.selectFrom('inbox_rejected').select('id').execute()).length;
}

const bodies = fc.oneof(
  { weight: 6, arbitrary: damaged(mutated(confirmationFields).map(written)) },
  { weight: 2, arbitrary: damaged(oddJson) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 6_000 }).map((it) => Buffer.from(it)) },
);

const odd_headers = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Record<string, string>>({}) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { 'content-type': '' },
      { 'content-type': 'text/html; charset=utf-16' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'multipart/form-data' },
      { 'content-type': 'multipart/form-data; boundary=x' },
      { 'content-type': 'application/json; charset=utf-7' },
      { 'content-encoding': 'gzip' },
      { 'content-encoding': 'br, nonsense' },
      { 'x-http-method-override': 'DELETE' },
      { 'if-none-match': '*', range: 'bytes=0-1' },
      { 'accept-encoding': 'identity;q=0', accept: 'image/png' },
      { 'x-forwarded-for': '1.2.3.4, , ::1, nonsense' },
      {
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'evil.example',
        forwarded: 'for=1.2.3.4',
      },
    ),
  },
  {
    weight: 1,
    arbitrary: oddText.map((text) => ({
      'x-forwarded-for': text.replace(/[^\x20-\x7e]/g, '').slice(0, 2000),
    })),
  },
);

async function isWhereItBelongs(bytes: Buffer, status: number): Promise<void> {
  const read = readConfirmation(bytes);
  expect(status).toBe('fault' in read ? 400 : 200);
  const in_inbox = await house.db
    .selectFrom('inbox')
    .select('body')
    .where('body_hash', '=', hash('fault' in read ? bytes : Buffer.from(read.body)))
    .execute();
  if (!('fault' in read)) {
    expect(in_inbox).toEqual([{ body: read.body }]);
    kept.set(read.body, read.value.receipt);
    return;
  }
  expect(in_inbox).toEqual([]);
  const rejected = await house.db
    .selectFrom('inbox_rejected')
    .select(['head', 'length_bytes', 'reason'])
    .where('body_hash', '=', hash(bytes))
    .execute();
  // No more than a thousand an hour, so that nobody fills the disk.
  if (rejected.length === 0 && (await rejectedSoFar()) >= 1000) return;
  expect(rejected).toEqual([
    { head: bytes.subarray(0, 4096), length_bytes: BigInt(bytes.length), reason: read.fault },
  ]);
}

test('of confirmations that come at once, each is in the inbox and answered 200, or 400 and not', async () => {
  const at_once = fc.array(fc.tuple(bodies, odd_headers), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(at_once, async (all) => {
      const answers = await Promise.all(
        all.map(([bytes, headers]) => house.hook('c2b/confirmation', bytes, headers)),
      );
      await Promise.all(all.map(([bytes], n) => isWhereItBelongs(bytes, answers[n]!.status)));
    }),
    runs(60),
  );
  expect(kept.size).toBeGreaterThan(60);
});

test('each body that was kept is one payment, a repeat or a conflict, and the books are right', async () => {
  await house.drain();
  const left = await house.db
    .selectFrom('inbox')
    .selectAll()
    .where('state', '<>', 'done')
    .execute();
  expect(left).toEqual([]);
  const { rows } = await sql<{ body: string; receipt: string; verdict: string }>`
    select i.body, p.receipt, h.verdict from inbox i
    left join hearings h on h.inbox_id = i.id left join payments p on p.id = h.payment_id
  `.execute(house.db);
  expect(new Map(rows.map((row) => [row.body, row.receipt]))).toEqual(kept);
  const payments = await house.db.selectFrom('payments').select('receipt').execute();
  expect(new Set(payments.map((p) => p.receipt))).toEqual(new Set(kept.values()));
  expect(rows.filter((row) => row.verdict === 'first')).toHaveLength(payments.length);
  expect(payments).toHaveLength(new Set(kept.values()).size);
  expect(await house.findings()).toEqual([]);
});

test('validation says yes, or no in one of the codes that M-Pesa knows', async () => {
  await fc.assert(
    fc.asyncProperty(bodies, odd_headers, async (bytes, headers) => {
      const response = await house.hook('c2b/validation', bytes, headers);
      expect(response.status).toBe(200);
      const answer = (await response.json()) as { ResultCode: string; ResultDesc: string };
      const no = answer.ResultCode !== '0';
      if (no) expect(['C2B00012', 'C2B00013', 'C2B00016']).toContain(answer.ResultCode);
      expect(answer.ResultDesc).toBe(no ? 'Rejected' : 'Accepted');
    }),
    runs(60),
  );
});

test('a confirmation of just under 64 KiB is a payment, and the first byte above is refused', async () => {
  const most = 64 * 1024;
  const fields = { TransID: 'TKLLONG001', TransTime: '20261120143000', TransAmount: '5.00' };
  const around = JSON.stringify({ ...fields, BusinessShortCode: '600000', FirstName: '' });
  const filled = (size: number) =>
    around.replace('"FirstName":""', `"FirstName":"${'x'.repeat(size - around.length)}"`);
  expect((await house.hook('c2b/confirmation', filled(most + 1))).status).toBe(413);
  expect((await house.hook('c2b/confirmation', filled(most))).status).toBe(200);
  await house.drain();
  const paid = house.db.selectFrom('payments').select('id').where('receipt', '=', 'TKLLONG001');
  expect(await paid.execute()).toHaveLength(1);
});

test('another method or address is not there, whatever it is', async () => {
  const path = fc.oneof(
    fc.constantFrom('c2b', 'c2b/', 'c2b/confirmation/', 'c2b//confirmation', 'C2B/confirmation'),
    fc.constantFrom('%00', '%E0%A4%A', '..%2f..%2fmetrics', 'c2b/%63onfirmation%2f', '*', '?', ''),
    oddText.map((text) => encodeURIComponent(text.toWellFormed()).slice(0, 3000)),
    oddText.map((text) => `c2b/${encodeURIComponent(text.toWellFormed()).slice(0, 3000)}`),
  );
  const method = fc.constantFrom('POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY');
  await fc.assert(
    fc.asyncProperty(method, path, async (verb, it) => {
      const secret = house.settings.hooks.daraja[0]!;
      const url = `${house.url}/hooks/${secret}/${it}`;
      const { status } = await fetch(url, { method: verb });
      expect(status).toBe(404);
    }),
    runs(60),
  );
  for (const verb of ['GET', 'HEAD']) {
    const url = `${house.url}/hooks/${house.settings.hooks.daraja[0]}/c2b/confirmation`;
    expect((await fetch(url, { method: verb })).status).toBe(404);
  }
});
