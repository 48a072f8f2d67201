import { join } from 'node:path';
import { clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import { log } from '../base/log.ts';
import { no_faults, type Faults, type Roll } from './faults.ts';
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
  state: 'completed' | 'reversed';
  /** How M-Pesa gave it back to its payer, once it has. */
  reversal?: MpesaReversal | undefined;
  /** Its confirmation was answered 200. */
  delivered: boolean;
  /** How this payment's confirmation shows the number, when it is not as the shortcode's others. */
  msisdn_form?: MsisdnForm | undefined;
}

export interface MpesaReversal {
  receipt: string;
  /** What the receipt was made of. */
  number: number;
  /** What the shortcode's account held after it. */
  balance_cents: bigint;
  at: string;
}

/** What a shop has asked of a phone: a prompt for a PIN. */
export interface Prompt {
  /** The CheckoutRequestID. */
  id: string;
  merchant_id: string;
  /** What the id was made of. */
  number: number;
  phone: string;
  amount_cents: bigint;
  /** Who asked, and who is to be paid. */
  shortcode: string;
  to: string;
  account: string;
  callback_url: string;
  at: string;
  /** How it ended, once it has. */
  ended?: PromptEnd | undefined;
}

export interface PromptEnd {
  /** M-Pesa's result code: "0" is paid. */
  code: string;
  receipt?: string | undefined;
  at: string;
}

export interface Registration {
  shortcode: string;
  version: 'v1' | 'v2';
  confirmation_url: string;
}

/** A button or a row of a list, with the id that the business gave it. */
export interface Choice {
  id: string;
  title: string;
  description?: string | undefined;
}

/** One message of a chat. "in": the person wrote to the business; "out": the business wrote. */
export interface ChatMessage {
  id: string;
  /** What the id was made of. */
  number: number;
  phone: string;
  direction: 'in' | 'out';
  text: string;
  /** What can be tapped below it. */
  choices?: Choice[] | undefined;
  /** The name of the file that came with it. */
  file?: string | undefined;
  /** In answer to which message, and what was tapped there. */
  answers?: string | undefined;
  tapped?: Choice | undefined;
  at: string;
  /** Nothing is left to be told about it: its webhook was answered 200, or it needs none. */
  answered: boolean;
}

/** How many of each kind have been rolled for since the faults were set. */
type Rolled = Record<Roll['kind'], number>;

export const none_rolled: Rolled = {
  payment: 0,
  message: 0,
  prompt: 0,
  request: 0,
  query: 0,
  result: 0,
};

export type Event =
  | { kind: 'sequence'; number: number }
  | { kind: 'registered'; registration: Registration }
  | { kind: 'pull_registered'; shortcode: string }
  /** With the prompt that it answers, so that neither is ever on file without the other. */
  | { kind: 'paid'; transaction: MpesaTransaction; prompt_id?: string | undefined }
  | { kind: 'delivered'; receipt: string }
  | { kind: 'reversed'; receipt: string; reversal: MpesaReversal }
  | { kind: 'requested' }
  | { kind: 'rolled'; of: 'query' | 'result' }
  | { kind: 'prompted'; prompt: Prompt }
  | { kind: 'prompt_ended'; id: string; ended: PromptEnd }
  | { kind: 'written'; message: ChatMessage }
  | { kind: 'answered'; id: string; phone: string }
  | { kind: 'texted'; message: ChatMessage }
  | { kind: 'sms_taken'; id: string; phone: string }
  | { kind: 'opted_out'; phone: string }
  | { kind: 'window'; phone: string; open: boolean }
  | { kind: 'faults'; faults: Faults; rolled: Rolled }
  | { kind: 'reset' };

