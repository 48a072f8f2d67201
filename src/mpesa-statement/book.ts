import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import type { Kept } from '../inbox/take.ts';
import { type Hearing, payerColumns } from '../payments/hearing.ts';
import { receivePayments, type ReceiveSettings } from '../payments/receive.ts';
import { type Reversal, reversedAtMpesa } from '../payments/reverse.ts';
import { moneyAccountOf } from './accounts.ts';
import { bookCharges } from './charges.ts';
import { meaningOf, type Meaning } from './details.ts';
import { lineIn } from './keep.ts';

/** A line that was kept, with what it means. */
export type BookLine<M extends Meaning = Meaning> = Omit<ReturnType<typeof lineIn>, 'completed'> & {
  inbox_id: bigint;
  meaning: M;
};

/** What became of a line; see migrations/0019_statements.sql. */
export interface Outcome {
  inbox_id: bigint;
  outcome:
    | 'new'
    | 'confirmed'
    | 'known'
    | 'contradicting'
    | 'booked'
    | 'booked_before'
    | 'not_booked'
    | 'nothing';
  payment_id?: bigint;
  reversed_receipt?: string | undefined;
}

/**
 * Makes the work of the drain: does everything that these lines cause. Returns those that came
 * before the payment which they are about.
 */
export function bookLines(receive: ReceiveSettings) {
  return async (tx: Tx, rows: Kept[]): Promise<Kept[]> => {
    const open = await openLines(tx, rows);
    const lines = rows
      .filter((row) => open.has(row.id))
      .map((row): BookLine => {
        const it = lineIn(row.body);
        return { ...it, inbox_id: row.id, meaning: meaningOf(it) };
      });
    const money_accounts = receive.money_accounts;
    const is_ours = (line: BookLine) =>
      moneyAccountOf(money_accounts, line.shortcode, line.account) ===
      money_accounts.get(line.shortcode);

    // Payments land in one of the accounts; elsewhere the same words are something else.
    const payments = having(lines, 'payment').filter(is_ours);
    const taken = await takePayments(tx, receive, payments);
    const charged = await bookCharges(tx, money_accounts, [
      ...having(lines, 'charge'),
      ...having(lines, 'move'),
    ]);
    const { outcomes: reversed, early } = await takeReversals(
      tx,
      receive,
      having(lines, 'reversal'),
    );
    const settled = [...taken, ...charged, ...reversed];
    const seen = new Set([...settled.map((it) => it.inbox_id), ...early]);
    const others = lines
      .filter((line) => !seen.has(line.inbox_id))
      .map(({ inbox_id, meaning }): Outcome => {
        return { inbox_id, outcome: meaning.kind === 'nothing' ? 'nothing' : 'not_booked' };
      });
    await noteOutcomes(tx, [...settled, ...others]);
    return rows.filter((row) => early.has(row.id));
  };
}

function having<K extends Meaning['kind']>(
  lines: BookLine[],
  kind: K,
): BookLine<Extract<Meaning, { kind: K }>>[] {
  return lines.filter((line): line is BookLine<Extract<Meaning, { kind: K }>> => {
    return line.meaning.kind === kind;
  });
}

/** Those of which nothing has come yet; a row that no line goes with said what another had said. */
async function openLines(tx: Tx, rows: Kept[]): Promise<Set<bigint>> {
  const { rows: open } = await sql<{ inbox_id: bigint }>`
    select inbox_id from statement_lines
    where inbox_id = any(${rows.map((row) => row.id)}::bigint[])
      and outcome in ('waiting', 'not_booked')
  `.execute(tx);
  return new Set(open.map((row) => row.inbox_id));
}

type PaymentLine = BookLine<Extract<Meaning, { kind: 'payment' }>>;

