import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clock, eatDate } from '../../src/base/clock.ts';
import { daysAfter } from '../../src/invoices/invoice-customer.ts';
import { balancesOf } from '../../src/ledger/balances.ts';
import { type House, openHouse } from '../helpers/house.ts';
import { trading } from '../helpers/invoices.ts';

// A customer's account as a few lines of arithmetic, held against the real one.

interface Part {
  invoice: Invoice | 'credit';
  cents: bigint;
}
interface Invoice {
  number: string;
  total: bigint;
  due: string;
  is_void: boolean;
  by_credit: bigint;
  by_payments: bigint;
}
interface Payment {
  id: bigint;
  parts: Part[];
}

const leftOf = (it: Invoice) => (it.is_void ? 0n : it.total - it.by_credit - it.by_payments);

class Account {
  invoices: Invoice[] = [];
  payments: Payment[] = [];
  credit = 0n;

  open(): Invoice[] {
    // The earlier of two that are due on one day was issued first.
    return this.invoices
      .filter((it) => leftOf(it) > 0n)
      .sort((a, b) => (a.due < b.due ? -1 : a.due > b.due ? 1 : 0));
  }

  issue(number: string, total: bigint, due: string): void {
    this.invoices.push({ number, total, due, is_void: false, by_credit: 0n, by_payments: 0n });
    this.spend();
  }

  spend(): void {
    for (const invoice of this.open()) {
      const cents = leftOf(invoice) < this.credit ? leftOf(invoice) : this.credit;
      invoice.by_credit += cents;
      this.credit -= cents;
    }
  }

  pay(id: bigint, cents: bigint, named: Invoice | undefined): void {
    const open = this.open();
    const first = named && open.includes(named) ? [named] : [];
    const parts: Part[] = [];
    let rest = cents;
    for (const invoice of [...first, ...open.filter((it) => it !== named)]) {
      const part = leftOf(invoice) < rest ? leftOf(invoice) : rest;
      if (part > 0n) parts.push({ invoice, cents: part });
      invoice.by_payments += part;
      rest -= part;
    }
    if (rest > 0n) parts.push({ invoice: 'credit', cents: rest });
    this.credit += rest;
    this.payments.push({ id, parts });
  }

  takeBack(payment: Payment): 'spent' | undefined {
    const ahead = payment.parts.find((it) => it.invoice === 'credit')?.cents ?? 0n;
    if (ahead > this.credit) return 'spent';
    this.credit -= ahead;
    for (const { invoice, cents } of payment.parts) {
      if (invoice !== 'credit') invoice.by_payments -= cents;
    }
    payment.parts = [];
    return undefined;
  }

  cancel(invoice: Invoice): 'void' | 'paid' | 'partly_paid' | undefined {
    if (invoice.is_void) return 'void';
    if (invoice.by_payments > 0n) return leftOf(invoice) === 0n ? 'paid' : 'partly_paid';
    this.credit += invoice.by_credit;
    invoice.by_credit = 0n;
    invoice.is_void = true;
    this.spend();
    return undefined;
  }
}

const amount = fc.integer({ min: 1, max: 9 }).map((n) => n * 100);
const nth = fc.nat({ max: 20 });
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('issue' as const), amount, days: fc.nat({ max: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pay' as const), amount }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pay_for' as const), amount, nth }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), nth }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('take_back' as const), nth }) },
);

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

test('whatever is issued, paid, taken back and made void, the books say what arithmetic says', async () => {
  const shop = trading(house);
  const today = eatDate(clock.now());
  const refusalOf = async (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      const { id, number } = await shop.register('Somebody');
      const account = new Account();
      for (const it of steps) {
        const invoice =
          'nth' in it ? account.invoices[it.nth % Math.max(1, account.invoices.length)] : undefined;
        if (it.do === 'issue') {
          const due_on = daysAfter(today, it.days);
          const issued = await shop.issue(id, it.amount, { due_on });
          account.issue(issued.number, issued.total_cents, due_on);
        } else if (it.do === 'pay' || (it.do === 'pay_for' && invoice)) {
          const payment = await shop.pay(invoice?.number ?? number, it.amount);
          account.pay(payment, BigInt(it.amount * 100), invoice);
        } else if (it.do === 'cancel' && invoice) {
          const expected = account.cancel(invoice);
          expect(await refusalOf(shop.cancel(invoice.number))).toBe(expected);
        } else if (it.do === 'take_back' && account.payments.length > 0) {
          const payment = account.payments[it.nth % account.payments.length]!;
          const expected = account.takeBack(payment);
          expect(await refusalOf(shop.takeBack(payment.id))).toBe(expected);
        }
      }
      const rows = await house.db
        .selectFrom('invoices')
        .select(['number', 'outstanding_cents'])
        .where('customer_id', '=', id)
        .orderBy('id')
        .execute();
      expect(rows).toEqual(
        account.invoices.map((it) => ({ number: it.number, outstanding_cents: leftOf(it) })),
      );
      const owed = account.invoices.reduce((sum, it) => sum + leftOf(it), 0n);
      expect(await balancesOf(house.db, [`1200:${number}`, `2010:${number}`])).toEqual(
        new Map([
          [`1200:${number}`, owed],
          [`2010:${number}`, account.credit],
        ]),
      );
      expect(await house.findings()).toEqual([]);
    }),
    { numRuns: 40, endOnFailure: true },
  );
}, 120_000);
