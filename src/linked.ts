import { setTimeout as sleep } from 'node:timers/promises';
import { clock } from './base/clock.ts';
import type { Database } from './base/db.ts';
import { messageOf, ProviderError } from './base/errors.ts';
import { log } from './base/log.ts';
import { holdAlone } from './base/sole-holder.ts';
import { type Baileys, loadBaileys } from './channels/whatsapp-linked/baileys.ts';
import { keepConnected, type Line, type Linked } from './channels/whatsapp-linked/connection.ts';
import { makePace, type Pace } from './channels/whatsapp-linked/pace.ts';
import type { House } from './conversation/house.ts';
import { keepMessage, keepStatuses } from './conversation/linked.ts';
import {
  linked_lock,
  linkedKeys,
  linkedSeal,
  takeWish,
  setOffer,
  setStanding,
  tellOfTrouble,
  takeOver,
} from './conversation/linked-device.ts';
import { type Send, sendOutbox, wordsSent } from './conversation/send.ts';
import type { Messages } from './flow/messages.ts';
import { keeper } from './inbox/keep.ts';
import { freeLinked } from './outbox/take.ts';
import type { Settings } from './settings.ts';

/** The process that holds the linked number, or waits for the one that does to end. */

export interface LinkedParts {
  settings: Settings;
  /** 254…. */
  number: string;
  database: Database;
  database_url: string;
  house: House;
  messages: Messages;
}

const look_again_ms = 300;
const begin_again_ms = 1_000;
const no_new_chats_ms = 3_600_000;
// Each waits some seconds for its turn, and its lease is twenty.
const at_once = 4;

/** Starts to wait for the number, and holds it from then on. */
export function startLinked(it: LinkedParts): { stop: () => Promise<void> } {
  const stopping = new AbortController();
  const running = run(it, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function run(it: LinkedParts, stopping: AbortSignal): Promise<void> {
  const baileys = await loadBaileys();
  while (!stopping.aborted) {
    const held = await holdAlone(it.database_url, linked_lock, stopping);
    if (!held) return;
    const over = AbortSignal.any([stopping, held.lost]);
    try {
      const fence = await takeOver(it.database.db);
      await freeLinked(it.database.db, it.house.numbers);
      log.info({ fence: String(fence) }, 'this process holds the linked number');
      await keepConnected(linkedFor(it, { baileys, fence, over }), over);
    } catch (error) {
      if (!over.aborted) log.error({ error: messageOf(error) }, 'the linked number begins again');
    }
    await held.release();
    await sleep(begin_again_ms, undefined, { signal: stopping }).catch(() => undefined);
  }
}

function linkedFor(
  it: LinkedParts,
  { baileys, fence, over }: { baileys: Baileys; fence: bigint; over: AbortSignal },
): Linked {
  const { db, pool } = it.database;
  const seal = linkedSeal(it.settings.secret);
  const store = linkedKeys(db, seal, fence);
  const doors = { db, house: it.house, keep: keeper(pool, 'take_turns') };
  const keep_report = keeper(pool, 'take_reports');
  const now = () => clock.now().getTime();
  const pace = makePace(now, Math.random);
  return {
    baileys,
    number: it.number,
    url: it.settings.linked_url,
    store,
    forget: store.forget,
    wanted: async (stopping) => {
      for (;;) {
        const wanted = stopping.aborted ? { by_code: false } : await takeWish(db, fence);
        if (wanted) return wanted;
        await sleep(look_again_ms, undefined, { signal: stopping }).catch(() => undefined);
      }
    },
    offer: (offer) => setOffer(db, { seal, fence, offer }),
    tell: async (state, trouble) => {
      await setStanding(db, fence, { state, why: trouble });
      // Who links another number sees at once that it was not the one.
      if (trouble && trouble !== 'another') await tellOfTrouble(db, it.number, trouble);
    },
    opened: async (line) => {
      await setStanding(db, fence, { state: 'open' });
      void sendWhileOpen(it, line, { pace, over });
    },
    keep: (message) => keepMessage(doors, message),
    report: (statuses) => keepStatuses(keep_report, statuses),
    sentBefore: (id) => wordsSent({ db, messages: it.messages, house: it.house }, id),
    now,
    random: Math.random,
  };
}

async function sendWhileOpen(
  it: LinkedParts,
  line: Line,
  { pace, over }: { pace: Pace; over: AbortSignal },
): Promise<void> {
  const closed = AbortSignal.any([line.closed, over]);
  const sending = {
    db: it.database.db,
    messages: it.messages,
    house: it.house,
    sender: 'linked',
    whatsapp: sendOn(line, pace, it.house),
    sms: undefined,
    at_once,
  } as const;
  while (!closed.aborted) {
    await sendOutbox(sending, () => !closed.aborted, closed).catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, 'messages of the linked number wait');
    });
    await sleep(look_again_ms, undefined, { signal: closed }).catch(() => undefined);
  }
}

function sendOn(line: Line, pace: Pace, house: House): Send {
  return async (chat, message, give_up) => {
    if (!message.is_answer && !pace.take()) {
      throw new ProviderError('retryable', 'paced', 'enough was written unasked for now');
    }
    await sleep(pace.wait(chat), undefined, { signal: give_up }).catch(() => {
      throw new ProviderError('retryable', 'closed', 'the line closed before it was sent');
    });
    // The same each time it is tried: a phone shows one id once.
    const id = `3EB0${house.keyed('linked-message', message.id).slice(0, 18).toUpperCase()}`;
    try {
      await line.send(chat, message.text, id);
    } catch (error) {
      const is_restricted = error instanceof ProviderError && error.code === '463';
      if (is_restricted) pace.rest(clock.now().getTime() + no_new_chats_ms);
      throw error;
    }
    return id;
  };
}
