import { textFrom, type Cell, centsFrom, timeFrom } from './cells.ts';

/**
 * The two layouts of M-Pesa's organisation statement: `classic` begins with rows about the account
 * and has more columns, `plain` begins with the header and says everything in Details.
 */
export type Layout = 'classic' | 'plain';

const columns = {
  receipt: 'receiptno',
  completed_at: 'completiontime',
  details: 'details',
  status: 'transactionstatus',
  paid_in: 'paidin',
  withdrawn: 'withdrawn',
  balance: 'balance',
  reason: 'reasontype',
  other_party: 'otherpartyinfo',
  linked: 'linkedtransactionid',
  account_no: 'acno',
} as const;

export type Column = keyof typeof columns;

/** In which cell of a row each column is. */
export type Columns = ReadonlyMap<Column, number>;

const needed: readonly Column[] = [
  ...(['receipt', 'completed_at', 'details', 'status'] as const),
  ...(['paid_in', 'withdrawn', 'balance'] as const),
];

/** What a file has to have to be a statement, in words. */
export const expected =
  'expected the columns Receipt No., Completion Time, Details, Transaction Status, Paid In, ' +
  'Withdrawn and Balance, as M-Pesa’s organisation portal exports them';

/** The columns of a header row; undefined when the row is none. */
export function columnsOf(cells: readonly Cell[]): Columns | undefined {
  const names = cells.map((cell) =>
    textFrom(cell)
      .replace(/\(.*\)/, '')
      .toLowerCase()
      .replace(/[^a-z]/g, ''),
  );
  const found = new Map<Column, number>();
  for (const [column, name] of Object.entries(columns) as [Column, string][]) {
    const index = names.indexOf(name);
    if (index !== -1) found.set(column, index);
  }
  return needed.every((column) => found.has(column)) ? found : undefined;
}

/** Which layout has these columns. */
export function layoutOf(found: Columns): Layout {
  return found.has('reason') || found.has('other_party') ? 'classic' : 'plain';
}

/** What the rows before the header say, as far as they do. */
export interface Preamble {
  shortcode?: string;
  account?: string;
  from?: Date;
  to?: Date;
  opening_cents?: bigint;
  closing_cents?: bigint;
  paid_in_cents?: bigint;
  withdrawn_cents?: bigint;
}

/** Adds to `preamble` what a row before the header says. */
export function readPreamble(preamble: Preamble, cells: readonly Cell[]): void {
  for (const [index, cell] of cells.entries()) {
    const [, label = '', rest = ''] = /^([^:\d]+):\s*(.*)$/.exec(textFrom(cell)) ?? [];
    const value = rest || cells[index + 1];
    const amount = textFrom(value) === '' ? undefined : centsFrom(value);
    switch (label.toLowerCase()) {
      case 'short code':
        preamble.shortcode = textFrom(value);
        break;
      case 'account':
        preamble.account = textFrom(value);
        break;
      case 'time period':
        readPeriod(preamble, cells.slice(index));
        break;
      case 'opening balance':
        if (amount !== undefined) preamble.opening_cents = amount;
        break;
      case 'closing balance':
        if (amount !== undefined) preamble.closing_cents = amount;
        break;
      case 'total paid in':
        if (amount !== undefined) preamble.paid_in_cents = amount;
        break;
      case 'total withdrawn':
        if (amount !== undefined) preamble.withdrawn_cents = amount;
        break;
    }
  }
}

// "From " and "To " stand in cells of their own or before the times.
function readPeriod(preamble: Preamble, cells: readonly Cell[]): void {
  const times = cells.flatMap((cell) => {
    const at = timeFrom(typeof cell === 'string' ? cell.replace(/^[^\d]*/, '') : cell);
    return at ? [at] : [];
  });
  const [from, to] = times;
  if (from) preamble.from = from;
  if (to) preamble.to = to;
}
