import { sql } from 'kysely';
import { type Db, type Tx, inSavepoint, inTransaction, isPassing } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import type { Actor, Channel } from '../flow/action.ts';
import { notify } from '../outbox/notify.ts';
import { lockPerson } from '../people/find.ts';
import { type House, wordsFor } from './house.ts';
import { noteRefused } from './refusals.ts';
import { type Said, takeTurn } from './turn.ts';

/** Questions that Karani asks of itself, and which of them an answer is meant for. */

/** Asks what waits to be asked, each in a commit of its own. */
export async function askQuestions(db: Db, house: House, more: () => boolean): Promise<void> {
  while (more()) {
    if (!(await inTransaction(db, (tx) => askOne(tx, house)))) return;
  }
}

async function askOne(tx: Tx, house: House): Promise<boolean> {
  const { rows } = await sql<{ ref: string; person_id: bigint }>`
    select ref, person_id from questions
    where asked_at is null and ended_at is null and due_at <= now()
    order by due_at limit 1 for update skip locked
  `.execute(tx);
  const [question] = rows;
  if (!question) return false;
  const { ref, person_id } = question;
  const row = sql`where ref = ${ref} and person_id = ${person_id}`;
  try {
    await inSavepoint(tx, async () => {
      const actor = await lockPerson(tx, person_id);
      const key = `question:${ref}:${person_id}`;
      const heard = { actor, channel: 'whatsapp', input: '', key, question: ref } as const;
      const { words, choices, over } = await takeTurn(tx, house, heard);
      await sql`update questions set asked_at = now() ${row}`.execute(tx);
      // What is over before it was asked has nothing to ask.
      if (over) await sql`update questions set ended_at = now() ${row}`.execute(tx);
      else await notify(tx, [{ key, person_id, words, choices, question: ref }]);
    });
  } catch (error) {
    if (isPassing(error)) throw error;
    log.error({ question: ref, error: messageOf(error) }, 'a question could not be asked');
    await sql`update questions set due_at = now() + interval '1 minute' ${row}`.execute(tx);
  }
  return true;
}

/** A question's reference, where digits stand behind it: "RQ7 1". */
export const reference_before = /^\s*[a-z]{2}\d{1,9}[\s:,.-]+(?=\d)/i;

/** The question that is answered, and what is left to say to it. */
export type Meant = {
  ref: string;
  rest: string | undefined;
  over: boolean;
  /** Whether it asks for a secret now. */
  secret: boolean;
};

/**
 * Which question a message is for: the one that it quotes or taps, the one whose reference it
 * begins with ("UM7 1"), the one that they were just talking about, or for a bare number the only
 * one that is open while nothing else is.
 */
export async function questionMeant(
  tx: Tx,
  actor: Actor,
  it: { channel: Channel; text: string; answers: string | null },
): Promise<Meant | undefined> {
  const text = it.text.trim();
  const [, typed, rest] = /^([a-z]{2}\d{1,9})(?:[\s:,.-]+(.*))?$/is.exec(text) ?? [];
  const { rows } = await sql<Omit<Meant, 'rest'> & { named: boolean }>`
    select q.ref, q.ended_at is not null as over, q.awaits_secret as secret,
      q.ref = ${typed?.toUpperCase() ?? ''} as named
    from questions q
    where q.person_id = ${actor.id} and q.asked_at is not null and (
      q.ref = ${typed?.toUpperCase() ?? ''}
      or q.ref = (select o.question from outbox o
                  where o.provider_id = ${it.answers} and o.person_id = ${actor.id})
      or (${it.answers === null} and q.talked_at > now() - interval '1 hour'
          and q.ended_at is null and q.strict is not true)
      or (${/^\d{1,2}$/.test(text) && it.answers === null} and q.ended_at is null and not q.strict
          and not exists (
            select from questions other where other.person_id = q.person_id
              and other.asked_at is not null and other.ended_at is null and other.ref <> q.ref)
          and not exists (
            select from sessions s where s.person_id = q.person_id and s.channel = ${it.channel})))
    order by named desc limit 1
  `.execute(tx);
  const [found] = rows;
  if (!found) {
    if (typed !== undefined) await noteOthers(tx, actor, it.channel, typed.toUpperCase());
    return undefined;
  }
  const { named, ...question } = found;
  return { ...question, rest: named ? (rest ?? '') : undefined };
}

// To who has none of that reference it is like any word; that it is somebody's is noted.
async function noteOthers(tx: Tx, actor: Actor, channel: Channel, ref: string): Promise<void> {
  const { rows } = await sql<{ flow: string }>`
    select flow from questions where ref = ${ref} limit 1
  `.execute(tx);
  const [others] = rows;
  if (!others) return;
  const { flow } = others;
  await noteRefused(tx, { actor, channel, flow, step: '-', what: 'not_allowed' });
}

/** Notes which question somebody is talking about now; undefined when it is none. */
export async function noteTalk(tx: Tx, actor: Actor, ref: string | undefined): Promise<void> {
  await sql`
    update questions set talked_at = case when ref = ${ref ?? ''} then now() end
    where person_id = ${actor.id} and asked_at is not null and ended_at is null
      and (talked_at is not null or ref = ${ref ?? ''})
  `.execute(tx);
}

/** What is said to an answer that comes too late. */
export function questionOver(house: House, actor: Actor, channel: Channel, ref: string): Said {
  const values = { ...house.values, question: ref };
  const words = wordsFor({ ...house, values }, 'question_over', actor.language, channel);
  return { words, over: true };
}
