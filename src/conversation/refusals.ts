import { sql } from 'kysely';
import { sendAhead } from '../base/connection.ts';
import type { Tx } from '../base/db.ts';
import { log } from '../base/log.ts';
import { type Rate, takingOne } from '../base/rates.ts';
import type { Actor, Channel } from '../flow/action.ts';
import { isStop } from '../flow/navigation.ts';
import type { Heard } from '../flow/session.ts';
import { type House, wordsFor } from './house.ts';
import type { Said } from './turn.ts';

/** Who is not served, and what is left of that: a line in the log and a number, nobody's name. */

// Far above what a person can write; an SMS is answered with one that costs the house.
const rates: Record<Channel, Rate> = {
  whatsapp: { at_once: 60, a_second: 0.5 },
  ussd: { at_once: 60, a_second: 0.5 },
  sms: { at_once: 20, a_second: 0.1 },
};
// For two minutes, so that who goes on and on is not told of it again and again.
const again: Record<Channel, number> = { whatsapp: 60, ussd: 60, sms: 12 };

/** The part of a statement that counts a turn of a person whose id a query names. */
export function countingTurn(channel: Channel, person_id: ReturnType<typeof sql>) {
  const who = sql`select 'person:' || id || ${`:${channel}`}::text from (${person_id}) as p(id)
    where id is not null`;
  return takingOne(who, rates[channel], again[channel]);
}

/**
 * What is said to somebody who writes too often: once, until they have been quiet for a while.
 * Undefined when they do not, and to STOP.
 */
export async function tooOften(
  tx: Tx,
  house: House,
  it: { actor: Actor; channel: Channel; key: string; refusals: number; input: Heard },
): Promise<Said | undefined> {
  const { actor, channel, key, refusals } = it;
  if (refusals === 0 || isStop(it.input)) return undefined;
  const words = wordsFor(house, 'too_often', actor.language, channel);
  if (refusals === 1) {
    await noteRefused(tx, { actor, channel, flow: '-', step: '-', what: 'too_often' });
  } else if (channel !== 'ussd') {
    await sendAhead(tx, sql`update turns set silent = true where key = ${key}`);
    return { words: '', over: true, silent: true };
  }
  return { words, over: true };
}

/** Notes that somebody asked for what is not theirs to ask for, or asked too often. */
export async function noteRefused(
  tx: Tx,
  it: {
    actor: Actor;
    channel: Channel;
    flow: string;
    step: string;
    what: 'not_allowed' | 'too_often';
  },
): Promise<void> {
  const { actor, channel, flow, step, what } = it;
  logRefused(it);
  await sendAhead(
    tx,
    sql`
      insert into step_events (flow, step, what, channel, language)
      values (${flow}, ${step}, ${what}, ${channel}, ${actor.language})`,
  );
}

/** A line in the log of it: who by their id, never what they wrote. */
export function logRefused(it: {
  actor: Actor;
  channel: Channel;
  flow: string;
  step: string;
  what: string;
}): void {
  const { actor, channel, flow, step, what } = it;
  log.warn({ person_id: String(actor.id), channel, flow, step, what }, 'somebody was refused');
}
