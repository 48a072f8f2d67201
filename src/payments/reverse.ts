import { sql } from 'kysely';
import { inSavepoint, type Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { AFTER_REVERSAL, IN_SETTLEMENT, UNMATCHED } from '../ledger/chart.ts';
import { postLedger } from '../ledger/post.ts';
import { withdraw } from '../outbox/ask.ts';
import { notify } from '../outbox/notify.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import type { ReceiveSettings } from './receive.ts';
import { takeBack } from './take-back.ts';
import type { Returned } from './due.ts';
import { questionOf } from './unmatched.ts';

/** A payment that M-Pesa has given back to its payer, as we heard of it. */
export interface Reversal {
  /** Of the payment. */
  receipt: string;
  /** Of the reversal itself, where it is known. */
  reversal_receipt: string | null;
  at: Date;
}

interface Locked {
  id: bigint;
  receipt: string;
  shortcode: string;
  amount_cents: bigint;
  reversed: boolean;
}

/**
 * Records that M-Pesa took payments back: what they paid is open again, and the money is out of our
 * account. Credit that has been used already stays as it is and is owed to us (1390). Once a
 * payment, however often it is heard of. Returns the receipts that are none of our payments.
 */
export async function reversedAtMpesa(
  tx: Tx,
  settings: Pick<ReceiveSettings, 'dues' | 'money_accounts'>,
  reversals: Reversal[],
): Promise<string[]> {
  const { rows } = await sql<Locked>`
    select id, receipt, shortcode, amount_cents, reversed_at is not null as reversed
    from payments where receipt = any(${reversals.map((r) => r.receipt)}::text[])
    order by id for no key update
  `.execute(tx);
  for (const payment of rows) {
    const reversal = reversals.find((r) => r.receipt === payment.receipt);
    if (reversal && !payment.reversed) await reverse(tx, settings, payment, reversal);
  }
  const known = new Set(rows.map((row) => row.receipt));
  return reversals.map((r) => r.receipt).filter((receipt) => !known.has(receipt));
}

async function reverse(
  tx: Tx,
  { dues, money_accounts }: Pick<ReceiveSettings, 'dues' | 'money_accounts'>,
  payment: Locked,
  { reversal_receipt, at }: Reversal,
): Promise<void> {
  const why = { by: null, reason: 'reversed at M-Pesa' };
  const returned = await inSavepoint(tx, () => takeBack(tx, dues, payment.id, why)).catch(
    (error: unknown) => {
      if (!(error instanceof Refusal)) throw error;
      return takeBack(tx, dues, payment.id, { ...why, but: 'credit' });
    },
  );
  const { rows } = await sql<{ used_cents: bigint }>`
    update payments set reversed_at = ${at}, reversal_receipt = ${reversal_receipt}
    where id = ${payment.id} returning allocated_cents as used_cents
  `.execute(tx);
  const used_cents = rows[0]?.used_cents ?? 0n;
  const money = money_accounts.get(payment.shortcode) ?? IN_SETTLEMENT;
  const postings = [
    { debit: UNMATCHED, credit: money, amount_cents: payment.amount_cents - used_cents },
    { debit: AFTER_REVERSAL, credit: money, amount_cents: used_cents },
  ];
  await postLedger(tx, [
    {
      key: `payment:${payment.receipt}:reversed`,
      kind: 'payment_reversed',
      effective_at: at,
      postings: postings.filter((posting) => posting.amount_cents > 0n),
    },
  ]);
  await withdraw(tx, [questionOf(payment.id)]);
  await tell(tx, payment, { returned, used_cents });
}

async function tell(
  tx: Tx,
  { id, receipt, amount_cents }: Locked,
  { returned, used_cents }: { returned: Returned[]; used_cents: bigint },
): Promise<void> {
  const amount = decimalFromCents(amount_cents);
  const references = returned.filter((due) => due.kind !== 'credit').map((due) => due.reference);
  const ref = references.join(', ') || '-';
  const owed = used_cents > 0n ? decimalFromCents(used_cents) : '-';
  const values = { receipt, amount, ref, owed };
  await tellAdmins(tx, { key: `payment:${id}:reversed`, template: 'payment_reversed', values });
  await notify(
    tx,
    returned.flatMap(({ kind, reference, person_id, left_cents }) =>
      person_id === null
        ? []
        : [
            {
              key: `payment:${id}:reversed:${reference}:${person_id}`,
              person_id,
              template: kind === 'credit' ? 'credit_reversed' : 'paid_reversed',
              values: { receipt, amount, ref: reference, left: decimalFromCents(left_cents) },
            },
          ],
    ),
  );
}
