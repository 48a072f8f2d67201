import { sql } from 'kysely';
import { type Check, finding } from '../base/check.ts';
import { UNMATCHED } from '../ledger/chart.ts';

/** That the admins hear of every payment. Of the last week: what is older was looked at before. */
export const alertChecks: readonly Check[] = [
  finding(
    'the admins are told of a payment within minutes',
    sql`
      select 'payment ' || receipt as found from payments
      where told is null
        and created_at between now() - interval '7 days' and now() - interval '5 minutes'
      limit 20`,
  ),
  finding(
    'a payment that is told alone is told to each admin',
    sql`
      select 'payment ' || p.receipt || ' to person ' || r.person_id as found
      from payments p
      join roles r on r.role = 'admin' and r.granted_at < p.created_at
      left join outbox o on o.key = 'payment:' || p.id || ':admin:' || r.person_id
      left join questions q on q.ref = 'UM' || p.id and q.person_id = r.person_id
      where p.told = 'alone' and p.created_at > now() - interval '7 days'
        and o.id is null and q.ref is null
      limit 20`,
  ),
];

/** What ties payments and allocations to the ledger. */
export const paymentChecks: readonly Check[] = [
  finding(
    'every payment is on the books once, with its amount',
    sql`
      select 'payment ' || p.receipt as found
      from payments p
      left join ledger_transactions t on t.key = 'payment:' || p.receipt || ':received'
      left join (
        select ledger_transaction_id as id, sum(amount_cents) as cents from postings group by 1
      ) s on s.id = t.id
      where s.cents is distinct from p.amount_cents::numeric
      limit 20`,
  ),
  finding(
    'every confirmation that was answered has become a payment, or waits its turn',
    sql`
      select 'inbox ' || i.id || ' is ' || i.state as found
      from inbox i left join hearings h on h.inbox_id = i.id
      where i.source in ('c2b_confirmation', 'pull_transaction') and i.state <> 'new' and h.inbox_id is null
      limit 20`,
  ),
  finding(
    'a payment that M-Pesa took back is off the books, with its amount, and no other',
    sql`
      select 'payment ' || p.receipt as found
      from payments p
      left join ledger_transactions t on t.key = 'payment:' || p.receipt || ':reversed'
      left join (
        select ledger_transaction_id as id, sum(amount_cents) as cents from postings group by 1
      ) s on s.id = t.id
      where case when p.reversed_at is null then t.id is not null
                 else s.cents is distinct from p.amount_cents::numeric end
      limit 20`,
  ),
  finding(
    'an allocation that was reversed is reversed on the books, and no other',
    sql`
      select 'allocation ' || a.id as found
      from allocations a
      left join ledger_transactions t on t.key = 'allocation:' || a.id || ':reversed'
      where (a.reversed_at is not null) <> (t.id is not null)
      limit 20`,
  ),
  finding(
    'every payment on the books was heard of',
    sql`
      select t.key as found from ledger_transactions t
      where t.kind = 'payment_received'
        and not exists (select from payments p where t.key = 'payment:' || p.receipt || ':received')
      limit 20`,
  ),
  finding(
    'every allocation is on the books, with its amount',
    sql`
      select 'allocation ' || a.id as found
      from allocations a
      left join ledger_transactions t on t.key = 'allocation:' || a.id
      left join (
        select ledger_transaction_id as id, sum(amount_cents) as cents from postings group by 1
      ) s on s.id = t.id
      where s.cents is distinct from a.amount_cents::numeric
      limit 20`,
  ),
  finding(
    'allocations add up to what payments say is allocated',
    sql`
      select 'payment ' || p.receipt as found
      from payments p
      left join lateral (
        select sum(amount_cents) as cents from allocations
        where payment_id = p.id and reversed_at is null) s on true
      where coalesce(s.cents, 0) <> p.allocated_cents
      limit 20`,
  ),
  finding(
    'what is unmatched is what 2040 holds',
    sql`
      select 'payments leave ' || p.cents || ' and ${sql.raw(UNMATCHED)} holds ' || l.cents as found
      from (select coalesce(sum(amount_cents - allocated_cents), 0) as cents
            from payments where reversed_at is null) p,
           (select coalesce(sum(
                     case when c.code = ${UNMATCHED} then amount_cents else -amount_cents end), 0) as cents
            from postings
            join accounts c on c.id = credit_account_id
            join accounts d on d.id = debit_account_id
            where ${UNMATCHED} in (c.code, d.code)) l
      where p.cents <> l.cents`,
  ),
];
