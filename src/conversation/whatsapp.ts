import { clock } from '../base/clock.ts';
import type { Db, Tx } from '../base/db.ts';
import { readTap } from '../channels/whatsapp-cloud/content.ts';
import {
  messagesOf,
  type WhatsAppMessage,
  WhatsAppWebhook,
} from '../channels/whatsapp-cloud/payloads.ts';
import { LinkedMessage } from '../channels/whatsapp-linked/payloads.ts';
import type { Actor } from '../flow/action.ts';
import { normal } from '../flow/definition.ts';
import type { Heard } from '../flow/session.ts';
import { isStop } from '../flow/navigation.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { type Choices, notify } from '../outbox/notify.ts';
import { lockPersonAt } from '../people/find.ts';
import { knownAs, learnIds } from '../people/whatsapp-ids.ts';
import { answerAsPerson, doneWithOnly, answeredOnPhone, isHandedOver } from './handoff.ts';
import { type House, wordsFor } from './house.ts';
import { noteTalk, questionMeant, questionOver } from './questions.ts';
import { tooOften } from './refusals.ts';
import { claimTurn, type Said, takeTurn } from './turn.ts';

/** What somebody wrote to one of our numbers on WhatsApp. */
export type Message = Pick<
  WhatsAppMessage,
  'id' | 'from' | 'name' | 'text' | 'tapped' | 'sent' | 'answers'
> & {
  /** This turn's own name. */
  key: string;
  /** Of the linked number: what only there is known. */
  linked?: LinkedMessage;
};

/** Where messages on WhatsApp come from, and how what was kept of them reads. */
export const sources = {
  whatsapp: (body: string): Message[] =>
    messagesOf(WhatsAppWebhook.parse(JSON.parse(body))).map((message) => ({
      ...message,
      key: `whatsapp:${message.id}`,
    })),
  whatsapp_linked: (body: string): Message[] => {
    const linked = LinkedMessage.parse(JSON.parse(body));
    return [{ ...linked, tapped: null, key: `linked:${linked.chat}:${linked.id}`, linked }];
  },
};
export type Source = keyof typeof sources;

/**
 * Answers the WhatsApp messages that wait in the inbox, a person's in the order they came, in
 * however many processes.
 */
export async function takeTurns(
  db: Db,
  house: House,
  more: () => boolean = () => true,
): Promise<number> {
  const take = (source: Source) => {
    const work = async (tx: Tx, rows: Kept[]) => {
      for (const row of rows) await answerAll(tx, house, row.id, sources[source](row.body));
    };
    // One at a time: each commit holds the lock of the one person whose turn it is.
    return drainInbox(db, { source, batch_size: 1, work }, more);
  };
  const [taken, taken_linked] = await Promise.all([
    take('whatsapp'),
    house.numbers.linked ? take('whatsapp_linked') : 0,
  ]);
  return taken + taken_linked;
}

/** Answers messages of one inbox row, each once. */
export async function answerAll(
  tx: Tx,
  house: House,
  inbox_id: bigint,
  messages: readonly Message[],
): Promise<void> {
  for (const message of messages) {
    const { key, linked } = message;
    if (linked && !linked.from_me) await learnIds(tx, linked);
    const from = (linked && (await knownAs(tx, linked))) ?? message.from;
    const actor = await lockPersonAt(tx, 'whatsapp', from, message.name);
    const heard = linked?.from_me ? undefined : { from, linked };
    const counts = !linked?.from_me && !linked?.stale && !isStop(message.text);
    const turn = { key, actor, channel: 'whatsapp', inbox_id, heard, counts } as const;
    const refusals = await claimTurn(tx, turn);
    if (refusals === undefined) continue;
    const said = await saidTo(tx, house, actor, { ...message, refusals });
    if (said.silent) continue;
    const { words, choices, question, person_id = actor.id } = said;
    const told = linked?.stale ? `were_away:${actor.id}:${thisHour()}` : `turn:${key}`;
    const about = question === undefined ? {} : { question };
    await notify(tx, [{ key: told, person_id, words, choices, channel: 'whatsapp', ...about }]);
  }
}

// However much was written while nobody read it, that is said once.
const thisHour = () => Math.floor(clock.now().getTime() / 3_600_000);

const silent: Said = { words: '', over: true, silent: true };

async function saidTo(
  tx: Tx,
  house: House,
  actor: Actor,
  message: Message & { refusals: number },
): Promise<Said> {
  const { key, linked, refusals } = message;
  // What was typed on the phone hours ago takes over nothing now.
  if (linked?.stale && (linked.from_me || (await isHandedOver(tx, actor)))) return silent;
  if (linked?.from_me) {
    await answeredOnPhone(tx, house, { actor, key, text: message.text ?? '' });
    return silent;
  }
  if (linked?.stale) {
    return { words: wordsFor(house, 'were_away', actor.language, 'whatsapp'), over: true };
  }
  const input = message.text ?? '';
  const refused = await tooOften(tx, house, { actor, channel: 'whatsapp', key, refusals, input });
  if (refused) return refused;
  return (await asPerson(tx, house, actor, message)) ?? (await turnOf(tx, house, actor, message));
}

async function asPerson(
  tx: Tx,
  house: House,
  actor: Actor,
  { key, answers, text }: Message,
): Promise<Said | undefined> {
  const said = { actor, key, text: text ?? '' };
  const words =
    (answers === null ? undefined : await answerAsPerson(tx, house, { ...said, answers })) ??
    (await doneWithOnly(tx, house, said));
  return words === undefined ? undefined : { words, over: true };
}

async function turnOf(tx: Tx, house: House, actor: Actor, message: Message): Promise<Said> {
  const { key, answers, linked } = message;
  const heard = { actor, channel: 'whatsapp', key, linked: linked !== undefined } as const;
  const text = message.text ?? '';
  const meant = await questionMeant(tx, actor, { channel: 'whatsapp', text, answers });
  if (!meant) {
    await noteTalk(tx, actor, undefined);
    return takeTurn(tx, house, { ...heard, input: await inputOf(tx, actor.id, message) });
  }
  if (meant.over) return questionOver(house, actor, 'whatsapp', meant.ref);
  const tap = message.tapped === null ? undefined : readTap(message.tapped);
  const input = tap ? { type: 'tap' as const, ...tap } : (meant.rest ?? message.sent ?? text);
  const said = await takeTurn(tx, house, { ...heard, input, question: meant.ref });
  await noteTalk(tx, actor, said.question);
  return said;
}

/** What a message says to the conversation: a tap, a thing, or words. */
async function inputOf(tx: Tx, person_id: bigint, message: Message): Promise<Heard> {
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
  { answers, text }: Message,
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
