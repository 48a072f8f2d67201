import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inTransaction, openDatabase } from '../../src/base/db.ts';
import { startPostgres } from '../../src/base/embedded-postgres.ts';
import { migrate } from '../../src/base/migrate.ts';
import { addCustomer } from '../../src/customers/add.ts';
import { invoiceNumber } from '../../src/invoices/dues.ts';
import { issueInvoice } from '../../src/invoices/issue.ts';
import { enrol } from '../../src/people/enrol.ts';
import {
  eventually,
  freePort,
  getJson,
  karani,
  postJson,
  type Running,
  runKarani,
} from '../helpers/process.ts';

// Real processes: the server is killed with -9 while M-Pesa, in a process of its own, goes on.

const payments = 300;
const kills = 5;
const admins = ['254700000001', '254700000002'];
const seed = Number(process.env['SEED'] ?? 20261121);

const config = (hook: string) => `
environment: sandbox
business: { name: Duka, help_number: "0700000001" }
admin_numbers: ["${admins.join('", "')}"]
shortcodes: [{ number: "600000", kind: paybill, consumer_key: k, consumer_secret: s }]
hooks: { daraja: ["${hook}"], ussd: ["${hook}"], whatsapp: ["${hook}"] }
whatsapp: { phone_number_id: "1", access_token: t, app_secrets: ["${hook}"], verify_token: v }
ussd: { code: "*384*1#" }
alerts: { digest_above_per_minute: 1000 }
`;

