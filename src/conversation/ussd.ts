import { sql } from 'kysely';
import { Busy, type Db, type Tx, inSavepoint, inTransaction } from '../base/db.ts';
import { sendAhead } from '../base/connection.ts';
import { assert, messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { sha256 } from '../base/secrets.ts';
import type { KeyPress } from '../channels/ussd/gateway.ts';
import type { Actor, Language } from '../flow/action.ts';
import type { Session } from '../flow/session.ts';
import { isPinLike } from '../flow/answer.ts';
import { notify } from '../outbox/notify.ts';
import { actor_columns, lockAhead, locked_person, lockPersonAt } from '../people/find.ts';
import { awaitsChoice, DoesMore, type Loaded, type Said, takeTurn } from './turn.ts';
import { type House, wordsFor } from './house.ts';
import { countingTurn, tooOften } from './refusals.ts';

interface GatewaySession {
  turn: number;
  text_length: number;
  text_hash: string;
  reply: string;
  over: boolean;
}

/** What whoever waits for an answer and whoever makes it tell each other. */
export interface Patience {
  /** Nobody waits any more: the phone was told that the answer comes by SMS. */
  late: boolean;
  /** Nobody waits any more: the phone was told to dial again, and nothing is to be done. */
  gone: boolean;
  /** The answer is being committed, and worth waiting for. */
  nearly_done: boolean;
  /** Whom the words are for, once that is known. */
  language?: Language;
}

export interface Pressed {
  press: KeyPress;
  from_ip: string | null;
  patience: Patience;
}

/**
 * One key press on USSD, answered in the request itself: the request without its secrets, the turn
 * and its answer in one commit. The same request again gets the same answer. What is ready when
 * nobody waits any more goes by SMS.
 */
export async function answerUssd(
  db: Db,
  house: House,
  key: string,
  pressed: Pressed,
): Promise<Said> {
  const { press, patience } = pressed;
  return inTransaction(db, async (tx) => {
    const { actor, loaded, asked, before, refusals } = await loadDialling(tx, press);
    if (patience.gone) throw new Busy();
    patience.language = actor.language;
    const now = press.newAnswer(key, before);
    if (before && now.kind === 'repeat') return { words: before.reply, over: before.over };

    const text = now.kind === 'answer' ? now.text : '';
    const secret = now.kind === 'answer' && maybeSecret(asked, text);
    const turn = (before?.turn ?? 0) + 1;
    const turn_key = `ussd:${press.session}:${turn}`;
    const { msisdn } = press;
    const heard = { actor, channel: 'ussd' as const, msisdn, input: text, key: turn_key };
    let said =
      (await tooOften(tx, house, { ...heard, refusals })) ??
      (await takeTurn(tx, house, { ...heard, dialled: now.kind === 'dialled' }, loaded));
    if (now.kind === 'dialled')
      said = await pickAlong(tx, house, heard, { picks: now.picks, said });
    patience.nearly_done = !patience.late;
    if (patience.late) said = await sayLater(tx, house, heard, said);
    await keepAnswered(tx, key, pressed, { actor, turn, answer: secret ? null : text, said });
    return said;
  });
}

/** Says by SMS what was committed when nobody waited any more. */
export async function tellLate(
  db: Db,
  house: House,
  { press, key, said }: { press: KeyPress; key: string; said: Said },
): Promise<void> {
  const { text_length } = press.heardNow(key);
  await inTransaction(db, async (tx) => {
    const actor = await lockPersonAt(tx, 'msisdn', press.msisdn);
    const { session, msisdn } = press;
    await sayLater(tx, house, { actor, msisdn, key: `${session}:${text_length}` }, said);
  }).catch((error: unknown) => {
    log.error({ error: messageOf(error) }, 'nobody could be told what was done for them');
  });
}

/** Says by SMS that there will be no answer, after one was promised. */
export async function apologise(db: Db, house: House, { msisdn, session }: KeyPress) {
  await inTransaction(db, async (tx) => {
    const { id, language } = await lockPersonAt(tx, 'msisdn', msisdn);
    const words = wordsFor(house, 'down', language, 'sms');
    await notify(tx, [
      { key: `sorry:${session}`, person_id: id, words, channel: 'sms', to_msisdn: msisdn },
    ]);
  }).catch((error: unknown) => {
    log.error({ error: messageOf(error) }, 'nobody could be told that an answer will not come');
  });
}

/**
 * Chooses what was dialled along with the code, as far as that only shows something: it stops
 * before whatever is to be typed, and before whatever would be done with what was chosen.
 */
async function pickAlong(
  tx: Tx,
  house: House,
  heard: { actor: Actor; channel: 'ussd'; msisdn: string; key: string },
  { picks, said }: { picks: string[]; said: Said },
): Promise<Said> {
  let shown = said;
  for (const [index, input] of picks.entries()) {
    if (shown.over || !(await awaitsChoice(tx, house, heard))) break;
    const key = `${heard.key}:${index + 1}`;
    try {
      shown = await inSavepoint(tx, () =>
        takeTurn(tx, house, { ...heard, input, key, only_looks: true }),
      );
    } catch (error) {
      if (error instanceof DoesMore) break;
      throw error;
    }
  }
  return shown;
}

async function sayLater(
  tx: Tx,
  house: House,
  { actor, msisdn, key }: { actor: Actor; msisdn: string; key: string },
  said: Said,
): Promise<Said> {
  const go_on = said.over ? '' : `\n${wordsFor(house, 'dial_on', actor.language, 'ussd')}`;
  await notify(tx, [
    {
      key: `late:${key}`,
      person_id: actor.id,
      words: said.words + go_on,
      channel: 'sms',
      to_msisdn: msisdn,
    },
  ]);
  return { words: wordsFor(house, 'slow', actor.language, 'ussd'), over: true };
}

/** Who dials, what they are asked for, and what was answered in this session of the gateway's. */
interface Dialling {
  actor: Actor;
  loaded: Loaded;
  asked: Asked;
  before: GatewaySession | undefined;
  /** How often in a row they came too often. */
  refusals: number;
}

interface Asked {
  awaits_secret: boolean | null;
  takes_digits: boolean | null;
}

async function loadDialling(tx: Tx, press: KeyPress): Promise<Dialling> {
  await lockAhead(tx, 'msisdn', press.msisdn);
  const known = await dialling(tx, press);
  if (known) return known;
  await lockPersonAt(tx, 'msisdn', press.msisdn);
  const found = await dialling(tx, press);
  assert(found, 'a person is there once their address is locked');
  return found;
}

// All in one, as every key press comes through here. Undefined of somebody whom we do not know yet,
// or who was found to be another while we waited for them.
async function dialling(
  tx: Tx,
  { msisdn, session: gateway_id }: KeyPress,
): Promise<Dialling | undefined> {
  const { rows } = await sql<
    Actor &
      Asked & { now: Date; body: Session | null; before: GatewaySession | null; refusals: number }
  >`
    with counted as (
      ${countingTurn('ussd', sql`select ${locked_person}`)}
    )
    select ${actor_columns}, now(), (select refusals from counted), s.body, s.awaits_secret, s.takes_digits,
      (select to_jsonb(g) from (
        select turn, text_length, text_hash, reply, over from ussd_sessions
        where gateway_id = ${gateway_id} and person_id = p.id) g) as before
    from addresses a join people p on p.id = a.person_id
    left join sessions s on s.person_id = p.id and s.channel = 'ussd'
    where a.kind = 'msisdn' and a.value = ${msisdn} and p.id = ${locked_person}
  `.execute(tx);
  const [row] = rows;
  if (!row) return undefined;
  const { now, body, before, awaits_secret, takes_digits, refusals, ...actor } = row;
  return {
    refusals,
    actor,
    loaded: { now, session: body ?? undefined, handed_over: false },
    asked: { awaits_secret, takes_digits },
    before: before ?? undefined,
  };
}

// What was asked for as a secret, and digits that nobody asked for: they may be a PIN.
function maybeSecret({ awaits_secret, takes_digits }: Asked, text: string): boolean {
  return awaits_secret === true || (isPinLike(text) && takes_digits !== true);
}

// In one statement, as every key press comes through here. Not the request as it came: its `text`
// may repeat every earlier answer, secrets included.
async function keepAnswered(
  tx: Tx,
  key: string,
  { press, from_ip }: Pressed,
  { actor, turn, answer, said }: { actor: Actor; turn: number; answer: string | null; said: Said },
): Promise<void> {
  const heard = press.heardNow(key);
  const body = JSON.stringify({
    session: press.session,
    turn,
    phone: press.msisdn,
    code: press.code,
    network: press.network,
    ...heard,
    ...(answer === null ? {} : { answer }),
  });
  const statement = sql`
    with kept as (
      insert into inbox (source, body, body_hash, from_ip, state, done_at)
      values ('ussd', ${body}, ${sha256(body)}, ${from_ip}::inet, 'done', now())
      on conflict (source, body_hash) do nothing
    )
    insert into ussd_sessions (gateway_id, person_id, turn, text_length, text_hash, reply, over)
    values (${press.session}, ${actor.id}, ${turn}, ${heard.text_length}, ${heard.text_hash},
            ${said.words}, ${said.over})
    on conflict (gateway_id) do update set
      person_id = excluded.person_id, turn = excluded.turn, text_length = excluded.text_length,
      text_hash = excluded.text_hash, reply = excluded.reply, over = excluded.over, updated_at = now()
  `;
  await sendAhead(tx, statement);
}
