import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { SetupError } from './base/errors.ts';
import { log, tally } from './base/log.ts';

export interface Listening {
  url: string;
  /** Nobody new is let in, and who is in is answered. May be called again. */
  stop: () => Promise<void>;
}

// A client that is slow gives up its place before long. One that is quiet keeps its connection
// longer than a proxy does (a minute, as a rule), or callbacks would get lost between the two.
const slowness: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 2_000,
  keepAliveTimeout: 75_000,
};
// Far fewer than a process may have open files, so that the database can still be reached; and as
// many as Node looks at in one turn, or they would keep it from its own work (measured: with three
// thousand that send all they can, the database is not heard for ten seconds).
const most_connections = 1_000;

// A step such as ".." in the path, however it is written.
const climbs = /^[^?#]*\/(?:\.|%2e){1,2}(?:[/?#;]|$)/i;

/** Listens; `url` is where this machine reaches it. Throws SetupError when the port is taken. */
export async function listen(app: Hono, host: string, port: number): Promise<Listening> {
  const server = createAdaptorServer({
    fetch: async (request, env) => {
      const { incoming } = env as HttpBindings;
      // A proxy before us judges an address as it is written; here it would be another one.
      if (climbs.test(incoming.url ?? '')) return new Response('Not found', { status: 404 });
      const response = await app.fetch(request, env);
      // Who is in hears that this connection takes no more.
      if (!server.listening) (env as HttpBindings).outgoing.setHeader('connection', 'close');
      return response;
    },
    serverOptions: slowness,
  }) as Server;
  letIn(server);
  await new Promise<void>((done, failed) => {
    server.once('error', (error) => failed(cannotListen(error, host, port)));
    server.listen(port, host, done);
  });
  server.on('error', (error) => log.error({ error: error.message }, 'listening failed'));
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  let stopped: Promise<void> | undefined;
  return {
    url: `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${bound}`,
    stop: () => (stopped ??= stopServer(server)),
  };
}

// When there is no place left, who is owed no answer and has been so for longest gives up theirs:
// otherwise a thousand that say nothing, or half of something, would keep everybody else out.
function letIn(server: Server): void {
  const waited_for = new Set<Socket>();
  let places = 0;
  const crowded = tally('more connections than are let in');
  server.maxConnections = most_connections;
  server.on('drop', crowded);
  server.on('connection', (socket: Socket) => {
    places += 1;
    waited_for.add(socket);
    socket.once('close', () => {
      places -= 1;
      waited_for.delete(socket);
    });
    if (places < most_connections) return;
    const [longest] = waited_for;
    longest?.destroy();
    crowded();
  });
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    waited_for.delete(socket);
    response.once('close', () => {
      if (!socket.destroyed) waited_for.add(socket);
    });
  });
}

function cannotListen(error: Error, host: string, port: number): SetupError {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new SetupError(`Port ${port} is in use. Stop what uses it, or set PORT to another one.`);
  }
  if (code === 'EACCES') {
    return new SetupError(`Port ${port} needs more rights. Set PORT to one above 1023.`);
  }
  return new SetupError(
    `Karani cannot listen on ${host}:${port} (${error.message}). Check HOST and PORT.`,
  );
}

const last_answer_ms = 5_000;

async function stopServer(server: Server): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  const idle = setInterval(() => server.closeIdleConnections(), 200);
  const patience = setTimeout(() => server.closeAllConnections(), last_answer_ms);
  await closed;
  clearInterval(idle);
  clearTimeout(patience);
}
