import { createRequire } from 'node:module';
import { z } from 'zod';
import { ProviderError } from '../../base/errors.ts';

/** An account at Africa's Talking. */
export interface SmsAccount {
  base_url: string;
  username: string;
  api_key: string;
  /** The name or short number that SMS come from. */
  sender?: string | undefined;
}

interface Sdk {
  SMS: { send: (sms: { to: string; message: string; from?: string }) => Promise<unknown> };
}

const timeout_ms = 15_000;
const require = createRequire(import.meta.url);
let loaded: { account: SmsAccount; sdk: Sdk } | undefined;

const Answer = z.object({
  SMSMessageData: z.object({
    Message: z.string().catch(''),
    Recipients: z.array(
      z.object({
        statusCode: z.coerce.number(),
        status: z.string().catch(''),
        messageId: z.string().catch(''),
      }),
    ),
  }),
});

const accepted_codes = new Set([100, 101, 102]);
// Our account is empty, or theirs has a problem: nothing was sent, and later it will be.
const retryable_codes = new Set([405, 500, 501]);

/**
 * Sends an SMS to a number (254…) and returns the message's id. Throws ProviderError: `refused`
 * will not help to repeat, `retryable` did nothing, `unknown` may have been sent.
 */
export async function sendSms(
  account: SmsAccount,
  { to, text, give_up }: { to: string; text: string; give_up?: AbortSignal },
): Promise<string> {
  const { SMS } = sdkFor(account);
  const from = account.sender === undefined ? {} : { from: account.sender };
  const answer = await inTime(SMS.send({ to: `+${to}`, message: text, ...from }), give_up);
  const read = Answer.safeParse(answer);
  if (!read.success) throw new ProviderError('unknown', 'unreadable_answer');
  // 201 says that it was read, not that it was taken.
  const { Message, Recipients } = read.data.SMSMessageData;
  const [recipient] = Recipients;
  if (!recipient) throw new ProviderError('refused', 'no_recipient', Message || 'no recipient');
  const { statusCode, status, messageId } = recipient;
  if (accepted_codes.has(statusCode)) return messageId;
  const outcome = retryable_codes.has(statusCode) ? 'retryable' : 'refused';
  throw new ProviderError(outcome, String(statusCode), `${statusCode} ${status}`.trim());
}

// Loaded when the first SMS leaves: it brings a great deal along. It has its addresses in a module,
// where alone another can be named.
function sdkFor(account: SmsAccount): Sdk {
  if (loaded?.account !== account) {
    const begin = require('africastalking') as (it: { username: string; apiKey: string }) => Sdk;
    const sdk = begin({ username: account.username, apiKey: account.api_key });
    const addresses = require('africastalking/lib/common') as { SMS_URL: string };
    addresses.SMS_URL = `${account.base_url}/version1/messaging`;
    loaded = { account, sdk };
  }
  return loaded.sdk;
}

// It waits for ever, takes an answer of 200 for a failure, and its errors carry our key: none of
// them goes further than this.
async function inTime(sending: Promise<unknown>, give_up: AbortSignal | undefined) {
  const too_late = AbortSignal.timeout(timeout_ms);
  const signal = give_up ? AbortSignal.any([too_late, give_up]) : too_late;
  const late = new Promise<never>((_, failed) => {
    signal.addEventListener('abort', () => failed(new ProviderError('unknown', 'no_answer')));
  });
  return Promise.race([sending.catch(answerInError), late]);
}

const Failure = z.object({
  code: z.string().optional().catch(undefined),
  response: z.object({ status: z.number(), data: z.unknown() }).optional().catch(undefined),
});

const never_connected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
// Not let in, too fast, or not paid: nothing was sent, and whoever mends it wants it sent then.
const turned_away = new Set([401, 402, 403, 408, 429]);

function answerInError(thrown: unknown): unknown {
  const answered = Answer.safeParse(thrown);
  if (answered.success) return answered.data;
  const { code, response } = Failure.safeParse(thrown).data ?? {};
  if (response) {
    const said = typeof response.data === 'string' ? `: ${response.data.slice(0, 200)}` : '';
    const outcome = turned_away.has(response.status)
      ? 'retryable'
      : response.status >= 500
        ? 'unknown'
        : 'refused';
    throw new ProviderError(outcome, `http_${response.status}`, `HTTP ${response.status}${said}`);
  }
  if (code !== undefined) {
    throw new ProviderError(never_connected.has(code) ? 'retryable' : 'unknown', code);
  }
  // What it will not send at all, such as a number that is none.
  throw new ProviderError('refused', 'not_sent');
}
