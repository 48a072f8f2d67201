import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { localPhone } from '../base/phone.ts';
import { shownText } from '../base/text.ts';
import type { Actor, Channel } from '../flow/action.ts';
import { normal } from '../flow/definition.ts';
import { isPinLike } from '../flow/answer.ts';
import { commandIn } from '../flow/navigation.ts';
import type { Heard } from '../flow/session.ts';
import { notify } from '../outbox/notify.ts';
import { firstName } from '../people/first-name.ts';
import { numberOf, personById } from '../people/find.ts';
import { tellAdmins } from '../people/tell-admins.ts';
import { type House, wordsFor } from './house.ts';

/** A person of the house answers in a chat, and Karani is silent there. */

const longest = '12 hours';
const asked_for_again_after = '1 hour';
// Of one chat: the admins read their payments in the same place.
const most_passed_on = 40;
const longest_passed_on = 500;

/**
 * Hands a chat to the admins: they are told, and what the person writes from now on goes to them,
 * for twelve hours or until one of them gives the chat back. On USSD nothing can be written; there
 * they are asked to call. Who asks again within the hour is not told of again.
 */
export async function handOver(
  tx: Tx,
  { actor, channel, key }: { actor: Actor; channel: Channel; key: string },
): Promise<void> {
  const { rows } = await sql`
    insert into handoffs (person_id, until, wanted_at) values (${actor.id}, now(), now())
    on conflict (person_id) do update set wanted_at = now()
    where coalesce(handoffs.wanted_at < now() - ${asked_for_again_after}::interval, true)
       or handoffs.given_back_at is not null
    returning person_id
  `.execute(tx);
  if (channel !== 'ussd') await takeOver(tx, actor.id, channel);
  if (rows.length === 0) return;
  const values = await whoIs(tx, actor);
  await tellAdmins(tx, { key: `person_wanted:${key}`, template: 'person_wanted', values });
}

// What they were in the middle of is over: an answer to it, which may be a secret, would be passed
// on.
async function takeOver(
  tx: Tx,
  person_id: bigint,
  channel: 'whatsapp' | 'sms',
  by_phone = false,
): Promise<void> {
  await sql`
    with ended as (
      delete from sessions where person_id = ${person_id} and channel <> 'ussd'
    )
    insert into handoffs (person_id, until, channel, by_phone)
    values (${person_id}, now() + ${longest}::interval, ${channel}, ${by_phone})
    on conflict (person_id) do update
    set since = now(), until = excluded.until, given_back_at = null, passed_on = 0,
        by_phone = excluded.by_phone,
        channel = coalesce(case when handoffs.until > now() then handoffs.channel end, excluded.channel)
  `.execute(tx);
}

/** Passes on to the admins what somebody wrote in a chat that is theirs. */
export async function passOn(
  tx: Tx,
  house: House,
  { actor, key, text }: { actor: Actor; key: string; text: string },
): Promise<void> {
  const { rows } = await sql<{ passed_on: number; by_phone: boolean }>`
    update handoffs set passed_on = passed_on + 1 where person_id = ${actor.id}
    returning passed_on, by_phone
  `.execute(tx);
  const nth = rows[0]?.passed_on ?? 0;
  // On the phone on which it is answered it can be read.
  if (nth > most_passed_on || rows[0]?.by_phone) return;
  const said = shownText(text, longest_passed_on);
  // Digits alone may be a PIN, and are kept nowhere.
  const hidden = wordsFor(house, 'digits_hidden', actor.language, 'whatsapp');
  const values = {
    ...(await whoIs(tx, actor)),
    text: isPinLike(said) ? hidden : said,
    more: nth === most_passed_on ? '...' : '-',
  };
  await tellAdmins(tx, { key: `person_said:${key}`, template: 'person_said', values });
}

/** The messages to which an admin's answer goes to the person whom they tell of. */
export const tells_of_person = ['person_wanted', 'person_said', 'person_taken'];

const done = new Set(['done', 'maliza', 'nimemaliza', 'imekwisha']);

/** Whether these words give a chat back. */
export function isDone(text: string): boolean {
  return done.has(normal(text));
}

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
    .where('template', 'in', tells_of_person)
    .executeTakeFirst();
  const id = told && 'person' in told.values ? String(told.values['person']) : undefined;
  if (id === undefined || text === '' || !actor.roles.includes('admin')) return undefined;
  const person = await personById(tx, BigInt(id));
  const { who } = await whoIs(tx, person);
  const say = (name: string) =>
    wordsFor({ ...house, values: { ...house.values, who } }, name, actor.language, 'whatsapp');
  if (isDone(text)) {
    await giveBack(tx, house, person, key);
    return say('given_back');
  }
  await takeOver(tx, person.id, 'whatsapp');
  const from = firstName(actor.name ?? '');
  const words = from === '' ? text : `${from}: ${text}`;
  await notify(tx, [
    { key: `person:${key}`, person_id: person.id, words, ...(await wayTo(tx, person)) },
  ]);
  return say('passed_on');
}

