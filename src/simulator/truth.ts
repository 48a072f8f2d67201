import { join } from 'node:path';
import { clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { no_faults, type Faults } from './faults.ts';
import { openJournal } from './journal.ts';
import { first_balance_cents, shortcodes } from './parties.ts';

// A phone keeps its last messages; a load test writes more than anybody reads.
const longest_chat = 1000;

/** How a confirmation shows the payer's number. */
export type MsisdnForm = 'clear' | 'hashed' | 'masked';

/** A movement of money as M-Pesa knows it. */
export interface MpesaTransaction {
  receipt: string;
  /** What the receipt was made of. */
  number: number;
  kind: 'paybill' | 'till';
  amount_cents: bigint;
  /** The payer's number, 254[17]XXXXXXXX, and the shortcode paid. */
  from: string;
  to: string;
  /** What the payer typed as account; "" at a till. */
  account: string;
  name: string | null;
  /** What the shortcode's account held after it. */
  balance_cents: bigint;
  at: string;
  state: 'completed';
  /** Its confirmation was answered 200. */
  delivered: boolean;
  /** How this payment's confirmation shows the number, when it is not as the shortcode's others. */
  msisdn_form?: MsisdnForm | undefined;
}

export interface Registration {
  shortcode: string;
  version: 'v1' | 'v2';
  confirmation_url: string;
}

/** One WhatsApp message. "in": the person wrote to the business; "out": the business wrote. */
export interface ChatMessage {
  id: string;
  /** What the id was made of. */
  number: number;
  phone: string;
  direction: 'in' | 'out';
  text: string;
  at: string;
  /** Nothing is left to be told about it: its webhook was answered 200, or it needs none. */
  answered: boolean;
}

/** How many callbacks of each kind have been rolled for since the faults were set. */
type Rolled = Record<'payment' | 'message', number>;

export type Event =
  | { kind: 'sequence'; number: number }
  | { kind: 'registered'; registration: Registration }
  | { kind: 'paid'; transaction: MpesaTransaction }
  | { kind: 'delivered'; receipt: string }
  | { kind: 'written'; message: ChatMessage }
  | { kind: 'answered'; id: string; phone: string }
  | { kind: 'faults'; faults: Faults; rolled: Rolled }
  | { kind: 'reset' };

/** Everything that the simulator knows. Changed by `record` alone. */
export interface State {
  /** By receipt, oldest first. */
  transactions: Map<string, MpesaTransaction>;
  registrations: Map<string, Registration>;
  balances: Map<string, bigint>;
  /** By phone, oldest first. */
  chats: Map<string, ChatMessage[]>;
  faults: Faults;
  rolled: Rolled;
  /** Counts the resets, so that work begun before one knows that it is over. */
  age: number;
  /** The last number that a receipt or a message id was made of. */
  number: number;
}

export interface Truth {
  readonly state: Readonly<State>;
  /** The number for the next receipt or message id; never the same twice. */
  nextNumber(): number;
  /** Changes the truth at once and resolves when that is on file. */
  record(event: Event): Promise<void>;
  /** The same for what nobody waits for. */
  note(event: Event): void;
  /** Resolves when all of the truth is on file: nobody is shown what could still be lost. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Where money is kept: "600000/Utility", or a phone's own number. */
export function accountOf(party: string): string {
  const shortcode = shortcodes.get(party);
  return shortcode ? `${party}/${shortcode.accounts[0]}` : party;
}

/** What a phone or a shortcode's account holds, in cents. */
export function balanceOf(state: Pick<State, 'balances'>, account: string): bigint {
  return state.balances.get(account) ?? (account.includes('/') ? 0n : first_balance_cents);
}

/** Opens the truth kept in a folder, or begins a new one there. */
export async function openTruth(data_dir: string): Promise<Truth> {
  // Numbers begin at the clock, so that receipts stay unique even when the file was thrown away.
  const state: State = {
    ...empty(),
    registrations: new Map(),
    age: 0,
    number: clock.now().getTime(),
  };
  const journal = await openJournal<Event>(
    join(data_dir, 'simulator.jsonl'),
    (event) => change(state, event),
    () => eventsOf(state),
  );
  let closed = false;
  const record = (event: Event): Promise<void> => {
    change(state, event);
    return journal.append(event);
  };
  return {
    state,
    nextNumber: () => (state.number += 1),
    record,
    note: (event) => {
      if (closed) return;
      record(event).catch((error) => {
        log.error({ error: messageOf(error) }, 'the simulator cannot write its file');
      });
    },
    settled: () => journal.settled(),
    close: () => {
      closed = true;
      return journal.close();
    },
  };
}

function empty(): Omit<State, 'registrations' | 'age' | 'number'> {
  return {
    transactions: new Map(),
    balances: new Map(),
    chats: new Map(),
    faults: no_faults,
    rolled: { payment: 0, message: 0 },
  };
}

function change(state: State, event: Event): void {
  switch (event.kind) {
    case 'sequence':
      state.number = Math.max(state.number, event.number);
      break;
    case 'registered':
      state.registrations.set(event.registration.shortcode, event.registration);
      break;
    case 'paid':
      move(state, event.transaction);
      break;
    case 'delivered': {
      const transaction = state.transactions.get(event.receipt);
      if (transaction) transaction.delivered = true;
      break;
    }
    case 'written':
      write(state, event.message);
      break;
    case 'answered': {
      const message = state.chats.get(event.phone)?.findLast((it) => it.id === event.id);
      if (message) message.answered = true;
      break;
    }
    case 'faults':
      state.faults = event.faults;
      state.rolled = { ...event.rolled };
      break;
    case 'reset':
      // What the app has registered is its own setting, and stays.
      Object.assign(state, empty());
      state.age += 1;
      break;
  }
}

function move(state: State, transaction: MpesaTransaction): void {
  const to = accountOf(transaction.to);
  const left_cents = balanceOf(state, transaction.from) - transaction.amount_cents;
  state.balances.set(transaction.from, left_cents);
  state.balances.set(to, balanceOf(state, to) + transaction.amount_cents);
  state.transactions.set(transaction.receipt, transaction);
  state.rolled.payment += 1;
  state.number = Math.max(state.number, transaction.number);
}

function write(state: State, message: ChatMessage): void {
  const chat = state.chats.get(message.phone) ?? [];
  chat.push(message);
  if (chat.length > longest_chat) chat.shift();
  state.chats.set(message.phone, chat);
  if (message.direction === 'in') state.rolled.message += 1;
  state.number = Math.max(state.number, message.number);
}

/** The shortest list of events that makes this state. */
function eventsOf(state: State): Event[] {
  const messages = [...state.chats.values()].flat();
  return [
    { kind: 'sequence', number: state.number },
    ...[...state.registrations.values()].map((it) => ({
      kind: 'registered' as const,
      registration: it,
    })),
    ...[...state.transactions.values()].map((it) => ({ kind: 'paid' as const, transaction: it })),
    ...messages.map((it) => ({ kind: 'written' as const, message: it })),
    { kind: 'faults', faults: state.faults, rolled: state.rolled },
  ];
}
