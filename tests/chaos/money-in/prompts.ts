import { setTimeout as sleep } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import type { Prompted } from './plan.ts';
import { type MoneyWorld, mpesaAt } from './world.ts';

/** A prompt that Karani has taken on, and what M-Pesa did with it, once somebody has answered it. */
export interface AskedPrompt {
  act: Prompted;
  reference: string;
  ended?: { result_code: string; receipt?: string };
}

const patience_ms = 60_000;

/** Other software asks for it, again until there is an answer: processes are killed meanwhile. */
export async function askFor(world: MoneyWorld, act: Prompted): Promise<AskedPrompt> {
  const key = randomUUID();
  const body = { due: act.invoice, phone: act.phone, amount: act.amount };
  const until = performance.now() + patience_ms;
  let last = 'no answer';
  while (performance.now() < until) {
    const response = await fetch(world.asksAt(act.shortcode), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${world.token}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
      body: JSON.stringify(body),
    }).catch(() => undefined);
    if (response?.status === 202) {
      const { how, prompt } = (await response.json()) as {
        how: string;
        prompt: { reference: string };
      };
      if (how !== 'asked') throw new Error(`${act.phone} was asked before: ${how}`);
      return { act, reference: prompt.reference };
    }
    if (response) last = `${response.status} ${await response.text()}`;
    await sleep(response?.status === 429 ? 1_000 : 100);
  }
  throw new Error(`Nobody could ask ${act.phone}: ${last}`);
}

/** People with prompts on their phones, who answer as the plan says until they are told to stop. */
export function answerPhones(world: MoneyWorld, asked: ReadonlyMap<string, AskedPrompt>) {
  const mpesa = mpesaAt(world.simulator_url);
  const over = new AbortController();
  const held = { late: true };
  const answer = async ({ id, account }: { id: string; account: string }) => {
    const prompt = asked.get(account);
    if (!prompt || prompt.ended || (held.late && prompt.act.weather === 'late')) return;
    // It may run out this very moment.
    const ended = await mpesa.answer(id, prompt.act.answer).catch(() => undefined);
    if (ended) prompt.ended = ended;
  };
  const going = (async () => {
    while (!over.signal.aborted) {
      const open = await mpesa.open().catch(() => []);
      await Promise.all(open.map(answer));
      await sleep(100);
    }
  })();
  return {
    /** Who waited until Karani has given them up goes on. */
    letLate: () => (held.late = false),
    stop: async () => {
      over.abort();
      await going;
    },
  };
}
