import { sql } from 'kysely';
import { type Tx, inSavepoint, isPassing } from '../base/db.ts';
import { sendAhead } from '../base/connection.ts';
import { assert, messageOf, Refusal } from '../base/errors.ts';
import { log } from '../base/log.ts';
import type { Actor, Channel } from '../flow/action.ts';
import type { Flows } from '../flow/load.ts';
import { isStop } from '../flow/navigation.ts';
import {
  type Choices,
  type Heard as Input,
  type Session,
  type StepEvent,
} from '../flow/session.ts';
import {
  awaitsSecret,
  begin,
  type Context,
  dial,
  hear,
  settle,
  takesDigits,
  type Turn,
  waitsForChoice,
} from '../flow/step.ts';
import { notify } from '../outbox/notify.ts';
import { personById, setReminders } from '../people/find.ts';
import { learnContents } from './contents.ts';
import { type House, wordsFor } from './house.ts';
import { bringBackMenu, handOver, meantForUs, passOn } from './handoff.ts';
import { countingTurn, logRefused } from './refusals.ts';

export interface Heard {
  actor: Actor;
  channel: Channel;
  /** The number that they dial or write SMS from. */
  msisdn?: string;
  /** What was written, keyed, chosen or sent; empty for a fresh dial. */
  input: Input;
  /** A new dial on USSD, which says nothing. */
  dialled?: boolean;
  /**
   * Nothing may be done with what was chosen but show it, and it must be a choice: throws DoesMore
   * otherwise.
   */
  only_looks?: boolean;
  /** Whether it came by the number that is linked as a device. */
  linked?: boolean;
  /** The reference of the question that this answers, where it is one that Karani asked. */
  question?: string;
  /** This turn's own name, unique for ever: what makes its actions once-only. */
  key: string;
}

export interface Said {
  words: string;
  over: boolean;
  /** Whom it is said to, where who spoke is known by now to be another. */
  person_id?: bigint;
  /** The question that waits for what is written next, where it is one that Karani asked. */
  question?: string | undefined;
  /** Nothing is said: a person of the house answers here. */
  silent?: true;
  /** The question's choices, where the channel can show them as something to tap. */
  choices?: Choices | undefined;
}

// More than any flow can run between two questions; a flow that would loop is refused at load.
const most_actions_a_turn = 20;

/** Thrown by a turn that was only to look. */
export class DoesMore extends Error {}

/** Where on WhatsApp somebody wrote: an address, and of the linked number the chat too. */
export interface HeardAt {
  from: string;
  linked?: { chat: string; lid: string | null } | undefined;
}

/**
 * Writes down that a message is answered in this commit, and where somebody was heard. Returns how
 * often in a row they wrote too often; undefined when it was answered before.
 */
export async function claimTurn(
  tx: Tx,
  it: {
    key: string;
    actor: Actor;
    channel: Channel;
    inbox_id: bigint;
    heard?: HeardAt | undefined;
    /** Whether it is one more that they wrote now, as STOP never is. */
    counts: boolean;
  },
): Promise<number | undefined> {
  const { from = null, linked } = it.heard ?? {};
  const { rows } = await sql<{ refusals: number }>`
    with claimed as (
      insert into turns (key, person_id, inbox_id) values (${it.key}, ${it.actor.id}, ${it.inbox_id})
      on conflict do nothing returning person_id
    ), counted as (
      ${countingTurn(it.channel, sql`select person_id from claimed where ${it.counts}`)}
    ), heard as (
      update addresses set heard_at = now(), heard_by = ${linked ? 'linked' : 'cloud'},
        linked_chat = coalesce(${linked?.chat ?? null}, linked_chat),
        lid = coalesce(lid, ${linked?.lid ?? null})
      where kind = 'whatsapp' and value = ${from} and exists (select from claimed)
    )
    select coalesce((select refusals from counted), 0) as refusals from claimed
  `.execute(tx);
  return rows[0]?.refusals;
}

/**
 * One turn: the person's session takes one input, its actions run in this commit, each in a
 * savepoint, and the session is written back. The caller holds the person's lock and lets the words
 * leave after the commit; who has loaded the session already says so.
 */
