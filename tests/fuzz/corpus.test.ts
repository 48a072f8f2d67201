import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takeReports } from '../../src/conversation/reports.ts';
import { takeTurns } from '../../src/conversation/whatsapp.ts';
import { hook_secret, type House, openHouse } from '../helpers/house.ts';

// Odd payloads, kept: every form that was seen in the wild, and what fuzzing has found.

interface Case {
  name: string;
  body?: string;
  body_base64?: string;
  headers?: Record<string, string>;
  /** The status, or the first word of the answer. */
  expected: number | string;
  /** How many messages of a webhook are answered. */
  answers?: number;
}

function casesOf(door: string): [string, Case][] {
  const file = new URL(`../fixtures/odd-payloads/${door}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as Case[]).map((it) => [it.name, it]);
}

let house: House;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

const bytesOf = ({ body, body_base64 }: Case) =>
  body_base64 === undefined ? Buffer.from(body ?? '') : Buffer.from(body_base64, 'base64');

async function counts() {
  const { rows } = await sql<Record<'inbox' | 'rejected' | 'turns' | 'payments', number>>`
    select (select count(*)::int from inbox) as inbox, (select count(*)::int from turns) as turns,
           (select count(*)::int from inbox_rejected) as rejected,
           (select count(*)::int from payments) as payments
  `.execute(house.db);
  return rows[0]!;
}

test.each(casesOf('c2b-confirmation'))('C2B confirmation: %s', async (_, it) => {
  const before = await counts();
  const response = await house.hook('c2b/confirmation', bytesOf(it), it.headers);
  expect(response.status).toBe(it.expected);
  const now = await counts();
  expect(now.rejected - before.rejected).toBe(it.expected === 200 ? 0 : 1);
  expect(now.inbox - before.inbox).toBe(it.expected === 200 && it.name !== again ? 1 : 0);
});

// The only case that says nothing new.
const again = 'the same bytes again';

test('of all those, each that was kept is heard once, and each receipt is one payment', async () => {
  await house.drain();
  const { inbox, payments } = await counts();
  const hearings = await house.db.selectFrom('hearings').select('verdict').execute();
  expect(hearings).toHaveLength(inbox);
  const verdicts = Object.groupBy(hearings, (hearing) => hearing.verdict);
  expect(verdicts['first']).toHaveLength(payments);
  expect([verdicts['repeat']?.length, verdicts['conflict']?.length]).toEqual([2, 2]);
  expect(await house.findings()).toEqual([]);
});

test.each(casesOf('c2b-validation'))('C2B validation: %s', async (_, it) => {
  const response = await house.hook('c2b/validation', bytesOf(it), it.headers);
  expect(response.status).toBe(it.expected);
});

test.each(casesOf('ussd'))('USSD: %s', async (_, it) => {
  const response = await house.hook('ussd', bytesOf(it), it.headers);
  expect(response.status).toBe(200);
  expect((await response.text()).split(' ')[0]).toBe(it.expected);
});

test.each(casesOf('whatsapp'))('WhatsApp: %s', async (_, it) => {
  const before = await counts();
  const bytes = bytesOf(it);
  const signature = `sha256=${createHmac('sha256', hook_secret).update(bytes).digest('hex')}`;
  const headers = { 'x-hub-signature-256': signature, ...it.headers };
  expect((await house.hook('whatsapp', bytes, headers)).status).toBe(it.expected);
  await takeTurns(house.db, house.conversations);
  expect((await counts()).turns - before.turns).toBe(it.answers ?? 0);
  await takeReports(house.db, () => true);
  const { rows } = await sql`
    select source, error from inbox where state <> 'done'
      -- A status of a message that is not ours waits a minute, should it become known.
      and not (source = 'whatsapp_status' and state = 'new' and error is null)
  `.execute(house.db);
  expect(rows).toEqual([]);
});
