import type { proto, WAMessage } from '@whiskeysockets/baileys';
import { shownText } from '../../base/text.ts';
import type { Baileys } from './baileys.ts';
import type { LinkedMessage } from './payloads.ts';

const longest_text = 4_096;
const longest_name = 100;
// Older than this it is no answer any more: a "1" of yesterday may say yes to anything.
const stale_after_s = 6 * 3_600;

/** A message without the address that its person is known by, which the database knows. */
export type Heard = Omit<LinkedMessage, 'from'>;

/**
 * What a message says; undefined for what nobody wrote to us: groups, reactions, votes, receipts,
 * what was taken back or changed later, and what could not be decrypted, which comes again under
 * the same id once it can.
 */
export function readMessage(
  baileys: Baileys,
  message: WAMessage,
  now_s: number,
): Heard | undefined {
  const { key } = message;
  const chat = baileys.jidNormalizedUser(key.remoteJid ?? undefined);
  // Of what we wrote ourselves it may be our own.
  const alternative = key.fromMe ? '' : baileys.jidNormalizedUser(key.remoteJidAlt ?? undefined);
  if (!isPerson(chat) || !key.id || !/^[\x21-\x7e]{1,64}$/.test(key.id)) return undefined;
  const content = baileys.normalizeMessageContent(message.message);
  const said = content && contentOf(content, key.id);
  if (!said) return undefined;
  const ids = [chat, alternative];
  const at_s = baileys.toNumber(message.messageTimestamp) || Math.floor(now_s);
  return {
    id: key.id,
    chat,
    number: ids.find((id) => id.endsWith(number_host))?.replace(/[:@].*$/, '') ?? null,
    lid: ids.find((id) => id.endsWith('@lid')) ?? null,
    from_me: key.fromMe === true,
    stale: now_s - at_s > stale_after_s,
    name: key.fromMe ? null : shownText(message.pushName ?? '', longest_name) || null,
    timestamp: at_s,
    ...said,
  };
}

const number_host = '@s.whatsapp.net';

function isPerson(jid: string): boolean {
  return /^\d{5,32}@(?:lid|s\.whatsapp\.net)$/.test(jid);
}

type Said = Pick<LinkedMessage, 'type' | 'text' | 'answers' | 'sent'>;

function contentOf(content: proto.IMessage, id: string): Said | undefined {
  const nothing = { text: null, answers: null, sent: null };
  const found = readers.find(({ kind }) => content[kind]);
  if (!found) return undefined;
  const said = found.read(content, id);
  const answers = quotedIn(content[found.kind]);
  const text = said.text === undefined ? null : shownText(said.text, longest_text);
  return { ...nothing, type: found.type, answers, sent: said.sent ?? null, text };
}

function quotedIn(part: unknown): string | null {
  if (typeof part !== 'object' || part === null || !('contextInfo' in part)) return null;
  const { stanzaId } = (part.contextInfo ?? {}) as proto.IContextInfo;
  return stanzaId && /^[\x21-\x7e]{1,64}$/.test(stanzaId) ? stanzaId : null;
}

interface Reader {
  kind: keyof proto.IMessage;
  type: string;
  read: (content: proto.IMessage, id: string) => { text?: string; sent?: LinkedMessage['sent'] };
}

const text = (words: string | null | undefined) => ({ text: words ?? '' });

// Buttons and lists are of other programs: what they show is what was said.
const readers: readonly Reader[] = [
  { kind: 'conversation', type: 'text', read: (it) => text(it.conversation) },
  { kind: 'extendedTextMessage', type: 'text', read: (it) => text(it.extendedTextMessage?.text) },
  {
    kind: 'buttonsResponseMessage',
    type: 'text',
    read: (it) => text(it.buttonsResponseMessage?.selectedDisplayText),
  },
  { kind: 'listResponseMessage', type: 'text', read: (it) => text(it.listResponseMessage?.title) },
  {
    kind: 'templateButtonReplyMessage',
    type: 'text',
    read: (it) => text(it.templateButtonReplyMessage?.selectedDisplayText),
  },
  {
    kind: 'interactiveResponseMessage',
    type: 'text',
    read: (it) => text(it.interactiveResponseMessage?.body?.text),
  },
  {
    kind: 'imageMessage',
    type: 'image',
    read: (it, id) => ({
      sent: { type: 'image', value: { id, mime: mimeOf(it.imageMessage?.mimetype) } },
    }),
  },
  {
    kind: 'documentMessage',
    type: 'document',
    read: (it, id) => ({
      sent: { type: 'document', value: { id, mime: mimeOf(it.documentMessage?.mimetype) } },
    }),
  },
  { kind: 'locationMessage', type: 'location', read: (it) => ({ sent: placeOf(it) }) },
  ...(
    [
      'audioMessage',
      'videoMessage',
      'stickerMessage',
      'contactMessage',
      'contactsArrayMessage',
    ] as const
  ).map((kind): Reader => ({
    kind,
    type: kind.replace(/(?:Array)?Message$/, ''),
    read: () => ({}),
  })),
];

function mimeOf(mime: string | null | undefined): string {
  return (mime ?? 'application/octet-stream').slice(0, 100);
}

function placeOf({ locationMessage }: proto.IMessage): LinkedMessage['sent'] {
  const latitude = locationMessage?.degreesLatitude ?? NaN;
  const longitude = locationMessage?.degreesLongitude ?? NaN;
  const is_place = Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180;
  return is_place ? { type: 'location', value: { latitude, longitude } } : null;
}
