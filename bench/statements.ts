import type { Pool } from 'pg';

/** A statement as it went to the database. */
export interface Statement {
  text: string;
  values: readonly unknown[];
}

/** Writes down every statement that goes through this pool from now on, until it is told to stop. */
export function recordStatements(pool: Pool): { stop: () => Statement[] } {
  const statements: Statement[] = [];
  const connect = pool.connect.bind(pool);
  const listened_to = new WeakSet();
  let recording = true;
  pool.connect = (async () => {
    const client = await connect();
    if (listened_to.has(client)) return client;
    listened_to.add(client);
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    client.query = ((asked: string | { statements: Statement[] }, ...others: unknown[]) => {
      if (recording) {
        if (typeof asked === 'string') statements.push({ text: asked, values: [] });
        else statements.push(...asked.statements);
      }
      return query(asked, ...others);
    }) as typeof client.query;
    return client;
  }) as typeof pool.connect;
  return {
    stop: () => {
      recording = false;
      pool.connect = connect;
      return statements;
    },
  };
}

/** What takes the place of a text wherever it stands in a value: an expression of SQL. */
export type Instead = readonly [text: string, expression: string];

/**
 * Statements as a script of pgbench, with other values in place of those of the recording; `fresh`
 * is an expression that is another each time.
 */
export function asScript(
  statements: readonly Statement[],
  instead: readonly Instead[],
  fresh: string,
): string {
  return statements
    .map(({ text, values }) => {
      const written = text.replace(/\$(\d+)/g, (_, n: string) => {
        const value = values[Number(n) - 1];
        return asLiteral(value, instead, fresh);
      });
      return `${written.replace(/\s+/g, ' ').trim()};\n`;
    })
    .join('');
}

function asLiteral(value: unknown, instead: readonly Instead[], fresh: string): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  // A hash has to be another each time, as what it is of.
  if (Buffer.isBuffer(value))
    return `sha256(convert_to('${value.toString('hex')}' || ${fresh}, 'UTF8'))`;
  if (Array.isArray(value)) {
    return `array[${value.map((it) => asLiteral(it, instead, fresh)).join(', ')}]`;
  }
  if (value instanceof Date) return `'${value.toISOString().replaceAll(':', '\\x3a')}'`;
  if (typeof value === 'bigint') return `(${pieces(String(value), instead)})`;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  // What is put together is a text, which is not taken for JSON by itself.
  return `(${pieces(text, instead)})${text.startsWith('{"') ? '::jsonb' : ''}`;
}

function pieces(text: string, instead: readonly Instead[]): string {
  for (const [found, expression] of instead) {
    const at = text.indexOf(found);
    if (at === -1) continue;
    const before = text.slice(0, at);
    const after = text.slice(at + found.length);
    const parts = [
      ...(before ? [pieces(before, instead)] : []),
      expression,
      ...(after ? [pieces(after, instead)] : []),
    ];
    return parts.join(' || ');
  }
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll(':', '\\x3a').replaceAll('\n', '\\n')}'`;
}
