import { createRoute, z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../base/db.ts';
import { registerCustomer } from '../../customers/add.ts';
import { msisdnOf } from '../../people/find.ts';
import { customerStatement, most_lines } from '../../reports/customer-statement.ts';
import { type Api, type ApiParts, json, needs, no_answer, not_done, not_there } from './door.ts';
import {
  Amount,
  anywhere,
  Currency,
  currency,
  lineOfText,
  Moment,
  momentOf,
  Phone,
  shillings,
  TextFilter,
  time_filters,
  timesOf,
} from './fields.ts';
import { IdempotencyKey, once } from './once.ts';
import { allOf, id_key, page_filters, pageFrom, pageOf, placeIn } from './pages.ts';
import { Problem } from './problems.ts';

const number_words = 'a number such as CUST-001';

export const CustomerNumber = z
  .string({ error: number_words })
  .regex(/^CUST-\d{3,9}$/, number_words)
  .openapi({ example: 'CUST-001' });

const Customer = z
  .object({
    number: z.string().openapi({ example: 'CUST-001' }),
    name: z.string(),
    phone: Phone.nullable(),
    owed: Amount.openapi({ description: 'What is left of all invoices.' }),
    credit: Amount.openapi({ description: 'What was paid ahead.' }),
    balance: Amount.openapi({
      description: 'Owed less credit; below nothing, what was paid ahead.',
    }),
    currency: Currency,
    open_invoices: z.int(),
    created_at: Moment,
  })
  .openapi('Customer');

const list = createRoute({
  method: 'get',
  path: '/customers',
  operationId: 'listCustomers',
  tags: ['Customers'],
  summary: 'Customers with their balances, the newest first',
  ...needs('customers:read'),
  request: {
    query: z.strictObject({
      ...page_filters,
      phone: Phone.optional(),
      status: z
        .enum(['owing', 'ahead'], { error: 'owing or ahead' })
        .optional()
        .openapi({ description: 'Who owes something, or who has paid ahead.' }),
      text: TextFilter.optional().openapi({ description: 'Part of the name or the number.' }),
    }),
  },
  responses: { 200: json(pageOf('Customer', Customer), 'A page of them'), ...no_answer },
});

const one = createRoute({
  method: 'get',
  path: '/customers/{number}',
  operationId: 'getCustomer',
  tags: ['Customers'],
  summary: 'One customer with their balance',
  ...needs('customers:read'),
  request: { params: z.strictObject({ number: CustomerNumber }), query: z.strictObject({}) },
  responses: { 200: json(Customer, 'The customer'), ...no_answer, ...not_there },
});

const Statement = z
  .object({
    customer: z.string(),
    name: z.string(),
    from: Moment.nullable().openapi({ description: 'Null where it begins with the first of all.' }),
    until: Moment.nullable().openapi({ description: 'Before this moment; null where it goes on.' }),
    currency: Currency,
    opening_balance: Amount,
    invoiced: Amount,
    paid: Amount,
    closing_balance: Amount.openapi({
      description: 'Opening, and what was invoiced, less what was paid.',
    }),
    lines: z.array(
      z.object({
        at: Moment,
        kind: z.string().openapi({ example: 'invoice_issued' }),
        reference: z.string().openapi({ description: 'The invoice, or the payment’s receipt.' }),
        amount: Amount.openapi({ description: 'More to pay is above nothing, paid is below.' }),
        balance: Amount.openapi({ description: 'After it.' }),
      }),
    ),
  })
  .openapi('Statement');

const statement = createRoute({
  method: 'get',
  path: '/customers/{number}/statement',
  operationId: 'getStatement',
  tags: ['Customers'],
  summary: 'What a customer was invoiced and has paid, oldest first',
  description: `For any time; without one, all there is. At most ${most_lines} lines.`,
  ...needs('customers:read'),
  request: {
    params: z.strictObject({ number: CustomerNumber }),
    query: z.strictObject(time_filters),
  },
  responses: {
    200: json(Statement, 'The statement'),
    ...no_answer,
    ...not_there,
    422: not_done[422],
  },
});

const register = createRoute({
  method: 'post',
  path: '/customers',
  operationId: 'addCustomer',
  tags: ['Customers'],
  summary: 'Adds a customer',
  description: 'The phone becomes known as theirs: the person of the token vouches for that.',
  ...needs('customers:write'),
  request: {
    headers: IdempotencyKey,
    query: z.strictObject({}),
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject({
              name: lineOfText(100).openapi({ example: 'Njeri Kamau' }),
              phone: Phone.optional().openapi({
                description:
                  'Without it nobody can be told anything, and no payment is known by its number.',
              }),
            })
            .openapi('NewCustomer'),
        },
      },
    },
  },
  responses: { 201: json(Customer, 'The customer'), ...no_answer, ...not_done },
});

