import { sql } from 'kysely';
import type { Db } from '../base/db.ts';
import { drainInbox } from '../inbox/take.ts';
import type { ReceiveSettings } from '../payments/receive.ts';
import { bookLines } from './book.ts';
import { line_source } from './keep.ts';

const batch_size = 200;

/**
 * Works through the lines of imported statements, the oldest first: payments like any other, and
 * M-Pesa's charges and moves onto the books.
 */
export async function drainStatementLines(
  db: Db,
  receive: ReceiveSettings,
  more: () => boolean = () => true,
): Promise<number> {
  const work = bookLines(receive);
  const drain = () => drainInbox(db, { source: line_source, batch_size, work }, more);
  const drained = await drain();
  if ((await wakeReversals(db, receive)) === 0) return drained;
  return drained + (await drain());
}

// A statement may tell of a reversal whose payment comes later, by whatever way.
async function wakeReversals(db: Db, { money_accounts }: ReceiveSettings): Promise<number> {
  const accounts = JSON.stringify(Object.fromEntries(money_accounts));
  const { rows } = await sql`
    update inbox i set state = 'new', done_at = null, attempts = 0, due_at = now()
    from statement_lines s join payments p on p.receipt = s.reversed_receipt
    where s.kind = 'reversal' and s.outcome = 'not_booked' and i.id = s.inbox_id and i.state = 'done'
      and p.reversed_at is null and p.amount_cents = -s.amount_cents
      and (p.shortcode = s.shortcode
        or ${accounts}::jsonb ->> p.shortcode = ${accounts}::jsonb ->> s.shortcode)
    returning i.id
  `.execute(db);
  return rows.length;
}
