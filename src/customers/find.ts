import { sql } from 'kysely';
import type { Db } from '../base/db.ts';
import { msisdnFrom } from '../base/phone.ts';
import { customerNumbersIn } from './number.ts';

/** A customer as admins see them. */
export interface Found {
  id: bigint;
  number: string;
  name: string;
  /** 254…; null where we know none. */
  msisdn: string | null;
}

const most_shown = 10;

/**
 * The customers whom a text names: by number, however it is written, by phone, or by a name or the
 * beginning of one. Ten at most.
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
  return first.length > 0 ? first : select(db, sql`position(${` ${name}`} in lower(c.name)) > 0`);
}

async function select(db: Db, which: ReturnType<typeof sql>): Promise<Found[]> {
  const { rows } = await sql<Found>`
    select c.id, c.number, c.name, (
      select a.value from addresses a where a.person_id = c.person_id and a.kind = 'msisdn'
      order by a.id limit 1) as msisdn
    from customers c where ${which} order by c.name, c.id limit ${most_shown}
  `.execute(db);
  return rows;
}
