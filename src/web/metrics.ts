import type { Pool } from 'pg';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { isAway } from '../base/db.ts';
import { messageOf } from '../base/errors.ts';
import { Late, within } from '../base/late.ts';
import { log } from '../base/log.ts';
import { shared } from './ask.ts';
import { figureLines } from './figure-lines.ts';
import { type Figures, figureReader } from './figures.ts';

export interface Metrics {
  /** A callback has come in and is being answered; `answered` follows. */
  arrived: () => void;
  /**
   * Counts an answer at a callback door: 'c2b', 'whatsapp', 'ussd', or 'unknown' for a wrong
   * secret; and how long it took.
   */
  answered: (door: string, status: number, seconds: number) => void;
  /** Counts an answer of the API by its route, "GET /api/payments", and how long it took. */
  apiAnswered: (route: string, status: number, seconds: number) => void;
  /** Everything as Prometheus reads it. Never throws, and never takes much longer than a second. */
  read: () => Promise<{ text: string; content_type: string }>;
}

const fresh_ms = 1_000;
const patience_ms = 1_700;

/**
 * What an operator watches, in Prometheus' form. The database is asked when somebody reads it, by
 * one look for all who read at once; without the database there is what the process itself knows.
 */
export function makeMetrics(pool: Pool): Metrics {
  const own = new Registry();
  collectDefaultMetrics({ register: own });
  const doors = doorMetrics(own);
  const apiAnswered = apiMetrics(own);
  const up = databaseMetrics(own, pool);
  const look = shared(figureReader(pool), fresh_ms);

  async function figures(): Promise<Figures | undefined> {
    try {
      return await within(patience_ms, look());
    } catch (error) {
      if (!(error instanceof Late || isAway(error))) {
        log.error({ error: messageOf(error) }, 'the figures cannot be read');
      }
      return undefined;
    }
  }

  return {
    ...doors,
    apiAnswered,
    read: async () => {
      const now = await figures();
      up.set(now ? 1 : 0);
      // Without the database its lines are not there: what was true a while ago is not shown.
      const lines = now ? figureLines(now) : '';
      return { text: `${await own.metrics()}\n${lines}`, content_type: own.contentType };
    },
  };
}

const buckets_s = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

function doorMetrics(registry: Registry): Pick<Metrics, 'arrived' | 'answered'> {
  const registers = [registry];
  const answers = new Counter({
    name: 'karani_callbacks_total',
    help: 'Callbacks by door and answer',
    labelNames: ['door', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'karani_callback_seconds',
    help: 'How long callbacks took to be answered, by door',
    labelNames: ['door'],
    buckets: buckets_s,
    registers,
  });
  const under_way = new Gauge({
    name: 'karani_callbacks_under_way',
    help: 'Callbacks that are being answered now',
    registers,
  });
  return {
    arrived: () => under_way.inc(),
    answered: (door, status, took_s) => {
      under_way.dec();
      answers.inc({ door, status });
      seconds.observe({ door }, took_s);
    },
  };
}

function apiMetrics(registry: Registry): Metrics['apiAnswered'] {
  const registers = [registry];
  const answers = new Counter({
    name: 'karani_api_requests_total',
    help: 'Requests of the API by route and answer',
    labelNames: ['route', 'status'],
    registers,
  });
  const seconds = new Histogram({
    name: 'karani_api_request_seconds',
    help: 'How long requests of the API took to be answered, by route',
    labelNames: ['route'],
    buckets: buckets_s,
    registers,
  });
  return (route, status, took_s) => {
    answers.inc({ route, status });
    seconds.observe({ route }, took_s);
  };
}

function databaseMetrics(registry: Registry, pool: Pool): Gauge {
  const connections = new Gauge({
    name: 'karani_database_connections',
    help: 'Connections of this process: all, idle; waiting are those who wait for one',
    labelNames: ['state'],
    registers: [registry],
    collect: () => {
      connections.set({ state: 'all' }, pool.totalCount);
      connections.set({ state: 'idle' }, pool.idleCount);
      connections.set({ state: 'waiting' }, pool.waitingCount);
    },
  });
  return new Gauge({
    name: 'karani_database_up',
    help: 'Whether the database answered this look',
    registers: [registry],
  });
}
