import { centsFrom, textFrom, timeFrom, type Cell } from './cells.ts';
import type { Column, Columns } from './layouts.ts';

/** A line of a statement as it was read, in our own terms. */
export interface StatementLine {
  /** Its number in the file. */
  number: number;
  receipt: string;
  completed_at: Date;
  details: string;
  completed: boolean;
  /** Above 0 what came in, below what went out. */
  amount_cents: bigint;
  balance_cents: bigint | null;
  reason: string;
  other_party: string;
  linked: string;
  account_no: string;
}

/** A line that cannot be read, and why. */
export interface BadLine {
  number: number;
  reason: string;
}

/** Reads a row below the header. */
export function lineFrom(
  number: number,
  cells: readonly Cell[],
  columns: Columns,
): StatementLine | BadLine {
  const cell = (column: Column): Cell => cells[columns.get(column) ?? -1];
  const bad = (reason: string): BadLine => ({ number, reason });
  const shown = (column: Column) => `"${textFrom(cell(column)).slice(0, 40)}"`;

  const receipt = textFrom(cell('receipt')).toUpperCase();
  if (!/^[A-Z0-9]{6,20}$/.test(receipt)) return bad(`${shown('receipt')} is no receipt`);
  const completed_at = timeFrom(cell('completed_at'));
  if (!completed_at) return bad(`${shown('completed_at')} is no time of completion`);
  const paid_in = centsFrom(cell('paid_in'));
  if (paid_in === undefined || paid_in < 0n) return bad(`${shown('paid_in')} is no amount paid in`);
  const withdrawn = centsFrom(cell('withdrawn'));
  if (withdrawn === undefined) return bad(`${shown('withdrawn')} is no amount withdrawn`);
  if (paid_in !== 0n && withdrawn !== 0n) return bad('it is paid in and withdrawn at once');
  const balance = centsFrom(cell('balance'));
  if (balance === undefined) return bad(`${shown('balance')} is no balance`);
  const has_balance = textFrom(cell('balance')) !== '';
  return {
    number,
    receipt,
    completed_at,
    details: textFrom(cell('details')),
    completed: /^completed$/i.test(textFrom(cell('status'))),
    // Written below 0 in one layout; it went out either way.
    amount_cents: paid_in - (withdrawn < 0n ? -withdrawn : withdrawn),
    balance_cents: has_balance ? balance : null,
    reason: textFrom(cell('reason')),
    other_party: textFrom(cell('other_party')),
    linked: textFrom(cell('linked')),
    account_no: textFrom(cell('account_no')),
  };
}
