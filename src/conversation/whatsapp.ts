import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import { type Db, type Tx, inTransaction } from '../base/db.ts';
import { assert } from '../base/errors.ts';
import { sha256 } from '../base/secrets.ts';
import {
  messagesOf,
  type WhatsAppMessage,
  WhatsAppWebhook,
} from '../channels/whatsapp-cloud/payloads.ts';
import { readTap } from '../channels/whatsapp-cloud/content.ts';
import { normal } from '../flow/definition.ts';
import type { Actor } from '../flow/action.ts';
import type { Heard } from '../flow/session.ts';
import { isPinLike } from '../flow/step.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { type Choices, notify } from '../outbox/notify.ts';
import { lockPersonAt } from '../people/find.ts';
import { answerAsPerson } from './handoff.ts';
import { questionMeant, questionOver } from './questions.ts';
import { claimTurn, type Said, takeTurn } from './turn.ts';
import type { House } from './house.ts';

/**
 * Answers the WhatsApp messages that wait in the inbox, a person's in the order they came, in
 * however many processes.
 */
export async function takeTurns(
  db: Db,
  house: House,
  more: () => boolean = () => true,
): Promise<number> {
  const work = async (tx: Tx, rows: Kept[]) => {
    for (const row of rows) {
      const webhook = WhatsAppWebhook.parse(JSON.parse(row.body));
      await answerAll(tx, house, row.id, messagesOf(webhook));
    }
  };
  // One at a time: each commit holds the lock of the one person whose turn it is.
  return drainInbox(db, { source: 'whatsapp', batch_size: 1, work }, more);
}

async function answerAll(
  tx: Tx,
  house: House,
  inbox_id: bigint,
  messages: WhatsAppMessage[],
): Promise<void> {
  for (const message of messages) {
    const actor = await lockPersonAt(tx, 'whatsapp', message.from, message.name);
    const key = `whatsapp:${message.id}`;
    const { from } = message;
    if (!(await claimTurn(tx, { key, actor, inbox_id, kind: 'whatsapp', from }))) continue;
    const said =
      (await asPerson(tx, house, actor, message)) ?? (await turnOf(tx, house, actor, message));
    if (said.silent) continue;
    const { words, choices, person_id = actor.id } = said;
    await notify(tx, [{ key: `turn:${key}`, person_id, words, choices, channel: 'whatsapp' }]);
  }
}

async function asPerson(
  tx: Tx,
  house: House,
  actor: Actor,
  { id, answers, text }: WhatsAppMessage,
): Promise<Said | undefined> {
  if (answers === null) return undefined;
  const it = { actor, key: `whatsapp:${id}`, answers, text: text ?? '' };
  const words = await answerAsPerson(tx, house, it);
  return words === undefined ? undefined : { words, over: true };
}

async function turnOf(tx: Tx, house: House, actor: Actor, message: WhatsAppMessage): Promise<Said> {
  const heard = { actor, channel: 'whatsapp', key: `whatsapp:${message.id}` } as const;
  const text = message.text ?? '';
  const { answers } = message;
  const meant = await questionMeant(tx, actor, { channel: 'whatsapp', text, answers });
  if (!meant) {
    return takeTurn(tx, house, { ...heard, input: await inputOf(tx, actor.id, message) });
  }
  if (meant.over) return questionOver(house, actor, 'whatsapp', meant.ref);
  const tap = message.tapped === null ? undefined : readTap(message.tapped);
  const input = tap ? { type: 'tap' as const, ...tap } : (meant.rest ?? message.sent ?? text);
  return takeTurn(tx, house, { ...heard, input, question: meant.ref });
}

/** What a message says to the conversation: a tap, a thing, or words. */
async function inputOf(tx: Tx, person_id: bigint, message: WhatsAppMessage): Promise<Heard> {
  const tap = message.tapped === null ? undefined : readTap(message.tapped);
  if (tap) return { type: 'tap', ...tap };
  if (message.sent) return message.sent;
  const text = message.text ?? '';
  return message.answers === null ? text : ((await quotedChoice(tx, person_id, message)) ?? text);
}

// "1" below a quoted question is an answer to that one, and not to the last.
async function quotedChoice(
  tx: Tx,
  person_id: bigint,
  { answers, text }: WhatsAppMessage,
): Promise<Heard | undefined> {
  const row = await tx
    .selectFrom('outbox')
    .select('choices')
    .where('provider_id', '=', answers)
    .where('person_id', '=', person_id)
    .executeTakeFirst();
  const choices = row?.choices as Choices | null | undefined;
  const said = normal(text ?? '');
  const chosen = choices?.options.find(
    ({ label }, index) => said === String(index + 1) || said === normal(label),
  );
  return chosen && choices ? { type: 'tap', at: choices.at, id: chosen.id } : undefined;
}

// What could be a PIN or a code, were it asked for.
const like_a_secret = /^\s*\d[\d\s]{2,14}\s*$/;
const longest_wait_ms = 2_000;

