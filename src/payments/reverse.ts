import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { assert } from '../base/errors.ts';
import { decimalFromCents } from '../base/money.ts';
import { AFTER_REVERSAL, IN_SETTLEMENT, UNMATCHED } from '../ledger/chart.ts';
import { postLedger } from '../ledger/post.ts';
import { withdraw } from '../outbox/ask.ts';
import { type Message, notify } from '../outbox/notify.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import { insertAllocations } from './allocate.ts';
import type { Allocation, Dues, Returned } from './due.ts';
import type { ReceiveSettings } from './receive.ts';
import { takeBack } from './take-back.ts';
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
  paid_at: Date;
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
    select id, receipt, shortcode, amount_cents, paid_at, reversed_at is not null as reversed
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
  const used = await keepUsed(tx, dues, payment);
  const why = { by: null, reason: 'reversed at M-Pesa', keep: used.map((it) => it.id) };
  const returned = await takeBack(tx, dues, payment.id, why);
  const used_cents = used.reduce((sum, it) => sum + it.amount_cents, 0n);
  await sql`
    update payments set reversed_at = ${at}, reversal_receipt = ${reversal_receipt},
                        allocated_cents = ${used_cents}
    where id = ${payment.id}
  `.execute(tx);
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
  await tell(tx, payment, { returned: returned.map((it) => lessUsed(it, used)), used_cents });
}

type Used = Allocation & { kind: string };

// What has been used stays, as an allocation of just that, so that the rest can be taken back. The
// new one comes first: what it adds is what reversing the old one would lack.
async function keepUsed(tx: Tx, dues: readonly Dues[], payment: Locked): Promise<Used[]> {
  const kept: Used[] = [];
  for (const trade of dues) {
    if (!trade.used) continue;
    const { rows } = await sql<Allocation & { reference: string }>`
      select id, due_id, amount_cents, due_reference as reference from allocations
      where payment_id = ${payment.id} and due_kind = ${trade.kind} and reversed_at is null
      order by id
    `.execute(tx);
    const used = await trade.used(tx, rows);
    const { kind } = trade;
    const parts = rows.map(({ due_id, reference }, index) => ({
      payment,
      due: { kind, id: due_id, reference },
      amount_cents: used[index] ?? 0n,
    }));
    const some = parts.filter((part) => part.amount_cents > 0n);
    const ids = await insertAllocations(tx, dues, some, null);
    kept.push(
      ...some.map(({ due, amount_cents }, index) => {
        const id = ids[index];
        assert(id !== undefined, 'every part has its allocation');
        return { kind, id, due_id: due.id, amount_cents };
      }),
    );
  }
  return kept;
}

// What stays was not taken back, whatever the books did for it.
function lessUsed(due: Returned, used: Used[]): Returned {
  const own = used.filter((it) => it.kind === due.kind && it.due_id === due.id);
  const used_cents = own.reduce((sum, it) => sum + it.amount_cents, 0n);
  return { ...due, amount_cents: due.amount_cents - used_cents };
}

async function tell(
  tx: Tx,
  { id, receipt, amount_cents }: Locked,
  { returned, used_cents }: { returned: Returned[]; used_cents: bigint },
): Promise<void> {
  const references = returned.filter((due) => due.kind !== 'credit').map((due) => due.reference);
  const ref = references.join(', ') || '-';
  const owed = used_cents > 0n ? decimalFromCents(used_cents) : '-';
  const values = { receipt, amount: decimalFromCents(amount_cents), ref, owed };
  await tellAdmins(tx, { key: `payment:${id}:reversed`, template: 'payment_reversed', values });
  await notify(
    tx,
    returned.flatMap((due): Message[] => {
      const { kind, reference, person_id, left_cents } = due;
      if (person_id === null || due.amount_cents === 0n) return [];
      return [
        {
          key: `payment:${id}:reversed:${reference}:${person_id}`,
          person_id,
          template: kind === 'credit' ? 'credit_reversed' : 'paid_reversed',
          values: {
            receipt,
            amount: decimalFromCents(due.amount_cents),
            ref: reference,
            left: decimalFromCents(left_cents),
          },
        },
      ];
    }),
  );
}
