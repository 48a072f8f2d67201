import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { type Check, finding } from '../../src/base/check.ts';
import { openDatabase, while_serving } from '../../src/base/db.ts';
import { checks } from '../../src/registry.ts';
import { checkBooks } from '../../src/reports/check-books.ts';
import { loadMessages, renderMessage } from '../../src/flow/messages.ts';
import { flows_folder } from '../../src/serve.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { type House, openHouse } from '../helpers/house.ts';

let house: House;

beforeEach(async () => {
  house = await openHouse();
  return () => house.close();
});

const check = (
  these: readonly Check[],
  more: () => boolean = () => true,
  give_up = new AbortController(),
  db = house.db,
) => {
  const it = { db, database_url: house.settings.database_url!, checks: these };
  return checkBooks(it, more, give_up.signal);
};
const records = () => house.db.selectFrom('book_checks').selectAll().orderBy('hour').execute();
const told = () =>
  house.db.selectFrom('outbox').selectAll().where('template', '=', 'books_wrong').execute();
const admins = async () =>
  (await house.db.selectFrom('roles').select('person_id').where('role', '=', 'admin').execute())
    .length;

/** Checks that count how often they are run, and find this. */
function counting(...found: string[]): { checks: Check[]; runs: () => number } {
  let runs = 0;
  const run = async () => {
    runs += 1;
    return found;
  };
  return { checks: [{ name: 'all is well', run }], runs: () => runs };
}

/** Makes what has been an hour older. */
async function anHourLater(): Promise<void> {
  await sql`
    update book_checks set hour = hour - interval '1 hour', started_at = started_at - interval '1 hour'
  `.execute(house.db);
  await sql`update outbox set key = key || ':earlier' where template = 'books_wrong'`.execute(
    house.db,
  );
}

test('books that are right are checked once an hour, and nobody is told', async () => {
  await house.hook('c2b/confirmation', confirmation());
  await house.drain();
  await check(checks);
  await check(checks);
  const [record, ...others] = await records();
  expect(others).toEqual([]);
  expect(record).toMatchObject({ findings: 0, named: [] });
  expect(record!.took_ms).toBeGreaterThanOrEqual(0);
  expect(record!.hour.getTime() % 3_600_000).toBe(0);
  expect(await told()).toEqual([]);
  await anHourLater();
  await check(checks);
  expect(await records()).toHaveLength(2);
});

test('of many processes that look at once, one does it', async () => {
  const it = counting();
  await Promise.all(Array.from({ length: 6 }, () => check(it.checks)));
  expect(it.runs()).toBe(1);
});

test('when the books are wrong every admin is told once an hour, in the commit that records it', async () => {
  await house.hook('c2b/confirmation', confirmation());
  await house.drain();
  await sql`update invoices set outstanding_cents = outstanding_cents - 1 where number = 'INV-20260203-0001'`.execute(
    house.db,
  );
  await check(checks);
  await check(checks);
  const [record] = await records();
  expect(record!.findings).toBeGreaterThanOrEqual(1);
  expect(record!.named[0]).toEqual({
    check: 'an invoice has left what its allocations leave of it',
    found: 'INV-20260203-0001',
  });
  expect(await told()).toHaveLength(await admins());
  await anHourLater();
  await check(checks);
  expect(await told()).toHaveLength(2 * (await admins()));
});

test('however much is wrong, all of it is counted and twenty are named', async () => {
  const it = counting(...Array.from({ length: 33 }, (_, n) => `payment ${n}`));
  await check(it.checks);
  const [record] = await records();
  expect(record!.findings).toBe(33);
  expect((await told())[0]!.values).toMatchObject({ n: '33+' });
  expect(record!.named).toHaveLength(20);
});

test('one that died in the middle is taken over after ten minutes, and not before', async () => {
  const it = counting('payment 1');
  const dies: Check = {
    name: 'dies',
    run: async () => {
      throw new Error('killed');
    },
  };
  await check([dies]);
  await check(it.checks);
  expect(it.runs()).toBe(0);
  await sql`update book_checks set started_at = now() - interval '11 minutes'`.execute(house.db);
  await check(it.checks);
  expect(it.runs()).toBe(1);
  expect(await records()).toMatchObject([{ findings: 1 }]);
});

test('of two at once the first to end counts: the later neither records nor tells', async () => {
  const quick = counting();
  const slow: Check = {
    name: 'slow',
    run: async () => {
      await sql`update book_checks set started_at = now() - interval '11 minutes'`.execute(
        house.db,
      );
      await check(quick.checks);
      return ['payment 1'];
    },
  };
  await check([slow]);
  expect(quick.runs()).toBe(1);
  expect(await records()).toMatchObject([{ findings: 0 }]);
  expect(await told()).toEqual([]);
});

test('a process that stops leaves the check to the next at once', async () => {
  let more = true;
  const stops: Check = {
    name: 'stops',
    run: async () => {
      more = false;
      return [];
    },
  };
  const it = counting();
  await check([stops, ...it.checks], () => more);
  expect(it.runs()).toBe(0);
  expect(await records()).toEqual([]);
  await check(it.checks);
  expect(await records()).toMatchObject([{ findings: 0 }]);
});

test('a check that hangs holds nobody up who stops', async () => {
  const give_up = new AbortController();
  const hangs: Check = {
    name: 'hangs',
    run: async (db) => {
      give_up.abort();
      await sql`select pg_sleep(600)`.execute(db);
      return [];
    },
  };
  await check([hangs], () => true, give_up);
  expect(await records()).toEqual([]);
});

test('a proof takes what it takes, unlike what somebody waits for', async () => {
  const impatient = openDatabase(house.settings.database_url!, 1, while_serving);
  const limit = sql<{ found: string }>`select current_setting('statement_timeout') as found`;
  try {
    expect((await limit.execute(impatient.db)).rows).toEqual([{ found: '10s' }]);
    await check([finding('how long', limit)], () => true, new AbortController(), impatient.db);
  } finally {
    await impatient.pool.end();
  }
  expect((await records())[0]!.named).toEqual([{ check: 'how long', found: '0' }]);
});

test('the admins read what should hold, where it does not, and what to do', async () => {
  const values = {
    n: '3',
    check: 'every payment is on the books once',
    found: 'payment NLJ7RT61SV',
  };
  const messages = await loadMessages(flows_folder);
  const read = (language: 'en' | 'sw') =>
    renderMessage(messages, 'books_wrong', values, language, 'whatsapp', {});
  expect(read('en')).toBe(`⚠️ *The books do not add up*
Found by the hourly check: 3
What should hold: every payment is on the books once
Where it does not: payment NLJ7RT61SV
Payments still come in and are recorded. The check itself has changed nothing.
Please show this to your technician today.`);
  expect(read('sw')).toContain('*Hesabu hazilingani*');
});
