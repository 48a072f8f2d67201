import type { Guard } from '../guard.ts';

/** A line of M-Pesa's statement counts once, and what payers type decides nothing. */
export const statements: Guard[] = [
  {
    guard: 'a statement confirms what a callback said',
    file: 'src/mpesa-statement/book.ts',
    remove: "source: 'statement',",
    put: "source: 'c2b',",
    test: 'tests/mpesa-statement/import.test.ts',
    name: 'what callbacks lost is found and pays its invoice, and what they told is confirmed',
  },
  {
    guard: 'the same line has the same text in every export',
    file: 'src/mpesa-statement/keep.ts',
    remove: "if (bare.kind === 'other' && line.reason)",
    put: 'if (line.reason)',
    also: [
      {
        file: 'src/mpesa-statement/keep.ts',
        remove: 'where not known order by',
        put: 'order by',
      },
      {
        file: 'migrations/0019_statements.sql',
        remove: 'constraint statement_lines_once unique (shortcode,',
        put: 'constraint statement_lines_once unique (inbox_id, shortcode,',
      },
    ],
    test: 'tests/mpesa-statement/import.test.ts',
    name: 'the same file twice, an overlapping one and the other layout change nothing more',
  },
  {
    guard: 'a move that both statements have is booked once',
    file: 'src/mpesa-statement/charges.ts',
    remove: 'key: `mpesa_move:${shortcode}:${receipt}:${from}:${to}`',
    put: 'key: `mpesa_move:${shortcode}:${receipt}:${from}:${to}:${line.account}`',
    test: 'tests/mpesa-statement/import.test.ts',
    name: 'a move stands in the statements of both accounts and is booked once',
  },
  {
    guard: 'a part of a payment that was taken back does not reverse all of it',
    file: 'src/mpesa-statement/book.ts',
    remove: 'payment?.amount_cents === -line.amount_cents && ',
    put: 'payment?.amount_cents !== 0n && ',
    test: 'tests/mpesa-statement/import.test.ts',
    name: 'a payment that M-Pesa took back is reversed, and a part of one is for a person',
  },
  {
    guard: 'what a payer typed is not read as Safaricom’s words',
    file: 'src/mpesa-statement/details.ts',
    remove: "const [head, account_typed] = split(details, ' Acc.');",
    put: "const [head, account_typed] = [details, split(details, ' Acc.')[1]];",
    test: 'tests/mpesa-statement/details.test.ts',
    name: 'a receipt that a payer typed is not the one that was reversed',
  },
  {
    guard: 'an import that was cut short is the same import',
    file: 'src/mpesa-statement/import.ts',
    remove: 'values (${hash}, ${shortcode}, ${account})',
    put: 'values (sha256((random()::text)::bytea), ${shortcode}, ${account})',
    test: 'tests/mpesa-statement/import.test.ts',
    name: 'an import that is killed in the middle goes on where it was',
  },
  {
    guard: 'a quote that is never closed costs its own line alone',
    file: 'src/mpesa-statement/rows.ts',
    remove: 'if (rows.length === lines.length) {',
    put: 'if (rows.length > 0) {',
    test: 'tests/mpesa-statement/import.test.ts',
    name: 'a quote that swallows lines costs none but its own',
  },
  {
    guard: 'lines of one second may stand in any order',
    file: 'src/mpesa-statement/balance.ts',
    remove: 'if (end !== undefined) {',
    put: 'if (false) {',
    test: 'tests/mpesa-statement/reading.test.ts',
    name: 'a whole statement has no gap, whichever way it runs and however a second is sorted',
  },
];
