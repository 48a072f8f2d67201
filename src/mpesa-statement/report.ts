import { sql } from 'kysely';
import { eatDate, eatTime } from '../base/clock.ts';
import type { Db } from '../base/db.ts';
import { decimalFromCents, moneyWords } from '../base/money.ts';
import type { BalanceFindings, Gap } from './balance.ts';
import type { OfStatement } from './keep.ts';
import type { Layout } from './layouts.ts';
import type { BadLine } from './lines.ts';

/** What reading a statement to its end has shown. */
export interface WasRead extends OfStatement {
  layout: Layout;
  /** What it covers. */
  from: Date | undefined;
  to: Date | undefined;
  lines: number;
  bad: number;
  /** The first hundred of them. */
  bad_lines: BadLine[];
  /** Lines that were known with another balance: perhaps two that look like one. */
  otherwise: { number: number; receipt: string }[];
  balance: BalanceFindings;
  /** How long it has taken so far. */
  seconds: () => number;
}

interface Counted {
  count: number;
  cents: bigint;
}

/** What an import has done, for people and programs. */
export interface ImportReport extends WasRead {
  /** Of the lines that this import was the first to bring, by kind and outcome. */
  of: (kind: string, outcome: string) => Counted;
  /** Of the payments that were found, what nobody's due has yet. */
  unmatched: Counted;
  /** Lines that an earlier import, or an earlier line, had brought. */
  before: number;
  /** Lines that could not be worked through; they are tried again. */
  failed: number;
}

/** Counts what became of the lines of an import. */
export async function reportOn(db: Db, it: WasRead): Promise<ImportReport> {
  const { rows } = await sql<Counted & { kind: string; outcome: string }>`
    select kind, outcome, count(*)::int as count, sum(abs(amount_cents))::bigint as cents
    from statement_lines where import_id = ${it.import_id} group by kind, outcome
  `.execute(db);
  const { rows: unmatched } = await sql<Counted>`
    select count(*)::int as count, coalesce(sum(p.amount_cents - p.allocated_cents), 0)::bigint as cents
    from statement_lines s join payments p on p.id = s.payment_id
    where s.import_id = ${it.import_id} and s.kind = 'payment' and s.outcome = 'new'
      and p.state = 'unmatched'
  `.execute(db);
  const brought = rows.reduce((sum, row) => sum + row.count, 0);
  const waiting = rows.filter((row) => row.outcome === 'waiting');
  return {
    ...it,
    of: (kind, outcome) => rows.find((row) => row.kind === kind && row.outcome === outcome) ?? none,
    unmatched: unmatched[0] ?? none,
    before: it.lines - it.bad - brought,
    failed: waiting.reduce((sum, row) => sum + row.count, 0),
  };
}

const none: Counted = { count: 0, cents: 0n };

const kinds_not_booked = ['payment', 'payout', 'reversal', 'other'] as const;

/** Whether a person has to look at something. */
export function hasFindings(it: ImportReport): boolean {
  const { gap_count, totals } = it.balance;
  const odd = it.bad + it.failed + it.otherwise.length + gap_count + totals.length > 0;
  return odd || contradicting(it) > 0;
}

function contradicting(it: ImportReport): number {
  return ['payment', 'charge', 'move'].reduce((n, k) => n + it.of(k, 'contradicting').count, 0);
}

/** The report as data; money as decimal strings. */
export function reportAsJson(it: ImportReport) {
  const sum = ({ count, cents }: Counted) => ({ count, amount: decimalFromCents(cents) });
  const seconds = it.seconds();
  return {
    shortcode: it.shortcode,
    account: it.account,
    layout: it.layout,
    from: it.from?.toISOString() ?? null,
    to: it.to?.toISOString() ?? null,
    lines: { read: it.lines, bad: it.bad, imported_before: it.before, failed: it.failed },
    payments: {
      new: sum(it.of('payment', 'new')),
      unmatched: sum(it.unmatched),
      confirmed: sum(it.of('payment', 'confirmed')),
      known: sum(it.of('payment', 'known')),
    },
    contradicting: contradicting(it),
    charges: sum(it.of('charge', 'booked')),
    moves: sum(it.of('move', 'booked')),
    booked_before: it.of('move', 'booked_before').count + it.of('charge', 'booked_before').count,
    reversals: sum(it.of('reversal', 'booked')),
    not_booked: Object.fromEntries(
      kinds_not_booked.map((kind) => [kind, sum(it.of(kind, 'not_booked'))]),
    ),
    moved_nothing: it.of('nothing', 'nothing').count,
    bad_lines: it.bad_lines.map(({ number, reason }) => ({ line: number, reason })),
    another_balance: it.otherwise.map(({ number, receipt }) => ({ line: number, receipt })),
    gaps: {
      count: it.balance.gap_count,
      first: it.balance.gaps.map((gap) => ({
        after_line: gap.from_line,
        before_line: gap.to_line,
        missing: decimalFromCents(gap.missing_cents),
      })),
    },
    totals: it.balance.totals.map(({ name, said_cents, lines_cents }) => ({
      name,
      statement: decimalFromCents(said_cents),
      lines: decimalFromCents(lines_cents),
    })),
    seconds: Math.round(seconds * 10) / 10,
    lines_per_second: Math.round(it.lines / Math.max(seconds, 0.001)),
  };
}

