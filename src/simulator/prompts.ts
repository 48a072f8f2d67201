import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { clock, toDarajaTime } from '../base/clock.ts';
import { Refusal } from '../base/errors.ts';
import type { Callbacks } from './callbacks.ts';
import { most_cents, type Mpesa } from './mpesa.ts';
import { shortcodes } from './parties.ts';
import { stkCallbackBody } from './stk-callback.ts';
import { balanceOf, type MpesaTransaction, type Prompt, type Truth } from './truth.ts';

/** What a shop asks of a phone: an STK push. */
export interface Ask {
  phone: string;
  amount_cents: bigint;
  /** Who asks, and who is to be paid: of a till, its head office and the till. */
  shortcode: string;
  to: string;
  type: 'CustomerPayBillOnline' | 'CustomerBuyGoodsOnline';
  account: string;
  callback_url: string;
}

/** What a person does with a prompt on their phone. */
export const prompt_answers = ['pin', 'cancel', 'timeout', 'wrong_pin', 'insufficient'] as const;
type PromptAnswer = (typeof prompt_answers)[number];

export interface Prompts {
  /** Shows it on the phone. Undefined while that phone shows another. */
  ask(it: Ask): Promise<Prompt | undefined>;
  /** What became of it; the callback follows. Throws Refusal when it is not open. */
  answer(id: string, answer: PromptAnswer): Promise<Prompt>;
  /** Those that are open on a phone, or on all, oldest first. */
  open(phone?: string): Prompt[];
  /** Lets those that were open when the simulator last stopped run out. */
  resume(): void;
}

const open_ms = 60_000;
const same_again_ms = 2 * 60_000;

// What M-Pesa calls them; PIN alone moves money.
const codes = { cancel: '1032', timeout: '1037', wrong_pin: '2001', insufficient: '1' } as const;

/** Prompts on phones, as M-Pesa shows them and tells how they ended. */
export function openPrompts(
  truth: Truth,
  it: { mpesa: Mpesa; callbacks: Callbacks; closed: AbortSignal },
): Prompts {
  const open = (phone?: string) =>
    [...truth.state.prompts.values()].filter(
      (prompt) => !prompt.ended && (phone === undefined || prompt.phone === phone),
    );

  const tell = (prompt: Prompt, code: string, n: number, paid?: MpesaTransaction): Prompt => {
    const headers = { 'content-type': 'application/json' };
    const body = stkCallbackBody(prompt, code, paid);
    void it.callbacks.send({ url: prompt.callback_url, body, headers }, { kind: 'prompt', n });
    return prompt;
  };
  const end = async (prompt: Prompt, code: string): Promise<Prompt> => {
    const n = truth.state.rolled.prompt;
    const ended = { code, at: clock.now().toISOString() };
    await truth.record({ kind: 'prompt_ended', id: prompt.id, ended });
    return tell(prompt, code, n);
  };

  const letRunOut = async (prompt: Prompt): Promise<void> => {
    const { age } = truth.state;
    const left_ms = Date.parse(prompt.at) + open_ms - clock.now().getTime();
    await sleep(Math.max(0, left_ms), undefined, { signal: it.closed, ref: false });
    if (truth.state.age === age && !prompt.ended) await end(prompt, codes.timeout);
  };
  const begin = (prompt: Prompt) => void letRunOut(prompt).catch(() => undefined);

  return {
    open,
    ask: async (ask) => {
      if (open(ask.phone).length > 0) return undefined;
      const prompt = promptOf(truth, ask);
      await truth.record({ kind: 'prompted', prompt });
      const code = unshown(ask);
      // It reaches no phone: the callback alone says so.
      if (code !== undefined) await end(prompt, code);
      else begin(prompt);
      return prompt;
    },
    answer: async (id, answer) => {
      const prompt = truth.state.prompts.get(id);
      if (!prompt) throw new Refusal('not_found', `There is no prompt ${id}.`);
      if (prompt.ended) throw new Refusal('over', `That prompt has ended: ${prompt.ended.code}.`);
      if (answer !== 'pin') return end(prompt, codes[answer]);
      if (balanceOf(truth.state, prompt.phone) < prompt.amount_cents) {
        return end(prompt, codes.insufficient);
      }
      if (isSameAgain(truth, prompt)) return end(prompt, '17');
      const n = truth.state.rolled.prompt;
      const { phone, amount_cents, account, to: shortcode } = prompt;
      const payment = { phone, amount_cents, account, shortcode, prompt_id: id };
      return tell(prompt, '0', n, await it.mpesa.pay(payment));
    },
    resume: () => {
      for (const prompt of open()) begin(prompt);
    },
  };
}

function promptOf(truth: Truth, ask: Ask): Prompt {
  const number = truth.nextNumber();
  const at = clock.now();
  return {
    phone: ask.phone,
    amount_cents: ask.amount_cents,
    shortcode: ask.shortcode,
    to: ask.to,
    account: ask.account,
    callback_url: ask.callback_url,
    id: `ws_CO_${toDarajaTime(at)}${number}${ask.phone.slice(-9)}`,
    merchant_id: `${randomUUID().slice(0, 8)}-${number}`,
    number,
    at: at.toISOString(),
  };
}

/** The code of what fails before anybody sees it. */
function unshown({ type, shortcode, to, amount_cents }: Ask): string | undefined {
  const kind = shortcodes.get(to)?.kind;
  const fits = type === 'CustomerPayBillOnline' ? kind === 'paybill' : kind === 'till';
  if (!fits || (kind === 'paybill' && to !== shortcode)) return '2028';
  return amount_cents > most_cents ? '3' : undefined;
}

/** Whether this phone has paid the same amount there a moment ago, as M-Pesa does not allow. */
function isSameAgain(truth: Truth, { phone, to, amount_cents }: Prompt): boolean {
  const since = clock.now().getTime() - same_again_ms;
  return [...truth.state.prompts.values()].some(
    (it) =>
      it.ended?.code === '0' &&
      it.phone === phone &&
      it.to === to &&
      it.amount_cents === amount_cents &&
      Date.parse(it.ended.at) > since,
  );
}
