import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { makeWatch, type Watch } from './watch.ts';

/** Between one worker and WhatsApp. */
export interface Outlet extends Omit<Watch, 'isAt'> {
  url: string;
  mode: 'open' | 'down' | 'answers_lost' | 'slow';
  /** Sendings that WhatsApp took and whose answer the worker never had. */
  lost: () => number;
  close: () => Promise<void>;
}

/** Opens an outlet that hands on to the simulator. */
export async function openOutlet(simulator_url: string): Promise<Outlet> {
  const { isAt, ...watch } = makeWatch();
  let lost = 0;

  const hand = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (it.mode === 'down') return void request.socket.destroy();
    const body = await bodyOf(request);
    if (isAt('leased_not_sent')) return;
    if (it.mode === 'slow') await sleep(800);
    const answer = await fetch(`${simulator_url}${request.url}`, {
      method: request.method ?? 'POST',
      headers: {
        authorization: request.headers.authorization ?? '',
        'content-type': 'application/json',
      },
      ...(body.length > 0 && { body }),
    });
    const text = await answer.text();
    if (isAt('sent_not_recorded')) return;
    if (it.mode === 'answers_lost') {
      lost += 1;
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  };
  const server = createServer((request, response) => {
    hand(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();

  const it: Outlet = {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    mode: 'open',
    ...watch,
    lost: () => lost,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return it;
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return new Uint8Array(Buffer.concat(parts));
}
