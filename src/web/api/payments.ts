import { createRoute, z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../base/db.ts';
import { centsFromDecimal } from '../../base/money.ts';
import { msisdnHash } from '../../base/phone.ts';
import type { MatchRule } from '../../base/schema.ts';
import { type Api, type ApiParts, json, needs, no_answer, not_there } from './door.ts';
import {
  Amount,
  AmountFilter,
  anywhere,
  Currency,
  currency,
  Moment,
  momentOf,
  Phone,
  shillings,
  TextFilter,
  time_filters,
  timesOf,
} from './fields.ts';
import { allOf, id_key, page_filters, pageFrom, pageOf, placeIn } from './pages.ts';
import { Problem } from './problems.ts';

const Rule = z
  .enum(['prompt', 'reference', 'customer', 'single', 'amount', 'oldest', 'person', 'unmatched'])
  .openapi({
    description:
      'What decided what it pays: the prompt that caused it, the reference typed, the customer whose paid ' +
      'invoice was named, the only thing that the payer had open, the one whose amount fits, the oldest ' +
      'of theirs, a person; or nothing yet.',
  });

const statuses = ['matched', 'unmatched', 'reversed'] as const;

const summary = {
  receipt: z.string().openapi({ description: 'M-Pesa’s code of it.', example: 'TKL0000001' }),
  shortcode: z.string(),
  amount: Amount,
  allocated_amount: Amount.openapi({ description: 'How much of it has paid something.' }),
  currency: Currency,
  paid_at: Moment,
  account_typed: z.string().openapi({ description: 'What the payer typed as the account.' }),
  payer: z.object({
    phone: Phone.nullable().openapi({
      description: 'Where M-Pesa tells it, or a person of ours has it.',
    }),
    masked: z.string().nullable().openapi({ description: 'As far as M-Pesa tells it.' }),
    name: z.string().nullable(),
  }),
  status: z.enum(statuses).openapi({
    description:
      'unmatched: all or a part of it waits for a person. reversed: M-Pesa took it back.',
  }),
  rule: Rule,
  also_possible: z.array(z.string()).openapi({
    description: 'What else could have been meant, or what a person may choose from.',
  }),
  flag: z.string().nullable().openapi({ description: 'Why a person should look at it.' }),
  verified: z.boolean().openapi({
    description: 'Whether a second source has confirmed it; a callback alone proves nothing.',
  }),
  verified_at: Moment.nullable(),
  verified_by: z.string().nullable(),
  refund_marked_at: Moment.nullable().openapi({
    description: 'When somebody said that what waits of it is to be given back.',
  }),
  reversed_at: Moment.nullable().openapi({ description: 'When M-Pesa took it back.' }),
  reversal_receipt: z.string().nullable(),
};

const PaymentSummary = z.object(summary).openapi('PaymentSummary');

const Allocation = z
  .object({
    due: z.string().openapi({ description: 'What it pays, as people write it.' }),
    kind: z.string().openapi({ example: 'invoice' }),
    amount: Amount,
    currency: Currency,
    at: Moment,
    reversed_at: Moment.nullable().openapi({ description: 'When it was taken back, if it was.' }),
    reversed_for: z.string().nullable(),
  })
  .openapi('Allocation');

const Hearing = z
  .object({
    source: z.string().openapi({ example: 'c2b' }),
    verdict: z.enum(['first', 'repeat', 'conflict']),
    shortcode: z.string(),
    amount: Amount,
    currency: Currency,
    heard_at: Moment,
    inbox_id: z.string(),
  })
  .openapi('Hearing');

export const Payment = z
  .object({
    ...summary,
    prompt: z.string().nullable().openapi({ description: 'The prompt that caused it.' }),
    allocations: z.array(Allocation),
    hearings: z.array(Hearing).openapi({ description: 'Each way in which it was heard of.' }),
  })
  .openapi('Payment');

export const Receipt = z
  .string()
  .regex(/^[A-Z0-9]{6,20}$/, 'a receipt such as TKL0000001')
  .openapi({ example: 'TKL0000001' });

const list = createRoute({
  method: 'get',
  path: '/payments',
  operationId: 'listPayments',
  tags: ['Payments'],
  summary: 'Payments, the last paid first',
  description: 'With `status=unmatched`, those that wait for a person.',
  ...needs('payments:read'),
  request: {
    query: z.strictObject({
      ...page_filters,
      ...time_filters,
      phone: Phone.optional(),
      amount: AmountFilter.optional(),
      status: z.enum(statuses, { error: `one of ${statuses.join(', ')}` }).optional(),
      due: TextFilter.optional().openapi({ description: 'What it pays, by its whole reference.' }),
      text: TextFilter.optional().openapi({
        description: 'Part of the receipt, the account typed or the payer’s name.',
      }),
    }),
  },
  responses: { 200: json(pageOf('Payment', PaymentSummary), 'A page of them'), ...no_answer },
});

const one = createRoute({
  method: 'get',
  path: '/payments/{receipt}',
  operationId: 'getPayment',
  tags: ['Payments'],
  summary: 'One payment: what it paid and how it was heard of',
  ...needs('payments:read'),
  request: { params: z.strictObject({ receipt: Receipt }), query: z.strictObject({}) },
  responses: { 200: json(Payment, 'The payment'), ...no_answer, ...not_there },
});

export function addPayments(api: Api, { db }: ApiParts): void {
  api.openapi(list, async (c) => {
    const asked = c.req.valid('query');
    const { from, until } = timesOf(asked);
    const place = placeIn(asked.after, id_key, id_key);
    const rows = await payments(
      db,
      allOf(
        place &&
          sql`(p.paid_at, p.id) < (
          timestamptz 'epoch' + ${place[0]}::bigint * interval '1 microsecond', ${place[1]}::bigint)`,
        from && sql`p.paid_at >= ${from}`,
        until && sql`p.paid_at < ${until}`,
        asked.phone !== undefined &&
          // As the index of payers says it.
          sql`(p.payer_msisdn is not null or p.payer_hash is not null)
              and coalesce(p.payer_msisdn, p.payer_hash) in (${asked.phone}, ${msisdnHash(asked.phone)})`,
        asked.amount !== undefined && sql`p.amount_cents = ${centsFromDecimal(asked.amount)}`,
        // As the index of those that wait says it.
        asked.status === 'unmatched' &&
          sql`p.allocated_cents < p.amount_cents and p.reversed_at is null`,
        (asked.status === 'matched' || asked.status === 'reversed') &&
          sql`p.state = ${asked.status}`,
        asked.due !== undefined &&
          sql`p.id in (select payment_id from allocations
                       where due_reference = ${asked.due} and reversed_at is null)`,
        asked.text !== undefined &&
          sql`(p.receipt ilike ${anywhere(asked.text)} or p.account_typed ilike ${anywhere(asked.text)}
               or p.payer_name ilike ${anywhere(asked.text)})`,
      ),
      asked.limit + 1,
    );
    const place_of = (row: PaymentRow) => [row.paid_us, row.id];
    return c.json(pageFrom(rows, asked.limit, { show: shownPayment, place: place_of }), 200);
  });

  api.openapi(one, async (c) => {
    const { receipt } = c.req.valid('param');
    return c.json(await thePayment(db, receipt), 200);
  });
}

/** A payment with all that is told of it. Throws the problem where there is none. */
export async function thePayment(db: Db, receipt: string): Promise<z.infer<typeof Payment>> {
  const [row] = await payments(db, sql`p.receipt = ${receipt}`, 1);
  if (!row) throw new Problem('not-found');
  return { ...shownPayment(row), ...(await details(db, row.id)) };
}

interface PaymentRow {
  id: bigint;
  /** To the microsecond, as a Date is not. */
  paid_us: bigint;
  receipt: string;
  shortcode: string;
  amount_cents: bigint;
  allocated_cents: bigint;
  paid_at: Date;
  account_typed: string;
  phone: string | null;
  payer_masked: string | null;
  payer_name: string | null;
  state: (typeof statuses)[number];
  rule: MatchRule;
  also_possible: string[];
  flag: string | null;
  verified_at: Date | null;
  verified_by: string | null;
  refund_marked_at: Date | null;
  reversed_at: Date | null;
  reversal_receipt: string | null;
}

async function payments(
  db: Db,
  condition: RawBuilder<unknown>,
  limit: number,
): Promise<PaymentRow[]> {
  const { rows } = await sql<PaymentRow>`
    select p.id, (extract(epoch from p.paid_at) * 1000000)::bigint as paid_us, p.receipt,
           p.shortcode, p.amount_cents, p.allocated_cents,
           p.paid_at, p.account_typed, p.payer_masked, p.payer_name, p.state, p.rule, p.also_possible,
           p.flag, p.verified_at, p.verified_by, p.refund_marked_at, p.reversed_at, p.reversal_receipt,
           -- A hash is a number that we know, or nothing to anybody.
           coalesce(p.payer_msisdn, (
             select value from addresses a
             where a.kind = 'msisdn' and a.msisdn_hash = p.payer_hash limit 1)) as phone
    from payments p
    where ${condition}
    order by p.paid_at desc, p.id desc limit ${limit}
  `.execute(db);
  return rows;
}

function shownPayment(row: PaymentRow): z.infer<typeof PaymentSummary> {
  return {
    receipt: row.receipt,
    shortcode: row.shortcode,
    amount: shillings(row.amount_cents),
    allocated_amount: shillings(row.allocated_cents),
    currency,
    paid_at: momentOf(row.paid_at),
    account_typed: row.account_typed,
    payer: { phone: row.phone, masked: row.payer_masked, name: row.payer_name },
    status: row.state,
    rule: row.rule,
    also_possible: row.also_possible,
    flag: row.flag,
    verified: row.verified_at !== null,
    verified_at: momentOf(row.verified_at),
    verified_by: row.verified_by,
    refund_marked_at: momentOf(row.refund_marked_at),
    reversed_at: momentOf(row.reversed_at),
    reversal_receipt: row.reversal_receipt,
  };
}

async function details(db: Db, payment_id: bigint) {
  const { rows: allocations } = await sql<{
    due_reference: string;
    due_kind: string;
    amount_cents: bigint;
    created_at: Date;
    reversed_at: Date | null;
    reversed_for: string | null;
  }>`
    select due_reference, due_kind, amount_cents, created_at, reversed_at, reversed_for
    from allocations where payment_id = ${payment_id} order by id
  `.execute(db);
  const { rows: hearings } = await sql<{
    source: string;
    verdict: 'first' | 'repeat' | 'conflict';
    shortcode: string;
    amount_cents: bigint;
    heard_at: Date;
    inbox_id: bigint;
  }>`
    select source, verdict, shortcode, amount_cents, heard_at, inbox_id
    from hearings where payment_id = ${payment_id} order by heard_at, inbox_id
  `.execute(db);
  const prompt = await db
    .selectFrom('prompts')
    .select('reference')
    .where('payment_id', '=', payment_id)
    .executeTakeFirst();
  return {
    prompt: prompt?.reference ?? null,
    allocations: allocations.map((it) => ({
      due: it.due_reference,
      kind: it.due_kind,
      amount: shillings(it.amount_cents),
      currency,
      at: momentOf(it.created_at),
      reversed_at: momentOf(it.reversed_at),
      reversed_for: it.reversed_for,
    })),
    hearings: hearings.map((it) => ({
      source: it.source,
      verdict: it.verdict,
      shortcode: it.shortcode,
      amount: shillings(it.amount_cents),
      currency,
      heard_at: momentOf(it.heard_at),
      inbox_id: String(it.inbox_id),
    })),
  };
}
