import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import type { Language } from '../flow/action.ts';
import type { Role } from '../base/schema.ts';

export interface Enrolment {
  msisdn: string;
  name?: string;
  language?: Language;
  roles: Role[];
}

// Processes that start together enrol one after the other; the number means nothing but this.
const lock = 7_254_003;

/**
 * Makes sure that these numbers are known, each with its roles, and can be reached on WhatsApp
 * under the same number. For what the operator vouches for: the numbers in the configuration, and
 * the demo's people. Who is known keeps their name and language. Returns the persons' ids in the
 * same order.
 */
export async function enrol(tx: Tx, people: Enrolment[]): Promise<bigint[]> {
  await sql`select pg_advisory_xact_lock(${lock})`.execute(tx);
  const ids: bigint[] = [];
  for (const one of people) {
    // As whoever writes for the first time is written down: one of them is first.
    const address = `address:msisdn:${one.msisdn}`;
    await sql`select pg_advisory_xact_lock(hashtextextended(${address}, 0))`.execute(tx);
    const id = (await known(tx, one.msisdn)) ?? (await add(tx, one));
    // A WhatsApp that wrote before its number was vouched for belongs to nobody in particular yet.
    await sql`
      insert into addresses (person_id, kind, value, verified_at)
      select ${id}, kind, ${one.msisdn}, now() from unnest(array['msisdn', 'whatsapp']) as kind
      -- Who has proven another WhatsApp since has that one.
      where kind = 'msisdn'
         or not exists (select from addresses where person_id = ${id} and kind = 'whatsapp')
      on conflict (kind, value) do update set person_id = excluded.person_id
      where addresses.kind = 'whatsapp'
        -- One that was found to be another account by now has to prove itself.
        and addresses.verified_at is not null
        and not exists (select from roles r where r.person_id = addresses.person_id)
    `.execute(tx);
    await sql`
      insert into roles (person_id, role) select ${id}, role from unnest(${one.roles}::text[]) as role
      on conflict do nothing
    `.execute(tx);
    ids.push(id);
  }
  return ids;
}

// Whoever has the number; or else whoever wrote from it on WhatsApp and is nobody in particular
// yet.
async function known(tx: Tx, msisdn: string): Promise<bigint | undefined> {
  const { rows } = await sql<{ person_id: bigint }>`
    select a.person_id from addresses a
    where a.value = ${msisdn}
      and (a.kind = 'msisdn'
           or (not exists (select from roles r where r.person_id = a.person_id)
               and not exists (select from addresses b
                               where b.person_id = a.person_id and b.kind = 'msisdn')))
    order by a.kind limit 1
  `.execute(tx);
  return rows[0]?.person_id;
}

async function add(tx: Tx, one: Enrolment): Promise<bigint> {
  const row = await tx
    .insertInto('people')
    .values({ name: one.name ?? null, ...(one.language ? { language: one.language } : {}) })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}
