import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import { openSimulator } from '../../src/simulator/simulator.ts';

export const hook_secret = 'hooksecretOfTheTests';

export interface Received {
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

type Reply = { status: number; text?: string };

/** An app that keeps what it is posted and answers as it is told to. */
export async function openApp(answer: (it: Received) => Reply = () => ({ status: 200 })) {
  const received: Received[] = [];
  let heard: (() => void)[] = [];
  const app = { answer, received };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const it = { path: request.url ?? '', headers: request.headers, body };
      received.push(it);
      const reply = app.answer(it);
      response.writeHead(reply.status, { 'content-type': 'text/plain' }).end(reply.text ?? '{}');
      for (const wake of heard.splice(0)) wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(app, {
    url: `http://127.0.0.1:${port}`,
    /** Resolves when so many were posted in all. */
    async hears(count: number): Promise<Received[]> {
      while (received.length < count) await new Promise<void>((resolve) => heard.push(resolve));
      return received;
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  });
}

export async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
  });
  return { status: response.status, json: JSON.parse(await response.text()) };
}

export async function get(url: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, { headers });
  return { status: response.status, json: JSON.parse(await response.text()) };
}

async function serveSimulator(data_dir: string, app_url: string) {
  const simulator = await openSimulator({ data_dir, app_url, hook_secret });
  const server = serve({ fetch: simulator.routes.fetch, hostname: '127.0.0.1', port: 0 });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.close();
      if ('closeAllConnections' in server) server.closeAllConnections();
      await simulator.close();
    },
  };
}

/** A simulator and an app, with the means to talk to both; `close` ends them and their folder. */
export async function openWorld(answer?: (it: Received) => Reply) {
  const app = await openApp(answer);
  const data_dir = await mkdtemp(join(tmpdir(), 'karani-simulator-'));
  const open = () => serveSimulator(data_dir, app.url);
  let simulator = await open();
  const world = {
    app,
    data_dir,
    /** Where the simulator is now. */
    url: () => simulator.url,
    post: (path: string, body: unknown, headers?: Record<string, string>) =>
      post(simulator.url + path, body, headers),
    get: (path: string, headers?: Record<string, string>) => get(simulator.url + path, headers),
    async token(key = 'key') {
      const authorization = `Basic ${Buffer.from(`${key}:secret`).toString('base64')}`;
      const { json } = await world.get('/oauth/v1/generate?grant_type=client_credentials', {
        authorization,
      });
      return { authorization: `Bearer ${json.access_token}` };
    },
    async register(version: 'v1' | 'v2', shortcode = '600000') {
      const body = {
        ShortCode: shortcode,
        ResponseType: 'Completed',
        ConfirmationURL: `${app.url}/confirmation`,
        ValidationURL: `${app.url}/validation`,
      };
      return world.post(`/mpesa/c2b/${version}/registerurl`, body, await world.token());
    },
    async pay(more: Record<string, unknown> = {}): Promise<string> {
      const order = { phone: '0700000004', amount: 500, account: 'INV-1', ...more };
      return (await world.post('/sim/mpesa/pay', order)).json.receipt;
    },
    async reopen() {
      await simulator.close();
      simulator = await open();
    },
    async close() {
      await simulator.close();
      app.close();
      await rm(data_dir, { recursive: true, force: true });
    },
  };
  return world;
}
