import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { openAccounts } from '../ledger/accounts.ts';
import { BANK, MPESA_CHARGES } from '../ledger/chart.ts';
import { type LedgerTransaction, postLedger } from '../ledger/post.ts';
import { moneyAccountOf } from './accounts.ts';
import type { BookLine, Outcome } from './book.ts';
import type { Meaning } from './details.ts';

type MoneyAccounts = ReadonlyMap<string, string>;
type ChargeOrMove = BookLine<Extract<Meaning, { kind: 'charge' | 'move' }>>;

/**
 * Books M-Pesa's charges, and what moved between accounts of ours, each once: a move stands in the
 * statements of both accounts. One that is on the books with another amount contradicts it and
 * posts nothing.
 */
export async function bookCharges(
  tx: Tx,
  money_accounts: MoneyAccounts,
  lines: ChargeOrMove[],
): Promise<Outcome[]> {
  if (lines.length === 0) return [];
  const booked = lines.map((line) => ({ line, entry: entryOf(money_accounts, line) }));
  const keys = booked.map(({ entry }) => entry.key);
  const { rows } = await sql<{ key: string; cents: bigint }>`
    select t.key, sum(p.amount_cents)::bigint as cents
    from ledger_transactions t join postings p on p.ledger_transaction_id = t.id
    where t.key = any(${keys}::text[]) group by t.key
  `.execute(tx);
  const known = new Map(rows.map((row) => [row.key, row.cents]));
  const fresh: LedgerTransaction[] = [];
  const outcomes = booked.map(({ line: { inbox_id }, entry }): Outcome => {
    const amount_cents = entry.postings[0]?.amount_cents;
    const before = known.get(entry.key);
    if (before !== undefined) {
      return { inbox_id, outcome: before === amount_cents ? 'booked_before' : 'contradicting' };
    }
    fresh.push(entry);
    return { inbox_id, outcome: 'booked' };
  });
  // A statement may be the first to tell of an account.
  const codes = new Set(fresh.flatMap((it) => it.postings.flatMap((p) => [p.debit, p.credit])));
  if (lines.some((line) => line.meaning.kind === 'move')) {
    await openAccounts(
      tx,
      [...codes].sort().map((code) => ({ code })),
    );
  }
  await postLedger(tx, fresh);
  return outcomes;
}

/** What the books say of a line, under a key of shortcode, receipt and kind of line. */
function entryOf(money_accounts: MoneyAccounts, line: ChargeOrMove): LedgerTransaction {
  const { shortcode, receipt, meaning, amount_cents, completed_at } = line;
  const sum_cents = amount_cents < 0n ? -amount_cents : amount_cents;
  const at = { effective_at: completed_at };
  if (meaning.kind === 'move') {
    const { from, to } = meaning;
    const code = (account: typeof to) =>
      account === 'bank' ? BANK : moneyAccountOf(money_accounts, shortcode, account);
    return {
      key: `mpesa_move:${shortcode}:${receipt}:${from}:${to}`,
      kind: 'mpesa_move',
      ...at,
      postings: [{ debit: code(to), credit: code(from), amount_cents: sum_cents }],
    };
  }
  const money = moneyAccountOf(money_accounts, shortcode, line.account);
  const given_back = amount_cents > 0n;
  return {
    // A receipt may be charged for more than one thing.
    key: `mpesa_charge:${shortcode}:${receipt}:${amount_cents}`,
    kind: 'mpesa_charge',
    ...at,
    postings: [
      given_back
        ? { debit: money, credit: MPESA_CHARGES, amount_cents: sum_cents }
        : { debit: MPESA_CHARGES, credit: money, amount_cents: sum_cents },
    ],
  };
}
