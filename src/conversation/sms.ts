import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import type { Db, Tx } from '../base/db.ts';
import { isStop } from '../flow/navigation.ts';
import { isPinLike } from '../flow/answer.ts';
import { InboundSms, OptOut, readForm } from '../channels/sms/payloads.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { notify } from '../outbox/notify.ts';
import { lockPersonAt, setReminders } from '../people/find.ts';
import {
  type Meant,
  noteTalk,
  questionMeant,
  questionOver,
  reference_before,
} from './questions.ts';
import { tooOften } from './refusals.ts';
import { claimTurn, type Heard, type Said, takeTurn } from './turn.ts';
import { type House, wordsFor } from './house.ts';

/** Answers the SMS that wait in the inbox, a person's in the order they came. */
export async function takeSms(db: Db, house: House, more: () => boolean): Promise<number> {
  const work = async (tx: Tx, rows: Kept[]) => {
    for (const row of rows) await answer(tx, house, row);
  };
  return drainInbox(db, { source: 'sms', batch_size: 1, work }, more);
}

async function answer(tx: Tx, house: House, row: Kept): Promise<void> {
  const sms = InboundSms.parse(readForm(row.body));
  const actor = await lockPersonAt(tx, 'msisdn', sms.from);
  const key = `sms:${sms.id}`;
  const heard = { actor, channel: 'sms', msisdn: sms.from, input: sms.text, key } as const;
  const refusals = await claimTurn(tx, {
    ...heard,
    inbox_id: row.id,
    counts: !isStop(sms.text),
  });
  if (refusals === undefined) return;
  const said =
    (await tooOften(tx, house, { ...heard, refusals })) ?? (await turnOf(tx, house, heard));
  if (said.silent) return;
  const about = said.question === undefined ? {} : { question: said.question };
  // To the number that it came from, of however many they have.
  const to = { person_id: actor.id, channel: 'sms', to_msisdn: sms.from } as const;
  await notify(tx, [{ key: `turn:${key}`, words: said.words, ...to, ...about }]);
}

async function turnOf(tx: Tx, house: House, heard: Heard & { input: string }): Promise<Said> {
  const { actor, input: text } = heard;
  const meant = await questionMeant(tx, actor, { channel: 'sms', text, answers: null });
  const said = await answerTo(tx, house, heard, meant);
  await noteTalk(tx, actor, said.question);
  return said;
}

async function answerTo(
  tx: Tx,
  house: House,
  heard: Heard,
  meant: Meant | undefined,
): Promise<Said> {
  if (!meant) return takeTurn(tx, house, heard);
  const { actor } = heard;
  if (meant.over) return questionOver(house, actor, 'sms', meant.ref);
  // A text message stays on the phone, and is no place for a secret: the question stays open.
  if (meant.secret) {
    const words = wordsFor(house, 'not_by_sms', actor.language, 'sms');
    return { words, over: false, question: meant.ref };
  }
  return takeTurn(tx, house, { ...heard, question: meant.ref, input: meant.rest ?? heard.input });
}

const longest_wait_ms = 2_000;

/** The form of an SMS with zeros for digits that nobody asked for: they may be a PIN. */
export async function withoutUnaskedDigits(db: Db, house: House, body: string): Promise<string> {
  const form = readForm(body);
  const { from, text } = InboundSms.parse(form);
  const [reference = ''] = reference_before.exec(text) ?? [];
  const digits = text.slice(reference.length);
  if (!isPinLike(digits)) return body;
  // What was written just before may be what leads to a question for digits.
  const until = clock.now().getTime() + longest_wait_ms;
  await takeSms(db, house, () => clock.now().getTime() < until);
  await sql`
    select 1 from inbox where state = 'new' and source = 'sms' and subject = ${from} for share
  `.execute(db);
  const { rows } = await sql`
    select from addresses a join sessions s on s.person_id = a.person_id
    where a.kind = 'msisdn' and a.value = ${from} and s.channel = 'sms' and s.takes_digits
  `.execute(db);
  if (rows.length > 0) return body;
  return new URLSearchParams({ ...form, text: reference + digits.replace(/\d/g, '0') }).toString();
}

/** Who told Africa's Talking that they want no SMS of ours has said STOP. */
export async function takeOptOuts(db: Db, more: () => boolean): Promise<number> {
  const work = async (tx: Tx, rows: Kept[]) => {
    for (const row of rows) {
      const { phoneNumber } = OptOut.parse(readForm(row.body));
      const { id } = await lockPersonAt(tx, 'msisdn', phoneNumber);
      await setReminders(tx, id, 'off');
    }
  };
  return drainInbox(db, { source: 'sms_optout', batch_size: 20, work }, more);
}
