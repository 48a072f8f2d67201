import { eatDate, eatTime } from '../base/clock.ts';
import { decimalFromCents } from '../base/money.ts';
import { localPhone } from '../base/phone.ts';
import { shortcodes } from './parties.ts';
import type { MpesaTransaction, State } from './truth.ts';

/** One line of a statement, in the order of the classic export's columns. */
interface Line {
  number: number;
  receipt: string;
  at: string;
  details: string;
  in_cents: bigint;
  out_cents: bigint;
  balance_cents: bigint;
  reason: string;
  other: string;
  linked: string;
  account: string;
}

const header =
  'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,' +
  'Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.';

/**
 * The organisation statement of the account that a shortcode is paid into, as the portal's classic
 * export has it: six lines about it, a header, the newest line first. Withdrawals are negative.
 */
export function statementText(state: Pick<State, 'transactions'>, shortcode: string): string {
  const all = [...state.transactions.values()].filter((it) => it.to === shortcode);
  const lines = all.flatMap(linesOf).sort((a, b) => b.number - a.number);
  const [last] = lines;
  const first = lines.at(-1);
  const [name = 'Utility'] = shortcodes.get(shortcode)?.accounts ?? [];
  const sum = (of: (line: Line) => bigint) => lines.reduce((total, line) => total + of(line), 0n);
  const totals = {
    'Opening Balance': first ? first.balance_cents - first.in_cents + first.out_cents : 0n,
    'Closing Balance': last?.balance_cents ?? 0n,
    'Available Balance': undefined,
    'Total Paid In': sum((line) => line.in_cents),
    'Total Withdrawn': -sum((line) => line.out_cents),
  };
  const rows = [
    ['Account Holder:', `Shortcode ${shortcode}`],
    ['Short Code:', shortcode],
    ['Account:', `${name} Account`],
    ['Time Period:', 'From', timeOf(first?.at), 'To', timeOf(last?.at)],
    ['Operator:', 'simulator', 'Organization:', shortcode, 'Date of Report:', timeOf(last?.at)],
    Object.entries(totals).flatMap(([key, cents]) => [
      `${key}:`,
      cents === undefined ? '' : decimalFromCents(cents),
    ]),
    header.split(','),
    ...lines.map(cellsOf),
  ];
  return rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function linesOf(it: MpesaTransaction): Line[] {
  const payer = [maskedPhone(it.from), it.name?.toUpperCase()].filter(Boolean).join(' - ');
  const till = it.kind === 'till';
  const kind = till ? 'Merchant Payment' : 'Pay Bill';
  const common = { other: payer, account: it.account };
  const paid: Line = {
    ...common,
    number: it.number,
    receipt: it.receipt,
    at: it.at,
    details: `${kind} from ${payer}${till ? '' : ` Acc. ${it.account}`}`,
    in_cents: it.amount_cents,
    out_cents: 0n,
    balance_cents: it.balance_cents,
    reason: till ? 'Customer Merchant Payment' : 'Pay Utility',
    linked: '',
  };
  if (!it.reversal) return [paid];
  const reversed: Line = {
    ...common,
    number: it.reversal.number,
    receipt: it.reversal.receipt,
    at: it.reversal.at,
    details: `Reversal of ${it.receipt}`,
    in_cents: 0n,
    out_cents: it.amount_cents,
    balance_cents: it.reversal.balance_cents,
    reason: 'Reversal',
    linked: it.receipt,
    account: '',
  };
  return [paid, reversed];
}

function cellsOf(line: Line): string[] {
  const at = timeOf(line.at);
  return [
    line.receipt,
    at,
    at,
    line.details,
    'Completed',
    line.in_cents > 0n ? decimalFromCents(line.in_cents) : '',
    line.out_cents > 0n ? decimalFromCents(-line.out_cents) : '',
    decimalFromCents(line.balance_cents),
    'true',
    line.reason,
    line.other,
    line.linked,
    line.account,
  ];
}

// "25470****004", as statements hide the payer.
function maskedPhone(phone: string): string {
  return `${phone.slice(0, 5)}****${localPhone(phone).slice(-3)}`;
}

// "20-03-2026 14:30:05", Nairobi's.
function timeOf(at: string | undefined): string {
  if (at === undefined) return '';
  const moment = new Date(at);
  const [year, month, day] = eatDate(moment).split('-');
  return `${day}-${month}-${year} ${eatTime(moment)}:${at.slice(17, 19)}`;
}

function cell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