/** Everything that the simulator knows. Changed by `record` alone. */
export interface State {
  /** By receipt, oldest first. */
  transactions: Map<string, MpesaTransaction>;
  registrations: Map<string, Registration>;
  /** Shortcodes that may ask for what they were paid (Pull Transactions). */
  pulls: Set<string>;
  /** By id, oldest first. */
  prompts: Map<string, Prompt>;
  balances: Map<string, bigint>;
  /** By phone, oldest first. */
  chats: Map<string, ChatMessage[]>;
  sms: Map<string, ChatMessage[]>;
  /** Phones that want no SMS of the business. */
  opted_out: Set<string>;
  /** Phones whose 24 hours are over: templates only. */
  closed: Set<string>;
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
    pulls: new Set(),
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

function empty(): Omit<State, 'registrations' | 'pulls' | 'age' | 'number'> {
  return {
    transactions: new Map(),
    prompts: new Map(),
    balances: new Map(),
    chats: new Map(),
    sms: new Map(),
    opted_out: new Set(),
    closed: new Set(),
    faults: no_faults,
    rolled: { ...none_rolled },
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
    case 'pull_registered':
      state.pulls.add(event.shortcode);
      break;
    case 'paid':
      move(state, event.transaction);
      if (event.prompt_id !== undefined) {
        const { receipt, at } = event.transaction;
        endPrompt(state, event.prompt_id, { code: '0', receipt, at });
      }
      break;
    case 'reversed':
      giveBack(state, event.receipt, event.reversal);
      break;
    case 'delivered':
      markDelivered(state, event.receipt);
      break;
    case 'requested':
      state.rolled.request += 1;
      break;
    case 'rolled':
      state.rolled[event.of] += 1;
      break;
    case 'prompted':
      state.prompts.set(event.prompt.id, event.prompt);
      state.number = Math.max(state.number, event.prompt.number);
      break;
    case 'prompt_ended':
      endPrompt(state, event.id, event.ended);
      break;
    case 'written':
      write(state, state.chats, event.message);
      if (event.message.direction === 'in') {
        state.rolled.message += 1;
        state.closed.delete(event.message.phone);
      }
      break;
    case 'answered':
      answer(state.chats, event);
      break;
    case 'texted':
      write(state, state.sms, event.message);
      break;
    case 'sms_taken':
      answer(state.sms, event);
      break;
    case 'window':
      state.closed[event.open ? 'delete' : 'add'](event.phone);
      break;
    case 'opted_out':
      state.opted_out.add(event.phone);
      break;
    case 'faults':
      // A file of before may know fewer of them.
      state.faults = { ...no_faults, ...event.faults };
      state.rolled = { ...none_rolled, ...event.rolled };
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

function markDelivered(state: State, receipt: string): void {
  const transaction = state.transactions.get(receipt);
  if (transaction) transaction.delivered = true;
}

function giveBack(state: State, receipt: string, reversal: MpesaReversal): void {
  const transaction = state.transactions.get(receipt);
  if (!transaction) return;
  const { from, to, amount_cents } = transaction;
  const account = accountOf(to);
  state.balances.set(from, balanceOf(state, from) + amount_cents);
  state.balances.set(account, balanceOf(state, account) - amount_cents);
  transaction.state = 'reversed';
  transaction.reversal = reversal;
  state.number = Math.max(state.number, reversal.number);
}

function endPrompt(state: State, id: string, ended: PromptEnd): void {
  const prompt = state.prompts.get(id);
  if (prompt) prompt.ended = ended;
  state.rolled.prompt += 1;
}

function answer(chats: State['chats'], { phone, id }: { phone: string; id: string }): void {
  const message = chats.get(phone)?.findLast((it) => it.id === id);
  if (message) message.answered = true;
}

function write(state: State, chats: State['chats'], message: ChatMessage): void {
  const chat = chats.get(message.phone) ?? [];
  chat.push(message);
  if (chat.length > longest_chat) chat.shift();
  chats.set(message.phone, chat);
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
    ...[...state.pulls].map((shortcode) => ({ kind: 'pull_registered' as const, shortcode })),
    ...[...state.transactions.values()].map((it) => ({
      kind: 'paid' as const,
      transaction: { ...it, state: 'completed' as const, reversal: undefined },
    })),
    ...[...state.transactions.values()].flatMap(({ receipt, reversal }) =>
      reversal ? [{ kind: 'reversed' as const, receipt, reversal }] : [],
    ),
    ...[...state.prompts.values()].map((it) => ({ kind: 'prompted' as const, prompt: it })),
    ...messages.map((it) => ({ kind: 'written' as const, message: it })),
    ...[...state.sms.values()].flat().map((it) => ({ kind: 'texted' as const, message: it })),
    ...[...state.closed].map((phone) => ({ kind: 'window' as const, phone, open: false })),
    ...[...state.opted_out].map((phone) => ({ kind: 'opted_out' as const, phone })),
    { kind: 'faults', faults: state.faults, rolled: state.rolled },
  ];
}
