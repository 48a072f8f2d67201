import { createRoute, z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import { clock, eatDate } from '../../base/clock.ts';
import { centsFromDecimal, centsFromNumber } from '../../base/money.ts';
import type { Db } from '../../base/db.ts';
import { invoiceCustomer } from '../../invoices/invoice-customer.ts';
import { voidInvoice } from '../../invoices/void.ts';
import { CustomerNumber } from './customers.ts';
import { type Api, type ApiParts, json, needs, no_answer, not_done, not_there } from './door.ts';
import {
  Amount,
  AmountAsked,
  AmountFilter,
  anywhere,
  Currency,
  currency,
  Day,
  lineOfText,
  Moment,
  momentOf,
  Phone,
  shillings,
  TextFilter,
} from './fields.ts';
import { IdempotencyKey, once } from './once.ts';
import { allOf, id_key, page_filters, pageFrom, pageOf, placeIn } from './pages.ts';
import { Problem } from './problems.ts';

const states = ['UNPAID', 'PARTIALLY_PAID', 'PAID', 'VOID'] as const;
const statuses = [...states, 'OPEN', 'OVERDUE'] as const;

const summary = {
  number: z.string().openapi({ example: 'INV-20260203-0001' }),
  customer: z.string().openapi({ example: 'CUST-001' }),
  total: Amount,
  outstanding: Amount.openapi({ description: 'What is left to pay.' }),
  currency: Currency,
  status: z.enum(states),
  overdue: z.boolean(),
  issued_on: Day,
  due_on: Day,
  description: z.string().openapi({ description: 'What it is for.' }),
  created_at: Moment,
  voided_at: Moment.nullable(),
  void_reason: z.string().nullable(),
};

const InvoiceSummary = z.object(summary).openapi('InvoiceSummary');

const Invoice = z
  .object({
    ...summary,
    paid_by: z.array(
      z.object({
        receipt: z.string().nullable().openapi({ description: 'Null where credit paid it.' }),
        amount: Amount,
        currency: Currency,
        at: Moment,
        reversed_at: Moment.nullable(),
      }),
    ),
  })
  .openapi('Invoice');

const list = createRoute({
  method: 'get',
  path: '/invoices',
  operationId: 'listInvoices',
  tags: ['Invoices'],
  summary: 'Invoices, the newest first',
  ...needs('invoices:read'),
  request: {
    query: z.strictObject({
      ...page_filters,
      from: Day.optional().openapi({ description: 'Issued on this day or later.' }),
      to: Day.optional().openapi({ description: 'Issued on this day or earlier.' }),
      customer: CustomerNumber.optional(),
      phone: Phone.optional().openapi({ description: 'Of the customer with this phone.' }),
      amount: AmountFilter.optional().openapi({ description: 'With exactly this total.' }),
      status: z
        .enum(statuses, { error: `one of ${statuses.join(', ')}` })
        .optional()
        .openapi({
          description: 'OPEN are those with something left, OVERDUE those of them past their day.',
        }),
      text: TextFilter.optional().openapi({
        description: 'Part of the invoice’s number or the customer’s name.',
      }),
    }),
  },
  responses: { 200: json(pageOf('Invoice', InvoiceSummary), 'A page of them'), ...no_answer },
});

const number_words = 'a number such as INV-20260203-0001';

const params = z.strictObject({
  number: z
    .string()
    .regex(/^INV-\d{8}-\d{4,6}$/, number_words)
    .openapi({ example: 'INV-20260203-0001' }),
});

const one = createRoute({
  method: 'get',
  path: '/invoices/{number}',
  operationId: 'getInvoice',
  tags: ['Invoices'],
  summary: 'One invoice, and what has paid it',
  ...needs('invoices:read'),
  request: {
    params,
    query: z.strictObject({}),
  },
  responses: { 200: json(Invoice, 'The invoice'), ...no_answer, ...not_there },
});

const longest = 120;
const most = 9_999_999.99;

const issue = createRoute({
  method: 'post',
  path: '/invoices',
  operationId: 'issueInvoice',
  tags: ['Invoices'],
  summary: 'Issues an invoice today, under the day’s next number',
  description: 'What the customer has paid ahead pays it at once.',
  ...needs('invoices:write'),
  request: {
    headers: IdempotencyKey,
    query: z.strictObject({}),
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject({
              customer: CustomerNumber,
              total: AmountAsked.refine((it) => it <= most, `at most ${most} shillings`),
              currency: Currency.optional(),
              description: lineOfText(longest).optional().openapi({
                description: 'What it is for, as the customer reads it.',
                example: 'school shoes',
              }),
              due_on: Day.optional().openapi({ description: 'In fourteen days, if not said.' }),
              tell: z
                .boolean({ error: 'true or false' })
                .optional()
                .openapi({ description: 'Whether the customer is told; they are, if not said.' }),
            })
            .openapi('NewInvoice'),
        },
      },
    },
  },
  responses: { 201: json(Invoice, 'The invoice'), ...no_answer, ...not_done },
});

const make_void = createRoute({
  method: 'post',
  path: '/invoices/{number}/void',
  operationId: 'voidInvoice',
  tags: ['Invoices'],
  summary: 'Makes an invoice void that no payment has paid',
  description: 'It is reversed on the books, and the customer is told.',
  ...needs('invoices:write'),
  request: {
    headers: IdempotencyKey,
    params,
    query: z.strictObject({}),
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject({
              reason: lineOfText(longest).openapi({ description: 'Why; it is kept.' }),
            })
            .openapi('VoidInvoice'),
        },
      },
    },
  },
  responses: {
    200: json(Invoice, 'The invoice as it is now'),
    ...no_answer,
    ...not_there,
    ...not_done,
  },
});

