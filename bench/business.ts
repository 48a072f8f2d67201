import type { Pool, PoolClient } from 'pg';
import { sha256 } from '../src/base/secrets.ts';
import { confirmation, receiptOf } from './confirmations.ts';

export interface Business {
  customers: number;
  /** Payments already received, five to each invoice that they have paid in full. */
  past_payments: number;
}

const chunk = 50_000;
const payments_per_invoice = 5;

/**
 * Fills a database as if a business had run for most of a year: customers who each have an open
 * invoice, and past payments with everything that is kept of them. Set by set, through the guards
 * of the ledger; foreign keys alone are not looked up, since all of it is right by construction
 * (`ledger verify` looks).
 */
export function fillBusiness(pool: Pool, it: Business): Promise<void> {
  return fillInBulk(pool, async (client) => {
    await addCustomers(client, it.customers);
    await issueInvoices(client, it);
    for (let from = 0; from < it.past_payments; from += chunk) {
      await addPayments(client, it, from, Math.min(from + chunk, it.past_payments));
    }
    await client.query('drop table bench_invoices, bench_customers');
  });
}

/** Fills a database on one connection, and leaves it as a database is that runs for long. */
export async function fillInBulk(
  pool: Pool,
  fill: (client: PoolClient) => Promise<void>,
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query(`
      set session_replication_role = replica;
      set synchronous_commit = off;
      set work_mem = '256MB'`);
    await fill(client);
    await client.query('reset all');
    await client.query('vacuum (analyze)');
    await client.query('checkpoint');
  } finally {
    client.release(true);
  }
}

/** Customers, each with a person, in `bench_customers` too. */
export async function addCustomers(client: PoolClient, customers: number): Promise<void> {
  await client.query(`
    create unlogged table bench_customers as
    select n as customer, nextval('people_id_seq') as person_id, nextval('customers_id_seq') as id,
           nextval('accounts_id_seq') as receivable_id, nextval('accounts_id_seq') as credit_id,
           '2547' || (10100000 + n) as msisdn, 'CUST-' || (100000 + n) as number
    from generate_series(0, ${customers - 1}) n;

    insert into people (id, name, language) overriding system value
    select person_id, 'Customer ' || customer, case customer % 2 when 0 then 'en' else 'sw' end
    from bench_customers;
    insert into roles (person_id, role) select person_id, 'customer' from bench_customers;
    insert into addresses (person_id, kind, value)
    select person_id, kind, msisdn from bench_customers, (values ('msisdn'), ('whatsapp')) k(kind);
    insert into customers (id, number, name, person_id) overriding system value
    select id, number, 'Customer ' || customer, person_id from bench_customers;
    insert into accounts (id, code, owner_kind, owner_id) overriding system value
    select receivable_id, '1200:' || number, 'customer', id from bench_customers
    union all
    select credit_id, '2010:' || number, 'customer', id from bench_customers;
    insert into account_balances (account_id, floor_cents)
    select unnest(array[receivable_id, credit_id]), 0 from bench_customers;
    create index on bench_customers (customer);
    analyze bench_customers`);
}

// One open for each customer, large enough for any number of payments, and those that were paid.
async function issueInvoices(client: PoolClient, it: Business): Promise<void> {
  const paid = Math.ceil(it.past_payments / payments_per_invoice);
  await client.query(`
    create unlogged table bench_invoices as
    select nextval('invoices_id_seq') as id, i.*, c.id as customer_id, c.receivable_id from (
      select n, 'INV-20260101-' || lpad(n::text, 6, '0') as number, n % ${it.customers} as customer,
             least(${payments_per_invoice}, ${it.past_payments} - n * ${payments_per_invoice})
               * 50000::bigint as total_cents,
             0::bigint as left_cents, date '2026-01-01' as issued_on
      from generate_series(0, ${paid - 1}) n
      union all
      select n, 'INV-20261101-' || (100000 + n), n, 1000000000, 1000000000, date '2026-11-01'
      from generate_series(0, ${it.customers - 1}) n
    ) i join bench_customers c using (customer);
    create index on bench_invoices (n);
    analyze bench_invoices;

    insert into invoices (id, number, customer_id, total_cents, outstanding_cents, issued_on, due_on)
    overriding system value
    select id, number, customer_id, total_cents, left_cents, issued_on, issued_on + 14
    from bench_invoices;
    ${posting(`
      select 'invoice:' || number || ':issued' as key, 'invoice_issued' as kind,
             issued_on::timestamptz as effective_at, receivable_id as debit_id,
             (select id from accounts where code = '4000') as credit_id, total_cents as cents
      from bench_invoices`)}`);
}

