import { basename } from 'node:path';
import { SetupError } from '../base/errors.ts';
import { accountNamed, type MpesaAccount } from './details.ts';
import {
  type Columns,
  columnsOf,
  expected,
  type Layout,
  layoutOf,
  type Preamble,
  readPreamble,
} from './layouts.ts';
import { type BadLine, lineFrom, type StatementLine } from './lines.ts';
import type { Row, RowFile } from './rows.ts';

/** A statement that was recognised; its lines are read as they are asked for, once. */
export interface Reading {
  layout: Layout;
  preamble: Preamble;
  /** As far as the rows above the lines or the name of the file say it. */
  shortcode: string | undefined;
  account: MpesaAccount | undefined;
  lines: AsyncIterable<StatementLine | BadLine>;
}

// The header is in the seventh row of the layout that has it lowest.
const header_within = 30;

/**
 * Finds the header of either layout and what stands above it. Throws SetupError when there is none.
 */
export async function readStatement(
  file: RowFile,
  path: string,
  read: (bytes: number) => void,
): Promise<Reading> {
  const rows = file.rows(read)[Symbol.asyncIterator]();
  const preamble: Preamble = {};
  for (let n = 0; n < header_within; n += 1) {
    const { value, done } = await rows.next();
    if (done) break;
    if ('fault' in value) continue;
    const columns = columnsOf(value.cells);
    if (!columns) {
      readPreamble(preamble, value.cells);
      continue;
    }
    const shortcode = preamble.shortcode || shortcodeIn(basename(path));
    const named = preamble.account ?? accountIn(basename(path));
    const account = accountNamed(named);
    if (named && !account) {
      throw new SetupError(
        `${path} is of the account "${named}", which has no place in the books.`,
      );
    }
    const layout = layoutOf(columns);
    return { layout, preamble, shortcode, account, lines: linesBelow(rows, columns) };
  }
  throw new SetupError(`${path} is no statement of M-Pesa’s: ${expected}.`);
}

// "ORG_600000_Utility Account_Completed_20251013.csv", "Statements for 600000 from … to ….csv"
function shortcodeIn(name: string): string | undefined {
  return /^(?:ORG_|Statements? for )(\d{5,7})(?!\d)/i.exec(name)?.[1];
}

function accountIn(name: string): string | undefined {
  return /^ORG_\d{5,7}_([^_]+)_/i.exec(name)?.[1];
}

async function* linesBelow(
  rows: AsyncIterator<Row>,
  columns: Columns,
): AsyncIterable<StatementLine | BadLine> {
  for (;;) {
    const { value, done } = await rows.next();
    if (done) return;
    if ('fault' in value) yield { number: value.number, reason: value.fault };
    else if (value.cells.some((cell) => cell !== null && cell !== undefined && cell !== '')) {
      yield lineFrom(value.number, value.cells, columns);
    }
  }
}
