import { setTimeout as sleep } from 'node:timers/promises';
import { postJson } from '../helpers/process.ts';
import { type Chats, noChats, readOn } from './chats.ts';
import { checkWorld } from './checker.ts';
import type { DoorFigures } from './door.ts';
import { doFault, type Done } from './faults.ts';
import { type Handsets, noHandsets, useHandset } from './handsets.ts';
import { makePlan, type Plan } from './plan.ts';
import type { ChaosPostgres } from './postgres.ts';
import { comeToRest, longestWait } from './rest.ts';
import { openWorld, type World } from './world.ts';

export interface Story {
  seed: bigint;
  length_ms: number;
  postgres: ChaosPostgres;
  /** Told of each stretch. */
  say: (line: string) => void;
}

export interface Outcome {
  payments: number;
  /** Answered 200 before M-Pesa sent again what was not. */
  answered: number;
  kills: number;
  restarts: number;
  faults: Done;
  door: DoorFigures;
  tampered: number;
  /** Messages that somebody got more than once. */
  repeats: number;
  /** Conversations on USSD that came to their end. */
  dialled: number;
  /** How long a callback that was due has waited, in seconds, the database being away counted in. */
  longest_wait_s: number;
  /** How long it took until all was worked through once nothing went wrong any more. */
  rest_s: number;
  findings: string[];
}

// A long story comes to rest and is checked every five minutes, so that a finding is near its cause.
const stretch_ms = 300_000;
const long_ms = 60_000;

/** Plays a seed's plan with real processes, lets all come to rest, and checks it from outside. */
export async function playStory({ seed, length_ms, postgres, say }: Story): Promise<Outcome> {
  const plan = makePlan(seed, length_ms, length_ms > long_ms);
  const world = await openWorld(plan, postgres);
  const { door, fleet } = world;
  const chats = noChats();
  const handsets = noHandsets();
  const out: Outcome = {
    ...{ payments: 0, answered: 0, kills: 0, restarts: 0, faults: {}, door: door.figures },
    ...{ tampered: 0, repeats: 0, dialled: 0, longest_wait_s: 0, rest_s: 0, findings: [] },
  };
  const stopWatching = watch(world, chats, out);
  try {
    for (let from_ms = 0; from_ms < length_ms && out.findings.length === 0; from_ms += stretch_ms) {
      const until_ms = Math.min(from_ms + stretch_ms, length_ms);
      out.payments += await play({ plan, world, handsets }, from_ms, until_ms, out.faults);
      out.answered = door.answered.size;
      const began = performance.now();
      const unrest = await comeToRest(world, chats);
      out.rest_s = Math.max(out.rest_s, (performance.now() - began) / 1000);
      await readOn(chats, world.simulator_url);
      const { findings, repeats } = await checkWorld(world, chats, out.faults);
      out.findings.push(...unrest, ...findings, ...handsets.findings);
      out.dialled = handsets.done;
      out.repeats = repeats;
      say(
        `${(until_ms / 60_000).toFixed(1)} min: ${out.payments} payments, ${fleet.kills} kills, ` +
          `longest wait ${out.longest_wait_s.toFixed(1)} s, ${out.findings.length} findings`,
      );
    }
    await stopWatching();
    const { kills, restarts } = fleet;
    const codes = await fleet.stop();
    if (codes.some((code) => code !== 0)) out.findings.push(`they ended with ${codes.join(', ')}`);
    return { ...out, kills, restarts, tampered: door.tampered.answered.size };
  } finally {
    await stopWatching();
    await world.close();
  }
}

/** Reads along while all goes on; returns what ends it. */
function watch(world: World, chats: Chats, out: Outcome): () => Promise<void> {
  const over = new AbortController();
  const going = (async () => {
    while (!over.signal.aborted) {
      // The database may be away this very moment.
      const wait_s = await longestWait(world.db).catch(() => 0);
      out.longest_wait_s = Math.max(out.longest_wait_s, wait_s);
      await readOn(chats, world.simulator_url).catch(() => undefined);
      await sleep(250);
    }
  })();
  return () => {
    over.abort();
    return going;
  };
}

/** What people do and what goes wrong in a stretch of the plan, each at its time. */
async function play(
  { plan, world, handsets }: { plan: Plan; world: World; handsets: Handsets },
  from_ms: number,
  until_ms: number,
  done: Done,
): Promise<number> {
  const began = performance.now() - from_ms;
  const inStretch = ({ at_ms }: { at_ms: number }) => at_ms >= from_ms && at_ms < until_ms;
  const at = async (at_ms: number, what: () => Promise<unknown>) => {
    await sleep(Math.max(0, at_ms - (performance.now() - began)));
    await what();
  };
  const sim = world.simulator_url;
  const payments = plan.payments.filter(inStretch);
  await Promise.all([
    ...payments.map(({ at_ms, n, ...payment }) =>
      at(at_ms, () => postJson(`${sim}/sim/mpesa/pay`, { ...payment, name: `P${n}` })),
    ),
    ...plan.writings
      .filter(inStretch)
      .map(({ at_ms, channel, phone, text }) =>
        at(at_ms, () =>
          channel === 'whatsapp'
            ? postJson(`${sim}/sim/whatsapp`, { from: phone, text })
            : postJson(`${sim}/sim/ussd`, { phone }).catch(() => undefined),
        ),
      ),
    ...plan.dials
      .filter(inStretch)
      .map(({ at_ms, n }) => at(at_ms, () => useHandset(world, n, handsets))),
    ...plan.faults
      .filter(inStretch)
      .map(({ at_ms, fault }) => at(at_ms, () => doFault(world, plan, fault, done))),
  ]);
  return payments.length;
}
