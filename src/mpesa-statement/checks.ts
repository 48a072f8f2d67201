import { sql } from 'kysely';
import { type Check, finding } from '../base/check.ts';

/** What ties the lines of imported statements to the ledger. */
export const statementChecks: readonly Check[] = [
  finding(
    'what a statement booked is on the books, with its amount',
    // Joined at once, and not looked up one by one: there may be millions.
    sql`
      with booked as (
        select split_part(t.key, ':', 1) || ':' || split_part(t.key, ':', 2) || ':' || split_part(t.key, ':', 3)
               as what, p.amount_cents
        from ledger_transactions t join postings p on p.ledger_transaction_id = t.id
        where t.kind in ('mpesa_charge', 'mpesa_move')
      ), said as (
        select inbox_id, kind, abs(amount_cents) as amount_cents,
               'mpesa_' || kind || ':' || shortcode || ':' || receipt as what
        from statement_lines
        where outcome in ('booked', 'booked_before') and kind in ('charge', 'move')
      )
      select 'inbox ' || said.inbox_id || ', a ' || said.kind as found
      from said left join booked using (what, amount_cents)
      where booked.what is null
      limit 20`,
  ),
  finding(
    'M-Pesa’s charges and moves on the books stand in a statement',
    sql`
      with said as (
        select distinct 'mpesa_' || kind || ':' || shortcode || ':' || receipt as what
        from statement_lines where outcome = 'booked' and kind in ('charge', 'move')
      ), booked as (
        select t.key,
               split_part(t.key, ':', 1) || ':' || split_part(t.key, ':', 2) || ':' || split_part(t.key, ':', 3)
               as what
        from ledger_transactions t where t.kind in ('mpesa_charge', 'mpesa_move')
      )
      select booked.key as found from booked left join said using (what)
      where said.what is null
      limit 20`,
  ),
  finding(
    'a payment that a statement says was reversed is reversed',
    sql`
      select 'inbox ' || s.inbox_id as found
      from statement_lines s left join payments p on p.receipt = s.reversed_receipt
      where s.kind = 'reversal' and s.outcome = 'booked' and p.reversed_at is null
      limit 20`,
  ),
  finding(
    'a payment line that was taken was heard',
    sql`
      select 'inbox ' || s.inbox_id as found
      from statement_lines s left join hearings h on h.inbox_id = s.inbox_id
      where s.outcome in ('new', 'confirmed', 'known', 'contradicting') and s.kind = 'payment'
        and h.payment_id is distinct from s.payment_id
      limit 20`,
  ),
];