export function addCustomers(api: Api, { db }: ApiParts): void {
  api.openapi(register, (c) => {
    const body = c.req.valid('json');
    return once(c, db, { header: c.req.valid('header'), body }, async (tx, { token }) => {
      const { name, phone: msisdn = null } = body;
      const { number } = await registerCustomer(tx, { name, msisdn, by: token.person_id });
      const customer = shownCustomer(await theCustomer(tx, { number }));
      return { status: 201, body: customer, location: `/api/customers/${number}` } as const;
    });
  });

  api.openapi(list, async (c) => {
    const asked = c.req.valid('query');
    const place = placeIn(asked.after, id_key);
    const rows = await customers(
      db,
      allOf(
        place && sql`c.id < ${place[0]}::bigint`,
        asked.phone !== undefined &&
          sql`c.person_id in (
            select person_id from addresses where kind = 'msisdn' and value = ${asked.phone})`,
        asked.status === 'owing' && sql`owed.balance_cents > credit.balance_cents`,
        asked.status === 'ahead' && sql`owed.balance_cents < credit.balance_cents`,
        asked.text !== undefined &&
          sql`(c.name ilike ${anywhere(asked.text)} or c.number ilike ${anywhere(asked.text)})`,
      ),
      asked.limit + 1,
    );
    const place_of = (row: CustomerRow) => [row.id];
    return c.json(pageFrom(rows, asked.limit, { show: shownCustomer, place: place_of }), 200);
  });

  api.openapi(one, async (c) =>
    c.json(shownCustomer(await theCustomer(db, c.req.valid('param'))), 200),
  );

  api.openapi(statement, async (c) => {
    const { number, name } = await theCustomer(db, c.req.valid('param'));
    const { from, until } = timesOf(c.req.valid('query'));
    const it = await customerStatement(db, number, { from, until });
    return c.json(
      {
        customer: number,
        name,
        from: momentOf(from ?? null),
        until: momentOf(until ?? null),
        currency,
        opening_balance: shillings(it.opening_cents),
        invoiced: shillings(it.invoiced_cents),
        paid: shillings(it.paid_cents),
        closing_balance: shillings(it.closing_cents),
        lines: it.lines.map((line) => ({
          at: momentOf(line.at),
          kind: line.kind,
          reference: line.reference,
          amount: shillings(line.change_cents),
          balance: shillings(line.after_cents),
        })),
      },
      200,
    );
  });
}

interface CustomerRow {
  id: bigint;
  number: string;
  name: string;
  phone: string | null;
  owed_cents: bigint;
  credit_cents: bigint;
  open_invoices: number;
  created_at: Date;
}

async function theCustomer(db: Db, { number }: { number: string }): Promise<CustomerRow> {
  const [row] = await customers(db, sql`c.number = ${number}`, 1);
  if (!row) throw new Problem('not-found');
  return row;
}

async function customers(db: Db, condition: RawBuilder<unknown>, limit: number) {
  const { rows } = await sql<CustomerRow>`
    select c.id, c.number, c.name, c.created_at,
           ${msisdnOf(sql`c.person_id`)} as phone,
           owed.balance_cents as owed_cents, credit.balance_cents as credit_cents,
           (select count(*)::int from invoices i
            where i.customer_id = c.id and i.outstanding_cents > 0) as open_invoices
    from customers c
    join accounts o on o.code = '1200:' || c.number
    join account_balances owed on owed.account_id = o.id
    join accounts a on a.code = '2010:' || c.number
    join account_balances credit on credit.account_id = a.id
    where ${condition}
    order by c.id desc limit ${limit}
  `.execute(db);
  return rows;
}

function shownCustomer(row: CustomerRow): z.infer<typeof Customer> {
  return {
    number: row.number,
    name: row.name,
    phone: row.phone,
    owed: shillings(row.owed_cents),
    credit: shillings(row.credit_cents),
    balance: shillings(row.owed_cents - row.credit_cents),
    currency,
    open_invoices: row.open_invoices,
    created_at: momentOf(row.created_at),
  };
}
