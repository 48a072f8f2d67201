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
  await addSomebodyAt(tx, { kind, value, name, proven: true });
  const person = await lockAt(tx, kind, value);
  if (!person) throw new Error('A new person could not be written down');
  return person;
}

/**
 * Writes down somebody at an address that nobody has; of two at once the second finds the person
 * that the first wrote down. Whether they have proven that it is theirs is the caller's to know.
 */
export async function addSomebodyAt(
  tx: Tx,
  it: { kind: AddressKind; value: string; name?: string | null; proven: boolean },
): Promise<void> {
  const { kind, value, name = null, proven } = it;
  await sql`select pg_advisory_xact_lock(hashtextextended(${`address:${kind}:${value}`}, 0))`.execute(
    tx,
  );
  await sql`
    with somebody as (
      insert into people (name)
      select ${name}::text
      where not exists (select from addresses where kind = ${kind} and value = ${value})
      returning id
    )
    insert into addresses (person_id, kind, value, verified_at)
    select id, ${kind}, ${value}, case when ${proven}::boolean then now() end from somebody
  `.execute(tx);
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

/** The order of addresses in which the first is the one that counts. */
export const last_proven = sql`verified_at desc nulls last, id desc`;

/**
 * A statement's subquery: the number of the person whom `person_id` names there. Of several, which
 * somebody has after two persons became one, the last that they have proven: it is the one in their
 * hands, and an older one may be another's by now.
 */
export const msisdnOf = (person_id: ReturnType<typeof sql>) => sql`(
  select value from addresses where person_id = ${person_id} and kind = 'msisdn'
  order by ${last_proven} limit 1)`;

/** The number of a person, 254…, as `msisdnOf`; undefined where they have none. */
export async function numberOf(db: Db, person_id: bigint | null): Promise<string | undefined> {
  const { rows } = await sql<{ msisdn: string | null }>`
    select ${msisdnOf(sql`${person_id}::bigint`)} as msisdn
  `.execute(db);
  return rows[0]?.msisdn ?? undefined;
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
