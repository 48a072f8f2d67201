import { connect } from 'node:net';

export interface Load {
  answered: number;
  refused: number;
  seconds: number;
  /** Milliseconds from sending to the answer's last byte, ascending. */
  latencies_ms: number[];
}

export interface Target {
  /** Requests go to these in turn, connection by connection. */
  ports: number[];
  path: string;
  connections: number;
  /** The next body to post on this connection; undefined when there is no more. */
  body: (connection: number) => string | undefined;
  /** JSON if not said. */
  content_type?: string;
  /** Whether an answer is the right one; 200 is, if not said. */
  isRight?: (answer: string, connection: number) => boolean;
  /** So many a second over all connections; without it as fast as answers come. */
  pace?: number;
}

/**
 * Posts bodies over a fixed number of kept-open connections, one request at a time on each, until
 * there are no more. Plain sockets, since the client shares the machine with what it measures.
 */
export async function post(it: Target): Promise<Load> {
  const load: Load = { answered: 0, refused: 0, seconds: 0, latencies_ms: [] };
  const began = performance.now();
  const turns = it.pace === undefined ? undefined : pacedTurns(it.pace);
  await Promise.all(
    Array.from({ length: it.connections }, (_, n) => useConnection(it, n, load, turns)),
  );
  load.seconds = (performance.now() - began) / 1000;
  load.latencies_ms.sort((a, b) => a - b);
  return load;
}

/** Bodies for so many seconds. */
export function forAWhile(seconds: number, body: () => string): () => string | undefined {
  const until = performance.now() + seconds * 1000;
  return () => (performance.now() < until ? body() : undefined);
}

// Each turn has its time, whatever became of those before: a slow answer thins nothing out.
function pacedTurns(pace: number): (go: () => void) => void {
  const began = performance.now();
  let turn = 0;
  return (go) => {
    const wait_ms = began + (turn * 1000) / pace - performance.now();
    turn += 1;
    if (wait_ms <= 0) go();
    else setTimeout(go, wait_ms);
  };
}

function useConnection(
  it: Target,
  connection: number,
  load: Load,
  turns: ((go: () => void) => void) | undefined,
): Promise<void> {
  const { content_type = 'application/json', isRight } = it;
  const port = it.ports[connection % it.ports.length] ?? 0;
  return new Promise((done, failed) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    let sent_at = 0;
    let answer = '';
    const send = () => {
      const body = it.body(connection);
      if (body === undefined) {
        socket.destroy();
        done();
        return;
      }
      sent_at = performance.now();
      socket.write(
        `POST ${it.path} HTTP/1.1\r\nHost: bench\r\nContent-Type: ${content_type}\r\n` +
          `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    };
    const next = () => (turns ? turns(send) : send());
    socket.on('connect', next);
    socket.on('error', failed);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      const head = answer.indexOf('\r\n\r\n');
      if (head === -1) return;
      const length = Number(/content-length: (\d+)/i.exec(answer)?.[1] ?? 0);
      if (answer.length < head + 4 + length) return;
      const is_right = isRight?.(answer.slice(head + 4), connection) ?? true;
      if (answer.startsWith('HTTP/1.1 200') && is_right) load.answered += 1;
      else load.refused += 1;
      load.latencies_ms.push(performance.now() - sent_at);
      answer = '';
      next();
    });
  });
}
