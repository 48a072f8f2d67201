import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchPayment } from '../../src/payments/match.ts';
import type { Due, Named } from '../../src/payments/due.ts';
import { dues } from '../../src/registry.ts';
import { oddText, runs } from './arbitraries.ts';

const referencesIn = (typed: string) => dues.flatMap((trade) => trade.referencesIn(typed));

const day = fc.integer({ min: 20_200_101, max: 20_301_231 });
const word = fc.constantFrom('inv', 'INV', 'Invoice', 'iNv');
const customer = fc.constantFrom('cust', 'CUST', 'Customer', 'cUsT');
const gap = fc.constantFrom('', ' ', '-', ' - ', '_', '/', '.', '  ', '\u2013');
const zeros = fc.nat({ max: 4 }).map((n) => '0'.repeat(n));
const before_it = fc.constantFrom('', ' ', '-', '.', 'kodi ', 'Kamau:', '\n', '#', '\u00A0');
const after_it = fc.constantFrom('', ' ', '  ', '-', '.', ' kodi', ' (Kamau)', '\n', '#', '_x');

test('a reference is found however it is typed, and in its one form', () => {
  const invoice = fc.tuple(word, gap, day, gap, zeros, fc.integer({ min: 1, max: 999_999 }));
  fc.assert(
    fc.property(invoice, before_it, after_it, ([name, a, on, b, nought, nth], before, after) => {
      const found = referencesIn(`${before}${name}${a}${on}${b}${nought}${nth}${after}`);
      expect(found).toEqual([`INV-${on}-${String(nth).padStart(4, '0')}`]);
    }),
    runs(300),
  );
  fc.assert(
    fc.property(
      fc.tuple(customer, gap, zeros, fc.integer({ min: 1, max: 99_999 })),
      before_it,
      after_it,
      (it, before, after) => {
        const [name, a, nought, nth] = it;
        const found = referencesIn(`${before}${name}${a}${nought}${nth}${after}`);
        expect(found).toEqual([`CUST-${String(nth).padStart(3, '0')}`]);
      },
    ),
    runs(300),
  );
});

test('whatever is typed, its references are canonical, and each is its own only reference', () => {
  const near = fc
    .array(fc.oneof(word, customer, gap, zeros, day.map(String), fc.nat().map(String), after_it), {
      maxLength: 12,
    })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(fc.oneof(near, near, oddText), (typed) => {
      const found = referencesIn(typed);
      expect(new Set(found).size).toBe(found.length);
      for (const reference of found) {
        expect(reference).toMatch(/^(INV-\d{8}-\d{4,6}|CUST-\d{3,9}|254[17]\d{8})$/);
        expect(referencesIn(reference)).toEqual([reference]);
        expect(referencesIn(reference.toLowerCase())).toEqual([reference]);
      }
    }),
    runs(800),
  );
});

const parties = ['customer:1', 'customer:2', 'customer:3', 'tenant:1'];

const open: fc.Arbitrary<Due[]> = fc
  .array(
    fc.record({
      party: fc.constantFrom(...parties),
      order: fc.boolean(),
      outstanding_cents: fc.oneof(
        fc.bigInt({ min: 0n, max: 5_000n }),
        fc.bigInt({ min: 0n, max: 10n ** 15n }),
      ),
    }),
    { maxLength: 8 },
  )
  .map((all) =>
    all.map(({ order, ...due }, n) => ({
      ...due,
      // A kind of due is one trade's, and so is a kind of party that owes it.
      kind: due.party.startsWith('tenant') ? 'rent' : order ? 'order' : 'invoice',
      ...{ id: BigInt(n), reference: `D-${n}`, due_on: `2026-02-${10 + n}`, person_id: null },
    })),
  );

const naming = fc.record({
  reference: fc.constantFrom('R-1', 'R-2', 'R-3', 'CUST-001'),
  party: fc.constantFrom(...parties),
  due: fc.option(fc.nat({ max: 9 })),
});

const world = fc.tuple(open, fc.array(naming, { maxLength: 4 })).map(([dues_open, names]) => ({
  open: dues_open,
  named: names.map(({ reference, party, due }): Named => {
    const it = due === null ? undefined : dues_open[due];
    const named = it ? { kind: it.kind, id: it.id } : null;
    return { reference, party: it?.party ?? party, person_id: null, due: named };
  }),
}));

const payments = fc.array(
  fc.record({
    amount_cents: fc.oneof(
      fc.bigInt({ min: 1n, max: 8_000n }),
      fc.bigInt({ min: 1n, max: 10n ** 15n }),
    ),
    references: fc.subarray(['R-1', 'R-2', 'R-3', 'CUST-001', 'R-9']),
    payer: fc.subarray(parties).map((all) => all.map((party) => ({ party, person_id: 1n }))),
  }),
  { minLength: 1, maxLength: 4 },
);

test('a batch of payments pays each due once, no more than is open, and no cent is lost', () => {
  let matched = 0;
  fc.assert(
    fc.property(world, payments, fc.boolean(), (it, all, has_rest) => {
      const owed = new Map(it.open.map((due) => [due.id, due.outstanding_cents]));
      const rest = (party: { party: string }): Due | undefined =>
        has_rest
          ? {
              ...party,
              ...{ kind: 'credit', id: 99n, reference: 'credit', due_on: '' },
              person_id: null,
              outstanding_cents: 0n,
            }
          : undefined;
      const paid = new Map<bigint, bigint>();
      for (const payment of all) {
        const given = structuredClone(payment);
        const { rule, parts, also_possible } = matchPayment(payment, { ...it, rest });
        expect(payment).toEqual(given);
        expect(also_possible.length).toBeLessThanOrEqual(3);
        if (rule === 'unmatched') expect(parts).toEqual([]);
        if (rule !== 'unmatched') matched += 1;
        const sum = parts.reduce((total, part) => total + part.amount_cents, 0n);
        if (rule !== 'unmatched' && has_rest) expect(sum).toBe(payment.amount_cents);
        expect(sum).toBeLessThanOrEqual(payment.amount_cents);
        expect(new Set(parts.map((part) => part.due.party)).size).toBeLessThanOrEqual(1);
        for (const { due, amount_cents } of parts) {
          expect(amount_cents).toBeGreaterThan(0n);
          if (due.kind !== 'credit') paid.set(due.id, (paid.get(due.id) ?? 0n) + amount_cents);
        }
      }
      for (const due of it.open) {
        expect(due.outstanding_cents).toBe(owed.get(due.id)! - (paid.get(due.id) ?? 0n));
        expect(due.outstanding_cents).toBeGreaterThanOrEqual(0n);
      }
    }),
    runs(500),
  );
  expect(matched).toBeGreaterThan(100);
});
