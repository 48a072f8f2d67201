import { sql } from 'kysely';
import { clock } from '../base/clock.ts';
import { type Tx, inSavepoint, isPassing } from '../base/db.ts';
import { messageOf, Refusal } from '../base/errors.ts';
import { log } from '../base/log.ts';
import type { Actions, Actor, Channel } from '../flow/action.ts';
import type { Flows } from '../flow/load.ts';
import type { Session, StepEvent } from '../flow/session.ts';
import { awaitsSecret, dial, hear, settle, type Context, type Turn } from '../flow/step.ts';
import { personById, setReminders } from '../people/find.ts';
import { learnContents } from './contents.ts';

/** What every conversation needs to know of the house. */
export interface House {
  flows: Flows;
  actions: Actions;
  /** Words that every text may use: shop, paybill, help, ussd. */
  values: Record<string, string>;
}

export interface Heard {
  actor: Actor;
  channel: Channel;
  /** What was written, keyed or chosen; empty for a fresh dial. */
  text: string;
  /** A new dial on USSD, which says nothing. */
  dialled?: boolean;
  /** This turn's own name, unique for ever: what makes its actions once-only. */
  key: string;
}

export interface Said {
  words: string;
  over: boolean;
}

// More than any flow can run between two questions; a flow that would loop is refused at load.
const most_actions_a_turn = 20;

/**
 * One turn: the person's session takes one input, its actions run in this commit, each in a
 * savepoint, and the session is written back. The caller holds the person's lock and lets the words
 * leave after the commit.
 */
export async function takeTurn(tx: Tx, house: House, heard: Heard): Promise<Said> {
  const session = await loadSession(tx, heard);
  if (session) await learnContents(tx, house.flows, session);
  const events: StepEvent[] = [];
  let context = contextFor(house, heard, heard.actor, events);
  let turn = heard.dialled
    ? dial(house.flows, session, heard.key, context)
    : hear(house.flows, session, heard.text, heard.key, context);
  for (let actions = 0; turn.next === 'act'; actions += 1) {
    if (actions === most_actions_a_turn) throw new Error(`Flow ${turn.session.flow} does not end`);
    const outcome = await runAction(tx, house, context.actor, turn);
    // An action may have changed who the person is: their language, for one.
    context = contextFor(house, heard, await personById(tx, heard.actor.id), events);
    turn = settle(house.flows, turn.session, outcome, context);
  }
  if (turn.next === 'over' && turn.reminders) {
    await setReminders(tx, heard.actor.id, turn.reminders);
  }
  const next = turn.next === 'wait' ? turn.session : undefined;
  await saveSession(tx, house.flows, heard, { session: next, events });
  return { words: turn.words, over: turn.next === 'over' };
}

function contextFor(
  { values }: House,
  { channel }: Heard,
  actor: Actor,
  events: StepEvent[],
): Context {
  return { actor, channel, now: clock.now(), values, tell: (event) => events.push(event) };
}

type Outcome = { value: unknown } | { refusal: string };

async function runAction(
  tx: Tx,
  house: House,
  actor: Actor,
  turn: Extract<Turn, { next: 'act' }>,
): Promise<Outcome> {
  const action = house.actions[turn.action];
  if (!action) throw new Error(`There is no action ${turn.action}`);
  try {
    const call = { actor, input: turn.input, key: turn.key };
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

async function loadSession(tx: Tx, { actor, channel }: Heard): Promise<Session | undefined> {
  const row = await tx
    .selectFrom('sessions')
    .select('body')
    .where('person_id', '=', actor.id)
    .where('channel', '=', channel)
    .executeTakeFirst();
  return row ? (row.body as unknown as Session) : undefined;
}

// One statement: every key press comes through here.
async function saveSession(
  tx: Tx,
  flows: Flows,
  { actor, channel }: Heard,
  { session, events }: { session: Session | undefined; events: readonly StepEvent[] },
): Promise<void> {
  const noted = sql`
    with noted as (
      insert into step_events (flow, step, what, channel, language)
      select flow, step, what, ${channel}, ${actor.language}
      from unnest(${events.map((it) => it.flow)}::text[], ${events.map((it) => it.step)}::text[],
                  ${events.map((it) => it.what)}::text[]) as it(flow, step, what)
    )`;
  if (!session) {
    await sql`
      ${noted} delete from sessions where person_id = ${actor.id} and channel = ${channel}
    `.execute(tx);
    return;
  }
  await sql`
    ${noted}
    insert into sessions (person_id, channel, body, awaits_secret)
    values (${actor.id}, ${channel}, ${JSON.stringify(session)}, ${awaitsSecret(flows, session)})
    on conflict (person_id, channel) do update
    set body = excluded.body, awaits_secret = excluded.awaits_secret, updated_at = now()
  `.execute(tx);
}
