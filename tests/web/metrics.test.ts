import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/base/db.ts';
import { checks } from '../../src/registry.ts';
import { checkBooks } from '../../src/reports/check-books.ts';
import { listen } from '../../src/listen.ts';
import { buildServer } from '../../src/server.ts';
import { counted_to } from '../../src/web/figures.ts';
import { confirmation } from '../helpers/confirmation.ts';
import { waitingForLocks } from '../helpers/database.ts';
import { hook_secret, type House, openHouse } from '../helpers/house.ts';
import { eventually } from '../helpers/process.ts';

let house: House;
let database: Database;

beforeEach(async () => {
  house = await openHouse();
  database = openDatabase(house.settings.database_url!, 4);
  return async () => {
    await database.pool.end();
    await house.close();
  };
});

type Scrape = Record<string, number>;

function read(text: string): Scrape {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** What a server that has just started says, and so has looked at the database now. */
async function scrape(): Promise<Scrape> {
  const listening = await listen(
    buildServer({ settings: house.settings, database, house: house.conversations }),
    '127.0.0.1',
    0,
  );
  try {
    const response = await fetch(`${listening.url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    return read(await response.text());
  } finally {
    await listening.stop();
  }
}

const checkNow = () => {
  const it = { db: house.db, database_url: house.settings.database_url!, checks };
  return checkBooks(it, () => true, new AbortController().signal);
};
const confirm = (change: Record<string, unknown> = {}) =>
  house.hook('c2b/confirmation', confirmation(change));

test('what has come waits, and is gone when it has been worked through', async () => {
  await confirm();
  await confirm();
  await sql`update inbox set received_at = now() - interval '90 seconds', due_at = now() - interval '90 seconds' where id = 1`.execute(
    house.db,
  );
  const before = await scrape();
  expect(before['karani_rows{table="inbox",state="waiting"}']).toBe(2);
  expect(before['karani_inbox_rows{source="c2b_confirmation",state="waiting"}']).toBe(2);
  const age = before['karani_inbox_oldest_due_seconds{source="c2b_confirmation"}']!;
  expect(age).toBeGreaterThanOrEqual(90);
  expect(before['karani_oldest_waiting_seconds{table="inbox"}']).toBe(age);
  await house.drain();
  const after = await scrape();
  expect(after['karani_rows{table="inbox",state="waiting"}']).toBe(0);
  expect(after['karani_inbox_rows{source="c2b_confirmation",state="waiting"}']).toBe(0);
  expect(after['karani_inbox_oldest_due_seconds{source="c2b_confirmation"}']).toBe(0);
});

test('a row that waits for its retry waits, and is not late; one whose retry is due is as late as that', async () => {
  await confirm();
  await sql`update inbox set received_at = now() - interval '1 hour', due_at = now() + interval '1 minute'`.execute(
    house.db,
  );
  const early = await scrape();
  expect(early['karani_rows{table="inbox",state="waiting"}']).toBe(1);
  expect(early['karani_oldest_waiting_seconds{table="inbox"}']).toBe(0);
  await sql`update inbox set due_at = now() - interval '10 seconds'`.execute(house.db);
  const late = (await scrape())['karani_oldest_waiting_seconds{table="inbox"}']!;
  expect(late).toBeGreaterThanOrEqual(10);
  expect(late).toBeLessThan(3_000);
});

test('what waits for an earlier one of its receipt or person is not late', async () => {
  await confirm();
  await house.drain();
  await sql`update outbox set due_at = now() - interval '1 hour'`.execute(house.db);
  await sql`
    update outbox set due_at = now() + interval '1 minute'
    where id in (select min(id) from outbox group by person_id)`.execute(house.db);
  await sql`
    insert into outbox (key, person_id, words, due_at)
    select 'later:' || person_id, person_id, 'later', now() - interval '1 hour' from outbox`.execute(
    house.db,
  );
  await sql`
    insert into inbox (source, subject, body, body_hash, due_at) values
      ('whatsapp', 'a', '{}', sha256('1'), now() + interval '1 minute'),
      ('whatsapp', 'a', '{}', sha256('2'), now() - interval '1 hour')`.execute(house.db);
  const now = await scrape();
  expect(now['karani_rows{table="inbox",state="waiting"}']).toBe(2);
  expect(now['karani_oldest_waiting_seconds{table="inbox"}']).toBe(0);
  expect(now['karani_oldest_waiting_seconds{table="outbox"}']).toBe(0);
});

test('what was given up and what could not be read is counted by source', async () => {
  await confirm();
  await sql`update inbox set state = 'failed'`.execute(house.db);
  await house.hook('c2b/confirmation', 'no JSON');
  const now = await scrape();
  expect(now['karani_inbox_rows{source="c2b_confirmation",state="failed"}']).toBe(1);
  expect(now['karani_inbox_rows{source="c2b_confirmation",state="rejected"}']).toBe(1);
  expect(now['karani_rows{table="inbox",state="failed"}']).toBe(1);
  expect(now['karani_rows{table="inbox",state="rejected"}']).toBe(1);
});

test('messages wait, are in flight, and fail', async () => {
  await confirm();
  await house.drain();
  const queued = await house.db.selectFrom('outbox').selectAll().execute();
  expect(queued.length).toBeGreaterThanOrEqual(3);
  const waiting = await scrape();
  expect(waiting['karani_rows{table="outbox",state="waiting"}']).toBe(queued.length);
  await sql`update outbox set state = 'sending', lease_until = now() + interval '1 minute' where id = ${queued[0]!.id}`.execute(
    house.db,
  );
  await sql`update outbox set state = 'failed' where id = ${queued[1]!.id}`.execute(house.db);
  await sql`update outbox set created_at = now() - interval '2 hours', due_at = now() - interval '1 hour' where id = ${queued[2]!.id}`.execute(
    house.db,
  );
  const mixed = await scrape();
  expect(mixed['karani_rows{table="outbox",state="in_flight"}']).toBe(1);
  expect(mixed['karani_rows{table="outbox",state="failed"}']).toBe(1);
  expect(mixed['karani_rows{table="outbox",state="waiting"}']).toBe(queued.length - 2);
  expect(mixed['karani_oldest_waiting_seconds{table="outbox"}']).toBeGreaterThanOrEqual(3600);
  expect(mixed['karani_oldest_waiting_seconds{table="outbox"}']).toBeLessThan(7000);
});

test('of a long queue only so much is counted, and its age all the same', async () => {
  await confirm();
  await sql`
    insert into inbox (source, body, body_hash, due_at)
    select 'c2b_confirmation', 'x', sha256(n::text::bytea), now() - interval '1 hour'
    from generate_series(1, ${counted_to}) n
  `.execute(house.db);
  await sql`update inbox set received_at = due_at where body = 'x'`.execute(house.db);
  const now = await scrape();
  expect(now['karani_rows{table="inbox",state="waiting"}']).toBe(counted_to);
  expect(now['karani_oldest_waiting_seconds{table="inbox"}']).toBeGreaterThanOrEqual(3600);
});

test('unmatched money is counted and summed in shillings, and a conflict is seen', async () => {
  await confirm({ BillRefNumber: 'WHAT', MSISDN: '', TransAmount: '120.50' });
  await confirm({ BillRefNumber: 'EVER', MSISDN: '', TransAmount: '79.50' });
  const twice = confirmation();
  await house.hook('c2b/confirmation', twice);
  await house.hook('c2b/confirmation', { ...twice, TransAmount: '900.00' });
  await house.drain();
  const now = await scrape();
  expect(now['karani_unmatched_payments']).toBe(2);
  expect(now['karani_unmatched_shillings']).toBe(200);
  expect(now['karani_rows{table="hearings",state="conflict"}']).toBe(1);
});

test('what only callbacks have told of is counted, and how long ago M-Pesa was asked', async () => {
  await confirm();
  await confirm();
  await house.drain();
  expect((await scrape())['karani_unverified_payments']).toBe(2);
  await sql`update payments set verified_at = now(), verified_by = 'pull' where id = 1`.execute(
    house.db,
  );
  await sql`
    insert into pulls (shortcode, complete_to)
    values ('600000', now() - interval '10 minutes'), ('600001', null)
  `.execute(house.db);
  const now = await scrape();
  expect(now['karani_unverified_payments']).toBe(1);
  expect(now['karani_pull_age_seconds{shortcode="600000"}']).toBeGreaterThanOrEqual(600);
  expect(now['karani_pull_age_seconds{shortcode="600001"}']).toBeUndefined();
});

test('the last check of the books is there once there was one', async () => {
  expect(Object.keys(await scrape()).filter((name) => name.startsWith('karani_books'))).toEqual([]);
  await checkNow();
  const right = await scrape();
  expect(right['karani_books_findings']).toBe(0);
  expect(right['karani_books_check_seconds']).toBeGreaterThanOrEqual(0);
  const row = await house.db.selectFrom('book_checks').selectAll().executeTakeFirstOrThrow();
  const at_ms = right['karani_books_checked_timestamp_seconds']! * 1000;
  expect(Math.abs(at_ms - row.started_at.getTime())).toBeLessThanOrEqual(1);
  await sql`update book_checks set findings = 3`.execute(house.db);
  expect((await scrape())['karani_books_findings']).toBe(3);
});

test('each door has its answers and how long they took, and nothing is under way afterwards', async () => {
  await confirm();
  await house.hook('c2b/confirmation', 'no JSON');
  await house.keys('254700000004', 'ATUid_1', '');
  await fetch(`${house.url}/hooks/${hook_secret}x/c2b/confirmation`, { method: 'POST' });
  const now = read(await (await fetch(`${house.url}/metrics`)).text());
  expect(now['karani_callbacks_total{door="c2b",status="200"}']).toBe(1);
  expect(now['karani_callbacks_total{door="c2b",status="400"}']).toBe(1);
  expect(now['karani_callback_seconds_count{door="c2b"}']).toBe(2);
  expect(now['karani_callback_seconds_bucket{le="+Inf",door="ussd"}']).toBe(1);
  expect(now['karani_callback_seconds_bucket{le="0.001",door="ussd"}']).toBeDefined();
  expect(now['karani_callback_seconds_bucket{le="10",door="ussd"}']).toBeDefined();
  expect(now['karani_callback_seconds_count{door="unknown"}']).toBe(1);
  expect(now['karani_callbacks_under_way']).toBe(0);
});

test('the connections of the process are counted', async () => {
  const now = await scrape();
  expect(now['karani_database_up']).toBe(1);
  expect(now['karani_database_connections{state="all"}']).toBeGreaterThanOrEqual(1);
  expect(now['karani_database_connections{state="waiting"}']).toBe(0);
});

test('every line has its help and its type, and every name its unit', async () => {
  await confirm();
  await house.drain();
  await checkNow();
  const text = await (await fetch(`${house.url}/metrics`)).text();
  const ours = text.split('\n').filter((line) => /^(?:# (?:HELP|TYPE) )?karani_/.test(line));
  const named = new Set(ours.map((line) => /karani_[a-z_]+/.exec(line)![0]));
  const described = new Set(
    ours.flatMap((line) => /^# HELP (karani_[a-z_]+) .{10,}/.exec(line)?.[1] ?? []),
  );
  const typed = new Set(
    ours.flatMap(
      (line) => /^# TYPE (karani_[a-z_]+) (?:gauge|counter|histogram)$/.exec(line)?.[1] ?? [],
    ),
  );
  expect(described.size).toBeGreaterThan(10);
  expect(typed).toEqual(described);
  for (const name of named) {
    expect(described).toContain(name.replace(/_(?:bucket|sum|count)$/, ''));
  }
});

test('who scrapes at once shares one look at the database', async () => {
  const blocker = await database.pool.connect();
  try {
    await blocker.query('begin');
    await blocker.query('lock table book_checks in access exclusive mode');
    const scrapes = Array.from({ length: 5 }, () => fetch(`${house.url}/metrics`));
    const looking = () => waitingForLocks(database.db);
    expect(await eventually(looking, (count) => count > 0, 20_000)).toBe(1);
    for (const answer of await Promise.all(scrapes)) expect(answer.status).toBe(200);
    expect(await looking()).toBeLessThanOrEqual(1);
  } finally {
    await blocker.query('rollback');
    blocker.release();
  }
});
