import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Db, inTransaction } from '../base/db.ts';
import { SetupError } from '../base/errors.ts';
import type { ReceiveSettings } from '../payments/receive.ts';
import { paidAccount } from './accounts.ts';
import { followBalance } from './balance.ts';
import { drainStatementLines } from './jobs.ts';
import { keepLines, type OfStatement } from './keep.ts';
import type { BadLine, StatementLine } from './lines.ts';
import { type Reading, readStatement } from './read.ts';
import type { WasRead } from './report.ts';
import { openRows, type RowFile } from './rows.ts';

/** Hears how far something is. */
export type Progress = (what: string, done: number, total: number) => void;

export interface Import {
  path: string;
  /** What the operator says that it is of, where the file does not. */
  shortcode: string | undefined;
  receive: ReceiveSettings;
  progress: Progress;
  /** Hears of each line that cannot be read, as soon as it is met. */
  bad: (line: BadLine) => void;
}

const lines_at_once = 1_000;
const look_again_ms = 200;
const most_named = 100;

/**
 * Imports M-Pesa's statement of one of our accounts there: each line is kept once, and worked
 * through before this returns, by this process and whatever server runs besides. Lines that cannot
 * be read do not stop the others. One that was cut short goes on when the same file is imported
 * again. Throws SetupError when it is no statement, or of none of our shortcodes.
 */
export async function importStatement(db: Db, it: Import): Promise<WasRead> {
  const file = await openRows(it.path);
  const reading = await readStatement(file, it.path, (bytes) =>
    it.progress('Reading', bytes, file.size),
  );
  const of = await beginImport(db, file, whose(it, reading));
  const was_read = await keepAll(db, it, reading, of);
  await workOff(db, it, of.import_id);
  await endImport(db, was_read);
  return was_read;
}

/** Whose statement it is: what the file says, or the operator, or the only one there is. */
function whose(it: Import, reading: Reading): Pick<OfStatement, 'shortcode' | 'account'> {
  const { money_accounts } = it.receive;
  const ours = [...money_accounts.keys()];
  if (it.shortcode && reading.shortcode && it.shortcode !== reading.shortcode) {
    throw new SetupError(`${it.path} is of ${reading.shortcode}, not of ${it.shortcode}.`);
  }
  const shortcode = it.shortcode ?? reading.shortcode ?? (ours.length === 1 ? ours[0] : undefined);
  if (shortcode === undefined) {
    throw new SetupError(
      `${it.path} does not say of which shortcode it is: add --shortcode, one of ${ours.join(', ')}.`,
    );
  }
  if (!money_accounts.has(shortcode)) {
    throw new SetupError(`${it.path} is of ${shortcode}, and ours are ${ours.join(', ')}.`);
  }
  return { shortcode, account: reading.account ?? paidAccount(money_accounts, shortcode) };
}

async function beginImport(
  db: Db,
  { hash }: RowFile,
  { shortcode, account }: Pick<OfStatement, 'shortcode' | 'account'>,
): Promise<OfStatement> {
  const { rows } = await sql<{ id: bigint }>`
    insert into statement_imports (file_hash, shortcode, account) values (${hash}, ${shortcode}, ${account})
    on conflict (file_hash, shortcode, account) where ended_at is null
    do update set started_at = statement_imports.started_at
    returning id
  `.execute(db);
  return { import_id: rows[0]?.id ?? 0n, shortcode, account };
}

async function keepAll(db: Db, it: Import, reading: Reading, of: OfStatement): Promise<WasRead> {
  const balance = followBalance(reading.preamble);
  const started = performance.now();
  let read = 0;
  let bad = 0;
  let from: Date | undefined;
  let to: Date | undefined;
  const bad_lines: BadLine[] = [];
  const otherwise: WasRead['otherwise'] = [];
  let batch: StatementLine[] = [];
  const keep = async () => {
    const kept = await inTransaction(db, (tx) => keepLines(tx, of, batch));
    otherwise.push(...kept.otherwise.slice(0, most_named - otherwise.length));
    batch = [];
  };
  for await (const line of reading.lines) {
    read += 1;
    if ('amount_cents' in line) {
      batch.push(line);
      if (line.completed) balance.add(line);
      if (!from || line.completed_at < from) from = line.completed_at;
      if (!to || line.completed_at > to) to = line.completed_at;
      if (batch.length === lines_at_once) await keep();
    } else {
      bad += 1;
      it.bad(line);
      if (bad_lines.length < most_named) bad_lines.push(line);
    }
  }
  await keep();
  const { preamble, layout } = reading;
  return {
    ...of,
    layout,
    from: preamble.from ?? from,
    to: preamble.to ?? to,
    lines: read,
    bad,
    bad_lines,
    otherwise,
    balance: balance.end(),
    seconds: () => (performance.now() - started) / 1_000,
  };
}

/**
 * Works through what waits, until nothing of this import does; another process may be at some of
 * it. What failed is tried again later by whoever runs then.
 */
async function workOff(db: Db, { receive, progress }: Import, import_id: bigint): Promise<void> {
  const all = await waiting(db, import_id);
  for (let left = all; left > 0; left = await waiting(db, import_id)) {
    let batches = 0;
    const drained = await drainStatementLines(db, receive, () => {
      progress('Booking', Math.min(all, all - left + batches * 200), all);
      batches += 1;
      return true;
    });
    if (drained === 0) await sleep(look_again_ms);
  }
}

async function waiting(db: Db, import_id: bigint): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from statement_lines s join inbox i on i.id = s.inbox_id
    where s.import_id = ${import_id} and s.outcome = 'waiting' and i.state = 'new' and i.attempts = 0
  `.execute(db);
  return rows[0]?.n ?? 0;
}

async function endImport(db: Db, it: WasRead): Promise<void> {
  await sql`
    update statement_imports
    set ended_at = now(), covers_from = ${it.from ?? null}, covers_to = ${it.to ?? null},
        lines = ${it.lines}, bad_lines = ${it.bad}, gaps = ${it.balance.gap_count}
    where id = ${it.import_id} and ended_at is null
  `.execute(db);
}