/**
 * An admin says DONE and answers no message with it: the only chat that is theirs is given back.
 * Returns what the admin is told; undefined when there is none, or it says something else.
 */
export async function doneWithOnly(
  tx: Tx,
  house: House,
  { actor, key, text }: { actor: Actor; key: string; text: string },
): Promise<string | undefined> {
  if (!isDone(text) || !actor.roles.includes('admin')) return undefined;
  const { rows } = await sql<{ person_id: bigint }>`
    select person_id from handoffs where until > now() and given_back_at is null limit 2
  `.execute(tx);
  const [only, ...others] = rows;
  if (!only) return undefined;
  if (others.length > 0) return wordsFor(house, 'several_chats', actor.language, 'whatsapp');
  const person = await personById(tx, only.person_id);
  await giveBack(tx, house, person, key);
  const { who } = await whoIs(tx, person);
  const values = { ...house.values, who };
  return wordsFor({ ...house, values }, 'given_back', actor.language, 'whatsapp');
}

/** What somebody means by what they write while a person of the house answers them. */
export function meantForUs(
  { flows }: House,
  { actor, input }: { actor: Actor; input: Heard },
): 'menu' | 'word' | 'start' | undefined {
  if (typeof input !== 'string') return input.type === 'tap' ? 'menu' : undefined;
  const command = commandIn(input, 'whatsapp', undefined);
  if (command === 'start') return 'start';
  if (command === 'home' || command === 'help') return 'menu';
  if (command !== undefined) return undefined;
  const flow = flows.flows.get(flows.starts.get(normal(input)) ?? '');
  const needs = flow?.needs;
  const open = !needs || actor.roles.some((role) => needs.includes(role));
  return flow?.title && open ? 'word' : undefined;
}

/** Who was handed over has the menu back because they want it. */
export async function bringBackMenu(tx: Tx, person_id: bigint): Promise<void> {
  await sql`
    update handoffs set given_back_at = now() where person_id = ${person_id} and given_back_at is null
  `.execute(tx);
}

/**
 * Somebody of the house has written in this chat on the phone that has the number: Karani is silent
 * there, and the admins are told how it goes on. One of the words that give a chat back gives it
 * back.
 */
export async function answeredOnPhone(
  tx: Tx,
  house: House,
  { actor, key, text }: { actor: Actor; key: string; text: string },
): Promise<void> {
  if (isDone(text)) return giveBack(tx, house, actor, key);
  const told_before = await isHandedOver(tx, actor);
  await takeOver(tx, actor.id, 'whatsapp', true);
  if (told_before) return;
  const values = await whoIs(tx, actor);
  await tellAdmins(tx, { key: `person_taken:${key}`, template: 'person_taken', values });
}

/** Whether a person of the house answers this person now. */
export async function isHandedOver(tx: Tx, { id }: Actor): Promise<boolean> {
  const { rows } = await sql`
    select from handoffs where person_id = ${id} and until > now() and given_back_at is null
  `.execute(tx);
  return rows.length > 0;
}

async function giveBack(tx: Tx, house: House, person: Actor, key: string): Promise<void> {
  const way = await wayTo(tx, person);
  const { numUpdatedRows } = await tx
    .updateTable('handoffs')
    .set({ given_back_at: sql<Date>`now()` })
    .where('person_id', '=', person.id)
    .where('given_back_at', 'is', null)
    .where('until', '>', sql<Date>`now()`)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 0n) return;
  const words = wordsFor(house, 'handoff_off', person.language, 'whatsapp');
  await notify(tx, [{ key: `given_back:${key}`, person_id: person.id, words, ...way }]);
}

/** The channel on which they asked; who asked on USSD is written to wherever they are. */
async function wayTo(tx: Tx, person: Actor): Promise<{ channel?: 'sms' }> {
  const { rows } = await sql`
    select from handoffs where person_id = ${person.id} and channel = 'sms'
  `.execute(tx);
  return rows.length > 0 ? { channel: 'sms' } : {};
}

/**
 * Somebody as the admins need to know them: a name may be one that they gave themselves, and a
 * WhatsApp without a proven number anybody's.
 */
async function whoIs(tx: Tx, person: Actor) {
  const number = await numberOf(tx, person.id);
  const address = number ?? (await whatsAppOf(tx, person.id)) ?? '';
  // WhatsApp's own id of an account is no number, though it looks like one.
  const phone = address.endsWith('@lid') ? '-' : localPhone(address);
  const proven = number !== undefined;
  return {
    who: person.name ?? (phone === '-' ? 'WhatsApp' : phone),
    proven: proven ? phone : '-',
    unproven: proven ? '-' : phone,
    person: String(person.id),
  };
}

async function whatsAppOf(tx: Tx, person_id: bigint): Promise<string | undefined> {
  const { rows } = await sql<{ value: string }>`
    select value from addresses where person_id = ${person_id} and kind = 'whatsapp'
    order by id limit 1
  `.execute(tx);
  return rows[0]?.value;
}
