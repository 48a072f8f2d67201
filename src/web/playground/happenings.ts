import { sql } from 'kysely';
import { InboundSms, readForm } from '../../channels/sms/payloads.ts';
import { messagesOf, WhatsAppWebhook } from '../../channels/whatsapp-cloud/payloads.ts';
import type { Db } from '../../base/db.ts';
import { decimalFromCents } from '../../base/money.ts';

/**
 * Something that the live strip shows, as it stands now: the same `id` comes again when its state
 * has changed. `receipt` ties together what one payment caused. Amounts are shillings, "500.00".
 */
export type Happening = { id: string; at: Date; receipt: string | null } & (
  | {
      kind: 'prompt';
      state: string;
      /** Whose phone is asked. */
      phone: string;
      amount: string;
      /** What it pays, and what the payer sees as the account. */
      pays: string;
      reference: string;
      result_code: string | null;
    }
  | {
      kind: 'callback';
      source: string;
      state: string;
      /** Who wrote and what, when it is a chat message. */
      phone: string | null;
      text: string | null;
      body: string;
      error: string | null;
    }
  | {
      kind: 'payment';
      state: string;
      amount: string;
      shortcode: string;
      account_typed: string;
      payer: string;
      rule: string;
      flag: string | null;
      pays: { reference: string; amount: string }[];
    }
  | {
      kind: 'ledger';
      key: string;
      what: string;
      postings: { debit: string; credit: string; amount: string }[];
    }
  | {
      kind: 'message';
      state: string;
      to: string;
      phone: string | null;
      template: string | null;
      words: string | null;
      values: Record<string, string>;
      attempts: number;
      error: string | null;
      sent_at: Date | null;
    }
);

type Of<Kind extends Happening['kind']> = Extract<Happening, { kind: Kind }>;

const newest_of_each = 40;
const longest_body = 4_000;
// A confirmation has it as a field; a prompt's callback as one of a list of names and values.
const receipt_of_body =
  /"(?:TransID"|Name"\s*:\s*"MpesaReceiptNumber"\s*,\s*"Value")\s*:\s*"([A-Z0-9]{6,20})"/;
const order = ['prompt', 'callback', 'payment', 'ledger', 'message'] as const;

/**
 * The newest rows of each kind, oldest first. Read anew each time rather than from where the last
 * look ended: ids are given before the commit, so a cursor would miss rows whose commit was the
 * later one.
 */
export async function newestHappenings(db: Db): Promise<Happening[]> {
  // One after the other, so that the page never holds more than one connection.
  const all = [
    ...(await prompts(db)),
    ...(await callbacks(db)),
    ...(await payments(db)),
    ...(await ledgerTransactions(db)),
    ...(await messages(db)),
  ];
  return all.sort(
    (a, b) => a.at.getTime() - b.at.getTime() || order.indexOf(a.kind) - order.indexOf(b.kind),
  );
}

async function prompts(db: Db): Promise<Of<'prompt'>[]> {
  const { rows } = await sql<
    Omit<Of<'prompt'>, 'id' | 'kind' | 'amount'> & { id: bigint; amount_cents: bigint }
  >`
    select t.id, t.created_at as at, p.receipt, t.state, t.msisdn as phone, t.amount_cents,
      t.due_reference as pays, t.reference, t.result_code
    from (select * from prompts order by id desc limit ${newest_of_each}) t
    left join payments p on p.id = t.payment_id
    order by t.id
  `.execute(db);
  return rows.map(({ amount_cents, ...row }) => ({
    ...row,
    id: `prompt:${row.id}`,
    kind: 'prompt',
    amount: decimalFromCents(amount_cents),
  }));
}

// Without word of how far each of our messages has come: six of them drown one payment.
async function callbacks(db: Db): Promise<Of<'callback'>[]> {
  const { rows } = await sql<{
    id: bigint;
    source: string;
    body: string;
    at: Date;
    state: string;
    error: string | null;
  }>`
    select id, source, left(body, ${longest_body}) as body, received_at as at, state, error
    from inbox
    where source not in ('whatsapp_status', 'sms_delivery', 'ussd_event')
    order by id desc limit ${newest_of_each}
  `.execute(db);
  return rows.reverse().map((row) => ({
    ...row,
    ...chatIn(row.source, row.body),
    id: `callback:${row.id}`,
    kind: 'callback',
    receipt: receipt_of_body.exec(row.body)?.[1] ?? null,
  }));
}