async function takePayments(
  tx: Tx,
  receive: ReceiveSettings,
  lines: PaymentLine[],
): Promise<Outcome[]> {
  if (lines.length === 0) return [];
  const { rows: before } = await sql<{ receipt: string }>`
    select receipt from payments
    where receipt = any(${lines.map((line) => line.receipt)}::text[]) and verified_at is not null
  `.execute(tx);
  const verified = new Set(before.map((row) => row.receipt));
  await receivePayments(tx, receive, lines.map(hearingOf));
  const { rows: heard } = await sql<{ inbox_id: bigint; payment_id: bigint; verdict: string }>`
    select inbox_id, payment_id, verdict from hearings
    where inbox_id = any(${lines.map((line) => line.inbox_id)}::bigint[])
  `.execute(tx);
  const by_inbox_id = new Map(heard.map((it) => [it.inbox_id, it]));
  return lines.flatMap(({ inbox_id, receipt }): Outcome[] => {
    const it = by_inbox_id.get(inbox_id);
    if (!it) return [];
    const { payment_id } = it;
    if (it.verdict === 'first') return [{ inbox_id, payment_id, outcome: 'new' }];
    if (it.verdict === 'conflict') return [{ inbox_id, payment_id, outcome: 'contradicting' }];
    return [{ inbox_id, payment_id, outcome: verified.has(receipt) ? 'known' : 'confirmed' }];
  });
}

function hearingOf(line: PaymentLine): Hearing {
  const { payer_given, payer_name, account_typed } = line.meaning;
  return {
    inbox_id: line.inbox_id,
    source: 'statement',
    shortcode: line.shortcode,
    receipt: line.receipt,
    amount_cents: line.amount_cents,
    paid_at: line.completed_at,
    account_typed,
    ...payerColumns(payer_given),
    payer_name,
  };
}

type ReversalLine = BookLine<Extract<Meaning, { kind: 'reversal' }>>;

async function takeReversals(
  tx: Tx,
  receive: ReceiveSettings,
  lines: ReversalLine[],
): Promise<{ outcomes: Outcome[]; early: Set<bigint> }> {
  const receipts = lines.flatMap((line) => line.meaning.reversed_receipt ?? []);
  if (lines.length === 0) return { outcomes: [], early: new Set() };
  const { rows } = await sql<{ receipt: string; shortcode: string; amount_cents: bigint }>`
    select receipt, shortcode, amount_cents from payments where receipt = any(${receipts}::text[])
  `.execute(tx);
  const payments = new Map(rows.map((row) => [row.receipt, row]));
  // Its payment stands in a statement too, and another process is at it.
  const { rows: coming } = await sql<{ receipt: string }>`
    select s.receipt from statement_lines s join inbox i on i.id = s.inbox_id
    where s.receipt = any(${receipts}::text[]) and s.kind = 'payment' and s.outcome = 'waiting'
      and i.state = 'new'
  `.execute(tx);
  const waits = new Set(coming.map((row) => row.receipt));

  const reversals: Reversal[] = [];
  const early = new Set<bigint>();
  const outcomes = lines.flatMap((line): Outcome[] => {
    const { inbox_id } = line;
    const reversed_receipt = line.meaning.reversed_receipt ?? undefined;
    const payment = payments.get(reversed_receipt ?? '');
    // A part of it, or one of another shortcode, is for a person to look at.
    // A till and its head office are one.
    const accounts = [payment?.shortcode, line.shortcode].map(
      (it) => receive.money_accounts.get(it ?? '') ?? it,
    );
    const is_whole = payment?.amount_cents === -line.amount_cents && accounts[0] === accounts[1];
    if (payment && is_whole) {
      const reversal_receipt = line.receipt === payment.receipt ? null : line.receipt;
      reversals.push({ receipt: payment.receipt, reversal_receipt, at: line.completed_at });
      return [{ inbox_id, outcome: 'booked', reversed_receipt }];
    }
    if (!payment && reversed_receipt !== undefined && waits.has(reversed_receipt)) {
      early.add(inbox_id);
      return [];
    }
    return [{ inbox_id, outcome: 'not_booked', reversed_receipt }];
  });
  if (reversals.length > 0) await reversedAtMpesa(tx, receive, reversals);
  return { outcomes, early };
}

async function noteOutcomes(tx: Tx, outcomes: Outcome[]): Promise<void> {
  if (outcomes.length === 0) return;
  await sql`
    update statement_lines s
    set outcome = o.outcome, payment_id = o.payment_id, reversed_receipt = o.reversed_receipt
    from unnest(
      ${outcomes.map((o) => o.inbox_id)}::bigint[],
      ${outcomes.map((o) => o.outcome)}::text[],
      ${outcomes.map((o) => o.payment_id ?? null)}::bigint[],
      ${outcomes.map((o) => o.reversed_receipt ?? null)}::text[]
    ) as o(inbox_id, outcome, payment_id, reversed_receipt)
    where s.inbox_id = o.inbox_id
  `.execute(tx);
}
