import { sql } from 'kysely';
import { z } from 'zod';
import { fromDarajaTime, toDarajaTime } from '../base/clock.ts';
import type { Tx } from '../base/db.ts';
import { wake } from '../base/jobs.ts';
import { centsFromDecimal, decimalFromCents } from '../base/money.ts';
import { sha256 } from '../base/secrets.ts';
import { meaningOf, mpesa_accounts, type MpesaAccount, type Said } from './details.ts';
import type { StatementLine } from './lines.ts';

export const line_source = 'statement_line';

/** Which statement lines are of. */
export interface OfStatement {
  import_id: bigint;
  shortcode: string;
  account: MpesaAccount;
}

/**
 * The line as the inbox keeps it. The same line has the same text whichever export it comes from:
 * what one layout alone has is in it only where Details does not say it, and the balance is not,
 * since it may be confirmed later.
 */
export function bodyOf({ shortcode, account }: OfStatement, line: StatementLine): string {
  const said = saidIn(account, line);
  const bare = meaningOf({ ...said, reason: '', other_party: '', account_no: '', linked: '' });
  const hidden: Pick<Said, 'reason' | 'other_party' | 'account_no' | 'linked'> = {};
  if (bare.kind === 'other' && line.reason) hidden.reason = line.reason;
  const full = meaningOf({ ...said, other_party: '', account_no: '' });
  if (full.kind === 'payment') {
    if (!full.payer_given && line.other_party) hidden.other_party = line.other_party;
    if (!full.account_typed && line.account_no) hidden.account_no = line.account_no;
  }
  const reversed = full.kind === 'reversal' && bare.kind === 'reversal' && bare.reversed_receipt;
  if (full.kind === 'reversal' && line.linked && reversed !== full.reversed_receipt) {
    hidden.linked = line.linked;
  }
  return JSON.stringify({
    shortcode,
    account,
    receipt: line.receipt,
    completed_at: toDarajaTime(line.completed_at),
    completed: line.completed,
    amount: decimalFromCents(line.amount_cents),
    details: line.details,
    ...hidden,
  });
}

const Body = z.object({
  shortcode: z.string(),
  account: z.enum(mpesa_accounts),
  receipt: z.string(),
  completed_at: z.string(),
  completed: z.boolean(),
  amount: z.string(),
  details: z.string(),
  reason: z.string().optional(),
  other_party: z.string().optional(),
  account_no: z.string().optional(),
  linked: z.string().optional(),
});

/** A line as it was kept. Throws when the text is none of ours. */
export function lineIn(body: string): Said & { shortcode: string; completed_at: Date } {
  const it = Body.parse(JSON.parse(body));
  const completed_at = fromDarajaTime(it.completed_at);
  const amount_cents = centsFromDecimal(it.amount);
  if (!completed_at || amount_cents === undefined) throw new Error('not a line of a statement');
  return { ...it, completed_at, amount_cents };
}

function saidIn(account: MpesaAccount, line: StatementLine): Said {
  const { receipt, completed, details, amount_cents } = line;
  const { reason, other_party, account_no, linked } = line;
  const columns = { reason, other_party, account_no, linked };
  return { account, receipt, completed, details, amount_cents, ...columns };
}

/** What of a batch was kept; `otherwise` are known lines that now have another balance. */
export interface KeptLines {
  fresh: number;
  otherwise: { number: number; receipt: string }[];
}

/**
 * Keeps lines in the inbox, each once however many exports it stands in, and has them worked
 * through, the oldest first whichever way the file runs.
 */
export async function keepLines(
  tx: Tx,
  of: OfStatement,
  lines: readonly StatementLine[],
): Promise<KeptLines> {
  if (lines.length === 0) return { fresh: 0, otherwise: [] };
  const bodies = lines.map((line) => bodyOf(of, line));
  const kinds = bodies.map((body) => meaningOf(lineIn(body)).kind);
  const { rows } = await sql<{ fresh: number; otherwise: KeptLines['otherwise'] | null }>`
    with arrived as materialized (
      select a.*, known.receipt is not null as known,
             coalesce(known.balance_cents, first_value(a.balance_cents)
               over (partition by a.receipt, a.kind, a.amount_cents order by a.number)) as was_cents
      from unnest(
        ${lines.map((line) => line.number)}::int[],
        ${lines.map((line) => line.receipt)}::text[],
        ${kinds}::text[],
        ${lines.map((line) => line.amount_cents)}::bigint[],
        ${lines.map((line) => line.balance_cents)}::bigint[],
        ${lines.map((line) => line.completed_at)}::timestamptz[],
        ${bodies}::text[],
        ${bodies.map((body) => sha256(body))}::bytea[]
      ) as a(number, receipt, kind, amount_cents, balance_cents, completed_at, body, body_hash)
      -- One look by the index for each: joined, the planner may read all lines there ever were.
      left join lateral (
        select s.receipt, s.balance_cents from statement_lines s
        where s.shortcode = ${of.shortcode} and s.account = ${of.account}
          and s.receipt = a.receipt and s.kind = a.kind and s.amount_cents = a.amount_cents
        limit 1
      ) known on true
    ), fresh as (
      select distinct on (receipt, kind, amount_cents) * from arrived
      where not known order by receipt, kind, amount_cents, number
    ), kept as (
      -- In the order of their hashes, so that two imports at once never wait for each other in a ring.
      insert into inbox (source, subject, body, body_hash, due_at)
      select ${line_source}, receipt, body, body_hash, least(completed_at, now())
      from fresh order by body_hash
      on conflict (source, body_hash) do nothing
      returning id, body_hash
    ), noted as (
      insert into statement_lines (inbox_id, import_id, shortcode, account, receipt, kind,
                                   amount_cents, balance_cents, completed_at)
      select kept.id, ${of.import_id}, ${of.shortcode}, ${of.account}, f.receipt, f.kind,
             f.amount_cents, f.balance_cents, f.completed_at
      from kept join fresh f using (body_hash)
      on conflict on constraint statement_lines_once do nothing
      returning 1
    )
    select (select count(*)::int from noted) as fresh, (
      select json_agg(json_build_object('number', number, 'receipt', receipt) order by number)
      from arrived where balance_cents <> was_cents
    ) as otherwise
  `.execute(tx);
  const fresh = rows[0]?.fresh ?? 0;
  if (fresh > 0) await wake(tx, 'book_statements');
  return { fresh, otherwise: rows[0]?.otherwise ?? [] };
}