export function addInvoices(api: Api, { db }: ApiParts): void {
  api.openapi(list, async (c) => {
    const asked = c.req.valid('query');
    const place = placeIn(asked.after, id_key);
    const rows = await invoices(
      db,
      allOf(
        place && sql`i.id < ${place[0]}::bigint`,
        asked.from !== undefined && sql`i.issued_on >= ${asked.from}::date`,
        asked.to !== undefined && sql`i.issued_on <= ${asked.to}::date`,
        asked.customer !== undefined &&
          sql`i.customer_id = (select id from customers where number = ${asked.customer})`,
        asked.phone !== undefined &&
          sql`i.customer_id in (
            select c.id from customers c join addresses a on a.person_id = c.person_id
            where a.kind = 'msisdn' and a.value = ${asked.phone})`,
        asked.amount !== undefined && sql`i.total_cents = ${centsFromDecimal(asked.amount)}`,
        statusIs(asked.status),
        asked.text !== undefined &&
          sql`(i.number ilike ${anywhere(asked.text)} or c.name ilike ${anywhere(asked.text)})`,
      ),
      asked.limit + 1,
    );
    const place_of = (row: InvoiceRow) => [row.id];
    return c.json(pageFrom(rows, asked.limit, { show: shownInvoice, place: place_of }), 200);
  });

  api.openapi(one, async (c) => {
    const { number } = c.req.valid('param');
    return c.json(await theInvoice(db, number), 200);
  });

  api.openapi(issue, (c) => {
    const body = c.req.valid('json');
    return once(c, db, { header: c.req.valid('header'), body }, async (tx, { token, key }) => {
      const customer = await tx
        .selectFrom('customers')
        .select('id')
        .where('number', '=', body.customer)
        .executeTakeFirst();
      if (!customer) throw new Problem('no-such-customer');
      const { number } = await invoiceCustomer(tx, {
        customer_id: customer.id,
        total_cents: centsFromNumber(body.total) ?? 0n,
        description: body.description ?? '',
        due_on: body.due_on,
        by: token.person_id,
        key,
        tell: body.tell ?? true,
      });
      const made = await theInvoice(tx, number);
      return { status: 201, body: made, location: `/api/invoices/${number}` } as const;
    });
  });

  api.openapi(make_void, async (c) => {
    const { number } = c.req.valid('param');
    const body = c.req.valid('json');
    await theInvoice(db, number);
    return once(c, db, { header: c.req.valid('header'), body }, async (tx, { token }) => {
      await voidInvoice(tx, { number, by: token.person_id, reason: body.reason });
      return { status: 200, body: await theInvoice(tx, number) } as const;
    });
  });
}

async function theInvoice(db: Db, number: string): Promise<z.infer<typeof Invoice>> {
  const [row] = await invoices(db, sql`i.number = ${number}`, 1);
  if (!row) throw new Problem('not-found');
  return { ...shownInvoice(row), paid_by: await paidBy(db, row.id) };
}

function statusIs(status: (typeof statuses)[number] | undefined) {
  switch (status) {
    case undefined:
      return undefined;
    case 'OPEN':
      return sql`i.outstanding_cents > 0`;
    case 'OVERDUE':
      return sql`i.outstanding_cents > 0 and i.due_on < ${eatDate(clock.now())}::date`;
    // Those that are open are found by the index of what is left.
    case 'UNPAID':
    case 'PARTIALLY_PAID':
      return sql`i.outstanding_cents > 0 and i.state = ${status}`;
    case 'PAID':
    case 'VOID':
      return sql`i.state = ${status}`;
  }
}

interface InvoiceRow {
  id: bigint;
  number: string;
  customer_number: string;
  total_cents: bigint;
  outstanding_cents: bigint;
  state: (typeof states)[number];
  issued_on: string;
  due_on: string;
  description: string;
  created_at: Date;
  voided_at: Date | null;
  void_reason: string | null;
}

async function invoices(db: Db, condition: RawBuilder<unknown>, limit: number) {
  const { rows } = await sql<InvoiceRow>`
    select i.id, i.number, c.number as customer_number, i.total_cents, i.outstanding_cents, i.state,
           i.issued_on, i.due_on, i.description, i.created_at, i.voided_at, i.void_reason
    from invoices i join customers c on c.id = i.customer_id
    where ${condition}
    order by i.id desc limit ${limit}
  `.execute(db);
  return rows;
}

function shownInvoice(row: InvoiceRow): z.infer<typeof InvoiceSummary> {
  return {
    number: row.number,
    customer: row.customer_number,
    total: shillings(row.total_cents),
    outstanding: shillings(row.outstanding_cents),
    currency,
    status: row.state,
    overdue: row.outstanding_cents > 0n && row.due_on < eatDate(clock.now()),
    issued_on: row.issued_on,
    due_on: row.due_on,
    description: row.description,
    created_at: momentOf(row.created_at),
    voided_at: momentOf(row.voided_at),
    void_reason: row.void_reason,
  };
}

async function paidBy(db: Db, invoice_id: bigint) {
  const { rows } = await sql<{
    receipt: string | null;
    amount_cents: bigint;
    created_at: Date;
    reversed_at: Date | null;
  }>`
    select p.receipt, a.amount_cents, a.created_at, a.reversed_at
    from allocations a join payments p on p.id = a.payment_id
    where a.due_kind = 'invoice' and a.due_id = ${invoice_id}
    union all
    select null, amount_cents, created_at, reversed_at from credit_allocations
    where due_kind = 'invoice' and due_id = ${invoice_id}
    order by created_at
  `.execute(db);
  return rows.map((row) => ({
    receipt: row.receipt,
    amount: shillings(row.amount_cents),
    currency,
    at: momentOf(row.created_at),
    reversed_at: momentOf(row.reversed_at),
  }));
}
