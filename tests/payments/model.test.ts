import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inTransaction, type Tx } from '../../src/base/db.ts';
import { Refusal } from '../../src/base/errors.ts';
import { balancesOf } from '../../src/ledger/balances.ts';
import { assignPayment, reallocatePayment } from '../../src/payments/assign.ts';
import { receivePayments } from '../../src/payments/receive.ts';
import { reprocessPayments } from '../../src/payments/reprocess.ts';
import { reversedAtMpesa } from '../../src/payments/reverse.ts';
import { markForRefund } from '../../src/payments/unmatched.ts';
import { heard } from '../helpers/heard.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

// Payments heard of, decided on and taken back in any order, against what must be true of them
// whatever happened: the money that came is where it can be, once.

let house: House;

beforeAll(async () => {
  house = await openHouse({ alerts: { digest_above_per_minute: 0 } });
});
afterAll(() => house.close());

const receipts = [0, 1, 2, 3] as const;
const amounts = [50_000n, 120_000n, 200_000n, 31_050n] as const;
const targets = ['A1', 'A2', 'B1', 'A', 'B', 'nobody'] as const;

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('hear' as const),
      receipt: fc.constantFrom(...receipts),
      source: fc.constantFrom('c2b' as const, 'pull' as const, 'statement' as const),
      account: fc.constantFrom(...targets, ''),
      other_amount: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('assign' as const, 'move' as const, 'credit' as const),
      receipt: fc.constantFrom(...receipts),
      target: fc.constantFrom(...targets),
      cents: fc.option(fc.constantFrom(10_000n, 50_000n, 500_000n), { nil: undefined }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('issue' as const),
      to: fc.constantFrom('A' as const, 'B' as const),
      shillings: fc.constantFrom(100, 900),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('reverse' as const, 'refund' as const, 'again' as const),
      receipt: fc.constantFrom(...receipts),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

let runs = 0;

/** Two customers of their own for each run, so that runs know nothing of each other. */
async function newWorld() {
  runs += 1;
  const n = runs;
  const { register, issue } = trading(house);
  const a = await register('Amina');
  const b = await register('Brian');
  const names: Record<string, string> = {
    ...{ nobody: 'JOHN SHOP', '': '', A: a.number, B: b.number },
    A1: (await issue(a.id, 1_000)).number,
    A2: (await issue(a.id, 700)).number,
    B1: (await issue(b.id, 1_500)).number,
  };
  const receipt = (index: number) => `MOD${String(n).padStart(5, '0')}${index}`;
  return { names, customers: { A: a, B: b }, ids: [a.id, b.id], receipt };
}
type World = Awaited<ReturnType<typeof newWorld>>;

async function hear(tx: Tx, world: World, it: Extract<Step, { do: 'hear' }>): Promise<void> {
  const hearing = await heard(tx, {
    source: it.source,
    receipt: world.receipt(it.receipt),
    amount_cents: amounts[it.receipt] + (it.other_amount ? 100n : 0n),
    account_typed: world.names[it.account]!,
  });
  await receivePayments(tx, house.receive, [hearing]);
}

async function take(tx: Tx, world: World, it: Exclude<Step, { do: 'issue' }>): Promise<void> {
  if (it.do === 'hear') return hear(tx, world, it);
  const receipt = world.receipt(it.receipt);
  const { dues } = house.receive;
  if (it.do === 'reverse') {
    const at = new Date('2026-03-21T07:00:00Z');
    await reversedAtMpesa(tx, house.receive, [{ receipt, reversal_receipt: null, at }]);
    return;
  }
  const found = await tx
    .selectFrom('payments')
    .select('id')
    .where('receipt', '=', receipt)
    .executeTakeFirst();
  const payment_id = found?.id ?? -1n;
  if (it.do === 'refund') return markForRefund(tx, payment_id, 1n);
  if (it.do === 'again') return void (await reprocessPayments(tx, house.receive, payment_id));
  if (!('target' in it)) return;
  const target = {
    reference: world.names[it.target]!,
    amount_cents: it.cents,
    as_credit: it.do === 'credit',
  };
  const one = { payment_id, targets: [target], by: 1n };
  if (it.do === 'move') await reallocatePayment(tx, dues, { ...one, reason: 'model' });
  else await assignPayment(tx, dues, one);
}

/** What must be true of this world's payments, invoices and credit. */
async function check(world: World, first: ReadonlyMap<string, bigint>): Promise<void> {
  const payments = await house.db
    .selectFrom('payments')
    .selectAll()
    .where('receipt', 'like', `${world.receipt(0).slice(0, -1)}%`)
    .execute();
  expect(new Map(payments.map((p) => [p.receipt, p.amount_cents]))).toEqual(first);
  const ids = payments.map((p) => p.id);
  const { rows: live } = await sql<{ payment_id: bigint; due_kind: string; cents: bigint }>`
    select payment_id, due_kind, sum(amount_cents)::bigint as cents from allocations
    where payment_id = any(${ids}::bigint[]) and reversed_at is null group by 1, 2
  `.execute(house.db);
  const sumOf = (some: typeof live) => some.reduce((sum, row) => sum + row.cents, 0n);
  for (const p of payments) {
    const own = live.filter((row) => row.payment_id === p.id);
    expect(sumOf(own)).toBe(p.allocated_cents);
    expect(p.allocated_cents).toBeLessThanOrEqual(p.amount_cents);
  }
  const invoices = await house.db
    .selectFrom('invoices')
    .select(['total_cents', 'outstanding_cents'])
    .where('customer_id', 'in', world.ids)
    .execute();
  const paid = invoices.reduce((sum, it) => sum + it.total_cents - it.outstanding_cents, 0n);
  const { rows: spent } = await sql<{ cents: bigint }>`
    select coalesce(sum(amount_cents), 0)::bigint as cents from credit_allocations
    where customer_id = any(${world.ids}::bigint[]) and reversed_at is null
  `.execute(house.db);
  const by_credit = spent[0]!.cents;
  const to_invoices = sumOf(live.filter((row) => row.due_kind === 'invoice'));
  expect(paid).toBe(to_invoices + by_credit);
  const codes = [world.names['A']!, world.names['B']!].map((number) => `2010:${number}`);
  const credit = [...(await balancesOf(house.db, codes)).values()].reduce((a, b) => a + b, 0n);
  expect(credit).toBe(sumOf(live.filter((row) => row.due_kind === 'credit')) - by_credit);
}

// Of a payment that went back only what had been used can still count: none of it can be used again.
async function noneIsLeft(receipt: string): Promise<void> {
  const { rows } = await sql<{ number: string }>`
    select c.number from allocations a
    join payments p on p.id = a.payment_id
    join customers c on c.id = a.due_id
    where p.receipt = ${receipt} and a.due_kind = 'credit' and a.reversed_at is null
  `.execute(house.db);
  const codes = rows.map(({ number }) => `2010:${number}`);
  for (const cents of (await balancesOf(house.db, codes)).values()) expect(cents).toBe(0n);
}

test('whatever is heard, decided and taken back, all money is where it can be, once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      const world = await newWorld();
      const first = new Map<string, bigint>();
      const reversed = new Set<number>();
      for (const it of steps) {
        try {
          if (it.do === 'issue')
            await trading(house).issue(world.customers[it.to].id, it.shillings);
          else await inTransaction(house.db, (tx) => take(tx, world, it));
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
        }
        if (it.do === 'hear' && !first.has(world.receipt(it.receipt))) {
          const cents = amounts[it.receipt] + (it.other_amount ? 100n : 0n);
          first.set(world.receipt(it.receipt), cents);
        }
        await check(world, first);
        if (it.do === 'reverse' && first.has(world.receipt(it.receipt))) {
          // Heard of again it takes nothing: credit that came since is another payment's.
          if (!reversed.has(it.receipt)) await noneIsLeft(world.receipt(it.receipt));
          reversed.add(it.receipt);
        }
      }
    }),
    { numRuns: 30 },
  );
  expect(await house.findings()).toEqual([]);
});
