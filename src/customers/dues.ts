import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import { type Db, sqlState } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { msisdnFrom } from '../base/phone.ts';
import { creditOf, UNMATCHED } from '../ledger/chart.ts';
import { balancesOf } from '../ledger/balances.ts';
import { postLedger } from '../ledger/post.ts';
import { reverseLedger } from '../ledger/reverse.ts';
import type { Dues, Meant, Named, Returned } from '../payments/due.ts';
import { customersNear, type Found, findCustomers } from './find.ts';
import { lockCustomers } from './lock.ts';
import { customerNumbersIn } from './number.ts';

/** "customer:12", and back. */
export function customerParty(id: bigint): string {
  return `customer:${id}`;
}

/** The ids of the customers among these parties. */
export function customerIds(parties: string[]): bigint[] {
  return parties.flatMap((party) => {
    const id = /^customer:(\d+)$/.exec(party)?.[1];
    return id === undefined ? [] : [BigInt(id)];
  });
}

/**
 * Customer credit: the last of the dues, which takes what no other does. A customer's number, or
 * their phone number typed as the account, names the customer.
 */
export const creditDues: Dues = {
  kind: 'credit',
  prefix: 'cust',

  referencesIn(typed) {
    const phone = msisdnFrom(typed);
    return [...new Set([...customerNumbersIn(typed), ...(phone ? [phone] : [])])];
  },

  async find(db, references) {
    const { rows } = await sql<Named & { id: bigint }>`
      select c.number as reference, c.id, c.person_id, concat_ws(', ', c.name, c.number) as owner
      from customers c
      where c.number = any(${references}::text[])
      union all
      select a.value, c.id, c.person_id, concat_ws(', ', c.name, c.number)
      from addresses a join customers c on c.person_id = a.person_id
      where a.kind = 'msisdn' and a.value = any(${references}::text[])
    `.execute(db);
    return rows.map((row) => ({ ...row, party: customerParty(row.id), due: null }));
  },

  async meant(db, typed) {
    return (await findCustomers(db, typed)).map(toMeant);
  },

  async near(db, typed) {
    return (await customersNear(db, typed)).map(toMeant);
  },

  async partiesOf(db: Db, person_ids) {
    const { rows } = await sql<{ id: bigint; person_id: bigint; owner: string }>`
      select id, person_id, concat_ws(', ', name, number) as owner
      from customers where person_id = any(${person_ids}::bigint[])
    `.execute(db);
    return rows.map(({ id, ...row }) => ({ party: customerParty(id), ...row }));
  },

  // Paying ahead is always possible, but never what is asked for.
  open: () => Promise.resolve([]),
  lockOpen: () => Promise.resolve([]),
  suggest: () => Promise.resolve([]),

  rest(party) {
    const [id] = customerIds([party.party]);
    if (id === undefined) return undefined;
    return { ...party, kind: 'credit', id, reference: 'credit', outstanding_cents: 0n, due_on: '' };
  },

  async apply(tx, allocations) {
    if (allocations.length === 0) return;
    const { rows } = await sql<{ id: bigint; number: string }>`
      select id, number from customers where id = any(${allocations.map((a) => a.due_id)}::bigint[])
    `.execute(tx);
    const numbers = new Map(rows.map((row) => [row.id, row.number]));
    await postLedger(
      tx,
      allocations.map((a) => ({
        key: `allocation:${a.id}`,
        kind: 'customer_credit',
        effective_at: a.paid_at,
        postings: [
          {
            debit: UNMATCHED,
            credit: creditOf(numbers.get(a.due_id) ?? ''),
            amount_cents: a.amount_cents,
          },
        ],
      })),
    );
  },

  async used(tx, allocations) {
    const ids = allocations.map((a) => a.due_id);
    await lockCustomers(tx, ids);
    const { rows } = await sql<{ id: bigint; number: string }>`
      select id, number from customers where id = any(${ids}::bigint[])
    `.execute(tx);
    const numbers = new Map(rows.map((row) => [row.id, creditOf(row.number)]));
    const unused = await balancesOf(tx, [...numbers.values()]);
    return allocations.map(({ due_id, amount_cents }) => {
      const code = numbers.get(due_id) ?? '';
      const left_cents = unused.get(code) ?? 0n;
      const free_cents = left_cents < amount_cents ? left_cents : amount_cents;
      unused.set(code, left_cents - free_cents);
      return amount_cents - free_cents;
    });
  },

  async takeBack(tx, allocations) {
    await lockCustomers(
      tx,
      allocations.map((a) => a.due_id),
    );
    const effective_at = clock.now();
    try {
      await reverseLedger(
        tx,
        allocations.map((a) => ({ of: `allocation:${a.id}`, effective_at })),
      );
    } catch (error) {
      // It has paid an invoice meanwhile.
      if (sqlState(error) === check_violation) throw new Refusal('spent');
      throw error;
    }
    const { rows } = await sql<Pick<Returned, 'id' | 'person_id' | 'amount_cents'>>`
      select c.id, c.person_id, sum(a.amount_cents)::bigint as amount_cents
      from unnest(
        ${allocations.map((a) => a.due_id)}::bigint[],
        ${allocations.map((a) => a.amount_cents)}::bigint[]) as a(due_id, amount_cents)
      join customers c on c.id = a.due_id group by c.id
    `.execute(tx);
    return rows.map((row) => ({ ...row, kind: 'credit', reference: 'credit', left_cents: 0n }));
  },
};

function toMeant({ id, number, name, person_id }: Found): Meant {
  return { reference: number, of: number, name, person_id, party: customerParty(id), due: null };
}

const check_violation = '23514';
