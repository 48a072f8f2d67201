import { createRoute, z } from '@hono/zod-openapi';
import { clock, eatDate, startOfEatDay } from '../../base/clock.ts';
import {
  type AccountTotal,
  type DayFigures,
  figuresByDay,
  lastBookCheck,
  trialBalance,
} from '../../reports/figures.ts';
import { type Api, type ApiParts, json, needs, no_answer } from './door.ts';
import { Amount, Currency, currency, Day, Moment, momentOf, shillings, timesOf } from './fields.ts';
import { wrongField } from './problems.ts';

const figures = {
  revenue: Amount.openapi({ description: 'What was earned, as the ledger has it.' }),
  payment_revenue: Amount.openapi({ description: 'What was received by M-Pesa.' }),
  payments: z
    .object({
      total: z.int(),
      completed: z
        .int()
        .openapi({ description: 'Payments received, and not taken back by M-Pesa.' }),
      failed: z.int().openapi({ description: 'Prompts that came to nothing.' }),
      pending: z.int().openapi({ description: 'Prompts that are still open.' }),
    })
    .openapi('PaymentCounts'),
};

const Stats = z
  .object({
    from: Day,
    to: Day,
    currency: Currency,
    ...figures,
    days: z
      .array(z.object({ day: Day, ...figures }))
      .openapi({ description: 'The days on which there was any, in Nairobi.' }),
  })
  .openapi('Stats');

const most_days = 366;

const stats = createRoute({
  method: 'get',
  path: '/stats',
  operationId: 'getStats',
  tags: ['Reports'],
  summary: 'What was earned and received, and what failed, day by day',
  description: `Without a time, the last 30 days; ${most_days} days at most.`,
  ...needs('reports:read'),
  request: {
    query: z.strictObject({
      from: Day.optional().openapi({ description: 'The first day.' }),
      to: Day.optional().openapi({ description: 'The last day.' }),
    }),
  },
  responses: { 200: json(Stats, 'The figures'), ...no_answer },
});

const Balance = z
  .object({
    currency: Currency,
    balanced: z.boolean().openapi({ description: 'Whether debits and credits come to the same.' }),
    debits: Amount,
    credits: Amount,
    accounts: z.array(
      z.object({
        account: z.string().openapi({ example: '1200' }),
        type: z.enum(['asset', 'liability', 'equity', 'income', 'expense']),
        debits: Amount,
        credits: Amount,
        balance: Amount.openapi({ description: 'In the account’s own sense.' }),
      }),
    ),
  })
  .openapi('TrialBalance');

const balance = createRoute({
  method: 'get',
  path: '/reports/balance',
  operationId: 'getBalance',
  tags: ['Reports'],
  summary: 'The trial balance: every account with all that is below it',
  ...needs('reports:read'),
  request: { query: z.strictObject({}) },
  responses: { 200: json(Balance, 'The balance'), ...no_answer },
});

const Verify = z
  .object({
    checked_at: Moment.nullable().openapi({ description: 'Null while there was no check yet.' }),
    took_ms: z.int().nullable(),
    right: z.boolean().nullable().openapi({ description: 'Whether nothing was found.' }),
    findings: z.int().nullable(),
    named: z.array(z.object({ check: z.string(), found: z.string() })),
  })
  .openapi('BookCheck');

const verify = createRoute({
  method: 'get',
  path: '/reports/verify',
  operationId: 'getBookCheck',
  tags: ['Reports'],
  summary: 'What the last check of the books found; there is one every hour',
  ...needs('reports:read'),
  request: { query: z.strictObject({}) },
  responses: { 200: json(Verify, 'The last check'), ...no_answer },
});

const day_ms = 24 * 60 * 60 * 1_000;

export function addReports(api: Api, { db }: ApiParts): void {
  api.openapi(stats, async (c) => {
    const asked = c.req.valid('query');
    const to = asked.to ?? eatDate(clock.now());
    const from = asked.from ?? daysBefore(to, 29);
    const times = timesOf({ from, to });
    if (!times.from || !times.until) throw new Error('Both days were given');
    if (times.until.getTime() - times.from.getTime() > most_days * day_ms) {
      throw wrongField('query', 'from', `a day at most ${most_days} days before \`to\``);
    }
    const days = await figuresByDay(db, { from: times.from, until: times.until });
    const shown = days.map((day) => ({ day: day.day, ...shownFigures([day]) }));
    return c.json({ from, to, currency, ...shownFigures(days), days: shown }, 200);
  });

  api.openapi(balance, async (c) => {
    const totals = await trialBalance(db);
    const debits_cents = totals.reduce((sum, it) => sum + it.debit_cents, 0n);
    const credits_cents = totals.reduce((sum, it) => sum + it.credit_cents, 0n);
    return c.json(
      {
        currency,
        balanced: debits_cents === credits_cents,
        debits: shillings(debits_cents),
        credits: shillings(credits_cents),
        accounts: totals.map(shownTotal),
      },
      200,
    );
  });

  api.openapi(verify, async (c) => {
    const last = await lastBookCheck(db);
    return c.json(
      {
        checked_at: momentOf(last?.started_at ?? null),
        took_ms: last?.took_ms ?? null,
        right: last ? last.findings === 0 : null,
        findings: last?.findings ?? null,
        named: last?.named ?? [],
      },
      200,
    );
  });
}

function daysBefore(day: string, count: number): string {
  return eatDate(new Date(startOfEatDay(day).getTime() - count * day_ms));
}

function shownFigures(days: DayFigures[]) {
  const sum = (of: (day: DayFigures) => number) => days.reduce((all, day) => all + of(day), 0);
  const cents = (of: (day: DayFigures) => bigint) => days.reduce((all, day) => all + of(day), 0n);
  const [completed, failed, pending] = [
    sum((day) => day.received),
    sum((day) => day.failed),
    sum((day) => day.pending),
  ];
  return {
    revenue: shillings(cents((day) => day.revenue_cents)),
    payment_revenue: shillings(cents((day) => day.received_cents)),
    payments: { total: completed + failed + pending, completed, failed, pending },
  };
}

function shownTotal({ account, type, debit_cents, credit_cents }: AccountTotal) {
  const debit_sense = type === 'asset' || type === 'expense';
  return {
    account,
    type,
    debits: shillings(debit_cents),
    credits: shillings(credit_cents),
    balance: shillings(debit_sense ? debit_cents - credit_cents : credit_cents - debit_cents),
  };
}