function chatIn(source: string, body: string): { phone: string | null; text: string | null } {
  const nobody = { phone: null, text: null };
  if (source === 'sms') {
    const sms = InboundSms.safeParse(readForm(body)).data;
    return sms ? { phone: sms.from, text: sms.text } : nobody;
  }
  if (!source.startsWith('whatsapp')) return nobody;
  try {
    const webhook = WhatsAppWebhook.safeParse(JSON.parse(body));
    const message = webhook.success ? messagesOf(webhook.data)[0] : undefined;
    if (!message) return nobody;
    return { phone: message.from, text: message.tapped ? 'tapped a choice' : message.text };
  } catch {
    return nobody;
  }
}

async function payments(db: Db): Promise<Of<'payment'>[]> {
  const { rows } = await sql<
    Omit<Of<'payment'>, 'id' | 'kind' | 'amount' | 'pays'> & {
      id: bigint;
      amount_cents: bigint;
      pays: { reference: string; amount_cents: string }[];
    }
  >`
    select p.id, p.created_at as at, p.receipt, p.state, p.amount_cents, p.shortcode, p.account_typed,
      coalesce(p.payer_name, p.payer_msisdn, p.payer_masked, 'number hidden') as payer, p.rule, p.flag,
      coalesce((
        select jsonb_agg(jsonb_build_object(
          'reference', coalesce(i.number, a.due_kind), 'amount_cents', a.amount_cents::text
        ) order by a.id)
        from allocations a left join invoices i on a.due_kind = 'invoice' and i.id = a.due_id
        where a.payment_id = p.id and a.reversed_at is null
      ), '[]') as pays
    from payments p order by p.id desc limit ${newest_of_each}
  `.execute(db);
  return rows.reverse().map(({ amount_cents, ...row }) => ({
    ...row,
    id: `payment:${row.id}`,
    kind: 'payment',
    amount: decimalFromCents(amount_cents),
    pays: row.pays.map((part) => ({
      reference: part.reference,
      amount: decimalFromCents(BigInt(part.amount_cents)),
    })),
  }));
}

async function ledgerTransactions(db: Db): Promise<Of<'ledger'>[]> {
  const { rows } = await sql<{
    id: bigint;
    at: Date;
    receipt: string | null;
    key: string;
    what: string;
    postings: { debit: string; credit: string; amount_cents: string }[];
  }>`
    select t.id, t.recorded_at as at, t.key, t.kind as what,
      coalesce(substring(t.key from '^payment:([A-Z0-9]+):'), p.receipt) as receipt,
      (select jsonb_agg(jsonb_build_object(
          'debit', d.code, 'credit', c.code, 'amount_cents', l.amount_cents::text) order by l.line)
       from postings l
       join accounts d on d.id = l.debit_account_id
       join accounts c on c.id = l.credit_account_id
       where l.ledger_transaction_id = t.id) as postings
    from (select * from ledger_transactions order by id desc limit ${newest_of_each}) t
    left join allocations a on a.id = substring(t.key from '^allocation:([0-9]+)')::bigint
    left join payments p on p.id = a.payment_id
    order by t.id
  `.execute(db);
  return rows.map((row) => ({
    ...row,
    id: `ledger:${row.id}`,
    kind: 'ledger',
    postings: row.postings.map(({ amount_cents, ...posting }) => ({
      ...posting,
      amount: decimalFromCents(BigInt(amount_cents)),
    })),
  }));
}

async function messages(db: Db): Promise<Of<'message'>[]> {
  const { rows } = await sql<Omit<Of<'message'>, 'id' | 'kind'> & { id: bigint }>`
    select o.id, o.created_at as at, o.values->>'receipt' as receipt, o.state, o.template, o.words,
      o.values, o.attempts, o.error, o.sent_at, a.value as phone,
      coalesce(p.name, a.value, 'somebody') as to
    from (select * from outbox order by id desc limit ${newest_of_each}) o
    join people p on p.id = o.person_id
    left join lateral (
      select value from addresses where person_id = p.id
      order by kind = 'whatsapp' desc, id limit 1
    ) a on true
    order by o.id
  `.execute(db);
  return rows.map((row) => ({ ...row, id: `message:${row.id}`, kind: 'message' }));
}
