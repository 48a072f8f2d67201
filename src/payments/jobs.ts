import { sql } from 'kysely';
import { eatTime } from '../base/clock.ts';
import { type Db, inTransaction } from '../base/db.ts';
import { decimalFromCents } from '../base/money.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import { readAgain, readConfirmation } from './read-callback.ts';
import { type Hearing, payerColumns } from './hearing.ts';
import { drainPulled } from './pulled.ts';
import { drainStatusResults } from './status-results.ts';
import { drainStkCallbacks } from './stk-callbacks.ts';
import { tellGivenUp } from './tell.ts';
import { receivePayments, type ReceiveSettings } from './receive.ts';

// Large enough to share the cost of a commit, small enough to hold no due locked for long.
const batch_size = 200;

/** Turns whatever waits in the inbox of money that came in, by any way, into payments. */
export async function drainPayments(
  db: Db,
  settings: ReceiveSettings,
  more: () => boolean = () => true,
): Promise<number> {
  const ways = [drainConfirmations, drainStkCallbacks, drainPulled, drainStatusResults];
  const drained = await Promise.all(ways.map((drain) => drain(db, settings, more)));
  return drained.reduce((sum, count) => sum + count, 0);
}

async function drainConfirmations(
  db: Db,
  settings: ReceiveSettings,
  more: () => boolean,
): Promise<number> {
  return drainInbox(
    db,
    {
      source: 'c2b_confirmation',
      batch_size,
      work: (tx, rows) => receivePayments(tx, settings, rows.map(hearingOf)),
      gaveUp: tellGivenUp,
    },
    more,
  );
}

/** What a row of the inbox says of a payment. Throws when it is no confirmation. */
export function hearingOf(row: Kept): Hearing {
  const it = readAgain(row.body, readConfirmation);
  return {
    inbox_id: row.id,
    source: 'c2b',
    shortcode: it.shortcode,
    receipt: it.receipt,
    amount_cents: it.amount_cents,
    paid_at: it.paid_at,
    account_typed: it.account_typed,
    ...payerColumns(it.msisdn_given),
    payer_name: it.payer_name,
  };
}

const digest_every = '1 minute';

/**
 * Tells the admins of the payments that came too thick to be told one by one: a digest a minute at
 * most, counted from the first that waits.
 */
export async function sendDigest(db: Db): Promise<void> {
  await inTransaction(db, async (tx) => {
    const { rows } = await sql<{
      last_id: bigint | null;
      count: number;
      total_cents: bigint;
      matched: number;
      first_at: Date;
      last_at: Date;
    }>`
      with waiting as (
        select id from payments
        where told is null
          and (select min(created_at) from payments where told is null)
              < now() - ${digest_every}::interval
        order by id for update skip locked
      ), told as (
        update payments p set told = 'digest' from waiting w where p.id = w.id returning p.*
      )
      select max(id) as last_id, count(*)::int as count,
             coalesce(sum(amount_cents), 0)::bigint as total_cents,
             count(*) filter (where state = 'matched')::int as matched,
             min(created_at) as first_at, max(created_at) as last_at
      from told
    `.execute(tx);
    const it = rows[0];
    if (!it || it.last_id === null) return;
    const values = {
      from: eatTime(it.first_at),
      to: eatTime(it.last_at),
      n: String(it.count),
      total: decimalFromCents(it.total_cents),
      matched: String(it.matched),
      unmatched: String(it.count - it.matched),
    };
    await tellAdmins(tx, { key: `digest:${it.last_id}`, template: 'payment_digest', values });
  });
}
