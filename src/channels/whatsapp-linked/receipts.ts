import type { WASocket } from '@whiskeysockets/baileys';

/**
 * Keeps back what leaves the socket while a message that came in is not kept yet. Baileys tells
 * WhatsApp that a message has arrived before it tells us; if this process died in between, nobody
 * would have it any more.
 */
export interface Receipts {
  /** The message is kept, or nobody will keep it. */
  done: (id: string) => void;
}

// What never becomes a message to us holds nothing up for longer.
const longest_ms = 3_000;

type Send = (bytes: Uint8Array, sent?: (error?: Error) => void) => void;

export function holdReceipts(sock: WASocket): Receipts {
  // The socket below Baileys' own: what it sends through was taken before we could.
  const { socket } = sock.ws as unknown as { socket: { send: Send } };
  const sendNow = socket.send.bind(socket);
  const under_way = new Map<string, NodeJS.Timeout>();
  let held: (() => void)[] = [];

  const done = (id: string) => {
    clearTimeout(under_way.get(id));
    under_way.delete(id);
    if (under_way.size > 0) return;
    for (const send of held) send();
    held = [];
  };

  socket.send = (bytes, sent) => {
    if (under_way.size === 0) return sendNow(bytes, sent);
    held.push(() => sendNow(bytes));
    // Baileys goes on to tell us of the message once it believes that this has left.
    if (sent) setImmediate(sent);
  };
  sock.ws.on('CB:message', ({ attrs }: { attrs: Record<string, string> }) => {
    const { id, from = '', category } = attrs;
    if (!id || category === 'peer' || !/@(?:lid|s\.whatsapp\.net)$/.test(from)) return;
    clearTimeout(under_way.get(id));
    under_way.set(
      id,
      setTimeout(() => done(id), longest_ms),
    );
  });
  sock.ws.on('close', () => {
    for (const waiting of under_way.values()) clearTimeout(waiting);
    under_way.clear();
    held = [];
  });
  return { done };
}
