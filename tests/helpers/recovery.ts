import { sql } from 'kysely';
import { openDatabase } from '../../src/base/db.ts';
import { keeper } from '../../src/inbox/keep.ts';
import { type Asking, askStatuses } from '../../src/payments/ask-status.ts';
import { pullPayments, type Pulling, wantAllPulls } from '../../src/payments/pull.ts';
import { hook_secret } from './house.ts';
import { openPromptHouse } from './prompts.ts';
import type { Received } from '../simulator/world.ts';

/**
 * The demo's business with M-Pesa as the simulator, which can be asked what was paid, and about
 * each payment; what it posts reaches Karani when the test says so.
 */
export async function openRecoveryHouse() {
  const house = await openPromptHouse();
  const { world, db } = house;
  const own = openDatabase(house.settings.database_url!, 4);
  const { tokens, shortcodes } = house.prompting;
  const app = { ...shortcodes.get('600000')! };
  await world.post(
    '/pulltransactions/v1/register',
    {
      ShortCode: '600000',
      RequestType: 'Pull',
      NominatedNumber: '0722000000',
      CallBackURL: `${world.app.url}/pull`,
    },
    await world.token(),
  );
  const pulling: Pulling = {
    tokens,
    shortcodes: new Map([['600000', app]]),
    keep: keeper(own.pool, 'drain_payments'),
    every_s: 900,
  };
  const initiator = { ...app, name: 'karani', credential: btoa('a password') };
  const asking: Asking = {
    tokens,
    initiators: new Map([['600000', initiator]]),
    answer_url: `${world.app.url}/hooks/${hook_secret}/status`,
  };
  await wantAllPulls(db, ['600000']);

  return {
    ...house,
    pulling,
    asking,
    initiator,
    app,
    /** A customer pays, and M-Pesa has posted what it will: the receipt. */
    pay: (change: Record<string, unknown> = {}) =>
      world.pay({ account: 'INV-20260203-0001', ...change }),
    /** Time passes: whatever M-Pesa is to be asked is due. */
    due: async () => {
      await sql`update pulls set due_at = now(), lease_until = null`.execute(db);
      await sql`update status_questions set ask_at = now() where asked_at is null`.execute(db);
    },
    /** M-Pesa is asked what was paid, and its answers are worked through. */
    pull: async () => {
      await pullPayments(db, pulling);
      await house.drain();
    },
    /** Half an hour passes for all payments, and M-Pesa is asked about those that are due. */
    ask: async () => {
      await sql`update payments set created_at = created_at - interval '31 minutes'`.execute(db);
      await askStatuses(db, asking);
    },
    verified: async () => {
      const rows = await db
        .selectFrom('payments')
        .select(['receipt', 'verified_by'])
        .orderBy('id')
        .execute();
      return rows.map((row) => row.verified_by);
    },
    hearings: async () => {
      const rows = await db
        .selectFrom('hearings')
        .select(['source', 'verdict'])
        .orderBy('inbox_id')
        .execute();
      return rows.map((row) => `${row.source} ${row.verdict}`);
    },
    close: async () => {
      await own.pool.end();
      await house.close();
    },
  };
}

/** The confirmation of a receipt among what M-Pesa has posted. */
export function confirmationOf(
  house: { world: { app: { received: Received[] } } },
  receipt: string,
): Received {
  return house.world.app.received.find(
    (it) => it.path === '/confirmation' && it.body.includes(receipt),
  )!;
}
