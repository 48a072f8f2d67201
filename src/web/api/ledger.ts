import { createRoute, z } from '@hono/zod-openapi';
import { type RawBuilder, sql } from 'kysely';
import { centsFromDecimal } from '../../base/money.ts';
import type { Db } from '../../base/db.ts';
import { type Api, type ApiParts, json, needs, no_answer, not_there } from './door.ts';
import {
  Amount,
  AmountFilter,
  anywhere,
  Currency,
  currency,
  Moment,
  momentOf,
  shillings,
  TextFilter,
  time_filters,
  timesOf,
} from './fields.ts';
import { allOf, id_key, page_filters, pageFrom, pageOf, placeIn } from './pages.ts';
import { Problem } from './problems.ts';

const account_words = 'an account such as 2040 or 1200:CUST-001';
const AccountCode = z
  .string({ error: account_words })
  .regex(/^[1-5]\d{3}(:[A-Za-z0-9-]{1,32}){0,2}$/, account_words)
  .openapi({ example: '1200:CUST-001' });

const types = ['asset', 'liability', 'equity', 'income', 'expense'] as const;

const Account = z
  .object({
    code: AccountCode,
    type: z.enum(types),
    balance: Amount.openapi({
      description: 'In the account’s own sense: what an asset holds, what a liability owes.',
    }),
    currency: Currency,
    opened_at: Moment,
    closed_at: Moment.nullable(),
  })
  .openapi('Account');

const list_accounts = createRoute({
  method: 'get',
  path: '/ledger/accounts',
  operationId: 'listAccounts',
  tags: ['Ledger'],
  summary: 'Accounts with their balances, by code',
  ...needs('ledger:read'),
  request: {
    query: z.strictObject({
      ...page_filters,
      type: z.enum(types, { error: `one of ${types.join(', ')}` }).optional(),
      text: TextFilter.optional().openapi({
        description: 'How the code begins: `1200` are all customers’ receivables.',
      }),
    }),
  },
  responses: { 200: json(pageOf('Account', Account), 'A page of them'), ...no_answer },
});

const LedgerTransaction = z
  .object({
    key: z.string().openapi({
      description: 'What it records and for what, once.',
      example: 'payment:TKL0000001:received',
    }),
    kind: z.string().openapi({ example: 'payment_received' }),
    effective_at: Moment,
    recorded_at: Moment,
    reverses: z.string().nullable().openapi({ description: 'The key of what it undoes.' }),
    postings: z.array(
      z.object({ debit: AccountCode, credit: AccountCode, amount: Amount, currency: Currency }),
    ),
  })
  .openapi('LedgerTransaction');

const list_transactions = createRoute({
  method: 'get',
  path: '/ledger/transactions',
  operationId: 'listLedgerTransactions',
  tags: ['Ledger'],
  summary: 'Ledger transactions with their postings, the last recorded first',
  ...needs('ledger:read'),
  request: {
    query: z.strictObject({
      ...page_filters,
      ...time_filters,
      account: AccountCode.optional().openapi({ description: 'With a posting to this account.' }),
      amount: AmountFilter.optional().openapi({ description: 'With a posting of exactly this.' }),
      kind: z
        .string()
        .regex(/^[a-z_]{3,60}$/, 'a kind such as payment_received')
        .optional(),
      text: TextFilter.optional().openapi({ description: 'Part of the key.' }),
    }),
  },
  responses: {
    200: json(pageOf('LedgerTransaction', LedgerTransaction), 'A page of them'),
    ...no_answer,
  },
});

const get_transaction = createRoute({
  method: 'get',
  path: '/ledger/transactions/{key}',
  operationId: 'getLedgerTransaction',
  tags: ['Ledger'],
  summary: 'One ledger transaction by its key',
  ...needs('ledger:read'),
  request: {
    params: z.strictObject({
      key: z.string().min(3).max(200).openapi({ example: 'payment:TKL0000001:received' }),
    }),
    query: z.strictObject({}),
  },
  responses: { 200: json(LedgerTransaction, 'The transaction'), ...no_answer, ...not_there },
});

