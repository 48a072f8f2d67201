import { Hono } from 'hono';
import { z } from 'zod';
import { clock } from '../base/clock.ts';
import { Refusal } from '../base/errors.ts';
import { msisdnFrom } from '../base/phone.ts';
import { smsIdFor } from './receipts.ts';
import { controlBody, controlQuery, limited, Phone } from './requests.ts';
import type { ChatMessage, Truth } from './truth.ts';
import type { Webhooks } from './webhooks.ts';

/** Africa's Talking's SMS, and the phones that get and write them. */

const shortcode = '20880';
const safaricom = '63902';
const one_part_costs_cents = 80;

interface Sms {
  /** A person writes to the business; resolves when that is on file, and the form follows. */
  write(from: string, text: string): Promise<ChatMessage>;
  /** The business writes to a person; its delivery report follows. */
  receive(to: string, text: string): Promise<ChatMessage>;
  /** A person wants no SMS of the business any more. */
  optOut(phone: string): Promise<void>;
  /** Takes up again what was not answered before the simulator last stopped. */
  resume(): void;
}

export function openSms(truth: Truth, webhooks: Webhooks): Sms {
  const untilReset = (): (() => boolean) => {
    const { age } = truth.state;
    return () => truth.state.age === age;
  };
  const tellIn = async (message: ChatMessage) => {
    const taken = await webhooks.tellForm('sms/inbound', inbound(message), untilReset());
    if (taken) truth.note({ kind: 'sms_taken', id: message.id, phone: message.phone });
  };
  const tellDelivery = ({ id, phone }: ChatMessage) => {
    const report = { id, status: 'Success', phoneNumber: `+${phone}`, networkCode: safaricom };
    return webhooks.tellForm('sms/delivery', { ...report, retryCount: '0' }, untilReset());
  };
  const keep = async (phone: string, direction: 'in' | 'out', text: string) => {
    const number = truth.nextNumber();
    const message: ChatMessage = {
      id: smsIdFor(number),
      number,
      phone,
      direction,
      text,
      at: clock.now().toISOString(),
      answered: direction === 'out',
    };
    await truth.record({ kind: 'texted', message });
    return message;
  };
  return {
    write: async (from, text) => {
      if (webhooks.isFull())
        throw new Refusal('too_many', 'The app does not answer and too many messages wait for it.');
      const message = await keep(from, 'in', text);
      void tellIn(message);
      return message;
    },
    receive: async (to, text) => {
      const message = await keep(to, 'out', text);
      void tellDelivery(message);
      return message;
    },
    optOut: async (phone) => {
      await truth.record({ kind: 'opted_out', phone });
      const form = { senderId: shortcode, phoneNumber: `+${phone}` };
      void webhooks.tellForm('sms/optout', form, untilReset());
    },
    resume: () => {
      for (const message of [...truth.state.sms.values()].flat())
        if (!message.answered) void tellIn(message);
    },
  };
}

function inbound({ id, phone, text, at }: ChatMessage): Record<string, string> {
  const date = at.slice(0, 19).replace('T', ' ');
  return { date, from: `+${phone}`, id, text, to: shortcode, networkCode: safaricom };
}

const SendForm = z.object({
  username: z.string().min(1),
  to: z.string().min(1),
  message: z.string().min(1),
  from: z.string().max(11).optional(),
});

const Text = z.string().min(1, 'expected some text').max(1_600);
const WriteBody = z.object({ from: Phone, text: Text });
const ReadQuery = z.object({ phone: Phone, after: z.string().max(300).optional() });

/** The path for sending, and the controls with which a person texts. */
export function smsRoutes(truth: Truth, sms: Sms): Hono {
  const routes = new Hono();

  routes.post('/version1/messaging', limited, async (c) => {
    if (!c.req.header('apikey')) {
      return c.text('The supplied authentication is invalid', 401);
    }
    const form = SendForm.safeParse(await c.req.parseBody());
    if (!form.success) {
      const field = form.error.issues[0]?.path.join('.') ?? '';
      return c.text(`Must have ${field} in your request`, 400);
    }
    const { to, message } = form.data;
    const recipients = await Promise.all(
      to.split(',').map((number) => send(truth, sms, number.trim(), message)),
    );
    const taken = recipients.filter((it) => it.statusCode === 101);
    const cost = shillings(taken.length * one_part_costs_cents);
    // It has understood, and so it is 201 whatever became of each.
    const Message = `Sent to ${taken.length}/${recipients.length} Total Cost: ${cost}`;
    return c.json({ SMSMessageData: { Message, Recipients: recipients } }, 201);
  });

  routes.post('/sim/sms', limited, async (c) => {
    const { from, text } = await controlBody(c, WriteBody);
    const { id, at } = await sms.write(from, text);
    return c.json({ id, at });
  });

  routes.post('/sim/sms/optout', limited, async (c) => {
    const { phone } = await controlBody(c, z.object({ phone: Phone }));
    await sms.optOut(phone);
    return c.json({ phone, opted_out: true });
  });

  routes.get('/sim/sms', async (c) => {
    const { phone, after } = controlQuery(c, ReadQuery);
    await truth.settled();
    const chat = truth.state.sms.get(phone) ?? [];
    // An id that is not there any more shows the whole chat rather than nothing.
    const seen = after === undefined ? -1 : chat.findLastIndex((message) => message.id === after);
    return c.json(
      chat.slice(seen + 1).map(({ id, at, direction, text }) => ({ id, at, direction, text })),
    );
  });

  return routes;
}

async function send(truth: Truth, sms: Sms, number: string, text: string) {
  const phone = number.startsWith('+') ? msisdnFrom(number) : undefined;
  const refused = { number, cost: '0', messageId: 'None' };
  if (phone === undefined) return { ...refused, statusCode: 403, status: 'InvalidPhoneNumber' };
  if (truth.state.opted_out.has(phone))
    return { ...refused, statusCode: 406, status: 'UserInBlacklist' };
  const { id } = await sms.receive(phone, text);
  const cost = shillings(one_part_costs_cents);
  return { number, cost, messageId: id, statusCode: 101, status: 'Success' };
}

function shillings(cents: number): string {
  return `KES ${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}00`;
}
