import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection to a server on which any bytes can be said, as no HTTP client would say them. */
export interface Line {
  socket: Socket;
  /** What has been answered so far. */
  answered: () => string;
  /** Resolves once the server has answered this far; fails when the line closes before. */
  hears: (what: RegExp) => Promise<void>;
  /** Resolves to all that was answered, when the line has closed. */
  closed: Promise<string>;
}

/** Opens a line and says `text` on it. */
export async function openLine(url: string, text: string | Buffer = ''): Promise<Line> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')));
  socket.on('error', () => undefined);
  const gone = new Promise<void>((done) => socket.once('close', () => done()));
  await Promise.race([once(socket, 'connect').catch(() => undefined), gone]);
  if (text.length > 0) socket.write(text);
  return {
    socket,
    answered: () => answer,
    hears: async (what) => {
      while (!what.test(answer)) {
        if (socket.closed) throw new Error(`It closed after ${answer}`);
        await Promise.race([new Promise((heard) => socket.once('data', heard)), gone]);
      }
    },
    closed: gone.then(() => answer),
  };
}

/** Says `text` on a line of its own; resolves to all that was answered until the server closed. */
export async function say(url: string, text: string | Buffer): Promise<string> {
  return (await openLine(url, text)).closed;
}

/** The statuses in what was answered on one line, in their order. */
export function statusesIn(answered: string): number[] {
  return [...answered.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map((line) => Number(line[1]));
}
