import { sql } from 'kysely';
import { type Check, most_found } from '../base/check.ts';
import { type Db, inTransaction, openDatabase, type Tx } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { type Finding, verify } from '../ledger/verify.ts';
import { tellAdmins } from '../people/tell-admins.ts';

export interface BookCheck {
  db: Db;
  database_url: string;
  checks: readonly Check[];
}

const given_up_after = '10 minutes';
const most_named = 20;

/** The check of an hour that this process does; the times as the database writes them. */
interface Begun {
  hour: string;
  started_at: string;
}

/**
 * Proves the books once an hour, in one of however many processes, and tells the admins when
 * something is wrong. One that has not ended after ten minutes is begun by another process too, and
 * the first to end counts. Asked when there is nothing to do, it costs one look at a key.
 */
export async function checkBooks(
  it: BookCheck,
  more: () => boolean,
  give_up: AbortSignal,
): Promise<void> {
  if (await isBegun(it.db)) return;
  const begun = await begin(it.db);
  if (!begun) return;
  const since = performance.now();
  const proving = prove(it, more).catch((error: unknown) => {
    log.error({ hour: begun.hour, error: messageOf(error) }, 'check of the books broken off');
    return 'broken off' as const;
  });
  const findings = await unlessAborted(give_up, proving);
  if (findings === 'broken off') return;
  // Told to stop on the way: the next process need not wait for us.
  if (!findings) return leave(it.db, begun);
  const took_ms = Math.round(performance.now() - since);
  await inTransaction(it.db, (tx) => record(tx, begun, took_ms, findings));
}

const this_hour = sql`date_trunc('hour', now(), 'UTC')`;

// Without a write, since `begin` would lock the row each time.
async function isBegun(db: Db): Promise<boolean> {
  const { rows } = await sql`
    select 1 from book_checks
    where hour = ${this_hour}
      and (took_ms is not null or started_at >= now() - ${given_up_after}::interval)
  `.execute(db);
  return rows.length > 0;
}

async function begin(db: Db): Promise<Begun | undefined> {
  const { rows } = await sql<Begun>`
    insert into book_checks as it (hour) values (${this_hour})
    on conflict (hour) do update set started_at = now()
      where it.took_ms is null and it.started_at < now() - ${given_up_after}::interval
    returning hour::text, started_at::text
  `.execute(db);
  return rows[0];
}

/**
 * What the checks find; undefined once `more` says no. On a connection of its own, on which a
 * statement takes what it takes: the larger the books, the longer a proof.
 */
async function prove(it: BookCheck, more: () => boolean): Promise<Finding[] | undefined> {
  const { db, pool } = openDatabase(it.database_url, 1);
  let stopped = false;
  const checks = it.checks.map(({ name, run }) => ({
    name,
    run: async (tx: Db) => {
      stopped ||= !more();
      return stopped ? [] : run(tx);
    },
  }));
  try {
    const findings = await verify(db, checks);
    return stopped ? undefined : findings;
  } finally {
    await pool.end();
  }
}

/** What work results in, or undefined as soon as the signal comes; the work is left to itself. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  const over = new AbortController();
  const aborted = new Promise<undefined>((done) => {
    if (signal.aborted) done(undefined);
    const options = { once: true, signal: over.signal };
    signal.addEventListener('abort', () => done(undefined), options);
  });
  return Promise.race([work, aborted]).finally(() => over.abort());
}

// Not that of whoever took over from us.
async function leave(db: Db, { hour, started_at }: Begun): Promise<void> {
  await sql`
    delete from book_checks
    where hour = ${hour}::timestamptz and started_at = ${started_at}::timestamptz
      and took_ms is null
  `.execute(db);
}

async function record(tx: Tx, begun: Begun, took_ms: number, findings: Finding[]): Promise<void> {
  const named = findings.slice(0, most_named);
  const { rows } = await sql`
    update book_checks
    set took_ms = ${took_ms}, findings = ${findings.length}, named = ${JSON.stringify(named)}::jsonb
    where hour = ${begun.hour}::timestamptz and took_ms is null returning 1
  `.execute(tx);
  const [first] = named;
  if (rows.length === 0 || !first) return;
  log.error({ hour: begun.hour, findings: findings.length, named }, 'the books are wrong');
  const values = { n: counted(findings), check: first.check, found: first.found };
  await tellAdmins(tx, { key: `books:${begun.hour}`, template: 'books_wrong', values });
}

// A check names so many at most: "20+" is honest.
function counted(findings: Finding[]): string {
  const by_check = Object.values(Object.groupBy(findings, (it) => it.check));
  const more = by_check.some((found) => found && found.length >= most_found);
  return `${findings.length}${more ? '+' : ''}`;
}
