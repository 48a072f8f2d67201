import { sql } from 'kysely';
import { expect } from 'vitest';
import { sharedTokens } from '../../src/daraja-tokens.ts';
import type { Prompt } from '../../src/payments/prompt.ts';
import { lookUpPrompts } from '../../src/payments/look-up-prompts.ts';
import { type Prompting, sendPrompts } from '../../src/payments/send-prompts.ts';
import { openWorld, type Received } from '../simulator/world.ts';
import { hook_secret, openHouse } from './house.ts';

const always = () => true;

/**
 * The demo's business with M-Pesa as the simulator, which calls an address of the test's own: what
 * comes there reaches Karani when the test says so, in the order it says.
 */
export async function openPromptHouse(shortcode: '600000' | '600001' = '600000') {
  const world = await openWorld();
  const house = await openHouse();
  await world.register('v1', shortcode);
  house.conversations.asks_from = shortcode;
  const kind = shortcode === '600000' ? ('paybill' as const) : ('till' as const);
  const keys = { consumer_key: 'key', consumer_secret: 'secret', passkey: 'passkey' };
  const prompting: Prompting = {
    tokens: sharedTokens(house.db, house.settings.secret),
    shortcodes: new Map([[shortcode, { number: shortcode, kind, ...keys, base_url: world.url() }]]),
    callback_url: `${world.app.url}/hooks/${hook_secret}/stk`,
  };
  let seen = 0;
  const all = async () => {
    const rows = await house.db.selectFrom('prompts').selectAll().orderBy('id').execute();
    return rows as (Prompt & (typeof rows)[number])[];
  };

  return {
    ...house,
    world,
    prompting,
    prompts: all,
    /** What the last prompt is like. */
    prompt: async () => (await all()).at(-1)!,
    /** Time passes for all prompts: whatever is to be looked at, sent or given up is due. */
    later: () =>
      sql`update prompts set look_at = least(look_at, now()), lease_until = least(lease_until, now()),
            created_at = created_at - interval '3 minutes', ended_at = ended_at - interval '3 minutes'
         `.execute(house.db),
    send: () => sendPrompts(house.db, prompting, always),
    look: () => lookUpPrompts(house.db, prompting, always),
    /** The prompts that are open on a phone. */
    onPhone: async (phone: string) =>
      (await world.get(`/sim/mpesa/prompts?phone=${phone}`)).json as {
        id: string;
        account: string;
      }[],
    /** What the person does with the prompt on their phone; M-Pesa's callbacks have come then. */
    answer: async (phone: string, answer: string): Promise<Received[]> => {
      const [open] = (await world.get(`/sim/mpesa/prompts?phone=${phone}`)).json;
      const { status } = await world.post(`/sim/mpesa/prompts/${open.id}`, { answer });
      expect(status).toBe(200);
      const before = seen;
      seen += answer === 'pin' ? 2 : 1;
      return (await world.app.hears(seen)).slice(before);
    },
    /** Lets a callback of M-Pesa's through, and works through it. */
    deliver: async (...callbacks: Received[]) => {
      for (const { path, body } of callbacks) {
        const at =
          path === '/confirmation' ? 'c2b/confirmation' : path.split('/').slice(3).join('/');
        const { status } = await house.hook(at, body);
        expect(status).toBe(200);
        await house.drain();
      }
    },
    told: async (since = 0n) => {
      const rows = await house.db
        .selectFrom('outbox')
        .select(['template', 'person_id', 'values'])
        .where('id', '>', since)
        .where('template', 'is not', null)
        .orderBy('id')
        .execute();
      return rows;
    },
    close: async () => {
      await house.close();
      await world.close();
    },
  };
}

/** Which of M-Pesa's two callbacks it is. */
export const isStk = ({ path }: Received) => path.includes('/stk/');
