import { connect, type Socket } from 'node:net';

export interface Load {
  answered: number;
  refused: number;
  seconds: number;
  /** Milliseconds from sending to the answer's last byte, ascending. */
  latencies_ms: number[];
}

/**
 * Posts bodies to one address over a fixed number of kept-open connections, one request at a time on each,
 * for a while. Plain sockets, since the client shares the machine with what it measures.
 */
export async function postForAWhile(it: {
  host: string;
  port: number;
  path: string;
  connections: number;
  seconds: number;
  body: () => string;
}): Promise<Load> {
  const load: Load = { answered: 0, refused: 0, seconds: 0, latencies_ms: [] };
  const began = performance.now();
  const until = began + it.seconds * 1000;
  await Promise.all(Array.from({ length: it.connections }, () => useConnection(it, until, load)));
  load.seconds = (performance.now() - began) / 1000;
  load.latencies_ms.sort((a, b) => a - b);
  return load;
}

function useConnection(
  it: { host: string; port: number; path: string; body: () => string },
  until: number,
  load: Load,
): Promise<void> {
  return new Promise((done, failed) => {
    const socket: Socket = connect({ host: it.host, port: it.port, noDelay: true });
    let sent_at = 0;
    let answer = '';
    const send = () => {
      if (performance.now() >= until) {
        socket.destroy();
        done();
        return;
      }
      const body = it.body();
      sent_at = performance.now();
      socket.write(
        `POST ${it.path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    };
    socket.on('connect', send);
    socket.on('error', failed);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      const head = answer.indexOf('\r\n\r\n');
      if (head === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(answer)?.[1] ?? 0);
      if (answer.length < head + 4 + length) return;
      if (answer.startsWith('HTTP/1.1 200')) load.answered += 1;
      else load.refused += 1;
      load.latencies_ms.push(performance.now() - sent_at);
      answer = '';
      send();
    });
  });
}

/** The value below which this share of an ascending list lies. */
export function percentile(ascending: number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0;
}

export function median(values: number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}