async function addPayments(
  client: PoolClient,
  it: Business,
  from: number,
  to: number,
): Promise<void> {
  const body = confirmation(0, it.customers).replaceAll("'", "''");
  await client.query(`
    create temp table past as
    select g.n, 'H' || lpad(g.n::text, 9, '0') as receipt, nextval('inbox_id_seq') as inbox_id,
           nextval('payments_id_seq') as payment_id, nextval('allocations_id_seq') as allocation_id,
           i.id as invoice_id, i.number as invoice, c.person_id, c.receivable_id,
           encode(sha256(c.msisdn::bytea), 'hex') as payer_hash,
           timestamptz '2026-01-02' + interval '300 days' * g.n / ${it.past_payments} as paid_at
    from generate_series(${from}, ${to - 1}) g(n)
    join bench_invoices i on i.n = g.n / ${payments_per_invoice} and i.left_cents = 0
    join bench_customers c using (customer)
    order by g.n;
    analyze past;

    insert into inbox (id, source, subject, body, body_hash, from_ip, received_at, due_at, state, done_at)
    overriding system value
    select inbox_id, 'c2b_confirmation', receipt, body, sha256(convert_to(body, 'UTF8')), '127.0.0.1',
           paid_at, paid_at, 'done', paid_at
    from past, lateral (select replace('${body}', '${receiptOf(0)}', receipt) as body) b;
    insert into payments (id, shortcode, receipt, amount_cents, allocated_cents, paid_at, account_typed,
                          payer_hash, payer_name, rule, told, created_at)
    overriding system value
    select payment_id, '600000', receipt, 50000, 50000, paid_at, invoice, payer_hash,
           'KAMAU NJOROGE MWANGI', 'reference', 'digest', paid_at from past;
    insert into hearings (inbox_id, payment_id, source, shortcode, amount_cents, verdict, heard_at)
    select inbox_id, payment_id, 'c2b', '600000', 50000, 'first', paid_at from past;
    insert into allocations (id, payment_id, due_kind, due_id, due_reference, amount_cents, created_at)
    overriding system value
    select allocation_id, payment_id, 'invoice', invoice_id, invoice, 50000, paid_at from past;
    insert into outbox (key, person_id, template, values, state, attempts, due_at, provider_id, created_at, sent_at)
    select 'payment:' || payment_id || ':owner', person_id, 'paid_part',
           jsonb_build_object('name', 'Kamau', 'amount', '500.00', 'ref', invoice, 'receipt', receipt,
                              'left', '1000.00', 'extra', '0.00', 'account', invoice),
           'sent', 1, paid_at, 'wamid.' || n, paid_at, paid_at from past;
    ${posting(`
      select 'payment:' || receipt || ':received' as key, 'payment_received' as kind,
             paid_at as effective_at, m.id as debit_id, u.id as credit_id, 50000::bigint as cents
      from past, accounts m, accounts u where m.code = '1010:600000:utility' and u.code = '2040'
      union all
      select 'allocation:' || allocation_id, 'invoice_paid', paid_at, u.id, receivable_id, 50000
      from past, accounts u where u.code = '2040'`)};
    drop table past`);
}

/** Ledger transactions as ledger/post.ts writes them, each with one posting. */
export function posting(given: string): string {
  return `
    with given as materialized (
      select nextval('ledger_transactions_id_seq') as id, g.* from (${given}) g
    ), made as (
      insert into ledger_transactions (id, key, kind, effective_at, content_hash)
      overriding system value
      select id, key, kind, effective_at,
             ledger_content_hash(kind, effective_at, null, debit_id || '<' || credit_id || '=' || cents)
      from given
    )
    insert into postings (ledger_transaction_id, line, debit_account_id, credit_account_id, amount_cents)
    select id, 1, debit_id, credit_id, cents from given`;
}

/** What is waiting, and where it begins: row `first_inbox_id + n` is of payment `from + n`. */
export interface Backlog {
  first_inbox_id: bigint;
  count: number;
}

/**
 * Puts confirmations into the inbox in one commit, of the payments `from` and on, and wakes the
 * drain. Those that are `held` no drain finds.
 */
export function addBacklog(
  pool: Pool,
  { customers, ...it }: { from: number; count: number; customers: number; held?: boolean },
): Promise<Backlog> {
  const bodies = Array.from({ length: it.count }, (_, n) => confirmation(it.from + n, customers));
  return addConfirmations(pool, { ...it, bodies });
}

/** The same with these bodies. */
export async function addConfirmations(
  pool: Pool,
  it: { from: number; bodies: string[]; held?: boolean },
): Promise<Backlog> {
  const { bodies } = it;
  const { rows } = await pool.query<{ first: bigint }>(
    `with numbered as materialized (
       select nextval('inbox_id_seq') as id, a.* from unnest($1::text[], $2::text[], $3::bytea[])
         as a(subject, body, body_hash)
     ), kept as (
       insert into inbox (id, source, subject, body, body_hash, from_ip, due_at)
       overriding system value
       select id, 'c2b_confirmation', subject, body, body_hash, '127.0.0.1',
              case when $4 then 'infinity' else now() end
       from numbered
     )
     select min(id) as first,
            (select id from graphile_worker.add_job('drain_payments', max_attempts := 1)) as job
     from numbered`,
    [
      bodies.map((_, n) => receiptOf(it.from + n)),
      bodies,
      bodies.map((body) => sha256(body)),
      it.held === true,
    ],
  );
  await pool.query('analyze inbox');
  return { first_inbox_id: rows[0]?.first ?? 0n, count: bodies.length };
}