// Small, seeded, and the same everywhere (mulberry32).
function random(state: number): () => number {
  let s = state;
  return () => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface Truth {
  receipt: string;
  amount: number;
  delivered: boolean;
}

test(
  `300 payments called back twice, the server killed five times (seed ${seed})`,
  { timeout: 150_000 },
  async () => {
    const next = random(seed);
    const folder = await mkdtemp(join(tmpdir(), 'karani-crash-'));
    const hook = 'crash-hook-0123456789';
    const config_path = join(folder, 'config.yaml');
    writeFileSync(config_path, config(hook));
    const data_dir = join(folder, 'data');
    await seedBusiness(data_dir);

    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const simulator = await runKarani(
      'src/cli.ts',
      ['simulator', '--port', '0', '--app', url, '--data', join(folder, 'simulator')],
      { KARANI_HOOK_SECRET: hook },
    );
    const sim = simulator.url;
    const env = {
      PORT: String(port),
      PUBLIC_URL: url,
      KARANI_CONFIG: config_path,
      KARANI_DATA: data_dir,
      KARANI_SECRET: 'a-secret-for-this-test-0123456789abcdef',
      DATABASE_URL: undefined,
      DARAJA_BASE_URL: sim,
      WHATSAPP_BASE_URL: sim,
    };
    const startServer = () => runKarani('src/main.ts', [], env);
    let server: Running | undefined = await startServer();
    try {
      expect(await karani(['daraja', 'register-urls'], env)).toMatchObject({ code: 0 });
      await postJson(`${sim}/sim/faults`, { duplicate: 1, seed });

      const kill_after = new Set<number>();
      while (kill_after.size < kills) kill_after.add(20 + Math.floor(next() * (payments - 40)));
      for (let n = 0; n < payments; n += 1) {
        const body = {
          phone: `2547000${String(10_000 + n)}`,
          amount: 10 + Math.floor(next() * 90),
          account: invoiceNumber('20260301', String(1 + Math.floor(next() * 9))),
          msisdn: (['clear', 'hashed', 'masked'] as const)[n % 3],
        };
        await postJson(`${sim}/sim/mpesa/pay`, body);
        if (kill_after.has(n)) {
          // Not at once each time: at an instant of its own between this callback and some later one.
          await eventually(
            () => Promise.resolve(next()),
            (roll) => roll < 0.3,
            1_000,
          );
          await server.kill();
          server = undefined;
          const again = startServer();
          server = await again;
        }
      }

      const answered = (await getJson<Truth[]>(`${sim}/sim/mpesa/transactions`)).filter(
        (t) => t.delivered,
      );
      expect(answered.length).toBeGreaterThan(payments / 2);
      await settled(url);
      await checkReceipts(
        data_dir,
        server,
        answered.map((t) => t.receipt),
        'every answered receipt',
      );
      server = await startServer();

      await postJson(`${sim}/sim/mpesa/redeliver`, {});
      const truth = await getJson<Truth[]>(`${sim}/sim/mpesa/transactions`);
      expect(truth.filter((t) => !t.delivered)).toEqual([]);
      await settled(url);

      const repeats: number[] = [];
      for (const admin of admins) {
        const chat = await getJson<{ direction: string; text: string }[]>(
          `${sim}/sim/whatsapp?phone=${admin}`,
        );
        const told = chat.flatMap(({ text }) => /Receipt: (\w+)/.exec(text)?.[1] ?? []);
        expect(new Set(told)).toEqual(new Set(truth.map((t) => t.receipt)));
        expect(told.length - payments).toBeLessThanOrEqual(kills);
        repeats.push(told.length - payments);
      }
      console.log(
        `${answered.length} of ${payments} answered before redelivery, ${kills} kills, repeats of alerts: ${repeats.join(' and ')}`,
      );
      expect(await server.stop()).toBe(0);
      server = undefined;

      expect(await karani(['ledger', 'verify'], env)).toMatchObject({ code: 0 });
      await checkReceipts(
        data_dir,
        undefined,
        truth.map((t) => t.receipt),
        'every receipt',
      );
    } finally {
      await server?.kill();
      await simulator.stop();
      const postgres = await startPostgres(data_dir).catch(() => undefined);
      await postgres?.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

/** Ten invoices of one customer, large enough for all that comes. */
async function seedBusiness(data_dir: string): Promise<void> {
  const postgres = await startPostgres(data_dir);
  const { db, pool } = openDatabase(postgres.url, 2);
  await migrate(pool, 'sandbox');
  await inTransaction(db, async (tx) => {
    const { openChart } = await import('../../src/ledger/accounts.ts');
    await openChart(tx, []);
    const [person_id] = await enrol(tx, [{ msisdn: '254711000000', roles: ['customer'] }]);
    const customer = { number: 'CUST-001', name: 'Shule', person_id: person_id! };
    const id = await addCustomer(tx, customer);
    for (let n = 1; n <= 10; n += 1) {
      const number = invoiceNumber('20260301', String(n));
      const dates = { issued_on: '2026-03-01', due_on: '2026-03-31' };
      await issueInvoice(tx, {
        number,
        customer: { id, number: 'CUST-001' },
        total_cents: 500_000n,
        ...dates,
      });
    }
  });
  await db.destroy();
  await postgres.stop();
}

/** Nothing waits any more: neither callbacks nor messages. */
async function settled(url: string): Promise<void> {
  await eventually(
    async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return ['inbox', 'outbox'].map((table) =>
        Number(
          new RegExp(`karani_rows\\{table="${table}",state="waiting"\\} (\\d+)`).exec(metrics)?.[1],
        ),
      );
    },
    (waiting) => Array.isArray(waiting) && waiting.every((n) => n === 0),
    60_000,
  );
}

/** The payments and their ledger transactions are these receipts, each exactly once. */
async function checkReceipts(
  data_dir: string,
  server: Running | undefined,
  receipts: string[],
  what: string,
): Promise<void> {
  await server?.stop();
  const postgres = await startPostgres(data_dir);
  const { db } = openDatabase(postgres.url, 2);
  try {
    const rows = await db
      .selectFrom('ledger_transactions')
      .select('key')
      .where('kind', '=', 'payment_received')
      .execute();
    const booked = rows.map((row) => row.key.split(':')[1]);
    expect(booked.length, what).toBe(new Set(booked).size);
    expect(
      receipts.filter((receipt) => !booked.includes(receipt)),
      what,
    ).toEqual([]);
  } finally {
    await db.destroy();
    await postgres.stop();
  }
}
