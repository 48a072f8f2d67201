import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Db, inTransaction } from '../../src/base/db.ts';
import { centsFromDecimal } from '../../src/base/money.ts';
import { addCustomer } from '../../src/customers/add.ts';
import { payerFrom } from '../../src/daraja/payloads.ts';
import { issueInvoice } from '../../src/invoices/issue.ts';
import { openChart } from '../../src/ledger/accounts.ts';
import { receivePayments } from '../../src/payments/receive.ts';
import { enrol } from '../../src/people/enrol.ts';
import { dues } from '../../src/registry.ts';
import { freshDatabase } from '../helpers/database.ts';
import { money_accounts } from '../helpers/confirmation.ts';

interface Case {
  id: number;
  account: string;
  phone: string;
  amount: string;
  rule: string;
  dues: string[];
  note?: string;
}

const fixture = JSON.parse(
  readFileSync(new URL('../fixtures/matching.json', import.meta.url), 'utf8'),
) as {
  world: {
    customers: { number: string; name: string; phone: string | null }[];
    invoices: { number: string; customer: string; outstanding: string; due: string }[];
  };
  cases: Case[];
};

let database: Awaited<ReturnType<typeof freshDatabase>>;
let db: Db;

beforeAll(async () => {
  database = await freshDatabase();
  db = database.db;
  await inTransaction(db, async (tx) => {
    await openChart(tx, [...money_accounts.values()]);
    const ids = new Map<string, bigint>();
    for (const { number, name, phone } of fixture.world.customers) {
      const [person_id] = phone ? await enrol(tx, [{ msisdn: phone, roles: ['customer'] }]) : [];
      ids.set(number, await addCustomer(tx, { number, name, person_id: person_id ?? null }));
    }
    for (const it of fixture.world.invoices) {
      const open_cents = centsFromDecimal(it.outstanding)!;
      const id = await issueInvoice(tx, {
        number: it.number,
        customer: { id: ids.get(it.customer)!, number: it.customer },
        total_cents: open_cents === 0n ? 100n : open_cents,
        issued_on: it.due,
        due_on: it.due,
      });
      if (open_cents === 0n) {
        await tx
          .updateTable('invoices')
          .set({ outstanding_cents: 0n })
          .where('id', '=', id)
          .execute();
      }
    }
  });
});

afterAll(() => database.close());

class Undo extends Error {}

// Each case in a commit that is undone, so that all of them find the same world.
async function receive(it: Case) {
  let result: { rule: string; dues: string[]; also_possible: unknown } | undefined;
  await inTransaction(db, async (tx) => {
    const inbox_id = await tx
      .insertInto('inbox')
      .values({
        source: 'c2b_confirmation',
        body: '{}',
        body_hash: Buffer.alloc(32, it.id),
        from_ip: null,
        error: null,
        done_at: null,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const payer = payerFrom(it.phone);
    await receivePayments(
      tx,
      {
        dues,
        money_accounts,
        limits: { payment_cents: 25_000_000n, payer_day_cents: 50_000_000n },
        digest_above_per_minute: 10,
      },
      [
        {
          inbox_id: inbox_id.id,
          source: 'c2b',
          shortcode: '600000',
          receipt: `TKL${String(it.id).padStart(7, '0')}`,
          amount_cents: centsFromDecimal(it.amount)!,
          paid_at: new Date('2026-03-20T09:00:00Z'),
          account_typed: it.account.trim(),
          payer_msisdn: payer.msisdn ?? null,
          payer_hash: payer.hash ?? null,
          payer_masked: payer.masked ?? null,
          payer_name: null,
        },
      ],
    );
    const payment = await tx.selectFrom('payments').selectAll().executeTakeFirstOrThrow();
    const allocations = await tx.selectFrom('allocations').selectAll().orderBy('id').execute();
    result = {
      rule: payment.rule,
      dues: allocations.filter((a) => a.due_kind !== 'credit').map((a) => a.due_reference),
      also_possible: payment.also_possible,
    };
    throw new Undo();
  }).catch((error: unknown) => {
    if (!(error instanceof Undo)) throw error;
  });
  return result;
}

test.each(fixture.cases.map((it) => [it.id, it.account, it.phone, it.note ?? '', it] as const))(
  'case %i: account "%s" from %s %s',
  async (_id, _account, _phone, _note, it) => {
    expect(await receive(it)).toMatchObject({ rule: it.rule, dues: it.dues });
  },
);
