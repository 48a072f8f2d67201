import { createRoute, z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../base/db.ts';
import { Refusal } from '../../base/errors.ts';
import { centsFromDecimal, centsFromNumber } from '../../base/money.ts';
import type { PromptState } from '../../base/schema.ts';
import { askForPayment, most_at_a_time_cents, wholeShillings } from '../../payments/ask.ts';
import type { Due, Dues, Party } from '../../payments/due.ts';
import { personAtNumber } from '../../people/at-number.ts';
import { numberOf } from '../../people/find.ts';
import { type Api, type ApiParts, json, needs, no_answer, not_done, not_there } from './door.ts';
import {
  Amount,
  AmountAsked,
  AmountFilter,
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
import { IdempotencyKey, once } from './once.ts';
import { allOf, id_key, page_filters, pageFrom, pageOf, placeIn } from './pages.ts';
import { Problem } from './problems.ts';

const statuses = ['waiting', 'sending', 'sent', 'unknown', 'confirmed', 'paid', 'failed'] as const;

const Prompt = z
  .object({
    reference: z.string().openapi({
      description: 'What the payer sees as the account.',
      example: 'PAY-7K3QX2M',
    }),
    status: z.enum(statuses).openapi({
      description:
        'waiting: to be sent. sending: on its way. sent: M-Pesa has it. unknown: its answer was lost, it may be ' +
        'on the phone. confirmed: M-Pesa says that it is paid, and its receipt is awaited. paid, failed: the end.',
    }),
    phone: Phone,
    shortcode: z.string(),
    due: z.string().openapi({ description: 'What it asks for, as people write it.' }),
    amount: Amount,
    currency: Currency,
    receipt: z.string().nullable().openapi({ description: 'The payment, once it is paid.' }),
    result_code: z.string().nullable().openapi({
      description: 'M-Pesa’s, where it failed; ours are `unsent` and `silent`.',
    }),
    asked_at: Moment,
    sent_at: Moment.nullable(),
    ended_at: Moment.nullable(),
  })
  .openapi('Prompt');

const list = createRoute({
  method: 'get',
  path: '/prompts',
  operationId: 'listPrompts',
  tags: ['Prompts'],
  summary: 'Prompts on phones, the newest first',
  ...needs('payments:read'),
  request: {
    query: z.strictObject({
      ...page_filters,
      ...time_filters,
      phone: Phone.optional(),
      amount: AmountFilter.optional(),
      status: z.enum(statuses, { error: `one of ${statuses.join(', ')}` }).optional(),
      due: TextFilter.optional().openapi({ description: 'What it asks for, by its reference.' }),
    }),
  },
  responses: { 200: json(pageOf('Prompt', Prompt), 'A page of them'), ...no_answer },
});

const PromptReference = z
  .string()
  .regex(/^PAY-[0-9A-Z]{7}$/, 'a reference such as PAY-7K3QX2M')
  .openapi({ example: 'PAY-7K3QX2M' });

const one = createRoute({
  method: 'get',
  path: '/prompts/{reference}',
  operationId: 'getPrompt',
  tags: ['Prompts'],
  summary: 'One prompt, and what became of it',
  ...needs('payments:read'),
  request: { params: z.strictObject({ reference: PromptReference }), query: z.strictObject({}) },
  responses: { 200: json(Prompt, 'The prompt'), ...no_answer, ...not_there },
});

const due_words = 'a reference such as INV-20260203-0001';
const customer_words = 'a customer’s number such as CUST-001';

const Initiate = z
  .strictObject({
    due: z
      .string({ error: due_words })
      .regex(/^[A-Za-z0-9 _-]{3,40}$/, due_words)
      .optional()
      .openapi({
        description: 'What is to be paid. Without it, what this customer has open for longest.',
        example: 'INV-20260203-0001',
      }),
    customer: z
      .string({ error: customer_words })
      .regex(/^CUST-\d{3,9}$/, customer_words)
      .optional()
      .openapi({ description: 'Whose it is.', example: 'CUST-001' }),
    phone: Phone.optional().openapi({
      description: 'Whose phone asks for it. Without it, the customer’s own.',
    }),
    amount: AmountAsked.optional().openapi({
      description:
        'In whole shillings. Without it, all that is left, as far as M-Pesa takes it at once.',
    }),
    currency: Currency.optional(),
  })
  .refine((it) => it.due !== undefined || it.customer !== undefined, {
    path: ['due'],
    message: 'what is to be paid: `due`, `customer`, or both',
  })
  .openapi('InitiatePayment');

const Initiated = z
  .object({
    how: z.enum(['asked', 'already', 'checking']).openapi({
      description:
        'asked: it is on its way to the phone. already: one was open there before, perhaps for another amount. ' +
        'checking: M-Pesa says that one is paid, and we find out.',
    }),
    prompt: Prompt,
  })
  .openapi('Initiated');

const initiate = createRoute({
  method: 'post',
  path: '/payments/initiate',
  operationId: 'initiatePayment',
  tags: ['Payments'],
  summary: 'Asks a phone for a payment',
  description:
    'A prompt (STK push) goes to the phone, and whoever has it types their M-Pesa PIN there. What comes of ' +
    'it is told by the prompt: ask for it by its reference until it is paid or failed.',
  ...needs('payments:write'),
  request: {
    headers: IdempotencyKey,
    query: z.strictObject({}),
    body: { required: true, content: { 'application/json': { schema: Initiate } } },
  },
  responses: { 202: json(Initiated, 'The prompt, as it is now'), ...no_answer, ...not_done },
});

export function addPrompts(api: Api, parts: ApiParts): void {
  const { db } = parts;

  api.openapi(list, async (c) => {
    const asked = c.req.valid('query');
    const { from, until } = timesOf(asked);
    const place = placeIn(asked.after, id_key);
    const rows = await prompts(
      db,
      allOf(
        place && sql`t.id < ${place[0]}::bigint`,
        from && sql`t.created_at >= ${from}`,
        until && sql`t.created_at < ${until}`,
        asked.phone !== undefined && sql`t.msisdn = ${asked.phone}`,
        asked.amount !== undefined && sql`t.amount_cents = ${centsFromDecimal(asked.amount)}`,
        asked.status !== undefined && sql`t.state = ${asked.status}`,
        asked.due !== undefined && sql`t.due_reference = ${asked.due}`,
      ),
      asked.limit + 1,
    );
    const place_of = (row: PromptRow) => [row.id];
    return c.json(pageFrom(rows, asked.limit, { show: shownPrompt, place: place_of }), 200);
  });

  api.openapi(one, async (c) => {
    const { reference } = c.req.valid('param');
    const [row] = await prompts(db, sql`t.reference = ${reference}`, 1);
    if (!row) throw new Problem('not-found');
    return c.json(shownPrompt(row), 200);
  });

  api.openapi(initiate, (c) => {
    const body = c.req.valid('json');
    return once(c, db, { header: c.req.valid('header'), body }, async (tx, { token, key }) => {
      const shortcode = parts.asksFrom();
      if (shortcode === undefined) throw new Refusal('no_prompts');
      const due = await dueAsked(tx, parts.dues, body);
      const msisdn = body.phone ?? (await numberOf(tx, due.person_id));
      if (msisdn === undefined) throw new Refusal('no_phone');
      const { how, reference } = await askForPayment(tx, {
        due,
        amount_cents: (body.amount && centsFromNumber(body.amount)) || mostOf(due),
        person_id: await personAtNumber(tx, msisdn),
        msisdn,
        shortcode,
        asked_by: token.person_id,
        key,
        after_ms: 0,
      });
      const [row] = await prompts(tx, sql`t.reference = ${reference}`, 1);
      if (!row) throw new Error(`The prompt ${reference} is not there`);
      const prompt = shownPrompt(row);
      return { status: 202, body: { how, prompt }, location: `/api/prompts/${reference}` } as const;
    });
  });
}

interface PromptRow {
  id: bigint;
  reference: string;
  state: PromptState;
  msisdn: string;
  shortcode: string;
  due_reference: string;
  amount_cents: bigint;
  receipt: string | null;
  result_code: string | null;
  created_at: Date;
  sent_at: Date | null;
  ended_at: Date | null;
}

async function prompts(db: Db, condition: RawBuilder<unknown>, limit: number) {
  const { rows } = await sql<PromptRow>`
    select t.id, t.reference, t.state, t.msisdn, t.shortcode, t.due_reference, t.amount_cents,
           p.receipt, t.result_code, t.created_at, t.sent_at, t.ended_at
    from prompts t left join payments p on p.id = t.payment_id
    where ${condition}
    order by t.id desc limit ${limit}
  `.execute(db);
  return rows;
}

function shownPrompt(row: PromptRow): z.infer<typeof Prompt> {
  return {
    reference: row.reference,
    status: row.state,
    phone: row.msisdn,
    shortcode: row.shortcode,
    due: row.due_reference,
    amount: shillings(row.amount_cents),
    currency,
    receipt: row.receipt,
    result_code: row.result_code,
    asked_at: momentOf(row.created_at),
    sent_at: momentOf(row.sent_at),
    ended_at: momentOf(row.ended_at),
  };
}

function mostOf({ outstanding_cents }: Due): bigint {
  const whole = wholeShillings(outstanding_cents);
  return whole > most_at_a_time_cents ? most_at_a_time_cents : whole;
}

/** What is open of what was named. Throws Refusal `unknown`, or `not_theirs`. */
async function dueAsked(
  tx: Tx,
  dues: readonly Dues[],
  asked: { due?: string | undefined; customer?: string | undefined },
): Promise<Due> {
  const customer =
    asked.customer === undefined ? undefined : await partyNamed(tx, dues, asked.customer);
  if (asked.due === undefined) {
    const [oldest] = customer ? await openOf(tx, dues, customer) : [];
    if (!oldest) throw new Refusal('unknown');
    return oldest;
  }
  for (const trade of dues) {
    for (const named of await trade.find(tx, trade.referencesIn(asked.due))) {
      const open = named.due ? await openOf(tx, [trade], named) : [];
      const due = open.find((it) => it.id === named.due?.id && it.kind === named.due.kind);
      if (!due) continue;
      if (asked.customer !== undefined && customer?.party !== due.party) {
        throw new Refusal('not_theirs');
      }
      return due;
    }
  }
  throw new Refusal('unknown');
}

async function partyNamed(tx: Tx, dues: readonly Dues[], reference: string) {
  for (const trade of dues) {
    const [named] = await trade.find(tx, trade.referencesIn(reference));
    if (named) return named;
  }
  throw new Refusal('unknown');
}

async function openOf(tx: Tx, dues: readonly Dues[], { party }: Party): Promise<Due[]> {
  const open: Due[] = [];
  for (const trade of dues) open.push(...(await trade.open(tx, [party])));
  return open.sort((a, b) => (a.due_on < b.due_on ? -1 : a.due_on > b.due_on ? 1 : 0));
}
