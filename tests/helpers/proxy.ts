import { connect, createServer, type Socket } from 'node:net';
import { Client } from 'pg';

/** Between a process and its PostgreSQL. */
export interface Proxy {
  /** The database's address by way of here. */
  url: string;
  /** From now on nothing passes and nobody is told, until `resume`. */
  hang: () => void;
  resume: () => void;
  close: () => Promise<void>;
}

/** Opens a way to the PostgreSQL behind this address, which names a Unix socket or a host. */
export async function openProxy(database_url: string): Promise<Proxy> {
  const { host, port, user, password, database } = new Client({ connectionString: database_url });
  const there = host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
  const sockets = new Set<Socket>();
  let hung = false;
  const server = createServer((client) => {
    const server_side = connect(there);
    for (const [one, other] of [
      [client, server_side],
      [server_side, client],
    ] as const) {
      sockets.add(one);
      one.on('data', (chunk) => other.write(chunk));
      one.on('error', () => undefined);
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      if (hung) one.pause();
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const own_port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `postgres://${user}:${password ?? ''}@127.0.0.1:${own_port}/${database}?sslmode=disable`,
    hang: () => {
      hung = true;
      for (const socket of sockets) socket.pause();
    },
    resume: () => {
      hung = false;
      for (const socket of sockets) socket.resume();
    },
    close: async () => {
      const closed = new Promise((done) => server.close(done));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