export async function takeTurn(tx: Tx, house: House, heard: Heard, loaded?: Loaded): Promise<Said> {
  const { session, handed_over, now, asked } = loaded ?? (await loadSession(tx, heard));
  if (handed_over && !isStop(heard.input)) {
    const meant = meantForUs(house, heard);
    if (meant !== 'start') return besideAPerson(tx, house, heard, meant);
    await bringBackMenu(tx, heard.actor.id);
  }
  if (session) await learnContents(tx, house.flows, session);
  const events: StepEvent[] = [];
  let { actor } = heard;
  let context = contextFor(house, heard, { actor, events, now });
  let turn = firstTurn(house, heard, { session, asked, context });
  for (let actions = 0; turn.next === 'act'; actions += 1) {
    if (actions === most_actions_a_turn) throw new Error(`Flow ${turn.session.flow} does not end`);
    if (heard.only_looks && !house.actions[turn.action]?.looks) throw new DoesMore();
    const outcome = await runAction(tx, house, { ...heard, actor }, turn);
    // An action may have changed who the person is: their language, or that we know them.
    if (!house.actions[turn.action]?.looks) actor = await personById(tx, actor.id);
    context = contextFor(house, heard, { actor, events, now });
    turn = settle(house.flows, turn.session, outcome, context);
  }
  if (heard.only_looks && doesMore(turn, events)) throw new DoesMore();
  const not_allowed = events.find(({ what }) => what === 'not_allowed');
  if (not_allowed) logRefused({ ...heard, ...not_allowed });
  if (turn.next === 'over' && turn.reminders) {
    await setReminders(tx, actor.id, turn.reminders);
  }
  if (turn.next === 'over' && turn.handoff) await handOver(tx, { ...heard, actor });
  if (turn.next === 'over' && turn.copy !== undefined) {
    await notify(tx, [
      { key: `copy:${heard.key}`, person_id: actor.id, words: turn.copy, channel: 'sms' },
    ]);
  }
  const next = turn.next === 'wait' ? turn.session : undefined;
  if (actor.id !== heard.actor.id) await saveSession(tx, house.flows, heard, noSession);
  await saveSession(tx, house.flows, { ...heard, actor }, { session: next, events, asked });
  const choices = turn.next === 'wait' ? turn.choices : undefined;
  const known_as = actor.id === heard.actor.id ? {} : { person_id: actor.id };
  const question = next && ownFlow(next) === asked ? heard.question : undefined;
  return { words: turn.words, over: turn.next === 'over', choices, question, ...known_as };
}

/** Whether what waits for this person here is to be chosen, not typed. */
export async function awaitsChoice(
  tx: Tx,
  { flows }: House,
  heard: Pick<Heard, 'actor' | 'channel'>,
): Promise<boolean> {
  const { session } = await loadSession(tx, heard);
  return session !== undefined && waitsForChoice(flows, session);
}

// A wrong answer costs a try, and these reach other people.
function doesMore(turn: Turn, events: readonly StepEvent[]): boolean {
  if (events.some(({ what }) => ['wrong', 'gave_up'].includes(what))) return true;
  return turn.next === 'over' && Boolean(turn.handoff || turn.reminders || turn.copy);
}

function firstTurn(
  { flows }: House,
  { dialled, input, key }: Heard,
  it: { session: Session | undefined; asked: string | undefined; context: Context },
): Turn {
  if (it.asked !== undefined && !it.session) return begin(flows, it.asked, key, it.context);
  return dialled
    ? dial(flows, it.session, key, it.context)
    : hear(flows, it.session, input, key, it.context);
}

function contextFor(
  house: House,
  { channel, question = '', linked = false }: Heard,
  { actor, events, now }: { actor: Actor; events: StepEvent[]; now: Date },
): Context {
  const values = { ...house.values, question };
  const on_whatsapp = linked ? 'whatsapp_linked' : 'whatsapp_cloud';
  const kept_off = house.numbers.kept_off[channel === 'whatsapp' ? on_whatsapp : channel];
  const tell = (event: StepEvent) => {
    const what = event.code === 'not_allowed' ? 'not_allowed' : event.what;
    events.push({ ...event, what });
  };
  return { actor, channel, now, values, kept_off, tell };
}

type Outcome = { value: unknown } | { refusal: string };

async function runAction(
  tx: Tx,
  house: House,
  { actor, channel, msisdn, question }: Pick<Heard, 'actor' | 'channel' | 'msisdn' | 'question'>,
  turn: Extract<Turn, { next: 'act' }>,
): Promise<Outcome> {
  const action = house.actions[turn.action];
  if (!action) throw new Error(`There is no action ${turn.action}`);
  try {
    const { input, key } = turn;
    const { sms, asks_from, keyed } = house;
    const call = { actor, channel, msisdn, input, key, question, sms, asks_from, keyed };
    // What it did not declare goes no further, and what it declared wrongly is its own failure.
    const run = async () => action.output.parse(await action.run(tx, call));
    return { value: await inSavepoint(tx, run) };
  } catch (error) {
    if (error instanceof Refusal) return { refusal: error.code };
    // The whole commit runs again, so this is not the flow's to answer.
    if (isPassing(error)) throw error;
    log.error(
      { action: turn.action, person_id: String(actor.id), error: messageOf(error) },
      'action failed; the person is told that we have a problem',
    );
    return { refusal: 'down' };
  }
}

