import { createHash } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';
import { CompiledQuery, type PostgresPool, type PostgresPoolClient, type RawBuilder } from 'kysely';
import pg, { type Pool, type PoolClient, Query, type QueryResult, type Submittable } from 'pg';
import type { Tx } from './db.ts';

/** How statements go to the database: planned once a connection, and several in one write. */

// A migration has changed what a named statement returns; its connection is not used again.
export const outdated_plan = '0A000';

// What begins with this is held back, and leaves with the next statement.
const ahead = '/* ahead */ ';
const isAhead = (text: string) => text === 'begin' || text.startsWith(ahead);
const isRelease = (text: string) => text.startsWith(`${ahead}release `);
const isFrame = (text: string) =>
  text === 'begin' || text.startsWith(`${ahead}savepoint `) || isRelease(text);
// Of several statements in one text no plan can be kept.
const mayBeSeveral = (text: string, values: readonly unknown[]) =>
  values.length === 0 && !isAhead(text) && text !== 'commit' && !text.startsWith('rollback to ');
// As node-postgres writes values; its types leave it out.
const { prepareValue } = (pg as unknown as { utils: { prepareValue: (it: unknown) => unknown } })
  .utils;
const no_rows = { command: 'SELECT', rowCount: 0, rows: [] } as const;

/**
 * Has a statement run ahead of the next one, without a wait of its own: of it nothing is read. A
 * wait costs far more than a statement does. If it fails, so does the next one, or the commit.
 */
export async function sendAhead(tx: Tx, statement: RawBuilder<unknown>): Promise<void> {
  const { sql, parameters } = statement.compile(tx);
  await tx.executeQuery(CompiledQuery.raw(ahead + sql, [...parameters]));
}

/** The pool as the query builder takes it. */
export function batching(pool: Pool): PostgresPool {
  const connect = async () => talkOn(await pool.connect());
  return { connect, end: () => pool.end(), options: pool.options };
}

function talkOn(client: PoolClient & { processID?: number }): PostgresPoolClient {
  let held_back: Statement[] = [];
  let outdated = false;
  const sendAll = async (): Promise<QueryResult> => {
    const batch = held_back;
    held_back = [];
    try {
      return await send(client, batch);
    } catch (error) {
      outdated ||= (error as { code?: unknown }).code === outdated_plan;
      throw error;
    }
  };
  const query = async (text: string, values: readonly unknown[]) => {
    // What has not been sent need not be undone.
    if (text === 'rollback') held_back = [];
    const undone = /^rollback to (savepoint \w+)$/.exec(text)?.[1];
    if (undone !== undefined) {
      const from = held_back.findLastIndex((it) => it.text === ahead + undone);
      held_back.length = from + 1;
      if (from !== -1) return no_rows;
    }
    if (mayBeSeveral(text, values)) {
      if (held_back.length > 0) await sendAll();
      return client.query(text);
    }
    // Before it is held back: what cannot be written is this statement's own failure.
    const statement = { text, values, written: values.map((it) => prepareValue(it)) };
    // What is held back in a part is a failure of that part, not of what comes after it.
    const waits = isAhead(text) && !(isRelease(text) && held_back.some((it) => !isFrame(it.text)));
    held_back.push(statement);
    return waits ? no_rows : sendAll();
  };
  const { processID } = client;
  return {
    ...(processID === undefined ? {} : { processID }),
    query: query as unknown as PostgresPoolClient['query'],
    release: (destroy) => client.release(destroy || outdated),
  };
}

interface Statement {
  text: string;
  values: readonly unknown[];
  /** The values as they go to the database. */
  written: unknown[];
}

function send(client: PoolClient, statements: Statement[]): Promise<QueryResult> {
  return new Promise((done, failed) => {
    const batch = new Batch(statements, (error, result) => {
      if (error) failed(error);
      else done(result);
    });
    client.query(batch as unknown as Submittable);
  });
}

/** Of node-postgres, what a query of one's own needs and its types leave out. */
interface Connection extends EventEmitter {
  stream: Writable;
  submittedNamedStatements: Record<string, string>;
}
type Callback = (error: Error | undefined, result: QueryResult) => void;
type OneQuery = {
  name?: string | undefined;
  hasBeenParsed: (connection: Connection) => boolean;
  /** Writes parse, where it is new to the connection, bind, describe, execute and sync. */
  prepare: (connection: Connection) => void;
  submit(connection: Connection): null;
  handleDataRow(row: unknown): void;
  handleEmptyQuery(connection: Connection): void;
  handleCommandComplete(message: unknown, connection: Connection): void;
  handleReadyForQuery(connection: Connection): void;
  handleError(error: Error, connection: Connection): void;
};
const OneQuery = Query as unknown as new (
  text: string,
  values: readonly unknown[],
  callback: Callback,
) => OneQuery;

/**
 * Statements in one write with one sync behind the last, so that PostgreSQL does the next without
 * a word from us, and none after one that fails. Results in what the last one does.
 */
class Batch extends OneQuery {
  readonly statements: Statement[];
  #running: number;
  #to_parse: string[] = [];
  readonly #parsed = () => void this.#to_parse.shift();

  constructor(statements: Statement[], callback: Callback) {
    super('', [], callback);
    this.statements = statements;
    this.#running = statements.length;
  }

  override submit(connection: Connection): null {
    const { stream } = connection;
    const quiet = quietly(connection);
    connection.on('parseComplete', this.#parsed);
    stream.cork();
    for (const [index, { text, written }] of this.statements.entries()) {
      const is_last = index === this.statements.length - 1;
      // Its values are written already, so nothing of it can fail here.
      const one = new OneQuery(text, written, (error) => stream.destroy(error));
      one.name = nameOf(text);
      if (!one.hasBeenParsed(connection)) this.#to_parse.push(one.name ?? '');
      one.prepare(is_last ? connection : quiet);
    }
    stream.uncork();
    return null;
  }

  override handleDataRow(row: unknown): void {
    if (this.#running === 1) super.handleDataRow(row);
  }

  override handleEmptyQuery(connection: Connection): void {
    if (this.#running === 1) super.handleEmptyQuery(connection);
    this.#running -= 1;
  }

  override handleCommandComplete(message: unknown, connection: Connection): void {
    if (this.#running === 1) super.handleCommandComplete(message, connection);
    this.#running -= 1;
  }

  override handleReadyForQuery(connection: Connection): void {
    connection.off('parseComplete', this.#parsed);
    super.handleReadyForQuery(connection);
  }

  override handleError(error: Error, connection: Connection): void {
    connection.off('parseComplete', this.#parsed);
    // What came after the one that failed was not planned.
    for (const name of this.#to_parse) delete connection.submittedNamedStatements[name];
    super.handleError(error, connection);
  }
}

const nothing = { value: () => undefined };

function quietly(connection: Connection): Connection {
  return Object.create(connection, { describe: nothing, sync: nothing }) as Connection;
}

const names = new Map<string, string>();
// There are a hundred; were texts made up as they go, they would fill the database's memory.
const most_names = 1_000;

// Named by its text, so that PostgreSQL plans it once a connection rather than each time (measured:
// 8.8 ms of its time for a payment alone, then 4.1).
function nameOf(text: string): string | undefined {
  let name = names.get(text);
  if (name === undefined && names.size < most_names) {
    name = createHash('sha256').update(text).digest('base64url').slice(0, 20);
    names.set(text, name);
  }
  return name;
}
