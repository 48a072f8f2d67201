import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { withdraw } from '../outbox/ask.ts';
import { allocatePayments } from './allocate.ts';
import { endPaid } from './end-prompts.ts';
import type { NewPayment } from './hearing.ts';
import type { ReceiveSettings } from './receive.ts';
import { tellOfPayments } from './tell.ts';
import { questionOf } from './unmatched.ts';

const at_once = 200;

/**
 * Looks again for what unmatched payments pay, one of them or the oldest that wait (200 at most):
 * a customer or an invoice may have come since. What is found is paid and told as if it were new.
 * Returns how many were matched.
 */
export async function reprocessPayments(
  tx: Tx,
  settings: Pick<ReceiveSettings, 'dues' | 'digest_above_per_minute'>,
  id?: bigint,
): Promise<number> {
  const { rows } = await sql<NewPayment>`
    select id, shortcode, receipt, amount_cents, paid_at, account_typed, payer_msisdn, payer_hash,
           payer_masked, payer_name, flag
    from payments
    where allocated_cents = 0 and reversed_at is null and refund_marked_at is null
      and ${id === undefined ? sql`true` : sql`id = ${id}`}
    order by id limit ${at_once} for no key update skip locked
  `.execute(tx);
  if (rows.length === 0) return 0;
  const allocated = await allocatePayments(tx, settings.dues, rows);
  const matched = allocated.filter(({ decision }) => decision.rule !== 'unmatched');
  const late = await endPaid(tx, matched);
  const { digest_above_per_minute } = settings;
  await tellOfPayments(tx, matched, { digest_above_per_minute, late });
  await withdraw(
    tx,
    matched.map(({ payment }) => questionOf(payment.id)),
  );
  return matched.length;
}
