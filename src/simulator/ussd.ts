import { randomBytes } from 'node:crypto';
import { Hono } from 'hono';
import { z } from 'zod';
import { clock } from '../base/clock.ts';
import { Refusal } from '../base/errors.ts';
import { hookUrl, type App } from './app.ts';
import { controlBody, limited, Phone } from './requests.ts';
import type { Sender } from './sender.ts';
import type { Webhooks } from './webhooks.ts';

const service_code = '*384*123456#';
const safaricom = '63902';
const longest_session_ms = 180_000;
const longest_input = 160;
/** What a phone shows when the application behind a code does not answer as it should. */
const no_service = 'Connection problem or invalid MMI code.';

interface UssdSession {
  id: string;
  /** Everything answered so far, "1*4". */
  text: string;
  began_at_ms: number;
  last_reply: string;
}

const DialBody = z.object({
  phone: Phone,
  /** What is dialled along with the code: "1*2" for *384*123456*1*2#. */
  with: z.string().max(longest_input).default(''),
  input: z
    .union([z.string(), z.number()])
    .transform(String)
    .pipe(z.string().min(1, 'expected an answer').max(longest_input))
    .nullable()
    .default(null),
});

/** Phones that dial the business's USSD code, and Africa's Talking between them and the app. */
export function ussdRoutes(app: App, sender: Sender, webhooks: Webhooks): Hono {
  const routes = new Hono();
  const sessions = new Map<string, UssdSession>();
  // With all that was answered and shown last, as the gateway does.
  const tellEnd = (phone: string, session: UssdSession, status: string): void => {
    const now = clock.now();
    const form = {
      date: now.toISOString().slice(0, 19).replace('T', ' '),
      sessionId: session.id,
      serviceCode: service_code,
      networkCode: safaricom,
      phoneNumber: `+${phone}`,
      status,
      cost: 'KES 0.1000',
      durationInMillis: String(now.getTime() - session.began_at_ms),
      hopsCount: String(session.text === '' ? 1 : session.text.split('*').length + 1),
      input: session.text,
      lastAppResponse: session.last_reply,
    };
    void webhooks.tellForm('ussd/events', form, () => true);
  };

  routes.post('/sim/ussd', limited, async (c) => {
    const { phone, input, with: dialled } = await controlBody(c, DialBody);
    const before = sessions.get(phone);
    // Who dials again has hung up.
    if (input === null && before) tellEnd(phone, before, 'Incomplete');
    const session = input === null ? newSession(dialled) : openSession(before);
    if (input !== null) session.text = session.text === '' ? input : `${session.text}*${input}`;
    sessions.set(phone, session);

    const reply = await ask(app, sender, phone, session);
    session.last_reply = reply.text;
    if (reply.end && sessions.get(phone) === session) {
      sessions.delete(phone);
      tellEnd(phone, session, reply.text === no_service ? 'Failed' : 'Success');
    }
    return c.json(reply);
  });

  return routes;
}

function newSession(text: string): UssdSession {
  const id = `ATUid_${randomBytes(16).toString('hex')}`;
  return { id, text, began_at_ms: clock.now().getTime(), last_reply: '' };
}

function openSession(session: UssdSession | undefined): UssdSession {
  if (!session || clock.now().getTime() - session.began_at_ms > longest_session_ms)
    throw new Refusal('no_session', 'Nothing is open on that phone: dial first, without input.');
  return session;
}

/** One turn at the app. Anything but CON or END ends the session, as it does at the gateway. */
async function ask(
  app: App,
  sender: Sender,
  phone: string,
  session: UssdSession,
): Promise<{ text: string; end: boolean }> {
  const url = hookUrl(app, 'ussd');
  const body = new URLSearchParams({
    sessionId: session.id,
    serviceCode: service_code,
    phoneNumber: `+${phone}`,
    networkCode: safaricom,
    text: session.text,
  }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const answer = url === undefined ? undefined : await sender.post({ url, body, headers });
  const reply = /^(CON|END) (.*)$/s.exec(answer?.status === 200 ? answer.text : '');
  return reply
    ? { text: reply[2] ?? '', end: reply[1] === 'END' }
    : { text: no_service, end: true };
}
