import { sql } from 'kysely';
import { type Db, inTransaction, type Tx } from '../base/db.ts';
import { Refusal } from '../base/errors.ts';
import { localPhone } from '../base/phone.ts';
import type { PeopleRequestKind, StaffRole } from '../base/schema.ts';
import { ask, withdraw } from '../outbox/ask.ts';
import { notify } from '../outbox/notify.ts';
import { knownAtNumber, personAtNumber } from './at-number.ts';
import { msisdnOf } from './find.ts';

/**
 * What needs two admins: roles of staff given and taken, two persons made one, a number changed.
 * One asks here; another decides (decide.ts).
 */

/** One that waits, or waited. */
export interface PeopleRequest {
  id: bigint;
  kind: PeopleRequestKind;
  person_id: bigint;
  role: StaffRole | null;
  msisdn: string | null;
  old_msisdn: string | null;
  name: string | null;
  other_id: bigint | null;
  asked_by: bigint;
}

export interface Asked {
  /** What people call it, "RQ12". */
  ref: string;
  /** How many others can decide. */
  asked: number;
}

/** The reference of the question that a request is. */
export function requestRef(id: bigint): string {
  return `RQ${id}`;
}

/** The request that a question is about; undefined when it is another question. */
export function requestOf(question: string): bigint | undefined {
  const digits = /^RQ(\d{1,9})$/.exec(question)?.[1];
  return digits === undefined ? undefined : BigInt(digits);
}

/** A request as admins read it; '-' for what it does not have. */
export async function inWords(db: Db, it: PeopleRequest) {
  const { who, phone } = await nameOf(db, it.person_id);
  return {
    ref: requestRef(it.id),
    who: it.name ?? who,
    asker: (await nameOf(db, it.asked_by)).who,
    phone: it.old_msisdn ?? it.msisdn ?? (phone || '-'),
    new_phone: it.kind === 'number' ? (it.msisdn ?? '-') : '-',
  };
}

/** A person as admins call them: by name and number. */
export async function nameOf(db: Db, person_id: bigint): Promise<{ who: string; phone: string }> {
  const { rows } = await sql<{ name: string | null; value: string | null }>`
    select p.name, ${msisdnOf(sql`p.id`)} as value
    from people asked join people p on p.id = coalesce(asked.merged_into, asked.id)
    where asked.id = ${person_id}
  `.execute(db);
  const phone = rows[0]?.value ?? '';
  return { who: rows[0]?.name ?? (phone === '' ? '-' : localPhone(phone)), phone };
}

export interface AskRole {
  by: bigint;
  kind: 'grant' | 'revoke';
  role: StaffRole;
  /** Of whom it is about; a role may be given to a number that nobody has yet. */
  msisdn: string;
  name?: string | undefined;
}

/**
 * Asks for a role to be given to whoever has a number, or taken. Asked again, it is the same
 * request. Throws Refusal: not_allowed, has_role, no_role, by_configuration (it is taken there),
 * last_admin, other_open (something else about it waits) or nobody (who could approve).
 */
export async function askRole(tx: Tx, it: AskRole): Promise<Asked> {
  const { by: asked_by, kind, role, msisdn, name = null } = it;
  const person_id =
    kind === 'grant' ? await personAtNumber(tx, msisdn) : await knownAtNumber(tx, msisdn);
  if (person_id === undefined) throw new Refusal('no_role');
  await mayChangeRole(tx, { kind, role, person_id });
  const row = { kind, person_id, role, asked_by, msisdn, name };
  return makeRequest(tx, row, sql`person_id = ${person_id} and role = ${role}`);
}

/** Whether a role can be given or taken as things stand; throws as `askRole` does. */
export async function mayChangeRole(
  tx: Tx,
  it: { kind: 'grant' | 'revoke'; role: StaffRole; person_id: bigint },
): Promise<void> {
  const { rows } = await sql<{ has: boolean; by_configuration: boolean; holders: number }>`
    select coalesce(bool_or(person_id = ${it.person_id}), false) as has,
      coalesce(bool_or(person_id = ${it.person_id} and by_configuration), false) as by_configuration,
      count(*)::int as holders
    from roles where role = ${it.role}
  `.execute(tx);
  const { has = false, by_configuration = false, holders = 0 } = rows[0] ?? {};
  if (it.kind === 'grant' && has) throw new Refusal('has_role');
  if (it.kind === 'revoke' && !has) throw new Refusal('no_role');
  if (it.kind === 'revoke' && by_configuration) throw new Refusal('by_configuration');
  if (it.kind === 'revoke' && it.role === 'admin' && holders === 1) throw new Refusal('last_admin');
}

/** Throws Refusal 'works_here' when one of two has a role of staff: no merge gives or takes one. */
export async function mayBecomeOne(tx: Tx, ids: bigint[]): Promise<void> {
  const { rows } = await sql`
    select from roles where person_id = any(${ids}::bigint[])
      and role in ('admin', 'officer', 'cashier')
  `.execute(tx);
  if (rows.length > 0) throw new Refusal('works_here');
}

/** Asks for two persons to become one; throws as `askRole` and `mayBecomeOne`, or 'same'. */
export async function askMerge(
  tx: Tx,
  { by, keep, other }: { by: bigint; keep: bigint; other: bigint },
): Promise<Asked> {
  if (keep === other) throw new Refusal('same');
  await mayBecomeOne(tx, [keep, other]);
  const row = { kind: 'merge', person_id: keep, other_id: other, asked_by: by } as const;
  return makeRequest(
    tx,
    row,
    sql`kind = 'merge' and least(person_id, other_id) = least(${keep}::bigint, ${other}::bigint)
        and greatest(person_id, other_id) = greatest(${keep}::bigint, ${other}::bigint)`,
  );
}

