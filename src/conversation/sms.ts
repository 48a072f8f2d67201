import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import type { Db, Tx } from '../base/db.ts';
import type { Actor } from '../flow/action.ts';
import { isPinLike } from '../flow/step.ts';
import { InboundSms, OptOut, readForm } from '../channels/sms/payloads.ts';
import { drainInbox, type Kept } from '../inbox/take.ts';
import { notify } from '../outbox/notify.ts';
import { lockPersonAt, setReminders } from '../people/find.ts';
import { noteTalk, questionMeant, questionOver } from './questions.ts';
import { tooOften } from './refusals.ts';
import { claimTurn, type Said, takeTurn } from './turn.ts';
import type { House } from './house.ts';

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
  const heard = { actor, channel: 'sms', input: sms.text, key } as const;
  const refusals = await claimTurn(tx, { ...heard, inbox_id: row.id });
  if (refusals === undefined) return;
  const said =
    (await tooOften(tx, house, { ...heard, refusals })) ?? (await turnOf(tx, house, heard));
  if (said.silent) return;
  const about = said.question === undefined ? {} : { question: said.question };
  await notify(tx, [
    { key: `turn:${key}`, person_id: actor.id, words: said.words, channel: 'sms', ...about },
  ]);
}

type Written = { actor: Actor; channel: 'sms'; input: string; key: string };

async function turnOf(tx: Tx, house: House, heard: Written): Promise<Said> {
  const { actor, input: text } = heard;
  const meant = await questionMeant(tx, actor, { channel: 'sms', text, answers: null });
  const said = meant?.over
    ? questionOver(house, actor, 'sms', meant.ref)
    : await takeTurn(tx, house, {
        ...heard,
        ...(meant && { question: meant.ref, input: meant.rest ?? text }),
      });
  await noteTalk(tx, actor, said.question);
  return said;
}

const longest_wait_ms = 2_000;

/** The form of an SMS with zeros for digits that nobody asked for: they may be a PIN. */
export async function withoutUnaskedDigits(db: Db, house: House, body: string): Promise<string> {
  const form = readForm(body);
  const { from, text } = InboundSms.parse(form);
  if (!isPinLike(text)) return body;
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
  return new URLSearchParams({ ...form, text: text.replace(/\d/g, '0') }).toString();
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
