import { sql } from 'kysely';
import type { Db } from '../../../src/base/db.ts';
import { centsFromDecimal } from '../../../src/base/money.ts';
import { verify } from '../../../src/ledger/verify.ts';
import { checks, running_checks } from '../../../src/registry.ts';
import { checkPrompts, type PromptRow } from './check-prompts.ts';
import { shortcodes } from './plan.ts';
import type { Told } from './story.ts';
import { type Happened, type MoneyWorld, mpesaAt } from './world.ts';

export interface Found {
  findings: string[];
  /** How many payments there were, and how each kind of them was found and proven. */
  figures: Record<string, number>;
}

export interface PaymentRow {
  id: bigint;
  receipt: string;
  shortcode: string;
  amount_cents: bigint;
  allocated_cents: bigint;
  reversed: boolean;
  verified_by: string | null;
  first_by: string;
  /** By the books, not by what the row says: what was received and taken back, and how often. */
  received: string;
  taken_back: string;
  /** The customers that have something of it. */
  customers: string[];
}

const most_findings = 40;

/**
 * What is wrong once all is at rest, by a reading of the tables of its own: what M-Pesa says has
 * happened, what people have done, and what the books say of it.
 */
export async function checkMoney(world: MoneyWorld, told: Told): Promise<Found> {
  const { db } = world;
  const mpesa = mpesaAt(world.simulator_url);
  const truth = await mpesa.truth();
  const payments = await readPayments(db);
  const prompts = await readPrompts(db);
  const heads = checkPrompts(truth, prompts, told);
  const findings = [
    ...checkPayments(truth, payments),
    ...checkMatching(payments, told),
    ...heads.findings,
    ...[...world.door.answered]
      .filter((receipt) => !payments.some((it) => it.receipt === receipt))
      .map((receipt) => `${receipt} was answered and is no payment`),
    ...(await checkAccounts(db, await mpesa.accounts())),
    ...(await checkCustomers(db)),
    ...(await checkNothingFailed(db)),
    ...(await verify(db, [...checks, ...running_checks])).map(
      ({ check, found }) => `${check}: ${found}`,
    ),
  ];
  const figures = { ...figuresOf(truth, payments), ...heads.figures };
  return { findings: findings.slice(0, most_findings), figures };
}

async function readPayments(db: Db): Promise<PaymentRow[]> {
  const { rows } = await sql<PaymentRow>`
    with booked as (
      select t.key, string_agg(d.code || '<' || c.code || '=' || g.amount_cents, ' ' order by g.line) as said
      from ledger_transactions t
      join postings g on g.ledger_transaction_id = t.id
      join accounts d on d.id = g.debit_account_id join accounts c on c.id = g.credit_account_id
      where t.kind in ('payment_received', 'payment_reversed') group by t.key
    )
    select p.id, p.receipt, p.shortcode, p.amount_cents, p.allocated_cents,
           p.reversed_at is not null as reversed, p.verified_by,
           (select string_agg(source, '+') from hearings h
            where h.payment_id = p.id and h.verdict = 'first') as first_by,
           coalesce(r.said, '') as received, coalesce(b.said, '') as taken_back,
           (select coalesce(array_agg(distinct coalesce(ci.number, cc.number)), '{}')
            from allocations a
            left join invoices i on a.due_kind = 'invoice' and i.id = a.due_id
            left join customers ci on ci.id = i.customer_id
            left join customers cc on a.due_kind = 'credit' and cc.id = a.due_id
            where a.payment_id = p.id and a.reversed_at is null) as customers
    from payments p
    left join booked r on r.key = 'payment:' || p.receipt || ':received'
    left join booked b on b.key = 'payment:' || p.receipt || ':reversed'
    order by p.id
  `.execute(db);
  return rows;
}

async function readPrompts(db: Db): Promise<PromptRow[]> {
  const { rows } = await sql<PromptRow>`
    select t.reference, t.state, t.result_code, p.receipt from prompts t
    left join payments p on p.id = t.payment_id
  `.execute(db);
  return rows;
}