export function addLedger(api: Api, { db }: ApiParts): void {
  api.openapi(list_accounts, async (c) => {
    const asked = c.req.valid('query');
    const place = placeIn(asked.after, /^[1-5][A-Za-z0-9:-]{3,80}$/);
    const rows = await accounts(
      db,
      allOf(
        place && sql`a.code collate "C" > ${place[0]}`,
        asked.type !== undefined && sql`a.type = ${asked.type}`,
        asked.text !== undefined && sql`starts_with(a.code, ${asked.text})`,
      ),
      asked.limit + 1,
    );
    const place_of = (row: AccountRow) => [row.code];
    return c.json(pageFrom(rows, asked.limit, { show: shownAccount, place: place_of }), 200);
  });

  api.openapi(list_transactions, async (c) => {
    const asked = c.req.valid('query');
    const { from, until } = timesOf(asked);
    const place = placeIn(asked.after, id_key);
    const rows = await transactions(
      db,
      allOf(
        place && sql`t.id < ${place[0]}::bigint`,
        from && sql`t.effective_at >= ${from}`,
        until && sql`t.effective_at < ${until}`,
        asked.kind !== undefined && sql`t.kind = ${asked.kind}`,
        asked.account !== undefined && touches(asked.account),
        asked.amount !== undefined &&
          sql`exists (select from postings p where p.ledger_transaction_id = t.id
                      and p.amount_cents = ${centsFromDecimal(asked.amount)})`,
        asked.text !== undefined && sql`t.key ilike ${anywhere(asked.text)}`,
      ),
      asked.limit + 1,
    );
    const place_of = (row: TransactionRow) => [row.id];
    return c.json(pageFrom(rows, asked.limit, { show: shownTransaction, place: place_of }), 200);
  });

  api.openapi(get_transaction, async (c) => {
    const { key } = c.req.valid('param');
    if (key.includes('\0')) throw new Problem('not-found');
    const [row] = await transactions(db, sql`t.key = ${key}`, 1);
    if (!row) throw new Problem('not-found');
    return c.json(shownTransaction(row), 200);
  });
}

const touches = (code: string) => sql`t.id in (
  select ledger_transaction_id from postings
  where debit_account_id = (select id from accounts where code = ${code})
  union all
  select ledger_transaction_id from postings
  where credit_account_id = (select id from accounts where code = ${code}))`;

interface AccountRow {
  code: string;
  type: (typeof types)[number];
  balance_cents: bigint;
  opened_at: Date;
  closed_at: Date | null;
}

// Those without a kept balance are summed, as in ledger/balances.ts; a page has few of them.
async function accounts(db: Db, condition: RawBuilder<unknown>, limit: number) {
  const { rows } = await sql<AccountRow>`
    select a.code, a.type, a.opened_at, a.closed_at, coalesce(b.balance_cents, (
      select case when a.type in ('asset', 'expense') then sum(m.cents) else -sum(m.cents) end
      from (
        select amount_cents as cents from postings where debit_account_id = a.id
        union all
        select -amount_cents from postings where credit_account_id = a.id
      ) m
    ), 0)::bigint as balance_cents
    from (
      select * from accounts a where ${condition} order by a.code collate "C" limit ${limit}
    ) a left join account_balances b on b.account_id = a.id
    order by a.code collate "C"
  `.execute(db);
  return rows;
}

function shownAccount(row: AccountRow): z.infer<typeof Account> {
  return {
    code: row.code,
    type: row.type,
    balance: shillings(row.balance_cents),
    currency,
    opened_at: momentOf(row.opened_at),
    closed_at: momentOf(row.closed_at),
  };
}

interface TransactionRow {
  id: bigint;
  key: string;
  kind: string;
  effective_at: Date;
  recorded_at: Date;
  reverses: string | null;
  /** Cents as text, as JSON carries them. */
  postings: { debit: string; credit: string; cents: string }[];
}

async function transactions(db: Db, condition: RawBuilder<unknown>, limit: number) {
  const { rows } = await sql<TransactionRow>`
    select t.id, t.key, t.kind, t.effective_at, t.recorded_at,
           (select key from ledger_transactions r where r.id = t.reverses_id) as reverses,
           (select jsonb_agg(jsonb_build_object(
                'debit', d.code, 'credit', c.code, 'cents', p.amount_cents::text) order by p.line)
            from postings p
            join accounts d on d.id = p.debit_account_id
            join accounts c on c.id = p.credit_account_id
            where p.ledger_transaction_id = t.id) as postings
    from ledger_transactions t
    where ${condition}
    order by t.id desc limit ${limit}
  `.execute(db);
  return rows;
}

function shownTransaction(row: TransactionRow): z.infer<typeof LedgerTransaction> {
  return {
    key: row.key,
    kind: row.kind,
    effective_at: momentOf(row.effective_at),
    recorded_at: momentOf(row.recorded_at),
    reverses: row.reverses,
    postings: row.postings.map(({ debit, credit, cents }) => ({
      debit,
      credit,
      amount: shillings(BigInt(cents)),
      currency,
    })),
  };
}
