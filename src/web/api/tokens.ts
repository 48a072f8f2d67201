import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Db, Tx } from '../../base/db.ts';
import { Refusal } from '../../base/errors.ts';
import { sha256 } from '../../base/secrets.ts';
import { isScope, type Scope } from './scopes.ts';

/** A token as it is kept, without what it is. */
export interface Token {
  id: bigint;
  name: string;
  /** Who answers for what is done with it. */
  person_id: bigint;
  scopes: Scope[];
}

export interface KeptToken extends Token {
  for: string | null;
  created_at: Date;
  used_at: Date | null;
  revoked_at: Date | null;
}

const form = /^karani_[A-Za-z0-9_-]{43}$/;

/**
 * Makes a token for an admin, and returns it: it is kept nowhere. Throws Refusal `name_taken`, or
 * `not_admin` when that number is no admin's.
 */
export async function createToken(
  tx: Tx,
  it: { name: string; scopes: readonly Scope[]; msisdn: string },
): Promise<string> {
  const { rows: admins } = await sql<{ person_id: bigint }>`
    select r.person_id from addresses a join roles r on r.person_id = a.person_id
    where a.kind = 'msisdn' and a.value = ${it.msisdn} and r.role = 'admin'
  `.execute(tx);
  const [admin] = admins;
  if (!admin) throw new Refusal('not_admin');
  // 256 bits of chance, so a plain hash of it tells nothing.
  const token = `karani_${randomBytes(32).toString('base64url')}`;
  const { rows } = await sql`
    insert into api_tokens (hash, name, person_id, scopes)
    values (${sha256(token)}, ${it.name}, ${admin.person_id}, ${[...new Set(it.scopes)]}::text[])
    on conflict do nothing returning 1
  `.execute(tx);
  if (rows.length === 0) throw new Refusal('name_taken');
  return token;
}

/**
 * The token that this text is, while it is good: not revoked, and its person still an admin. Found
 * by its hash, so how long that takes says nothing about any other.
 */
export async function findToken(db: Db, text: string): Promise<Token | undefined> {
  if (!form.test(text)) return undefined;
  const { rows } = await sql<Token & { stale: boolean }>`
    select t.id, t.name, r.person_id, t.scopes,
           t.used_at is null or t.used_at < now() - interval '1 minute' as stale
    from api_tokens t
    join people p on p.id = t.person_id
    join roles r on r.person_id = coalesce(p.merged_into, p.id) and r.role = 'admin'
    where t.hash = ${sha256(text)} and t.revoked_at is null
  `.execute(db);
  const [row] = rows;
  if (!row) return undefined;
  const { stale, ...token } = row;
  if (stale) await sql`update api_tokens set used_at = now() where id = ${row.id}`.execute(db);
  return { ...token, scopes: token.scopes.filter(isScope) };
}

/** Every token that there ever was, the newest last. */
export async function listTokens(db: Db): Promise<KeptToken[]> {
  const { rows } = await sql<KeptToken>`
    select t.id, t.name, t.person_id, t.scopes, t.created_at, t.used_at, t.revoked_at, p.name as for
    from api_tokens t join people p on p.id = t.person_id order by t.id
  `.execute(db);
  return rows;
}

/** Ends the token of that name at once; false when there is none. */
export async function revokeToken(tx: Tx, name: string): Promise<boolean> {
  const { rows } = await sql`
    update api_tokens set revoked_at = now() where name = ${name} and revoked_at is null returning 1
  `.execute(tx);
  return rows.length > 0;
}
