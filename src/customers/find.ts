import { sql } from 'kysely';
import type { Db } from '../base/db.ts';
import { msisdnFrom } from '../base/phone.ts';
import { slipsOf } from '../base/slips.ts';
import { isName } from '../base/text.ts';
import { type Dues, meantBy } from '../payments/due.ts';
import { msisdnOf } from '../people/find.ts';
import { customerNumber, customerNumbersIn } from './number.ts';

/** A customer as admins see them. */
export interface Found {
  id: bigint;
  number: string;
  name: string;
  person_id: bigint | null;
  /** 254…; null where we know none. */
  msisdn: string | null;
}

const most_shown = 10;

/**
 * The customers whom an admin may mean: what `findCustomers` finds, or whose invoice it is that the
 * text names. Ten at most, by name.
 */
export async function customersMeant(
  db: Db,
  dues: readonly Dues[],
  text: string,
): Promise<Found[]> {
  const meant = await meantBy(db, dues, text);
  return meant.length === 0
    ? []
    : select(db, sql`c.number = any(${meant.map((it) => it.of)}::text[])`);
}

/**
 * Somebody whom we do not know yet, by what was typed of them: a phone, 254…, or a name. Undefined
 * when it is neither, as a reference that names nobody.
 */
export function somebodyNew(
  dues: readonly Dues[],
  text: string,
): { phone: string } | { name: string } | undefined {
  const phone = msisdnFrom(text);
  if (phone !== undefined) return { phone };
  const start = text.trim().toLowerCase();
  if (!isName(text) || dues.some(({ prefix }) => start.startsWith(prefix))) return undefined;
  return { name: text };
}

/**
 * The customers whom a text names: by number, however it is written, by phone, or by a name or a
 * part of one, its words in any order. Ten at most.
 */
export async function findCustomers(db: Db, text: string): Promise<Found[]> {
  const wanted = text.trim();
  const msisdn = msisdnFrom(wanted);
  const [number] = /^cust/i.test(wanted) ? customerNumbersIn(wanted) : [];
  if (msisdn !== undefined) {
    return select(
      db,
      sql`c.person_id in (
        select person_id from addresses where kind = 'msisdn' and value = ${msisdn})`,
    );
  }
  if (number !== undefined) return select(db, sql`c.number = ${number}`);
  const name = wanted.toLowerCase().replace(/\s+/g, ' ');
  if (name === '') return [];
  // By the index; and where that finds nobody, by any of their names.
  const first = await select(
    db,
    sql`lower(c.name) ~>=~ ${name} and lower(c.name) ~<~ ${`${name}\u{10FFFF}`}`,
  );
  if (first.length > 0) return first;
  const later = await select(db, sql`position(${` ${name}`} in lower(c.name)) > 0`);
  if (later.length > 0 || name.length < 3) return later;
  return select(
    db,
    sql`not exists (
    select from unnest(${name.split(' ')}::text[]) as word where position(word in lower(c.name)) = 0)`,
  );
}

/** The customers of whose number or phone somebody may have typed one digit wrongly. */
export async function customersNear(db: Db, typed: string): Promise<Found[]> {
  const digits = typed.replace(/\D/g, '');
  if (/^\s*cust/i.test(typed)) {
    const numbers = slipsOf(digits).map((it) => customerNumber(it.replace(/^0+/, '')));
    return select(db, sql`c.number = any(${numbers}::text[])`);
  }
  if (digits.length < 8 || digits.length > 13 || /[a-z]/i.test(typed)) return [];
  const phones = slipsOf(digits).flatMap((it) => msisdnFrom(it) ?? []);
  return select(
    db,
    sql`c.person_id in (
      select person_id from addresses where kind = 'msisdn' and value = any(${phones}::text[]))`,
  );
}

async function select(db: Db, which: ReturnType<typeof sql>): Promise<Found[]> {
  const { rows } = await sql<Found>`
    select c.id, c.number, c.name, c.person_id, ${msisdnOf(sql`c.person_id`)} as msisdn
    from customers c where ${which} order by c.name, c.id limit ${most_shown}
  `.execute(db);
  return rows;
}