/**
 * Takes a webhook in which somebody answers a question for a PIN or a code. Such an answer is in no
 * row: it is used here, in the request, and what is kept of the webhook has it cut out. A webhook
 * that was answered already is taken too, and kept no second time, since its secret is not awaited
 * any more. Otherwise returns what to keep: the webhook, with zeros for digits that nobody asked
 * for, since they may be a PIN too.
 */
export async function takeSecretAnswers(
  db: Db,
  house: House,
  webhook: WhatsAppWebhook,
  body: string,
  from_ip: string | null,
): Promise<string | undefined> {
  const messages = messagesOf(webhook);
  const suspect = messages.filter((m) => like_a_secret.test(m.text ?? ''));
  if (suspect.length > 0) await finishEarlierTurns(db, house);
  const { answered, awaited, typing, answering } = await lookAhead(db, messages);
  if (messages.length > 0 && answered.size === messages.length) return undefined;
  // Beside others, it may answer what one of those leads to, or be one that was answered before.
  const among_others = suspect.length > 0 && messages.length > 1;
  if (awaited.size === 0 && !among_others) {
    const unasked = messages.filter(
      (m) => isPinLike(m.text ?? '') && !typing.has(m.from) && !answering.has(m.answers ?? ''),
    );
    return unasked.length === 0 ? body : withZeros(body, new Set(unasked.map((m) => m.id)));
  }
  const cut = messages.filter(
    (m) => awaited.has(m.from) || answered.has(m.id) || (among_others && suspect.includes(m)),
  );
  const kept = withoutTexts(body, new Set(cut.map((m) => m.id)));
  await inTransaction(db, async (tx) => {
    const { rows } = await sql<{ id: bigint }>`
      insert into inbox (source, body, body_hash, from_ip, state, done_at)
      values ('whatsapp', ${kept}, ${sha256(kept)}, ${from_ip}::inet, 'done', now())
      on conflict (source, body_hash) do update set done_at = now()
      returning id
    `.execute(tx);
    const [row] = rows;
    assert(row, 'an inserted row has an id');
    await answerAll(tx, house, row.id, messages);
  });
  return undefined;
}

// What was written just before may be what leads to the question: it is answered first, and what
// another process is answering this moment is waited for.
async function finishEarlierTurns(db: Db, house: House): Promise<void> {
  const until = clock.now().getTime() + longest_wait_ms;
  await takeTurns(db, house, () => clock.now().getTime() < until);
  await sql`
    select 1 from inbox where state = 'new' and source = 'whatsapp' and due_at <= now() for share
  `.execute(db);
}

type Ahead = 'answered' | 'awaited' | 'typing' | 'answering';

async function lookAhead(db: Db, messages: WhatsAppMessage[]): Promise<Record<Ahead, Set<string>>> {
  const keys = messages.map((m) => `whatsapp:${m.id}`);
  const { rows } = await sql<Record<Ahead, string[]>>`
    with waiting as (
      select a.value, s.awaits_secret, s.takes_digits
      from addresses a join sessions s on s.person_id = a.person_id
      where s.channel = 'whatsapp' and a.kind = 'whatsapp'
        and a.value = any(${messages.map((m) => m.from)}::text[])
    )
    select array(select substr(key, 10) from turns where key = any(${keys}::text[])) as answered,
           array(select value from waiting where awaits_secret) as awaited,
           array(select value from waiting where takes_digits) as typing,
           -- What an admin writes to somebody who wanted a person is for them to read.
           array(select provider_id from outbox
                 where provider_id = any(${messages.flatMap((m) => m.answers ?? [])}::text[])
                   and template in ('person_wanted', 'person_said')) as answering
  `.execute(db);
  const [found] = rows;
  return {
    answered: new Set(found?.answered),
    awaited: new Set(found?.awaited),
    typing: new Set(found?.typing),
    answering: new Set(found?.answering),
  };
}

/** The webhook with what these messages say cut out, however it was written. */
function withoutTexts(body: string, ids: ReadonlySet<string>): string {
  return JSON.stringify(JSON.parse(body), function cut(this: unknown, key: string, value: unknown) {
    const id = typeof this === 'object' && this !== null && 'id' in this ? String(this.id) : '';
    return ids.has(id) && !['from', 'id', 'timestamp', 'type'].includes(key) ? '[cut]' : value;
  });
}

/** The webhook with zeros for the digits of these messages' texts. */
function withZeros(body: string, ids: ReadonlySet<string>): string {
  return JSON.stringify(JSON.parse(body), function cut(this: unknown, key: string, value: unknown) {
    const id = typeof this === 'object' && this !== null && 'id' in this ? String(this.id) : '';
    if (!ids.has(id) || key !== 'text') return value;
    return JSON.parse(JSON.stringify(value).replace(/\d/g, '0')) as unknown;
  });
}
