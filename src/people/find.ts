import { sql } from 'kysely';
import { sendAhead } from '../base/connection.ts';
import type { Db, Tx } from '../base/db.ts';
import type { Role } from '../base/schema.ts';
import type { Actor } from '../flow/action.ts';

type AddressKind = 'msisdn' | 'whatsapp';

/** What a statement selects of people (`p`) for an Actor. */
export const actor_columns = sql`
  p.id, p.name, p.language, p.stopped_at is not null as stopped,
  array(select role from roles r where r.person_id = p.id order by role) as roles`;

/**
 * The person behind an address, locked until the commit, so that one person's turns follow each
 * other whatever the channel and the process. Somebody new is written down, with no role yet but
 * with a language to remember; `name` is what the channel calls them.
 */
export async function lockPersonAt(
  tx: Tx,
  kind: AddressKind,
  value: string,
  name: string | null = null,
): Promise<Actor> {
  const known = await lockAt(tx, kind, value);
  if (known) return known;
  await sql`select pg_advisory_xact_lock(hashtextextended(${`address:${kind}:${value}`}, 0))`.execute(
    tx,
  );
  // Two first messages at once: the second to get here finds the person that the first wrote down.
  const found = await lockAt(tx, kind, value);
  if (found) return found;
  await sql`
    with stranger as (insert into people (name) values (${name}) returning id)
    insert into addresses (person_id, kind, value, verified_at)
    select id, ${kind}, ${value}, now() from stranger
  `.execute(tx);
  const person = await lockAt(tx, kind, value);
  if (!person) throw new Error('A new person could not be written down');
  return person;
}

/**
 * Locks the person behind an address until the commit, if we know one, ahead of the next statement:
 * that one sees how things are once their other turns are over. While we waited the address may
 * have become another's, whom nobody has locked: of whom it is has to be `locked_person`.
 */
export async function lockAhead(tx: Tx, kind: AddressKind, value: string): Promise<void> {
  await sendAhead(
    tx,
    sql`
      select set_config('karani.locked_person', p.id::text, true)
      from addresses a join people p on p.id = a.person_id
      where a.kind = ${kind} and a.value = ${value}
      for no key update of p`,
  );
}

/** Whom `lockAhead` has locked. */
export const locked_person = sql`nullif(current_setting('karani.locked_person', true), '')::bigint`;

/** A person, locked until the commit as by their address. */
export async function lockPerson(tx: Tx, id: bigint): Promise<Actor> {
  await sql`select from people where id = ${id} for no key update`.execute(tx);
  return personById(tx, id);
}

async function lockAt(tx: Tx, kind: AddressKind, value: string): Promise<Actor | undefined> {
  await lockAhead(tx, kind, value);
  const { rows } = await sql<Actor & { is_locked: boolean | null }>`
    select ${actor_columns}, p.id = ${locked_person} as is_locked
    from addresses a join people p on p.id = a.person_id
    where a.kind = ${kind} and a.value = ${value}
  `.execute(tx);
  const [row] = rows;
  if (!row) return undefined;
  const { is_locked, ...actor } = row;
  return is_locked ? actor : lockAt(tx, kind, value);
}

/**
 * A person as flows see them now, language and roles freshly read; of somebody who was found to be
 * another whom we know, that one.
 */
export async function personById(db: Db, id: bigint): Promise<Actor> {
  const { rows } = await sql<Actor>`
    select ${actor_columns}
    from people asked join people p on p.id = coalesce(asked.merged_into, asked.id)
    where asked.id = ${id}
  `.execute(db);
  const person = rows[0];
  if (!person) throw new Error(`There is no person ${id}`);
  return person;
}

/** The ids of everybody with a role, in order. */
export async function withRole(db: Db, role: Role): Promise<bigint[]> {
  const rows = await db
    .selectFrom('roles')
    .select('person_id')
    .where('role', '=', role)
    .orderBy('person_id')
    .execute();
  return rows.map((row) => row.person_id);
}

/** Ends reminders and news for a person on every channel, or begins them again. */
export async function setReminders(tx: Tx, id: bigint, reminders: 'on' | 'off'): Promise<void> {
  await sql`
    update people set stopped_at = case when ${reminders} = 'off' then coalesce(stopped_at, now()) end
    where id = ${id}
  `.execute(tx);
}
