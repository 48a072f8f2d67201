import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { verify } from '../../src/ledger/verify.ts';
import { checks } from '../../src/registry.ts';
import { freshDatabase, type TestDatabase } from '../helpers/database.ts';
import { hook_secret } from '../helpers/house.ts';
import { eventually, karani, postJson, runKarani, type Running } from '../helpers/process.ts';

// Whole processes, and an M-Pesa that outlives them: what no callback told is found all the same.

let folder: string;
let database: TestDatabase;
let running: Running[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'karani-recovery-'));
  database = await freshDatabase(4);
  running = [];
  return async () => {
    await Promise.all(running.map((process) => process.kill()));
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  };
});

const env = (more: Record<string, string> = {}) => ({
  KARANI_CONFIG: undefined,
  KARANI_DATA: join(folder, 'data'),
  KARANI_HOOK_SECRET: hook_secret,
  KARANI_SECRET: 'a-secret-for-this-test-0123456789abcdef',
  DATABASE_URL: database.url,
  PORT: '0',
  ...more,
});

async function start(script: string, args: string[], more: Record<string, string> = {}) {
  const process = await runKarani(script, args, env(more));
  running.push(process);
  return process;
}

const pay = (url: string, amount: number) =>
  postJson<{ receipt: string }>(`${url}/sim/mpesa/pay`, {
    phone: '0700000004',
    amount,
    account: 'CUST-001',
  });

const recorded = async () =>
  (await database.db.selectFrom('payments').select(['receipt', 'verified_by']).execute()).sort(
    (a, b) => (a.receipt < b.receipt ? -1 : 1),
  );

test('in the demo a payment whose callback is dropped is found by itself', async () => {
  const demo = await start('src/main.ts', []);
  await postJson(`${demo.url}/sim/faults`, { drop: 1 });
  const { receipt } = await pay(demo.url, 500);
  await eventually(recorded, (rows) => rows[0]?.verified_by === 'pull', 60_000);

  // By hand, beside the running server: there is nothing left to find.
  const { receipt: second } = await pay(demo.url, 300);
  const { port } = new URL(demo.url);
  const { code, stdout, stderr } = await karani(['reconcile', '--json'], env({ PORT: port }));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toMatchObject({
    payments: 2,
    heard: [{ source: 'pull', first: 2, again: 0, contradicting: 0 }],
    proven: [{ by: 'pull', payments: 2 }],
    unverified: [],
    unverified_in_all: 0,
    prompts: [],
    pulls: [
      { shortcode: '600000', error: null },
      { shortcode: '600001', error: null },
    ],
  });
  expect((await recorded()).map((it) => it.receipt)).toEqual([receipt, second].sort());

  const in_words = await karani(['reconcile'], env({ PORT: port }));
  expect(in_words.stdout).toContain('  proven by pull: 2\n');
  expect(in_words.stdout).toContain('Unproven, of any day: 0.\n');

  // Registered by the start; once more is no harm.
  const there = { DARAJA_BASE_URL: demo.url, PUBLIC_URL: demo.url };
  expect(await karani(['daraja', 'register-pull'], env(there))).toMatchObject({
    code: 0,
    stdout:
      '600000: its payments could be asked for already.\n' +
      '600001: its payments could be asked for already.\n',
  });
});

test('with M-Pesa away, reconciling says so and what is known', async () => {
  const nowhere = { DARAJA_BASE_URL: 'http://127.0.0.1:9' };
  const { code, stdout } = await karani(['reconcile'], env(nowhere));
  expect(code).toBe(1);
  expect(stdout).toMatch(/^600000: cannot be asked for \(.+\)\.$/m);
  expect(stdout).toContain('Paid within two days: 0.');
});

/** An M-Pesa of its own that has dropped 30 callbacks; the addresses for processes of ours. */
async function openMpesa() {
  const mpesa = await start('src/cli.ts', [
    ...['simulator', '--port', '0', '--app', 'http://127.0.0.1:9'],
    ...['--data', join(folder, 'mpesa')],
  ]);
  const there = {
    DARAJA_BASE_URL: mpesa.url,
    WHATSAPP_BASE_URL: mpesa.url,
    AT_BASE_URL: mpesa.url,
    PUBLIC_URL: 'http://127.0.0.1:9',
  };
  const registered = await karani(['daraja', 'register-pull'], env(there));
  expect(registered).toMatchObject({ code: 0, stderr: '' });
  const receipts = [];
  for (let n = 1; n <= 30; n += 1) receipts.push((await pay(mpesa.url, n)).receipt);
  return { there, receipts: receipts.sort() };
}

const startWorker = (there: Record<string, string>) =>
  start('src/cli.ts', ['serve', '--roles', 'worker'], there);

async function allFound(receipts: string[]): Promise<void> {
  await eventually(recorded, (rows) => rows.length === receipts.length, 60_000);
  expect(await recorded()).toEqual(receipts.map((receipt) => ({ receipt, verified_by: 'pull' })));
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from ledger_transactions where kind = 'payment_received'
  `.execute(database.db);
  expect(rows).toEqual([{ n: receipts.length }]);
  expect(await verify(database.db, checks)).toEqual([]);
}

test('killed between the answer and the books, it loses nothing; two who go on post it once', async () => {
  const { there, receipts } = await openMpesa();
  const blocker = await database.pool.connect();
  await blocker.query('begin');
  await blocker.query('lock table payments in exclusive mode');
  const first = await startWorker(there);
  const waiting = async () =>
    (await sql`select 1 from inbox where source = 'pull_transaction'`.execute(database.db)).rows;
  await eventually(waiting, (rows) => rows.length === receipts.length, 30_000);
  await first.kill();
  await blocker.query('rollback');
  blocker.release();
  expect(await recorded()).toEqual([]);

  await Promise.all([startWorker(there), startWorker(there)]);
  await allFound(receipts);
});

test('killed with the answer in its hands, it asks again once its lease is over', async () => {
  const { there, receipts } = await openMpesa();
  const blocker = await database.pool.connect();
  await blocker.query('begin');
  await blocker.query('lock table inbox in exclusive mode');
  const first = await startWorker(there);
  const holding = async () =>
    (
      await sql`
        select 1 from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%into inbox%'
      `.execute(database.db)
    ).rows.length;
  await eventually(holding, (n) => n > 0, 30_000);
  await first.kill();
  await blocker.query('rollback');
  blocker.release();
  await eventually(holding, (n) => n === 0, 30_000);
  expect(await recorded()).toEqual([]);
  const lease = await database.db.selectFrom('pulls').select('lease_until').execute();
  expect(lease.some((row) => row.lease_until !== null)).toBe(true);

  // A minute has passed.
  await sql`update pulls set lease_until = now() - interval '1 second'`.execute(database.db);
  await startWorker(there);
  await allFound(receipts);
});
