import { z } from 'zod';

/** What is kept of a message on the linked number: what it says, and no key of its encryption. */

const Id = z.string().regex(/^[\x21-\x7e]{1,64}$/);

export const LinkedMessage = z.object({
  id: Id,
  /** The chat it was written in, as WhatsApp names it; where it is answered. */
  chat: z.string().min(3).max(60),
  /** The address that we know its person by. */
  from: z.string().min(3).max(60),
  /** The number behind the chat, where WhatsApp says it; and its own id of the account. */
  number: z.string().nullable(),
  lid: z.string().nullable(),
  /** Written on the phone that has the number, by a person of the house. */
  from_me: z.boolean(),
  /** It waited too long at WhatsApp to be an answer now. */
  stale: z.boolean(),
  name: z.string().nullable(),
  timestamp: z.number(),
  type: z.string(),
  text: z.string().nullable(),
  /** The message that this one quotes. */
  answers: Id.nullable(),
  sent: z
    .discriminatedUnion('type', [
      z.object({
        type: z.enum(['image', 'document']),
        value: z.object({ id: Id, mime: z.string() }),
      }),
      z.object({
        type: z.literal('location'),
        value: z.object({ latitude: z.number(), longitude: z.number() }),
      }),
    ])
    .nullable(),
});
export type LinkedMessage = z.output<typeof LinkedMessage>;

/** How far a message of ours has come. */
export const LinkedStatus = z.object({
  id: Id,
  outcome: z.enum(['delivered', 'failed']),
  error: z.string().nullable(),
});
export type LinkedStatus = z.output<typeof LinkedStatus>;
