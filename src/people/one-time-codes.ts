import { sql } from 'kysely';
import { Secret, TOTP } from 'otpauth';
import { clock } from '../base/clock.ts';
import type { Db, Tx } from '../base/db.ts';
import { assert, Refusal } from '../base/errors.ts';
import { personById } from './find.ts';
import type { Keyed } from './link.ts';
import { tellAdmins } from './tell-admins.ts';

/**
 * One-time codes of an app (RFC 6238: SHA-1, six digits, 30 seconds, one step early or late). The
 * secret is in no row: it is made from the person and the generation under the installation's key.
 */

const period_s = 30;
const most_wrong = 5;
const locked_minutes = 15;

function codesOf(keyed: Keyed, it: { person_id: bigint; generation: number }, shop = ''): TOTP {
  const hash = keyed('one-time-codes', `${it.person_id}:${it.generation}`);
  // SHA-1 takes 20 bytes.
  return new TOTP({ secret: Secret.fromHex(hash.slice(0, 40)), period: period_s, label: shop });
}

/** What an app scans, and what it is confirmed by. */
export interface Offered {
  person_id: bigint;
  generation: number;
  /** otpauth://…: who has it makes this person's codes. */
  address: string;
}

/**
 * Offers an admin codes of a new generation; those they have stay good until the first of the new
 * ones is confirmed. Throws Refusal 'not_admin', or 'has_codes' where they have some and want no
 * `fresh` ones.
 */
export async function offerCodes(
  tx: Tx,
  keyed: Keyed,
  it: { person_id: bigint; label: string; shop: string; fresh: boolean },
): Promise<Offered> {
  const { roles } = await personById(tx, it.person_id);
  if (!roles.includes('admin')) throw new Refusal('not_admin');
  const { rows } = await sql<{ offered: number }>`
    insert into one_time_codes as c (person_id, offered) values (${it.person_id}, 1)
    on conflict (person_id) do update set offered = c.offered + 1
    where c.generation is null or ${it.fresh}
    returning offered
  `.execute(tx);
  const [row] = rows;
  if (!row) throw new Refusal('has_codes');
  const codes = codesOf(keyed, { person_id: it.person_id, generation: row.offered }, it.label);
  codes.issuer = it.shop;
  return { person_id: it.person_id, generation: row.offered, address: codes.toString() };
}

/**
 * Takes the first code of what was offered: from now on these are the person's codes, and earlier
 * ones are worth nothing. False when it is wrong, or something else was offered since. The admins
 * are told.
 */
export async function confirmCodes(
  tx: Tx,
  keyed: Keyed,
  it: { person_id: bigint; generation: number },
  code: string,
): Promise<boolean> {
  const step = stepOf(codesOf(keyed, it), code);
  if (step === undefined) return false;
  const { rows } = await sql`
    update one_time_codes set generation = offered, confirmed_at = now(), last_step = ${step},
      wrong = 0, locked_until = null
    where person_id = ${it.person_id} and offered = ${it.generation}
      and generation is distinct from offered
    returning 1
  `.execute(tx);
  if (rows.length === 0) return false;
  const { name } = await personById(tx, it.person_id);
  await tellAdmins(tx, {
    key: `codes_made:${it.person_id}:${it.generation}`,
    template: 'codes_made',
    values: { who: name ?? '-' },
  });
  return true;
}

/** Gives persons their first codes without a proof: for the demo, where the page shows them. */
export async function startCodes(tx: Tx, person_ids: bigint[]): Promise<void> {
  await sql`
    insert into one_time_codes (person_id, offered, generation, confirmed_at)
    select id, 1, 1, now() from unnest(${person_ids}::bigint[]) as id
    on conflict do nothing
  `.execute(tx);
}

/** `none`: they have no codes yet. `used`: right, and taken before. */
export type Spent =
  | { result: 'right' | 'used' | 'none' }
  | { result: 'wrong'; left: number }
  | { result: 'locked'; minutes: number };

/**
 * Spends a code: each is taken once. A wrong one is counted, which a refusal would undo; the fifth
 * locks that person's codes for 15 minutes, and the admins are told.
 */
export async function spendCode(
  tx: Tx,
  keyed: Keyed,
  person_id: bigint,
  code: string,
): Promise<Spent> {
  const { rows } = await sql<{ generation: number | null; locked_minutes: number | null }>`
    select generation,
      ceil(extract(epoch from locked_until - now()) / 60)::int as locked_minutes
    from one_time_codes where person_id = ${person_id} for update
  `.execute(tx);
  const [row] = rows;
  if (!row || row.generation === null) return { result: 'none' };
  if (row.locked_minutes !== null && row.locked_minutes > 0) {
    return { result: 'locked', minutes: row.locked_minutes };
  }
  const step = stepOf(codesOf(keyed, { person_id, generation: row.generation }), code);
  if (step === undefined) return countWrong(tx, person_id);
  const { rows: spent } = await sql`
    update one_time_codes set last_step = ${step}, wrong = 0, locked_until = null
    where person_id = ${person_id} and last_step < ${step}
    returning 1
  `.execute(tx);
  return { result: spent.length > 0 ? 'right' : 'used' };
}

async function countWrong(tx: Tx, person_id: bigint): Promise<Spent> {
  const { rows } = await sql<{ left: number; locked_until: Date | null }>`
    update one_time_codes set
      wrong = case when wrong + 1 >= ${most_wrong} then 0 else wrong + 1 end,
      locked_until = case when wrong + 1 >= ${most_wrong}
                          then now() + make_interval(mins => ${locked_minutes}) end
    where person_id = ${person_id}
    returning ${most_wrong}::int - wrong as left, locked_until
  `.execute(tx);
  const [row] = rows;
  assert(row, 'who has codes has a row');
  const { left, locked_until } = row;
  if (!locked_until) return { result: 'wrong', left };
  const { name } = await personById(tx, person_id);
  const until = locked_until.toISOString();
  await tellAdmins(tx, {
    key: `codes_locked:${person_id}:${until}`,
    template: 'codes_locked',
    values: { who: name ?? '-', until },
  });
  return { result: 'locked', minutes: locked_minutes };
}

// The step that a code is of: this one, the one before or the one after.
function stepOf(codes: TOTP, code: string): number | undefined {
  const timestamp = clock.now().getTime();
  const delta = codes.validate({ token: code, timestamp, window: 1 });
  return delta === null ? undefined : Math.floor(timestamp / (period_s * 1000)) + delta;
}

/** A person's code of this moment, for the demo's page and for tests; undefined without codes. */
export async function codeNow(
  db: Db,
  keyed: Keyed,
  person_id: bigint,
): Promise<{ code: string; good_for_s: number } | undefined> {
  const row = await db
    .selectFrom('one_time_codes')
    .select('generation')
    .where('person_id', '=', person_id)
    .executeTakeFirst();
  if (!row || row.generation === null) return undefined;
  const timestamp = clock.now().getTime();
  const code = codesOf(keyed, { person_id, generation: row.generation }).generate({ timestamp });
  return { code, good_for_s: period_s - (Math.floor(timestamp / 1000) % period_s) };
}
