import { createRoute, z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../base/db.ts';
import { type Api, type ApiParts, json, needs, no_answer, not_there } from './door.ts';
import { Moment, momentOf, time_filters, timesOf } from './fields.ts';
import { allOf, id_key, page_filters, pageFrom, pageOf, placeIn } from './pages.ts';
import { Problem } from './problems.ts';

const statuses = ['new', 'done', 'failed'] as const;

const Arrival = z
  .object({
    id: z.string().openapi({ example: '42' }),
    source: z.string().openapi({ example: 'c2b_confirmation' }),
    from_ip: z.string().nullable().openapi({ description: 'The address from which it came.' }),
    received_at: Moment,
    status: z.enum(statuses).openapi({
      description: 'new: it waits. done: worked through. failed: given up, after eight times.',
    }),
    attempts: z.int(),
    error: z.string().nullable(),
    done_at: Moment.nullable(),
    length: z.int().openapi({ description: 'Of the body, in characters.' }),
  })
  .openapi('Arrival');

const Rejected = z
  .object({
    id: z.string(),
    source: z.string(),
    reason: z.string().openapi({ description: 'Why it was not taken.' }),
    from_ip: z.string().nullable(),
    received_at: Moment,
    length: z.int().openapi({ description: 'Of the body, in bytes.' }),
  })
  .openapi('RejectedArrival');

const source_words = 'a source such as c2b_confirmation';
const address_words = 'an address such as 196.201.214.200';
const filters = {
  ...page_filters,
  ...time_filters,
  source: z
    .string()
    .regex(/^[a-z0-9_]{2,40}$/, source_words)
    .optional()
    .openapi({ description: 'By which door it came.' }),
  from_ip: z
    .union([z.ipv4(), z.ipv6()], { error: address_words })
    .optional()
    .openapi({ type: 'string', description: 'From this address.' }),
};

const list = createRoute({
  method: 'get',
  path: '/inbox',
  operationId: 'listInbox',
  tags: ['Inbox'],
  summary: 'Callbacks and messages that came, the newest first',
  ...needs('inbox:read'),
  request: {
    query: z.strictObject({
      ...filters,
      status: z.enum(statuses, { error: `one of ${statuses.join(', ')}` }).optional(),
    }),
  },
  responses: { 200: json(pageOf('Arrival', Arrival), 'A page of them'), ...no_answer },
});

const list_rejected = createRoute({
  method: 'get',
  path: '/inbox/rejected',
  operationId: 'listRejected',
  tags: ['Inbox'],
  summary: 'What reached a callback address and could not be read, the newest first',
  ...needs('inbox:read'),
  request: { query: z.strictObject(filters) },
  responses: { 200: json(pageOf('RejectedArrival', Rejected), 'A page of them'), ...no_answer },
});

const id_param = z.strictObject({
  id: z.string().regex(id_key, 'a number').openapi({ example: '42' }),
});

const one = createRoute({
  method: 'get',
  path: '/inbox/{id}',
  operationId: 'getArrival',
  tags: ['Inbox'],
  summary: 'One of them',
  ...needs('inbox:read'),
  request: { params: id_param, query: z.strictObject({}) },
  responses: { 200: json(Arrival, 'It, without its body'), ...no_answer, ...not_there },
});

const ArrivalBody = z
  .object({ id: z.string(), source: z.string(), body: z.string() })
  .openapi('ArrivalBody');

const one_body = createRoute({
  method: 'get',
  path: '/inbox/{id}/body',
  operationId: 'getArrivalBody',
  tags: ['Inbox'],
  summary: 'What one of them said, exactly as it came',
  description: 'Names, numbers and private messages are in it; it needs a scope of its own.',
  ...needs('inbox:bodies'),
  request: { params: id_param, query: z.strictObject({}) },
  responses: { 200: json(ArrivalBody, 'The body as a text'), ...no_answer, ...not_there },
});

export function addInbox(api: Api, { db }: ApiParts): void {
  api.openapi(list, async (c) => {
    const asked = c.req.valid('query');
    const rows = await arrivals(
      db,
      allOf(common(asked), asked.status !== undefined && sql`i.state = ${asked.status}`),
      asked.limit + 1,
    );
    const place_of = (row: ArrivalRow) => [row.id];
    return c.json(pageFrom(rows, asked.limit, { show: shownArrival, place: place_of }), 200);
  });

  api.openapi(list_rejected, async (c) => {
    const asked = c.req.valid('query');
    const { rows } = await sql<RejectedRow>`
      select i.id, i.source, i.reason, host(i.from_ip) as from_ip, i.received_at, i.length_bytes
      from inbox_rejected i where ${common(asked)} order by i.id desc limit ${asked.limit + 1}
    `.execute(db);
    const place_of = (row: RejectedRow) => [row.id];
    return c.json(pageFrom(rows, asked.limit, { show: shownRejected, place: place_of }), 200);
  });

  api.openapi(one, async (c) => {
    const [row] = await arrivals(db, sql`i.id = ${c.req.valid('param').id}::bigint`, 1);
    if (!row) throw new Problem('not-found');
    return c.json(shownArrival(row), 200);
  });

  api.openapi(one_body, async (c) => {
    const row = await db
      .selectFrom('inbox')
      .select(['id', 'source', 'body'])
      .where('id', '=', BigInt(c.req.valid('param').id))
      .executeTakeFirst();
    if (!row) throw new Problem('not-found');
    return c.json({ ...row, id: String(row.id) }, 200);
  });
}

type Asked = { [name in 'from' | 'to' | 'after' | 'source' | 'from_ip']?: string | undefined };

function common(asked: Asked): RawBuilder<unknown> {
  const { from, until } = timesOf(asked);
  const place = placeIn(asked.after, id_key);
  return allOf(
    place && sql`i.id < ${place[0]}::bigint`,
    from && sql`i.received_at >= ${from}`,
    until && sql`i.received_at < ${until}`,
    asked.source !== undefined && sql`i.source = ${asked.source}`,
    asked.from_ip !== undefined && sql`i.from_ip = ${asked.from_ip}::inet`,
  );
}

interface ArrivalRow {
  id: bigint;
  source: string;
  from_ip: string | null;
  received_at: Date;
  state: (typeof statuses)[number];
  attempts: number;
  error: string | null;
  done_at: Date | null;
  length: number;
}

async function arrivals(db: Db, condition: RawBuilder<unknown>, limit: number) {
  const { rows } = await sql<ArrivalRow>`
    select i.id, i.source, host(i.from_ip) as from_ip, i.received_at, i.state, i.attempts, i.error,
           i.done_at, length(i.body) as length
    from inbox i where ${condition} order by i.id desc limit ${limit}
  `.execute(db);
  return rows;
}

function shownArrival(row: ArrivalRow): z.infer<typeof Arrival> {
  return {
    id: String(row.id),
    source: row.source,
    from_ip: row.from_ip,
    received_at: momentOf(row.received_at),
    status: row.state,
    attempts: row.attempts,
    error: row.error,
    done_at: momentOf(row.done_at),
    length: row.length,
  };
}

interface RejectedRow {
  id: bigint;
  source: string;
  reason: string;
  from_ip: string | null;
  received_at: Date;
  length_bytes: bigint;
}

function shownRejected(row: RejectedRow): z.infer<typeof Rejected> {
  return {
    id: String(row.id),
    source: row.source,
    reason: row.reason,
    from_ip: row.from_ip,
    received_at: momentOf(row.received_at),
    length: Number(row.length_bytes),
  };
}
