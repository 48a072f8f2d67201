import { z } from 'zod';
import { clock } from '../../base/clock.ts';
import { shownText } from '../../base/text.ts';

/** What Meta posts to the webhook, read so that one odd message never holds the rest. */

const longest_text = 4096;
const longest_name = 100;

const Change = z.object({
  field: z.string().optional().catch(undefined),
  value: z
    .object({
      metadata: z.object({ phone_number_id: z.coerce.string() }).optional().catch(undefined),
      contacts: z.array(z.unknown()).catch([]),
      messages: z.array(z.unknown()).catch([]),
      statuses: z.array(z.unknown()).catch([]),
    })
    .catch({ contacts: [], messages: [], statuses: [] }),
});

/** A webhook as it came: any number of messages and statuses, and kinds unknown to us. */
export const WhatsAppWebhook = z.object({
  object: z.string(),
  entry: z.array(z.object({ changes: z.array(Change) })),
});
export type WhatsAppWebhook = z.output<typeof WhatsAppWebhook>;

/** What a person wrote to the business. */
export interface WhatsAppMessage {
  /** Meta's "wamid.…"; a message that comes again keeps it. */
  id: string;
  /** The sender's WhatsApp id: the digits of a number, or an id that shows none. */
  from: string;
  /** The name of the sender's profile, chosen by the sender. */
  name: string | null;
  /** Null for everything but text. */
  text: string | null;
  /** The id of the button or row that was tapped, as we gave it. */
  tapped: string | null;
  /** A picture, paper or place that was sent. */
  sent: Sent | null;
  /** The message of ours that this one answers: by a tap, or quoting it. */
  answers: string | null;
  /** "text", "image", … as Meta names it; "unknown" when it has no name. */
  kind: string;
  at: Date;
  /** Which of the business's numbers it was written to. */
  phone_number_id: string | null;
}

/** Something that is sent rather than written; media by Meta's id of it. */
export type Sent =
  | { type: 'image' | 'document'; value: { id: string; mime: string } }
  | { type: 'location'; value: { latitude: number; longitude: number } };

/** How far a message of ours has come. */
export interface WhatsAppStatus {
  id: string;
  status: string;
  recipient: string | null;
  at: Date;
  error_code: number | null;
}

// Signs that the database can keep: a NUL is none, and half a pair becomes another.
const Id = z.string().regex(/^[\x21-\x7e]{1,180}$/);
const Seconds = z.coerce.number().int().min(0).max(4_102_444_800);

const Tapped = z.object({ id: z.string().min(1).max(256) });
const Media = z
  .object({ id: Id, mime_type: z.string().max(100) })
  .optional()
  .catch(undefined);

const Message = z.object({
  id: Id,
  from: z.string().regex(/^\+?[\w.:@-]{5,128}$/),
  timestamp: z.unknown().optional(),
  type: z.string().max(50).catch('unknown'),
  text: z.object({ body: z.string() }).optional().catch(undefined),
  context: z.object({ id: Id }).optional().catch(undefined),
  interactive: z
    .object({ button_reply: Tapped.optional(), list_reply: Tapped.optional() })
    .optional()
    .catch(undefined),
  image: Media,
  document: Media,
  location: z
    .object({ latitude: z.number().min(-90).max(90), longitude: z.number().min(-180).max(180) })
    .optional()
    .catch(undefined),
});

const Contact = z.object({ wa_id: z.string(), profile: z.object({ name: z.string() }) });

const Status = z.object({
  id: Id,
  status: z.string().min(1).max(50),
  recipient_id: z.string().max(150).nullable().catch(null),
  timestamp: z.unknown().optional(),
  errors: z.array(z.object({ code: z.number() })).catch([]),
});

/** Every message of a webhook, in Meta's order; what has no id or sender is left out. */
export function messagesOf(webhook: WhatsAppWebhook): WhatsAppMessage[] {
  return changesOf(webhook).flatMap(({ value }) => {
    const names = new Map(
      readable(Contact, value.contacts).map((contact) => [contact.wa_id, contact.profile.name]),
    );
    return readable(Message, value.messages).map((message) => ({
      id: message.id,
      from: message.from.replace(/^\+/, ''),
      name: shownText(names.get(message.from) ?? '', longest_name) || null,
      text:
        message.type === 'text' && message.text ? shownText(message.text.body, longest_text) : null,
      tapped: (message.interactive?.button_reply ?? message.interactive?.list_reply)?.id ?? null,
      sent: sentIn(message),
      answers: message.context?.id ?? null,
      kind: message.type,
      at: momentFrom(message.timestamp),
      phone_number_id: value.metadata?.phone_number_id ?? null,
    }));
  });
}

function sentIn({ image, document, location }: z.output<typeof Message>): Sent | null {
  if (image) return { type: 'image', value: { id: image.id, mime: image.mime_type } };
  if (document) return { type: 'document', value: { id: document.id, mime: document.mime_type } };
  return location ? { type: 'location', value: location } : null;
}

/** Every status of a webhook. They repeat and overtake each other: a status only moves forward. */
export function statusesOf(webhook: WhatsAppWebhook): WhatsAppStatus[] {
  return changesOf(webhook).flatMap(({ value }) =>
    readable(Status, value.statuses).map((status) => ({
      id: status.id,
      status: status.status,
      recipient: status.recipient_id,
      at: momentFrom(status.timestamp),
      error_code: status.errors[0]?.code ?? null,
    })),
  );
}

/** The webhook with its statuses alone. */
export function statusesAlone(webhook: WhatsAppWebhook): WhatsAppWebhook {
  const entry = webhook.entry.map(({ changes }) => ({
    changes: changes.map(({ field, value }) => ({
      field,
      value: { statuses: value.statuses, messages: [], contacts: [] },
    })),
  }));
  return { object: webhook.object, entry };
}

function changesOf(webhook: WhatsAppWebhook): z.output<typeof Change>[] {
  return webhook.entry.flatMap((entry) => entry.changes);
}

function readable<T>(schema: z.ZodType<T>, items: unknown[]): T[] {
  return items.flatMap((item) => {
    const read = schema.safeParse(item);
    return read.success ? [read.data] : [];
  });
}

function momentFrom(timestamp: unknown): Date {
  const seconds = Seconds.safeParse(timestamp);
  return seconds.success ? new Date(seconds.data * 1000) : clock.now();
}
