import { randomBytes } from 'node:crypto';
import { Hono, type Context } from 'hono';
import { z } from 'zod';
import { controlBody, controlQuery, limited, parsedJson, WhatsAppPhone } from './requests.ts';
import type { Truth } from './truth.ts';
import type { WhatsApp } from './whatsapp.ts';

const longest_text = 4096;

/** What the Cloud API goes by; what is not given is not checked. */
export interface CloudApiAccess {
  phone_number_id?: string | undefined;
  access_token?: string | undefined;
}

const Text = z.string().min(1, 'expected some text').max(longest_text);
const WriteBody = z.object({ from: WhatsAppPhone, text: Text });
const ReadQuery = z.object({ phone: WhatsAppPhone, after: z.string().max(300).optional() });

const SendBody = z.object({
  messaging_product: z.literal('whatsapp'),
  recipient_type: z.literal('individual').optional(),
  to: WhatsAppPhone,
  type: z.string().default('text'),
  text: z.object({ body: Text }).optional(),
});

/** The Cloud API's path for sending, and the controls with which a person chats. */
export function whatsAppRoutes(truth: Truth, whatsapp: WhatsApp, access: CloudApiAccess): Hono {
  const routes = new Hono();

  routes.post('/:version{v[0-9]+\\.[0-9]+}/:phone_number_id/messages', limited, async (c) => {
    const given = /^Bearer (\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (given === undefined || given !== (access.access_token ?? given))
      return refuse(c, 401, 190, 'Invalid OAuth access token - Cannot parse access token');
    const number_id = c.req.param('phone_number_id') ?? '';
    if (number_id !== (access.phone_number_id ?? number_id))
      return refuse(c, 400, 100, `Unsupported post request. No object with ID '${number_id}'`);

    const body = SendBody.safeParse(parsedJson(await c.req.text()));
    if (!body.success) {
      const field = body.error.issues[0]?.path.join('.') || 'the body';
      return refuse(c, 400, 100, '(#100) Invalid parameter', `Cannot take ${field}`);
    }
    const { type, text, to } = body.data;
    if (type !== 'text')
      return refuse(c, 400, 131051, '(#131051) Unsupported message type', `Type ${type}`);
    if (!text)
      return refuse(c, 400, 100, '(#100) The parameter text is required.', 'Cannot take text');

    const { id } = await whatsapp.receive(to, text.body);
    return c.json({
      messaging_product: 'whatsapp',
      contacts: [{ input: to, wa_id: to }],
      messages: [{ id }],
    });
  });

  routes.post('/sim/whatsapp', limited, async (c) => {
    const { from, text } = await controlBody(c, WriteBody);
    const { id, at } = await whatsapp.write(from, text);
    return c.json({ id, at });
  });

  routes.get('/sim/whatsapp', async (c) => {
    const { phone, after } = controlQuery(c, ReadQuery);
    await truth.settled();
    const chat = truth.state.chats.get(phone) ?? [];
    // An id that is not there any more shows the whole chat rather than nothing.
    const seen = after === undefined ? -1 : chat.findLastIndex((message) => message.id === after);
    return c.json(
      chat.slice(seen + 1).map(({ id, at, direction, text }) => ({ id, at, direction, text })),
    );
  });

  return routes;
}

/** An error as Graph writes it; software goes by `code`. */
function refuse(
  c: Context,
  status: 400 | 401,
  code: number,
  message: string,
  details?: string,
): Response {
  const error_data = details && { messaging_product: 'whatsapp', details };
  const fbtrace_id = randomBytes(8).toString('base64url');
  return c.json(
    {
      error: {
        message,
        type: 'OAuthException',
        code,
        ...(error_data && { error_data }),
        fbtrace_id,
      },
    },
    status,
  );
}
