import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { bodyOf } from './outlet.ts';
import { fateOf } from './plan.ts';
import { randomStream } from './random.ts';

// What stands before the web processes: it shares requests out as a load balancer does, and does to
// callbacks what the way from Safaricom to here may do.

export interface DoorFigures {
  /** Answers of our processes by status; `none`: the connection broke. */
  answers: Record<string, number>;
  copies: number;
  dropped: number;
  answers_lost: number;
}

export interface Door {
  url: string;
  figures: DoorFigures;
  /** Receipts whose callback was answered 200 at least once, whether M-Pesa heard that or not. */
  answered: Set<string>;
  /** What was sent with another amount under a receipt that was answered before, and of it what was answered 200 too. */
  tampered: { sent: Set<string>; answered: Set<string> };
  /** While this is so nothing is done to callbacks. */
  calm: boolean;
  /** Resolves when nothing is on its way any more. */
  quiet: () => Promise<void>;
  close: () => Promise<void>;
}

interface Answer {
  status: number;
  type: string;
  text: string;
}

const patience_ms = 12_000;

/** Opens a door to these addresses. */
export async function openDoor(seed: bigint, targets: readonly string[]): Promise<Door> {
  const random = randomStream(seed, 'door');
  const sendings = new Map<number, number>();
  const under_way = new Set<Promise<unknown>>();
  const door: Door = {
    url: '',
    figures: { answers: {}, copies: 0, dropped: 0, answers_lost: 0 },
    answered: new Set(),
    tampered: { sent: new Set(), answered: new Set() },
    calm: false,
    quiet: async () => {
      while (under_way.size > 0) await Promise.all(under_way);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };

  const count = (status: string) => {
    door.figures.answers[status] = (door.figures.answers[status] ?? 0) + 1;
  };

  // To one of the targets, or to another when nobody answers there.
  const forward = async (
    path: string,
    headers: Record<string, string>,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<Answer | undefined> => {
    const first = random.whole(0, targets.length - 1);
    for (let n = 0; n < targets.length; n += 1) {
      const target = targets[(first + n) % targets.length];
      try {
        const signal = AbortSignal.timeout(patience_ms);
        const answer = await fetch(`${target}${path}`, { method: 'POST', headers, body, signal });
        const type = answer.headers.get('content-type') ?? '';
        const text = await answer.text();
        count(`${answer.status}`);
        return { status: answer.status, type, text };
      } catch (error) {
        count('none');
        if (!isRefused(error)) return undefined;
      }
    }
    return undefined;
  };

  const callback = async (
    path: string,
    headers: Record<string, string>,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<Answer | undefined> => {
    const { receipt, payment, amount } = read(body);
    const nth = sendings.get(payment) ?? 0;
    sendings.set(payment, nth + 1);
    const fate = fateOf(seed, payment, nth);
    if (fate.dropped && !door.calm) {
      door.figures.dropped += 1;
      return undefined;
    }
    if (!door.calm) await sleep(fate.delay_ms);
    const copies = door.calm ? 1 : fate.copies;
    door.figures.copies += copies - 1;
    const answers = await Promise.all(
      Array.from({ length: copies }, () => forward(path, headers, body)),
    );
    const yes = answers.find((answer) => answer?.status === 200);
    if (yes) door.answered.add(receipt);
    if (yes && fate.tampered && !door.calm) {
      const other = Buffer.from(body)
        .toString()
        .replace(`"TransAmount":"${amount}"`, `"TransAmount":"${Number(amount) + 5000}.00"`);
      door.tampered.sent.add(other);
      const answer = await forward(path, headers, new Uint8Array(Buffer.from(other)));
      if (answer?.status === 200) door.tampered.answered.add(other);
    }
    if (fate.answer_lost && !door.calm) {
      door.figures.answers_lost += 1;
      return undefined;
    }
    return yes ?? answers.find((answer) => answer !== undefined);
  };

  const hand = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const path = request.url ?? '/';
    const headers = Object.fromEntries(
      ['content-type', 'x-hub-signature-256'].flatMap((name) => {
        const value = request.headers[name];
        return typeof value === 'string' ? [[name, value]] : [];
      }),
    );
    const how = path.endsWith('/c2b/confirmation') ? callback : forward;
    const answer = await how(path, headers, body);
    if (!answer) return void request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': answer.type }).end(answer.text);
  };

  const server = createServer((request, response) => {
    const handing = hand(request, response)
      .catch(() => request.socket.destroy())
      .finally(() => under_way.delete(handing));
    under_way.add(handing);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  door.url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  return door;
}

function read(body: Uint8Array): { receipt: string; payment: number; amount: string } {
  const { TransID, FirstName, TransAmount } = JSON.parse(Buffer.from(body).toString());
  return { receipt: TransID, payment: Number(/\d+/.exec(FirstName)?.[0]), amount: TransAmount };
}

function isRefused(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}
