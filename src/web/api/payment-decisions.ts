import { createRoute, z } from '@hono/zod-openapi';
import type { Db, Tx } from '../../base/db.ts';
import { centsFromNumber } from '../../base/money.ts';
import { assignPayment, reallocatePayment, type Target } from '../../payments/assign.ts';
import { reprocessPayments } from '../../payments/reprocess.ts';
import { markForRefund } from '../../payments/unmatched.ts';
import { type Api, type ApiParts, json, needs, no_answer, not_done, not_there } from './door.ts';
import { AmountAsked, Currency, lineOfText } from './fields.ts';
import { IdempotencyKey, once } from './once.ts';
import { Payment, Receipt, thePayment } from './payments.ts';
import { Problem } from './problems.ts';

/** What is decided about payments by other software; the token's person answers for it. */

const due_words = 'a reference such as INV-20260203-0001 or CUST-001';

const Parts = z
  .array(
    z
      .strictObject({
        due: z
          .string({ error: due_words })
          .regex(/^[A-Za-z0-9 _-]{3,40}$/, due_words)
          .openapi({
            description: 'What it pays, or whose: a customer’s number is what they have open.',
            example: 'INV-20260203-0001',
          }),
        amount: AmountAsked.optional().openapi({ description: 'Without it, all that is left.' }),
        currency: Currency.optional(),
        as_credit: z.boolean({ error: 'true or false' }).optional().openapi({
          description: 'For later: credit of the customer, whatever they have open.',
        }),
      })
      .openapi('Part'),
    { error: 'a list of 1 to 20 parts' },
  )
  .min(1, 'a list of 1 to 20 parts')
  .max(20, 'a list of 1 to 20 parts')
  .openapi({
    description:
      'One part may be more than it has open: the rest goes to what else the customer has open, then to their ' +
      'credit. Of several each is no more than it has open.',
  });

const params = z.strictObject({ receipt: Receipt });
const query = z.strictObject({});

const bodyOf = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true,
  content: { 'application/json': { schema } },
});

const assign = createRoute({
  method: 'post',
  path: '/payments/{receipt}/assign',
  operationId: 'assignPayment',
  tags: ['Payments'],
  summary: 'Says what a payment pays of which nobody knew, or what is left of one',
  ...needs('payments:write'),
  request: {
    headers: IdempotencyKey,
    params,
    query,
    body: bodyOf(z.strictObject({ parts: Parts }).openapi('AssignPayment')),
  },
  responses: {
    200: json(Payment, 'The payment as it is now'),
    ...no_answer,
    ...not_there,
    ...not_done,
  },
});

const reallocate = createRoute({
  method: 'post',
  path: '/payments/{receipt}/reallocate',
  operationId: 'reallocatePayment',
  tags: ['Payments'],
  summary: 'Takes back what a payment has paid, and lets it pay something else',
  description: 'What it paid stays on record as taken back, with the reason.',
  ...needs('payments:write'),
  request: {
    headers: IdempotencyKey,
    params,
    query,
    body: bodyOf(
      z
        .strictObject({
          parts: Parts,
          reason: lineOfText(200).openapi({
            description: 'Why; it is kept.',
            example: 'wrong invoice',
          }),
        })
        .openapi('ReallocatePayment'),
    ),
  },
  responses: {
    200: json(Payment, 'The payment as it is now'),
    ...no_answer,
    ...not_there,
    ...not_done,
  },
});

const Nothing = z.strictObject({}).openapi('Nothing');

const mark_refund = createRoute({
  method: 'post',
  path: '/payments/{receipt}/mark-refund',
  operationId: 'markForRefund',
  tags: ['Payments'],
  summary: 'Says that what is left of a payment is to be given back',
  description:
    'It sends no money: nobody is asked any more whose it is, and matching leaves it alone.',
  ...needs('payments:write'),
  request: { headers: IdempotencyKey, params, query, body: bodyOf(Nothing) },
  responses: {
    200: json(Payment, 'The payment as it is now'),
    ...no_answer,
    ...not_there,
    ...not_done,
  },
});

