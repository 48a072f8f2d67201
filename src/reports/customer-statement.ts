import { sql } from 'kysely';
import type { Db } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { creditOf, receivableOf } from '../ledger/chart.ts';

export interface StatementLine {
  at: Date;
  /** The ledger transaction's, `invoice_issued`. */
  kind: string;
  /** The invoice's number, or the payment's receipt. */
  reference: string;
  /** What a payment has paid: invoices' numbers. */
  paid_for: string[];
  /** More to pay is positive; paid is negative. */
  change_cents: bigint;
  /** What was left to pay after it; below nothing, what was paid ahead. */
  after_cents: bigint;
}

export interface CustomerStatement {
  opening_cents: bigint;
  invoiced_cents: bigint;
  paid_cents: bigint;
  closing_cents: bigint;
  lines: StatementLine[];
}

/** How many lines one statement holds. */
export const most_lines = 20_000;

/**
 * What a customer was invoiced and has paid in a time, oldest first, with the balance before and
 * after: of both their accounts, so that credit that pays an invoice changes nothing. What a
 * payment has paid at once is one line. Throws Refusal `too_long`.
 */
export async function customerStatement(
  db: Db,
  customer_number: string,
  { from, until }: { from: Date | undefined; until: Date | undefined },
): Promise<CustomerStatement> {
  const { rows } = await sql<
    Partial<StatementLine> & { id: bigint | null; before_cents: bigint; change_cents: bigint }
  >`
    with mine as (
      select id from accounts
      where code in (${receivableOf(customer_number)}, ${creditOf(customer_number)})
    ), moved as (
      select p.ledger_transaction_id as id, p.amount_cents as cents
      from mine join postings p on p.debit_account_id = mine.id
      union all
      select p.ledger_transaction_id, -p.amount_cents
      from mine join postings p on p.credit_account_id = mine.id
    ), sums as materialized (
      select id, sum(cents)::bigint as change_cents from moved group by id having sum(cents) <> 0
    ), moves as materialized (
      -- All ids in one look by the index: a look for each takes several times as long. The keys are
      -- 'invoice:INV-20260203-0001:issued', 'allocation:12', 'allocation:12:reversed'; no regular
      -- expressions: for thousands of lines they take longer than all the rest.
      select t.id, t.key, t.kind, t.effective_at as at, t.reverses_id, s.change_cents,
             split_part(t.key, ':', 1) as of, split_part(t.key, ':', 2) as part
      from ledger_transactions t join sums s on s.id = t.id
      where t.id = any(array(select id from sums)) ${until ? sql`and t.effective_at < ${until}` : sql``}
    ), parts as (
      select m.*, p.id as payment_id, p.receipt, nullif(a.due_reference, 'credit') as paid_for
      from moves m
      left join allocations a on a.id = case m.of when 'allocation' then m.part::bigint end
      left join payments p on p.id = a.payment_id
    ), changes as (
      -- A line a payment, whatever it paid: by ids and times, which are compared faster than text.
      select max(id) as id, min(kind) as kind, at, sum(change_cents)::bigint as change_cents,
             coalesce(max(receipt), max(case of when 'invoice' then part else key end)) as reference,
             array_agg(paid_for) filter (where paid_for is not null) as paid_for
      from parts group by at, coalesce(payment_id, -id), reverses_id is not null
    ), before as (
      select coalesce(sum(change_cents), 0)::bigint as before_cents from changes
      where ${from ? sql`at < ${from}` : sql`false`}
    ), lines as (
      select * from changes where ${from ? sql`at >= ${from}` : sql`true`}
      order by at, id limit ${most_lines + 1}
    )
    select l.id, l.at, l.kind, l.reference, l.paid_for, before_cents,
           coalesce(l.change_cents, 0)::bigint as change_cents
    from before left join lines l on true
    order by l.at, l.id
  `.execute(db);
  if (rows.length > most_lines) throw new Refusal('too_long');
  const opening_cents = rows[0]?.before_cents ?? 0n;
  let after_cents = opening_cents;
  let invoiced_cents = 0n;
  const lines = rows.flatMap((row): StatementLine[] => {
    const { id, at, kind, reference, change_cents, paid_for } = row;
    if (id === null || !at || kind === undefined || reference === undefined) return [];
    after_cents += change_cents;
    if (kind.startsWith('invoice_issued')) invoiced_cents += change_cents;
    return [{ at, kind, reference, paid_for: paid_for ?? [], change_cents, after_cents }];
  });
  const paid_cents = opening_cents + invoiced_cents - after_cents;
  return { opening_cents, invoiced_cents, paid_cents, closing_cents: after_cents, lines };
}

/** "NLJ7RT61SV INV-20260203-0001 +1": a payment's receipt and what it has paid. */
export function withPaid(reference: string, [first, ...others]: readonly string[]): string {
  const more = others.length === 0 ? '' : ` +${others.length}`;
  return first === undefined ? reference : `${reference} ${first}${more}`;
}