/** Asks for a person's number to be another; throws as `askRole`. */
export async function askNumber(
  tx: Tx,
  it: { by: bigint; person_id: bigint; from: string; to: string },
): Promise<Asked> {
  const { person_id, from: old_msisdn, to: msisdn } = it;
  const row = { kind: 'number', person_id, old_msisdn, msisdn, asked_by: it.by } as const;
  return makeRequest(tx, row, sql`kind = 'number' and person_id = ${person_id}`);
}

type Row = Pick<PeopleRequest, 'kind' | 'person_id' | 'asked_by'> & Partial<PeopleRequest>;

async function makeRequest(tx: Tx, row: Row, same: ReturnType<typeof sql>): Promise<Asked> {
  await expireOld(tx);
  const about = [row.asked_by, row.person_id, row.other_id ?? row.person_id];
  const { rows: admins } = await sql<{ person_id: bigint; has_codes: boolean }>`
    select r.person_id, c.generation is not null as has_codes
    from roles r left join one_time_codes c using (person_id)
    where r.role = 'admin' order by r.person_id
  `.execute(tx);
  if (!admins.some((it) => it.person_id === row.asked_by)) throw new Refusal('not_allowed');
  const others = admins.filter((it) => !about.includes(it.person_id));
  if (!others.some((it) => it.has_codes)) throw new Refusal('nobody');
  const made = await insertRequest(tx, row);
  const ref = requestRef(made?.id ?? (await waitingFor(tx, row, same)));
  const questions = others.map(({ person_id }) => ({ ref, person_id, flow: 'approve' }));
  if (made) await ask(tx, questions);
  return { ref, asked: others.length };
}

async function insertRequest(tx: Tx, row: Row): Promise<{ id: bigint } | undefined> {
  return tx
    .insertInto('people_requests')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
}

async function waitingFor(tx: Tx, row: Row, same: ReturnType<typeof sql>): Promise<bigint> {
  const { rows } = await sql<PeopleRequest>`
    select * from people_requests where state = 'waiting' and ${same}
  `.execute(tx);
  const [there] = rows;
  const { kind, person_id, msisdn = null } = row;
  const is_role = kind === 'grant' || kind === 'revoke';
  const is_same = is_role || (there?.person_id === person_id && there.msisdn === msisdn);
  // What another asked for waits for this one, who can approve it.
  const is_theirs = there?.asked_by === row.asked_by;
  if (there?.kind !== kind || !is_same || !is_theirs) throw new Refusal('other_open');
  return there.id;
}

/** Ends what nobody has decided within a day, and tells who asked. */
export async function expireOldRequests(db: Db): Promise<void> {
  // Looked for often, and there seldom is one: no transaction for nothing.
  const { rows } = await sql`
    select from people_requests where state = 'waiting' and expires_at <= now() limit 1
  `.execute(db);
  if (rows.length > 0) await inTransaction(db, expireOld);
}

async function expireOld(tx: Tx): Promise<void> {
  for (const { id, asked_by } of await expire(tx, sql`expires_at <= now()`)) {
    const values = { ref: requestRef(id), asker: (await nameOf(tx, asked_by)).who };
    await notify(tx, [
      { key: `request:${id}`, person_id: asked_by, template: 'request_expired', values },
    ]);
  }
}

/** Ends what was asked for by whoever is no admin any more. */
export async function expireRequestsOfOthers(tx: Tx): Promise<void> {
  await expire(
    tx,
    sql`not exists (select from roles r where r.person_id = asked_by and r.role = 'admin')`,
  );
}

/** Ends what waits about a person who is found to be another, or was asked by them. */
export async function expireRequestsOf(tx: Tx, person_id: bigint): Promise<void> {
  await expire(tx, sql`${person_id} in (person_id, other_id, asked_by)`);
}

async function expire(
  tx: Tx,
  which: ReturnType<typeof sql>,
): Promise<{ id: bigint; asked_by: bigint }[]> {
  const { rows } = await sql<{ id: bigint; asked_by: bigint }>`
    update people_requests set state = 'expired', decided_at = now()
    where state = 'waiting' and ${which} returning id, asked_by
  `.execute(tx);
  await withdraw(
    tx,
    rows.map(({ id }) => requestRef(id)),
  );
  return rows;
}

/** What waits, oldest first: all but what a person has asked for or is about. */
export async function waitingRequests(db: Db, for_admin: bigint): Promise<PeopleRequest[]> {
  const { rows } = await sql<PeopleRequest>`
    select * from people_requests
    where state = 'waiting' and expires_at > now()
      and ${for_admin} not in (asked_by, person_id, coalesce(other_id, person_id))
    order by id limit 50
  `.execute(db);
  return rows;
}

/** One that waits, locked. Throws Refusal 'decided' when it waits no more. */
export async function lockRequest(tx: Tx, id: bigint): Promise<PeopleRequest> {
  const { rows } = await sql<PeopleRequest>`
    select * from people_requests
    where id = ${id} and state = 'waiting' and expires_at > now() for update
  `.execute(tx);
  const [request] = rows;
  if (!request) throw new Refusal('decided');
  return request;
}