/** The report in words, line by line. */
export function reportInWords(it: ImportReport): string[] {
  const covers = it.from && it.to ? `, ${when(it.from)} to ${when(it.to)}` : '';
  const seconds = it.seconds();
  const per_second = Math.round(it.lines / Math.max(seconds, 0.001));
  return [
    `Statement of ${it.shortcode}, ${it.account} account${covers}.`,
    `${counted(it.lines, 'line')} in ${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s` +
      ` (${grouped(per_second)} a second), ${grouped(it.before)} of them imported before.`,
    figure('Payments found', it.of('payment', 'new')),
    ...present('Found, and waiting for a person', it.unmatched),
    figure('Payments confirmed', it.of('payment', 'confirmed')),
    figure('Payments known', it.of('payment', 'known')),
    figure('Charges booked', it.of('charge', 'booked')),
    figure('Moves booked', it.of('move', 'booked')),
    ...present('Moves booked before', it.of('move', 'booked_before')),
    ...present('Charges booked before', it.of('charge', 'booked_before')),
    ...present('Payments reversed', it.of('reversal', 'booked')),
    ...present('Not booked: payouts', it.of('payout', 'not_booked')),
    ...present('Not booked: reversals', it.of('reversal', 'not_booked')),
    ...present('Not booked: payments elsewhere', it.of('payment', 'not_booked')),
    ...present('Not booked: others', it.of('other', 'not_booked')),
    ...present('Moved nothing', it.of('nothing', 'nothing')),
    ...findings(it),
  ];
}

function findings(it: ImportReport): string[] {
  const { gaps, gap_count, totals } = it.balance;
  const odd = contradicting(it);
  return [
    ...it.otherwise.map(
      ({ number, receipt }) =>
        `Line ${number}: ${receipt} is known with another balance, and was taken once.`,
    ),
    ...gaps.map(gapInWords),
    ...(gap_count > gaps.length ? [`… and ${grouped(gap_count - gaps.length)} gaps more.`] : []),
    ...totals.map(
      (t) =>
        `The statement says ${money(t.said_cents)} ${t.name}, and its lines ${money(t.lines_cents)}.`,
    ),
    ...(odd > 0
      ? [`${counted(odd, 'line')} against what is on the books: nothing was changed.`]
      : []),
    ...(it.bad > 0 ? [`${counted(it.bad, 'line')} could not be read.`] : []),
    ...(it.failed > 0
      ? [
          `${counted(it.failed, 'line')} not worked through yet: karani inbox list --failed says why.`,
        ]
      : []),
  ];
}

/** "Between line 12 and line 13 KES 500.00 is missing (paid in)." */
function gapInWords({ from_line, to_line, missing_cents }: Gap): string {
  const what = `${money(missing_cents)} is missing (${missing_cents > 0n ? 'paid in' : 'withdrawn'})`;
  if (from_line === null) return `Before line ${to_line} ${what}.`;
  if (to_line === null) return `After line ${from_line} ${what}.`;
  return `Between line ${from_line} and line ${to_line} ${what}.`;
}

function figure(name: string, { count, cents }: Counted): string {
  return `  ${name.padEnd(32)}${grouped(count).padStart(9)}  ${money(cents)}`;
}

function present(name: string, it: Counted): string[] {
  return it.count > 0 ? [figure(name, it)] : [];
}

const when = (at: Date) => `${eatDate(at)} ${eatTime(at)}`;
const grouped = (n: number) => n.toLocaleString('en');
const counted = (n: number, noun: string) => `${grouped(n)} ${noun}${n === 1 ? '' : 's'}`;

function money(cents: bigint): string {
  return moneyWords(decimalFromCents(cents < 0n ? -cents : cents), false) ?? '';
}
