import type { Context, TypedResponse } from 'hono';
import { z } from '@hono/zod-openapi';
import { sql } from 'kysely';
import { type Db, inSavepoint, inTransaction, type Tx } from '../../base/db.ts';
import { Refusal } from '../../base/errors.ts';
import type { ApiEnv } from './door.ts';
import { type FieldFault, Problem, problemOfRefusal, tellProblem } from './problems.ts';
import type { Token } from './tokens.ts';

/** What is asked for under an Idempotency-Key is done once, and answered alike ever after. */

const key_words = '1 to 100 visible characters, new for each thing that is wanted';

/** The header of every request that makes or moves something. */
export const IdempotencyKey = z.object({
  'Idempotency-Key': z
    .string({ error: key_words })
    .regex(/^[\x21-\x7e]{1,100}$/, key_words)
    .openapi({
      description:
        'Makes it once: the same key and body get the first answer again, for ever. ' +
        'The same key with another body is a 409 that names the field.',
      example: '7f9c2ba4-e88f-11ee-951b-325096b39f47',
    }),
});

/** What was done, as it is answered. */
export interface Done<Body, Status> {
  status: Status;
  body: Body;
  /** Where what was made is to be seen. */
  location?: string;
}

interface Asked {
  token: Token;
  key: string;
  operation: string;
  body: object;
}

interface Kept {
  status: number;
  answer: string;
  content_type: string;
  location: string | null;
}

/**
 * Does the work in one transaction with the record of it, or answers as the first time. A refusal
 * undoes the work and is an answer too; what is our own failure is recorded nowhere, so the same
 * may be asked again. `key` in the work is unique to the token and its key.
 */
export async function once<Body extends object, Status extends 200 | 201 | 202>(
  c: Context<ApiEnv>,
  db: Db,
  asked: { header: z.infer<typeof IdempotencyKey>; body: object },
  work: (tx: Tx, it: { token: Token; key: string }) => Promise<Done<Body, Status>>,
): Promise<TypedResponse<Body, Status, 'json'>> {
  const it: Asked = {
    token: c.var.token,
    key: asked.header['Idempotency-Key'],
    operation: `${c.req.method} ${c.req.path}`,
    body: asked.body,
  };
  const { kept, again } = await inTransaction(db, async (tx) => {
    await lock(tx, it);
    const earlier = await find(tx, it);
    if (earlier) return { kept: earlier, again: true };
    const answer = await answerOf(tx, () =>
      work(tx, { token: it.token, key: `api:${it.token.id}:${it.key}` }),
    );
    await keep(tx, it, answer);
    return { kept: answer, again: false };
  });
  const headers: Record<string, string> = {
    'content-type': kept.content_type,
    'cache-control': 'no-store',
    ...(kept.location === null ? {} : { location: kept.location }),
    ...(again ? { 'idempotent-replayed': 'true' } : {}),
  };
  // As text, so that it is the first answer byte for byte; its type is that of the work.
  return c.body(kept.answer, kept.status as 200, headers) as unknown as TypedResponse<
    Body,
    Status,
    'json'
  >;
}

// Who is second does not wait, which would hold a connection: it hears that the first is at it.
async function lock(tx: Tx, { token, key }: Asked): Promise<void> {
  const { rows } = await sql<{ free: boolean }>`
    select pg_try_advisory_xact_lock(hashtextextended(${`api:${token.id}:${key}`}, 0)) as free
  `.execute(tx);
  if (!rows[0]?.free) throw new Problem('in-progress', { headers: { 'retry-after': '1' } });
}

async function find(tx: Tx, { token, key, operation, body }: Asked): Promise<Kept | undefined> {
  const { rows } = await sql<Kept & { operation: string; body: object }>`
    select operation, body, status, answer, content_type, location
    from api_requests where token_id = ${token.id} and key = ${key}
  `.execute(tx);
  const [row] = rows;
  if (!row) return undefined;
  const expected = 'the same as in the first request under this key';
  const errors: FieldFault[] = differing(row.body, body).map((field) => ({
    in: 'body',
    field,
    expected,
  }));
  if (row.operation !== operation) errors.unshift({ in: 'path', field: 'path', expected });
  if (errors.length > 0) throw new Problem('idempotency-conflict', { errors });
  return row;
}

/** The fields in which two bodies differ, as `parts.0.amount`. */
function differing(one: unknown, other: unknown, at: string[] = []): string[] {
  if (!isObject(one) || !isObject(other)) {
    return one === other ? [] : [at.join('.') || 'body'];
  }
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].flatMap((name) => differing(one[name], other[name], [...at, name]));
}

// A list is an object whose fields are numbers.
function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

async function answerOf(tx: Tx, work: () => Promise<Done<object, 200 | 201 | 202>>): Promise<Kept> {
  try {
    const { status, body, location } = await inSavepoint(tx, work);
    const answer = JSON.stringify(body);
    return { status, answer, content_type: 'application/json', location: location ?? null };
  } catch (error) {
    const no = error instanceof Refusal ? problemOfRefusal(error) : error;
    if (!(no instanceof Problem)) throw error;
    const { status, body, headers } = tellProblem(no);
    const content_type = headers['content-type'] ?? '';
    return { status, answer: body, content_type, location: null };
  }
}

async function keep(tx: Tx, { token, key, operation, body }: Asked, it: Kept): Promise<void> {
  await sql`
    insert into api_requests
      (token_id, key, operation, body, status, answer, content_type, location)
    values (${token.id}, ${key}, ${operation}, ${JSON.stringify(body)}::jsonb, ${it.status},
            ${it.answer}, ${it.content_type}, ${it.location})
  `.execute(tx);
}
