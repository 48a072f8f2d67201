import { sql } from 'kysely';
import type { Db } from '../../base/db.ts';
import { decimalFromCents } from '../../base/money.ts';
import type { Role } from '../../base/schema.ts';
import type { Keyed } from '../../people/link.ts';
import { codeNow } from '../../people/one-time-codes.ts';

/** Somebody whose phone the playground can hold. */
export interface PlaygroundPerson {
  name: string | null;
  /** 254[17]XXXXXXXX. */
  phone: string;
  roles: Role[];
  language: 'en' | 'sw';
  /** What they have to pay, earliest due date first; `left` in shillings, "4500.00". */
  invoices: { number: string; left: string; due_on: string }[];
}

type Row = Omit<PlaygroundPerson, 'invoices'> & {
  invoices: { number: string; left_cents: string; due_on: string }[];
};

const most_people = 100;

/** Everybody with a phone: customers first, since with them the story begins. */
export async function listPeople(db: Db): Promise<PlaygroundPerson[]> {
  const { rows } = await sql<Row>`
    select p.name, a.value as phone, p.language,
      array(select role from roles r where r.person_id = p.id
            order by role <> 'customer', role) as roles,
      coalesce((
        select jsonb_agg(jsonb_build_object(
          'number', i.number, 'left_cents', i.outstanding_cents::text, 'due_on', i.due_on
        ) order by i.due_on, i.id)
        from invoices i join customers c on c.id = i.customer_id
        where c.person_id = p.id and i.outstanding_cents > 0
      ), '[]') as invoices
    from people p
    join lateral (
      select value from addresses
      where person_id = p.id and value ~ '^254[17][0-9]{8}$'
      order by kind, id limit 1
    ) a on true
    order by exists (select from roles where person_id = p.id and role = 'customer') desc, p.id
    limit ${most_people}
  `.execute(db);
  return rows.map((row) => ({
    ...row,
    invoices: row.invoices.map(({ left_cents, ...invoice }) => ({
      ...invoice,
      left: decimalFromCents(BigInt(left_cents)),
    })),
  }));
}

/** What the Authenticator app on this phone would show now; null for who has no codes. */
export async function codeOfPhone(
  db: Db,
  keyed: Keyed,
  phone: string,
): Promise<{ code: string; good_for_s: number } | null> {
  const { rows } = await sql<{ person_id: bigint }>`
    select person_id from addresses where value = ${phone} order by kind limit 1
  `.execute(db);
  return (rows[0] && (await codeNow(db, keyed, rows[0].person_id))) ?? null;
}