const noSession = { session: undefined, events: [], asked: undefined };

// In a chat that a person of the house has taken over, what is written goes to them.
async function besideAPerson(
  tx: Tx,
  house: House,
  heard: Heard,
  meant: 'menu' | 'word' | undefined,
): Promise<Said> {
  const { actor, channel, input, key } = heard;
  if (meant !== 'menu') {
    const text = typeof input === 'string' ? input : `(${input.type})`;
    await passOn(tx, house, { actor, key, text });
  }
  if (meant === undefined) return silence(tx, key);
  return { words: wordsFor(house, 'handoff_menu', actor.language, channel), over: true };
}

// Written down, so that nobody takes it for an answer that was lost.
async function silence(tx: Tx, key: string): Promise<Said> {
  await tx.updateTable('turns').set({ silent: true }).where('key', '=', key).execute();
  return { words: '', over: true, silent: true };
}

// With the database's time: the clocks of two processes may be minutes apart, and what somebody
// answers at the second would be late by what the first wrote down.
async function loadSession(
  tx: Tx,
  { actor, channel, question }: Pick<Heard, 'actor' | 'channel' | 'question'>,
): Promise<Loaded> {
  const from =
    question === undefined
      ? sql`sessions where person_id = ${actor.id} and channel = ${channel}`
      : sql`questions where person_id = ${actor.id} and ref = ${question}`;
  const flow = question === undefined ? sql`null::text` : sql`(select flow from ${from})`;
  const { rows } = await sql<{
    now: Date;
    body: Session | null;
    asked: string | null;
    handed_over: boolean;
  }>`
    select now(), (select body from ${from}) as body, ${flow} as asked,
      ${channel !== 'ussd' && question === undefined} and exists (
        select from handoffs
        where person_id = ${actor.id} and until > now() and given_back_at is null) as handed_over
  `.execute(tx);
  const [row] = rows;
  assert(row, 'one row without a table');
  return { ...row, session: row.body ?? undefined, asked: row.asked ?? undefined };
}

/** How things stand before a turn. */
export interface Loaded {
  now: Date;
  session?: Session | undefined;
  /** Whether a person of the house answers here. */
  handed_over: boolean;
  /** The flow of the question that is answered. */
  asked?: string | undefined;
}

// Of a flow that was called, the one that called it first.
function ownFlow(session: Session): string {
  return session.callers?.[0]?.flow ?? session.flow;
}

// One statement: every key press comes through here.
async function saveSession(
  tx: Tx,
  flows: Flows,
  { actor, channel, question }: Heard,
  {
    session,
    events,
    asked,
  }: {
    session: Session | undefined;
    events: readonly StepEvent[];
    asked: string | undefined;
  },
): Promise<void> {
  const noted = sql`
    with noted as (
      insert into step_events (flow, step, what, channel, language)
      select flow, step, what, ${channel}, ${actor.language}
      from unnest(${events.map((it) => it.flow)}::text[], ${events.map((it) => it.step)}::text[],
                  ${events.map((it) => it.what)}::text[]) as it(flow, step, what)
    )`;
  // Who says "menu" to a question has it beside it, and the question stays as it is.
  if (question !== undefined && (!session || ownFlow(session) === asked)) {
    const body = session ? JSON.stringify(session) : null;
    return sendAhead(
      tx,
      sql`${noted}
        update questions set body = ${body},
          awaits_secret = ${session !== undefined && awaitsSecret(flows, session)},
          takes_digits = ${session !== undefined && takesDigits(flows, session)}
        where person_id = ${actor.id} and ref = ${question}`,
    );
  }
  if (!session) {
    return sendAhead(
      tx,
      sql`${noted} delete from sessions where person_id = ${actor.id} and channel = ${channel}`,
    );
  }
  await sendAhead(
    tx,
    sql`${noted}
      insert into sessions (person_id, channel, body, awaits_secret, takes_digits)
      values (${actor.id}, ${channel}, ${JSON.stringify(session)}, ${awaitsSecret(flows, session)},
              ${takesDigits(flows, session)})
      on conflict (person_id, channel) do update
      set body = excluded.body, awaits_secret = excluded.awaits_secret,
          takes_digits = excluded.takes_digits, updated_at = now()`,
  );
}
