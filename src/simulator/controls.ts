import { Hono } from 'hono';
import { z } from 'zod';
import { centsFromDecimal, decimalFromCents } from '../base/money.ts';
import { Faults } from './faults.ts';
import type { Mpesa } from './mpesa.ts';
import { shortcodes } from './parties.ts';
import { type Prompts, prompt_answers } from './prompts.ts';
import { controlBody, controlQuery, limited, Phone } from './requests.ts';
import { statementText } from './statement.ts';
import { balanceOf, none_rolled, type Truth } from './truth.ts';

const PayBody = z.object({
  phone: Phone,
  amount: z.union([z.string(), z.number()]).transform((given, context) => {
    const cents = centsFromDecimal(String(given).trim());
    if (cents !== undefined) return cents;
    context.addIssue({ code: 'custom', message: 'expected whole shillings, from 1 to 250000' });
    return z.NEVER;
  }),
  account: z
    .union([z.string(), z.number()])
    .transform(String)
    .pipe(z.string().max(100))
    .default(''),
  shortcode: z.union([z.string(), z.number()]).transform(String).default('600000'),
  name: z.string().max(200).optional(),
  msisdn: z.enum(['clear', 'hashed', 'masked']).optional(),
});

const PromptsQuery = z.object({ phone: Phone.optional() });
const PromptBody = z.object({ answer: z.enum(prompt_answers) });

const ReverseBody = z.object({ receipt: z.string().trim().toUpperCase() });

const StatementQuery = z.object({
  shortcode: z
    .string()
    .refine((number) => shortcodes.has(number), 'nobody has that shortcode')
    .default('600000'),
});

const RedeliverBody = z.object({ receipt: z.string().trim().toUpperCase().optional() });

/** The controls of M-Pesa and of the simulator as a whole. */
export function controlRoutes(
  truth: Truth,
  { mpesa, prompts }: { mpesa: Mpesa; prompts: Prompts },
): Hono {
  const routes = truthRoutes(truth);

  routes.post('/sim/mpesa/pay', limited, async (c) => {
    const { amount, msisdn, ...payment } = await controlBody(c, PayBody);
    const paid = await mpesa.pay({ ...payment, amount_cents: amount, msisdn_form: msisdn });
    return c.json({ receipt: paid.receipt });
  });

  routes.get('/sim/mpesa/prompts', async (c) => {
    const { phone } = controlQuery(c, PromptsQuery);
    await truth.settled();
    return c.json(
      prompts.open(phone).map(({ id, amount_cents, to, account, at, ...prompt }) => ({
        id,
        phone: prompt.phone,
        amount: shillings(amount_cents),
        shortcode: to,
        account,
        at,
      })),
    );
  });

  routes.post('/sim/mpesa/prompts/:id', limited, async (c) => {
    const { answer } = await controlBody(c, PromptBody);
    const { ended } = await prompts.answer(c.req.param('id'), answer);
    return c.json({ result_code: ended?.code, ...(ended?.receipt && { receipt: ended.receipt }) });
  });

  routes.post('/sim/mpesa/reverse', limited, async (c) => {
    const { receipt } = await controlBody(c, ReverseBody);
    const reversal = await mpesa.reverse(receipt);
    return c.json({ receipt: reversal.receipt });
  });

  routes.post('/sim/mpesa/redeliver', limited, async (c) => {
    const { receipt } = await controlBody(c, RedeliverBody);
    return c.json(await mpesa.redeliver(receipt));
  });

  routes.post('/sim/faults', limited, async (c) => {
    const faults = await controlBody(c, Faults);
    await truth.record({ kind: 'faults', faults, rolled: { ...none_rolled } });
    return c.json(faults);
  });

  routes.post('/sim/reset', limited, async (c) => {
    await truth.record({ kind: 'reset' });
    return c.json({ reset: true });
  });

  return routes;
}

/** What M-Pesa knows, to be looked at. */
function truthRoutes(truth: Truth): Hono {
  const routes = new Hono();

  routes.get('/sim/mpesa/transactions', async (c) => {
    await truth.settled();
    const all = [...truth.state.transactions.values()];
    return c.json(
      all.map(({ receipt, kind, amount_cents, from, to, account, at, state, delivered }) => ({
        receipt,
        kind,
        amount: shillings(amount_cents),
        from,
        to,
        account,
        at,
        state,
        delivered,
      })),
    );
  });

  // As the organisation's portal exports it.
  routes.get('/sim/mpesa/statement', async (c) => {
    const { shortcode } = controlQuery(c, StatementQuery);
    await truth.settled();
    c.header('content-type', 'text/csv; charset=utf-8');
    return c.body(statementText(truth.state, shortcode));
  });

  routes.get('/sim/mpesa/accounts', async (c) => {
    await truth.settled();
    return c.json(accountsOf(truth));
  });

  return routes;
}

function accountsOf({ state }: Truth): { holder: string; account: string; balance: number }[] {
  const phones = [...state.balances.keys()].filter((account) => !account.includes('/'));
  return [
    ...[...shortcodes].flatMap(([holder, { accounts }]) =>
      accounts.map((account) => ({
        holder,
        account,
        balance: shillings(balanceOf(state, `${holder}/${account}`)),
      })),
    ),
    ...phones.map((holder) => ({
      holder,
      account: 'M-Pesa',
      balance: shillings(balanceOf(state, holder)),
    })),
  ];
}

function shillings(cents: bigint): number {
  return Number(decimalFromCents(cents));
}
