import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import type { Tx } from '../base/db.ts';
import { IN_SETTLEMENT, UNMATCHED } from '../ledger/chart.ts';
import { postLedger } from '../ledger/post.ts';
import type { Flag, Hearing, NewPayment } from './hearing.ts';

/** A hearing that contradicts the payment recorded under its receipt. */
export interface Conflict {
  hearing: Hearing;
  payment_id: bigint;
  recorded_cents: bigint;
  recorded_shortcode: string;
}

/** A payment that was heard of before, and how it was heard of now. */
export interface Repeat {
  hearing: Hearing;
  payment_id: bigint;
}

export interface Recorded {
  payments: NewPayment[];
  repeats: Repeat[];
  conflicts: Conflict[];
}

/**
 * Records hearings: each receipt makes one payment, and its money is in 2040 until it is matched. A
 * repeat adds what it knows; another amount or shortcode under the same receipt is kept as a
 * conflict and posts nothing. `money_accounts` says where each of our shortcodes keeps its money.
 */
export async function recordPayments(
  tx: Tx,
  hearings: Hearing[],
  money_accounts: ReadonlyMap<string, string>,
): Promise<Recorded> {
  const payments = await insertNew(tx, hearings, money_accounts);
  const { repeats, conflicts } = await keepHearings(tx, hearings, payments, money_accounts);
  await postLedger(
    tx,
    payments.map((p) => ({
      key: `payment:${p.receipt}:received`,
      kind: 'payment_received',
      effective_at: p.paid_at,
      postings: [
        {
          debit: money_accounts.get(p.shortcode) ?? IN_SETTLEMENT,
          credit: UNMATCHED,
          amount_cents: p.amount_cents,
        },
      ],
    })),
  );
  return { payments, repeats, conflicts };
}

async function insertNew(
  tx: Tx,
  hearings: Hearing[],
  money_accounts: ReadonlyMap<string, string>,
): Promise<NewPayment[]> {
  const old = clock.now().getTime() - history_after_ms;
  const flags = hearings.map((h): Flag | null => {
    if (!money_accounts.has(h.shortcode)) return 'unknown_shortcode';
    return h.source === 'statement' && h.paid_at.getTime() < old ? 'history' : null;
  });
  // Numbered as they came and written in the order of their receipts, so that two who record the
  // same ones at once never wait for each other in a ring.
  const { rows } = await sql<NewPayment>`
    with arrived as materialized (
      select nextval(pg_get_serial_sequence('payments', 'id')) as id, h.*
      from unnest(
        ${hearings.map((h) => h.shortcode)}::text[],
        ${hearings.map((h) => h.receipt)}::text[],
        ${hearings.map((h) => h.amount_cents)}::bigint[],
        ${hearings.map((h) => h.paid_at)}::timestamptz[],
        ${hearings.map((h) => h.account_typed)}::text[],
        ${hearings.map((h) => h.payer_msisdn)}::text[],
        ${hearings.map((h) => h.payer_hash)}::text[],
        ${hearings.map((h) => h.payer_masked)}::text[],
        ${hearings.map((h) => h.payer_name)}::text[],
        ${flags}::text[]
      ) as h(shortcode, receipt, amount_cents, paid_at, account_typed,
             payer_msisdn, payer_hash, payer_masked, payer_name, flag)
    )
    insert into payments (id, shortcode, receipt, amount_cents, paid_at, account_typed,
                          payer_msisdn, payer_hash, payer_masked, payer_name, flag)
    overriding system value
    select * from arrived order by receipt, id
    on conflict (receipt) do nothing
    returning id, shortcode, receipt, amount_cents, paid_at, account_typed,
              payer_msisdn, payer_hash, payer_masked, payer_name, flag
  `.execute(tx);
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

// The first statement that is imported may tell of years. What is open today is not what was paid
// then, unless the payer named it, and nobody is thanked for those.
const history_after_ms = 7 * 24 * 60 * 60 * 1000;

/** Sources of hearings that nobody else can send: M-Pesa's answers to questions of ours. */
const asked_by_us: readonly Hearing['source'][] = ['pull', 'status', 'statement'];

async function keepHearings(
  tx: Tx,
  hearings: Hearing[],
  fresh: NewPayment[],
  money_accounts: ReadonlyMap<string, string>,
): Promise<Omit<Recorded, 'payments'>> {
  const made = new Set(fresh.map((p) => p.receipt));
  // The first hearing of a receipt in this list is the one that made the payment.
  const first = hearings.map((h) => made.delete(h.receipt));
  const accounts = JSON.stringify(Object.fromEntries(money_accounts));
  const { rows } = await sql<Omit<Conflict, 'hearing'> & { inbox_id: bigint; verdict: string }>`
    with heard as (
      select h.*, h.source = any(${asked_by_us}::text[]) as proves from unnest(
        ${hearings.map((h) => h.inbox_id)}::bigint[],
        ${hearings.map((h) => h.source)}::text[],
        ${hearings.map((h) => h.receipt)}::text[],
        ${hearings.map((h) => h.shortcode)}::text[],
        ${hearings.map((h) => h.amount_cents)}::bigint[],
        ${hearings.map((h) => h.payer_msisdn)}::text[],
        ${hearings.map((h) => h.payer_name)}::text[],
        ${hearings.map((h) => money_accounts.get(h.shortcode) ?? null)}::text[],
        ${first}::boolean[]
      ) as h(inbox_id, source, receipt, shortcode, amount_cents, payer_msisdn, payer_name, account, first)
    ), kept as (
      insert into hearings (inbox_id, payment_id, source, shortcode, amount_cents, verdict)
      select h.inbox_id, p.id, h.source, h.shortcode, h.amount_cents,
             case when h.first then 'first'
                  when h.amount_cents = p.amount_cents and (h.shortcode = p.shortcode
                    -- A till's head office and the till are one: they share their account.
                    or h.account = ${accounts}::jsonb ->> p.shortcode) then 'repeat'
                  else 'conflict' end
      from heard h join payments p using (receipt)
      -- One that is worked through again was heard already.
      on conflict (inbox_id) do nothing
      returning inbox_id, payment_id, verdict
    ), learnt as (
      -- What we asked for ourselves proves what a callback only says.
      update payments p set
        payer_msisdn = coalesce(p.payer_msisdn, h.payer_msisdn),
        payer_name = coalesce(p.payer_name, h.payer_name),
        verified_at = coalesce(p.verified_at, case when h.proves then now() end),
        verified_by = coalesce(p.verified_by, case when h.proves then h.source end)
      from heard h join kept k using (inbox_id)
      where p.id = k.payment_id and k.verdict <> 'conflict'
        and ((h.proves and p.verified_at is null)
          or (p.payer_msisdn is null and h.payer_msisdn is not null)
          or (p.payer_name is null and h.payer_name is not null))
    )
    select k.inbox_id, k.payment_id, k.verdict, p.amount_cents as recorded_cents,
           p.shortcode as recorded_shortcode
    from kept k join payments p on p.id = k.payment_id
    where k.verdict <> 'first'
  `.execute(tx);
  const by_inbox_id = new Map(hearings.map((h) => [h.inbox_id, h]));
  const heard = rows.flatMap((row) => {
    const hearing = by_inbox_id.get(row.inbox_id);
    return hearing ? [{ hearing, ...row }] : [];
  });
  return {
    repeats: heard.filter((row) => row.verdict === 'repeat'),
    conflicts: heard.filter((row) => row.verdict === 'conflict'),
  };
}