const money_account: Readonly<Record<string, string>> = {
  [shortcodes.paybill]: '1010:600000:utility',
  [shortcodes.till]: '1010:600001:merchant',
  [shortcodes.quiet]: '1010:600100:utility',
};

/** Each of M-Pesa's is here once, on the books with its amount, and proven; and no other is. */
function checkPayments(truth: Happened[], payments: PaymentRow[]): string[] {
  const findings: string[] = [];
  const left = new Map(payments.map((it) => [it.receipt, it]));
  if (left.size !== payments.length) findings.push('a receipt is here twice');
  for (const { receipt, amount, to, state } of truth) {
    const it = left.get(receipt);
    left.delete(receipt);
    if (!it) {
      findings.push(`${receipt} to ${to} was never found`);
      continue;
    }
    const cents = centsFromDecimal(String(amount));
    if (it.amount_cents !== cents || it.shortcode !== to) {
      findings.push(`${receipt} is ${it.amount_cents} to ${it.shortcode}, not ${cents} to ${to}`);
    }
    const account = money_account[to] ?? '';
    if (it.received !== `${account}<2040=${cents}`) {
      findings.push(`${receipt} is on the books as "${it.received}"`);
    }
    const gone = state === 'reversed';
    if (gone !== it.reversed)
      findings.push(`${receipt} is ${state} and here reversed: ${it.reversed}`);
    if (gone ? !isTakenBack(it, account) : it.taken_back !== '') {
      findings.push(`${receipt}, ${state}, is off the books as "${it.taken_back}"`);
    }
    if (it.verified_by === null && !gone) findings.push(`${receipt} is not proven`);
  }
  return [...findings, ...[...left.keys()].map((receipt) => `M-Pesa never had ${receipt}`)];
}

// From 2040, and from 1390 what of it was used as credit already.
function isTakenBack({ taken_back, amount_cents }: PaymentRow, account: string): boolean {
  const parts = taken_back.split(' ').map((part) => /^(2040|1390)<(.+)=(\d+)$/.exec(part));
  const sum = parts.reduce((cents, part) => cents + BigInt(part?.[3] ?? 0), 0n);
  return sum === amount_cents && parts.every((part) => part?.[2] === account);
}

/** Who was meant is paid, where that was said; and nobody else ever. */
function checkMatching(payments: PaymentRow[], told: Told): string[] {
  const prompted = new Map(
    [...told.asked.values()].flatMap(({ act, ended }) =>
      ended?.receipt ? [[ended.receipt, act] as const] : [],
    ),
  );
  return payments.flatMap(({ receipt, customers, reversed, ...it }) => {
    const act = told.paid.get(receipt) ?? prompted.get(receipt);
    const meant = act?.customer?.number;
    const others = customers.filter((number) => number !== meant);
    if (others.length > 0) return [`${receipt} pays ${others.join()}, and was for ${meant}`];
    const certain = act?.kind === 'payment' && act.named && !reversed;
    return certain && it.allocated_cents !== it.amount_cents
      ? [`${receipt} names ${meant} and pays ${it.allocated_cents} of ${it.amount_cents}`]
      : [];
  });
}

