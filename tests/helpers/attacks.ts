import { sql } from 'kysely';
import { inTransaction, type Db } from '../../src/base/db.ts';
import { askQuestions } from '../../src/conversation/questions.ts';
import { addCustomer } from '../../src/customers/add.ts';
import { issueInvoice } from '../../src/invoices/issue.ts';
import { enrol } from '../../src/people/enrol.ts';
import { confirmation } from './confirmation.ts';
import type { House } from './house.ts';

/** Whom an attack is aimed at: Mary, a customer like Kamau, and a payment that waits for an admin. */
export const mary = {
  phone: '254711000009',
  number: 'CUST-002',
  invoice: 'INV-20260301-0003',
} as const;
export const waiting_receipt = 'NLJ7RT61SV';

/** What nobody but Mary and the admins may read anywhere. */
export const hers = /Mary|0711000009|711000009|KES 1,234|NLJ7RT61SV|254799999999|0799999999/;

/** Writes Mary and the payment down, and has the admins asked about it. */
export async function seedVictims(house: House): Promise<void> {
  await inTransaction(house.db, async (tx) => {
    const [person_id = null] = await enrol(tx, [
      { msisdn: mary.phone, name: 'Mary', roles: ['customer'] },
    ]);
    const id = await addCustomer(tx, { number: mary.number, name: 'Mary', person_id });
    await issueInvoice(tx, {
      number: mary.invoice,
      customer: { id, number: mary.number },
      total_cents: 123_400n,
      issued_on: '2026-03-01',
      due_on: '2026-03-08',
    });
  });
  const nobodys = confirmation({
    TransID: waiting_receipt,
    BillRefNumber: 'JOHN SHOP',
    MSISDN: '254799999999',
    TransAmount: '1234.00',
  });
  await house.hook('c2b/confirmation', nobodys);
  await house.drain();
  await askQuestions(house.db, house.conversations, () => true);
}

const tables = [
  'payments',
  'allocations',
  'credit_allocations',
  'hearings',
  'invoices',
  'customers',
  'ledger_transactions',
  'postings',
  'prompts',
  'people',
  'roles',
  'handoffs',
  'link_proofs',
  'people_requests',
];

/** All that an attack must leave as it is: every row about money and people, and what was decided. */
export async function standingOf(db: Db): Promise<Record<string, string>> {
  const rowsOf = (table: string) => sql`
    select ${table}::text as name, count(*) || ' ' || md5(string_agg(t::text, ',' order by t::text)) as rows
    from ${sql.table(table)} t`;
  const all = [
    ...tables.map(rowsOf),
    sql`select 'questions', string_agg(concat(ref, ' ', person_id, ' ', ended_at), ',' order by ref, person_id)
        from questions`,
    sql`select 'addresses', string_agg(concat(person_id, ' ', kind, ' ', value), ',' order by id)
        from addresses`,
    sql`select 'api_tokens', string_agg(concat(name, ' ', scopes, ' ', revoked_at), ',' order by id)
        from api_tokens`,
  ];
  const { rows } = await sql<{ name: string; rows: string | null }>`
    ${sql.join(all, sql` union all `)}
  `.execute(db);
  return Object.fromEntries(rows.map((row) => [row.name, row.rows ?? '']));
}
