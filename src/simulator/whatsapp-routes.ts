import { Hono } from 'hono';
import { z } from 'zod';
import { controlBody, controlQuery, limited, parsedJson, WhatsAppPhone } from './requests.ts';
import type { Choice, Truth } from './truth.ts';
import type { WhatsApp } from './whatsapp.ts';
import { type CloudApiAccess, mediaRoutes, refuse } from './whatsapp-media.ts';

const longest_text = 4096;

const Text = z.string().min(1, 'expected some text').max(longest_text);
const WriteBody = z
  .object({
    from: WhatsAppPhone,
    text: Text.optional(),
    /** Taps a choice, by its id, of the message with that id; or quotes that message. */
    tap: z.string().max(256).optional(),
    answers: z.string().max(300).optional(),
  })
  .refine((it) => (it.text === undefined) !== (it.tap === undefined), {
    path: ['text'],
    error: 'expected some text, or a tap',
  });
const WindowBody = z.object({ phone: WhatsAppPhone, open: z.boolean() });
const ReadQuery = z.object({ phone: WhatsAppPhone, after: z.string().max(300).optional() });

const Id = z.string().min(1).max(256);
const button = z.object({
  type: z.literal('reply'),
  reply: z.object({ id: Id, title: z.string().min(1).max(20) }),
});
const row = z.object({
  id: z.string().min(1).max(200),
  title: z.string().min(1).max(24),
  description: z.string().max(72).optional(),
});
const words = z.object({ text: z.string().min(1).max(1_024) });

const Uploaded = z.object({ id: Id, filename: z.string().min(1).max(240) });

/** Buttons and lists within Meta's limits. */
const Interactive = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('button'),
    header: z.object({ type: z.literal('document'), document: Uploaded }).optional(),
    body: words,
    action: z.object({ buttons: z.array(button).min(1).max(3) }),
  }),
  z.object({
    type: z.literal('list'),
    body: words,
    action: z.object({
      button: z.string().min(1).max(20),
      sections: z
        .array(z.object({ title: z.string().max(24).optional(), rows: z.array(row).min(1) }))
        .min(1)
        .max(10)
        .refine((all) => all.flatMap((it) => it.rows).length <= 10, 'expected 10 rows at most'),
    }),
  }),
]);

const Template = z.object({
  name: z.string().regex(/^[a-z0-9_]{1,512}$/),
  language: z.object({ code: z.string().min(2) }),
  components: z
    .array(
      z.object({
        type: z.literal('body'),
        parameters: z.array(
          z.object({
            type: z.literal('text'),
            // Meta takes no line breaks, no tabs and no four spaces in a row.
            text: z.string().regex(/^(?!.*(?:[\n\t]| {4})).+$/s),
          }),
        ),
      }),
    )
    .default([]),
});

const SendBody = z.object({
  messaging_product: z.literal('whatsapp'),
  recipient_type: z.literal('individual').optional(),
  to: WhatsAppPhone,
  type: z.string().default('text'),
  text: z.object({ body: Text }).optional(),
  interactive: Interactive.optional(),
  template: Template.optional(),
  document: Uploaded.extend({ caption: z.string().max(1_024).optional() }).optional(),
});

/** The Cloud API's path for sending, and the controls with which a person chats. */
export function whatsAppRoutes(truth: Truth, whatsapp: WhatsApp, access: CloudApiAccess): Hono {
  const routes = new Hono();
  routes.route('/', mediaRoutes(whatsapp, access));

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
    const { type, to } = body.data;
    const shown = shownOf(body.data);
    const file = body.data.document ?? headerOf(body.data);
    if (file && !whatsapp.media.has(file.id))
      return refuse(c, 400, 131053, '(#131053) Media upload error', `There is no ${file.id}`);
    if (shown === 'unsupported')
      return refuse(c, 400, 131051, '(#131051) Unsupported message type', `Type ${type}`);
    if (shown === undefined)
      return refuse(
        c,
        400,
        100,
        `(#100) The parameter ${type} is required.`,
        `Cannot take ${type}`,
      );
    if (type !== 'template' && truth.state.closed.has(to))
      return refuse(
        c,
        400,
        131047,
        '(#131047) Re-engagement message',
        'More than 24 hours have passed',
      );

    const { id } = await whatsapp.receive(to, file ? { ...shown, file: file.filename } : shown);
    return c.json({
      messaging_product: 'whatsapp',
      contacts: [{ input: to, wa_id: to }],
      messages: [{ id }],
    });
  });

  routes.post('/sim/whatsapp', limited, async (c) => {
    const { id, at } = await whatsapp.write(await controlBody(c, WriteBody));
    return c.json({ id, at });
  });

  // Whether the person may be written to freely, as for a day after they have written.
  routes.post('/sim/whatsapp/window', limited, async (c) => {
    const { phone, open } = await controlBody(c, WindowBody);
    await truth.record({ kind: 'window', phone, open });
    return c.json({ phone, open });
  });

  routes.get('/sim/whatsapp', async (c) => {
    const { phone, after } = controlQuery(c, ReadQuery);
    await truth.settled();
    const chat = truth.state.chats.get(phone) ?? [];
    // An id that is not there any more shows the whole chat rather than nothing.
    const seen = after === undefined ? -1 : chat.findLastIndex((message) => message.id === after);
    return c.json(
      chat.slice(seen + 1).map(({ id, at, direction, text, choices, file }) => {
        return { id, at, direction, text, ...(choices && { choices }), ...(file && { file }) };
      }),
    );
  });

  return routes;
}

/** What the phone shows: choices in the text too, numbered, for whoever reads only that. */
function shownOf(
  it: z.output<typeof SendBody>,
): { text: string; choices?: Choice[] } | 'unsupported' | undefined {
  switch (it.type) {
    case 'text':
      return it.text && { text: it.text.body };
    case 'document':
      return it.document && { text: it.document.caption ?? '' };
    case 'interactive':
      return it.interactive && asShown(it.interactive);
    case 'template': {
      const values = it.template?.components.flatMap((part) => part.parameters);
      return (
        it.template && {
          text: [it.template.name, ...(values ?? []).map((v) => v.text)].join(' | '),
        }
      );
    }
    default:
      return 'unsupported';
  }
}

function headerOf({ interactive }: z.output<typeof SendBody>) {
  return interactive?.type === 'button' ? interactive.header?.document : undefined;
}

function asShown({ body, action }: z.output<typeof Interactive>) {
  const choices: Choice[] =
    'buttons' in action
      ? action.buttons.map(({ reply }) => reply)
      : action.sections.flatMap((section) => section.rows);
  const lines = choices.map((it, index) => `${index + 1} ${it.description ?? it.title}`);
  return { text: [body.text, ...lines].join('\n'), choices };
}