const reprocess_one = createRoute({
  method: 'post',
  path: '/payments/{receipt}/reprocess',
  operationId: 'reprocessPayment',
  tags: ['Payments'],
  summary: 'Looks again for what an unmatched payment pays',
  ...needs('payments:write'),
  request: { headers: IdempotencyKey, params, query, body: bodyOf(Nothing) },
  responses: {
    200: json(Payment, 'The payment as it is now'),
    ...no_answer,
    ...not_there,
    ...not_done,
  },
});

const Reprocessed = z
  .object({ matched: z.int().openapi({ description: 'How many have found what they pay.' }) })
  .openapi('Reprocessed');

const reprocess = createRoute({
  method: 'post',
  path: '/payments/reprocess',
  operationId: 'reprocessPayments',
  tags: ['Payments'],
  summary: 'Looks again for what unmatched payments pay, the 200 that have waited for longest',
  ...needs('payments:write'),
  request: { headers: IdempotencyKey, query, body: bodyOf(Nothing) },
  responses: { 200: json(Reprocessed, 'What came of it'), ...no_answer, ...not_done },
});

export function addPaymentDecisions(api: Api, parts: ApiParts): void {
  const { db, dues } = parts;

  api.openapi(assign, async (c) => {
    const { receipt } = c.req.valid('param');
    const body = c.req.valid('json');
    const payment_id = await idOf(db, receipt);
    return once(c, db, { header: c.req.valid('header'), body }, async (tx, { token }) => {
      await assignPayment(tx, dues, { payment_id, targets: targetsOf(body), by: token.person_id });
      return asItIsNow(tx, receipt);
    });
  });

  api.openapi(reallocate, async (c) => {
    const { receipt } = c.req.valid('param');
    const body = c.req.valid('json');
    const payment_id = await idOf(db, receipt);
    return once(c, db, { header: c.req.valid('header'), body }, async (tx, { token }) => {
      const by = token.person_id;
      const { reason } = body;
      await reallocatePayment(tx, dues, { payment_id, targets: targetsOf(body), by, reason });
      return asItIsNow(tx, receipt);
    });
  });

  api.openapi(mark_refund, async (c) => {
    const { receipt } = c.req.valid('param');
    const asked = { header: c.req.valid('header'), body: c.req.valid('json') };
    const id = await idOf(db, receipt);
    return once(c, db, asked, async (tx, { token }) => {
      await markForRefund(tx, id, token.person_id);
      return asItIsNow(tx, receipt);
    });
  });

  api.openapi(reprocess_one, async (c) => {
    const { receipt } = c.req.valid('param');
    const asked = { header: c.req.valid('header'), body: c.req.valid('json') };
    const id = await idOf(db, receipt);
    return once(c, db, asked, async (tx) => {
      await reprocessPayments(tx, parts, id);
      return asItIsNow(tx, receipt);
    });
  });

  api.openapi(reprocess, (c) => {
    const asked = { header: c.req.valid('header'), body: c.req.valid('json') };
    return once(c, db, asked, async (tx) => {
      const matched = await reprocessPayments(tx, parts);
      return { status: 200, body: { matched } } as const;
    });
  });
}

async function asItIsNow(tx: Tx, receipt: string) {
  return { status: 200, body: await thePayment(tx, receipt) } as const;
}

// A payment that is not there yet may come: that is no answer to keep under a key.
async function idOf(db: Db, receipt: string): Promise<bigint> {
  const row = await db
    .selectFrom('payments')
    .select('id')
    .where('receipt', '=', receipt)
    .executeTakeFirst();
  if (!row) throw new Problem('not-found');
  return row.id;
}

function targetsOf({ parts }: { parts: z.infer<typeof Parts> }): Target[] {
  return parts.map(({ due, amount, as_credit }) => ({
    reference: due,
    amount_cents: amount === undefined ? undefined : centsFromNumber(amount),
    as_credit,
  }));
}
