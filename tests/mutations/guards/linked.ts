import type { Guard } from '../guard.ts';

const socket = 'tests/linked/socket.test.ts';
const chats = 'tests/conversation/linked.test.ts';
const page = 'tests/web/linked.test.ts';

/** The number that is linked as a device: kept before it is receipted, one holder, never first. */
export const linked: Guard[] = [
  {
    guard: 'who answers for WhatsApp is not waited for',
    file: 'src/channels/whatsapp-linked/connection.ts',
    remove: "sock.ws.on('unexpected-response', stop);",
    put: '',
    test: 'tests/linked/socket.test.ts',
    name: 'a network that answers for WhatsApp costs no key',
  },
  {
    guard: 'what the network says is no word about the number',
    file: 'src/channels/whatsapp-linked/connection.ts',
    remove: "if (!error || error.message.startsWith('WebSocket Error')) return undefined;",
    put: 'if (!error) return undefined;',
    test: 'tests/linked/socket.test.ts',
    name: 'a number that is being linked while there is no network is tried again',
  },
  {
    guard: 'a message is kept before WhatsApp hears that it has arrived',
    file: 'src/channels/whatsapp-linked/journal.ts',
    remove: 'batches.leave(() => sendNow(bytes));',
    put: 'sendNow(bytes);',
    test: socket,
    name: 'WhatsApp hears that a message has arrived once it is kept, and not before',
  },
  {
    guard: 'a message is kept before the keys that read it are written',
    file: 'src/channels/whatsapp-linked/journal.ts',
    remove: 'if (message) await keep(message);',
    put: 'await store.write([...changes.values()], credentials); if (message) await keep(message);',
    test: socket,
    name: 'what a crash took before it was kept can be read again when it comes again',
  },
  {
    guard: 'after what could not be done nothing is done',
    file: 'src/channels/whatsapp-linked/journal.ts',
    remove: 'if (over) return;',
    put: '',
    test: socket,
    name: 'keys that cannot be read let no message go: it comes again',
  },
  {
    guard: 'another number than the one that is wanted is let go',
    file: 'src/channels/whatsapp-linked/connection.ts',
    remove: 'if (isAnother(it, identity)) {',
    put: 'if (false) {',
    test: socket,
    name: 'another number than the one that is wanted is let go',
  },
  {
    guard: 'what nobody wrote to us is nothing',
    file: 'src/channels/whatsapp-linked/connection.ts',
    remove: '    shouldIgnoreJid: (jid) => !/@(?:lid|s\\.whatsapp\\.net)$/.test(jid),\n',
    put: '',
    also: [
      {
        file: 'src/channels/whatsapp-linked/read.ts',
        remove: '!isPerson(chat) || ',
        put: '',
      },
    ],
    test: socket,
    name: 'what nobody wrote to us is nothing',
  },
  {
    guard: 'who was overtaken writes no keys',
    file: 'src/conversation/linked-device.ts',
    remove: 'if (rows.length === 0) throw new TakenOver();',
    put: '',
    test: page,
    name: 'who has been overtaken writes nothing any more, neither keys nor how it stands',
  },
  {
    guard: 'a seal opens in its place alone',
    file: 'src/base/secrets.ts',
    remove: 'nonce).setAAD(Buffer.from(place));',
    put: 'nonce);',
    also: [
      {
        file: 'src/base/secrets.ts',
        remove: '\n        .setAAD(Buffer.from(place))\n',
        put: '\n',
      },
    ],
    test: 'tests/linked/parts.test.ts',
    name: 'what is sealed opens with its key, in its place, unchanged, and nowhere else',
  },
  {
    guard: 'the linked number writes to nobody first',
    file: 'src/outbox/take.ts',
    remove: 'and linked_chat is not null and not',
    put: 'and not',
    test: chats,
    name: 'who has not written there is told by SMS, and from then on in that chat',
  },
  {
    guard: 'a message that comes again is one turn',
    file: 'src/conversation/whatsapp.ts',
    remove: 'key: `linked:${linked.chat}:${linked.id}`',
    put: 'key: `linked:${linked.chat}:${linked.id}:${Math.random()}`',
    test: chats,
    name: 'who writes is answered in the chat in which they wrote, once',
  },
  {
    guard: 'an answer of hours ago answers nothing',
    file: 'src/conversation/whatsapp.ts',
    remove: 'if (linked?.stale) {',
    put: 'if (false) {',
    test: chats,
    name: 'what waited for hours at WhatsApp does nothing, and its words are not kept',
  },
  {
    guard: 'Karani is silent where somebody answers on the phone',
    file: 'src/conversation/handoff.ts',
    remove: "await takeOver(tx, actor.id, 'whatsapp', true);",
    put: '',
    test: chats,
    name: 'who answers on the phone takes the chat over, the admins are told, and DONE gives it back',
  },
  {
    guard: 'trust ends when the id behind a number changes',
    file: 'src/people/whatsapp-ids.ts',
    remove: 'if (by_number && by_number.lid !== null && by_number.lid !== lid) {',
    put: 'if (false as boolean && by_number) {',
    test: chats,
    name: 'a new id behind a known number is a stranger until they prove it; its owner is told by SMS',
  },
  {
    guard: 'what waits for the linked number holds up no SMS',
    file: 'src/outbox/take.ts',
    remove: `          and coalesce(w.by_linked, false) = \${it.sender === 'linked'}
        order by o.id limit 1) mine`,
    put: '        order by o.id limit 1) mine',
    test: chats,
    name: 'what waits for the linked number holds up no SMS',
  },
  {
    guard: 'an account that changed proves itself after a restart too',
    file: 'src/people/enrol.ts',
    remove: 'and addresses.verified_at is not null',
    put: '',
    test: chats,
    name: 'a new id behind an admin’s number is a stranger after a restart too',
  },
];
