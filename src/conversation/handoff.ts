import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { localPhone } from '../base/phone.ts';
import type { Actor, Channel } from '../flow/action.ts';
import { normal } from '../flow/definition.ts';
import { type Message, notify } from '../outbox/notify.ts';
import { firstName } from '../people/first-name.ts';
import { personById, withRole } from '../people/find.ts';
import { type House, wordsFor } from './house.ts';

/** A person of the house answers in a chat, and Karani is silent there. */

const longest = '12 hours';

/**
 * Hands a chat to the admins: they are told, and what the person writes from now on goes to them,
 * for twelve hours or until one of them gives the chat back. On USSD nothing can be written; there
 * they are asked to call.
 */
export async function handOver(
  tx: Tx,
  { actor, channel, key }: { actor: Actor; channel: Channel; key: string },
): Promise<void> {
  if (channel !== 'ussd') await takeOver(tx, actor.id);
  const values = { ...(await whoIs(tx, actor)), person: String(actor.id) };
  await tellAdmins(tx, (admin) => ({
    key: `person_wanted:${key}:${admin}`,
    person_id: admin,
    template: 'person_wanted',
    values,
  }));
}

async function takeOver(tx: Tx, person_id: bigint): Promise<void> {
  await sql`
    insert into handoffs (person_id, until) values (${person_id}, now() + ${longest}::interval)
    on conflict (person_id) do update
    set since = now(), until = excluded.until, given_back_at = null
  `.execute(tx);
}

/** Passes on to the admins what somebody wrote in a chat that is theirs. */
export async function passOn(
  tx: Tx,
  { actor, key, text }: { actor: Actor; key: string; text: string },
): Promise<void> {
  const { who } = await whoIs(tx, actor);
  await tellAdmins(tx, (admin) => ({
    key: `person_said:${key}:${admin}`,
    person_id: admin,
    template: 'person_said',
    values: { who, text, person: String(actor.id) },
  }));
}

const done = new Set(['done', 'maliza', 'nimemaliza', 'imekwisha']);

/**
 * An admin answers a message that told of somebody who wants a person: it goes to that person, or
 * gives the chat back. Returns what the admin is told; undefined when it answers no such message.
 */
export async function answerAsPerson(
  tx: Tx,
  house: House,
  it: { actor: Actor; key: string; answers: string; text: string },
): Promise<string | undefined> {
  const { actor, key, text } = it;
  const told = await tx
    .selectFrom('outbox')
    .select('values')
    .where('provider_id', '=', it.answers)
    .where('person_id', '=', actor.id)
    .where('template', 'in', ['person_wanted', 'person_said'])
    .executeTakeFirst();
  const id = told && 'person' in told.values ? String(told.values['person']) : undefined;
  if (id === undefined || text === '' || !actor.roles.includes('admin')) return undefined;
  const person = await personById(tx, BigInt(id));
  const { who } = await whoIs(tx, person);
  const say = (name: string) =>
    wordsFor({ ...house, values: { ...house.values, who } }, name, actor.language, 'whatsapp');
  if (done.has(normal(text))) {
    await giveBack(tx, house, person, key);
    return say('given_back');
  }
  await takeOver(tx, person.id);
  const from = firstName(actor.name ?? '');
  const words = from === '' ? text : `${from}: ${text}`;
  await notify(tx, [{ key: `person:${key}`, person_id: person.id, words }]);
  return say('passed_on');
}

async function giveBack(tx: Tx, house: House, person: Actor, key: string): Promise<void> {
  const { numUpdatedRows } = await tx
    .updateTable('handoffs')
    .set({ given_back_at: sql<Date>`now()` })
    .where('person_id', '=', person.id)
    .where('given_back_at', 'is', null)
    .where('until', '>', sql<Date>`now()`)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) return;
  const words = wordsFor(house, 'handoff_off', person.language, 'whatsapp');
  await notify(tx, [{ key: `given_back:${key}`, person_id: person.id, words }]);
}

async function tellAdmins(tx: Tx, message: (admin: bigint) => Message): Promise<void> {
  await notify(tx, (await withRole(tx, 'admin')).map(message));
}

/** As the admins know somebody: their name and number, as far as there are any. */
async function whoIs(tx: Tx, person: Actor): Promise<{ who: string; phone: string }> {
  const { rows } = await sql<{ value: string }>`
    select value from addresses where person_id = ${person.id} order by kind, id limit 1
  `.execute(tx);
  const phone = localPhone(rows[0]?.value ?? '');
  return { who: person.name ?? phone, phone };
}