/** Our accounts at M-Pesa hold what M-Pesa says, and 2040 what nobody has been paid. */
async function checkAccounts(
  db: Db,
  at_mpesa: { holder: string; account: string; balance: number }[],
): Promise<string[]> {
  const { rows } = await sql<{ code: string; cents: bigint }>`
    select code, sum(cents)::bigint as cents from (
      select debit_account_id as id, amount_cents as cents from postings
      union all select credit_account_id, -amount_cents from postings) sides
    join accounts using (id) group by code
  `.execute(db);
  const books = new Map(rows.map((row) => [row.code, row.cents]));
  const findings = Object.entries(money_account).flatMap(([shortcode, code]) => {
    const there = at_mpesa.find((it) => it.holder === shortcode && it.account !== 'Working');
    const cents = centsFromDecimal(String(there?.balance ?? 0));
    const here = books.get(code) ?? 0n;
    return here === cents ? [] : [`${code} holds ${here} and M-Pesa has ${cents}`];
  });
  const { rows: waiting } = await sql<{ cents: bigint }>`
    select coalesce(sum(amount_cents), 0)::bigint - (
      select coalesce(sum(a.amount_cents), 0)::bigint from allocations a
      join payments p on p.id = a.payment_id
      where a.reversed_at is null and p.reversed_at is null) as cents
    from payments where reversed_at is null
  `.execute(db);
  const unmatched = -(books.get('2040') ?? 0n);
  if (waiting[0]?.cents !== unmatched) {
    findings.push(`2040 holds ${unmatched} and payments leave ${waiting[0]?.cents}`);
  }
  return findings;
}

/** By the books: what a customer owes is what they were invoiced less what they have paid. */
async function checkCustomers(db: Db): Promise<string[]> {
  const { rows } = await sql<{ number: string; owes: bigint; less: bigint; open: bigint }>`
    with moved as (
      select a.code, coalesce((select sum(amount_cents) from postings where debit_account_id = a.id), 0)
        - coalesce((select sum(amount_cents) from postings where credit_account_id = a.id), 0) as cents
      from accounts a
    ), paid as (
      select coalesce(i.customer_id, a.due_id) as customer_id, sum(a.amount_cents) as cents
      from allocations a left join invoices i on a.due_kind = 'invoice' and i.id = a.due_id
      where a.reversed_at is null group by 1
    )
    select c.number,
           (select sum(cents) from moved
            where code in ('1200:' || c.number, '2010:' || c.number))::bigint as owes,
           ((select sum(total_cents) from invoices i where i.customer_id = c.id and i.voided_at is null)
             - coalesce((select cents from paid where customer_id = c.id), 0))::bigint as less,
           ((select cents from moved where code = '1200:' || c.number)
             - (select sum(outstanding_cents) from invoices i where i.customer_id = c.id))::bigint as open
    from customers c
  `.execute(db);
  return rows.flatMap(({ number, owes, less, open }) => [
    ...(owes === less ? [] : [`${number} owes ${owes}, invoices less payments are ${less}`]),
    ...(open === 0n ? [] : [`${number} owes ${open} more than their invoices have open`]),
  ]);
}

async function checkNothingFailed(db: Db): Promise<string[]> {
  const { rows } = await sql<{ found: string }>`
    select source || ' ' || id || ' is ' || state || ': ' || coalesce(error, '') as found
    from inbox where state = 'failed' or state = 'new' and source <> 'whatsapp_status'
    union all select source || ' was rejected: ' || reason from inbox_rejected
    union all select 'message ' || id || ' is ' || state || ': ' || coalesce(error, '')
      -- Of an SMS whose sender was killed nobody knows, and it is not repeated.
      from outbox where state in ('waiting', 'sending', 'failed')
    union all select 'a hearing by ' || source || ' contradicts' from hearings where verdict = 'conflict'
    union all select 'the task ' || task_identifier || ' failed: ' || last_error
      from graphile_worker.jobs where last_error is not null
    limit 20
  `.execute(db);
  return rows.map((row) => row.found);
}

function figuresOf(truth: Happened[], payments: PaymentRow[]): Record<string, number> {
  const figures: Record<string, number> = { payments: truth.length };
  const count = (what: string) => (figures[what] = (figures[what] ?? 0) + 1);
  for (const it of payments) {
    count(`first heard by ${it.first_by}`);
    count(`proven by ${it.verified_by ?? 'nothing'}`);
    if (it.reversed) count('reversed');
    else count(it.allocated_cents === it.amount_cents ? 'matched' : 'unmatched');
  }
  return figures;
}
