import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import { type Db, openDatabase } from '../../../src/base/db.ts';
import { openSimulator } from '../../../src/simulator/simulator.ts';
import { freePort, getJson, postJson, runKarani, type Running } from '../../helpers/process.ts';
import { type Door, openDoor } from '../door.ts';
import { admin, hook_secret, moneyConfig, openBooks, phone_number_id } from './books.ts';
import { type MoneyPlan, process_names, type ProcessName, shortcodes } from './plan.ts';

/** Two web processes and a worker on one database, and M-Pesa beside them. */
export interface MoneyWorld {
  db: Db;
  /** What shares M-Pesa's callbacks out among the web processes. */
  door: Door;
  simulator_url: string;
  /** Where a prompt of that shortcode is asked for: each web process asks from one of them. */
  asksAt: (shortcode: string) => string;
  token: string;
  kills: number;
  /** kill -9, and started again. */
  kill: (name: ProcessName) => Promise<void>;
  /** Asks all to stop; resolves to how they ended. */
  stop: () => Promise<(number | null)[]>;
  close: () => Promise<void>;
}

/** Opens it on a database of its own that is empty. */
export async function openMoneyWorld(plan: MoneyPlan, database_url: string): Promise<MoneyWorld> {
  const stops: (() => unknown)[] = [];
  const close = async () => {
    for (const stop of stops.toReversed()) await Promise.resolve(stop()).catch(() => undefined);
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), 'karani-money-in-'));
    stops.push(() => rmSync(folder, { recursive: true, force: true }));
    const token = await openBooks(plan, database_url);
    const { db, pool } = openDatabase(database_url, 6);
    stops.push(() => pool.end());

    const ports = [await freePort(), await freePort()];
    const door = await openDoor(
      plan.seed,
      ports.map((port) => `http://127.0.0.1:${port}`),
    );
    // What goes wrong here goes wrong at M-Pesa.
    door.calm = true;
    stops.push(() => door.close());
    const simulator_url = await openMpesa(join(folder, 'mpesa'), door.url, stops);

    const start = (name: ProcessName) => {
      const asks = name === 'web-2' ? 'till' : 'paybill';
      const config_path = join(folder, `${asks}.yaml`);
      writeFileSync(config_path, moneyConfig(asks));
      const role = name === 'worker' ? 'worker' : 'web';
      return runKarani('src/cli.ts', ['serve', '--roles', role], {
        LOG_LEVEL: 'silent',
        KARANI_CONFIG: config_path,
        KARANI_DATA: join(folder, 'data'),
        KARANI_SECRET: 'a-secret-for-chaos-0123456789abcdefghij',
        PUBLIC_URL: door.url,
        PORT: String(ports[name === 'web-2' ? 1 : 0]),
        DARAJA_BASE_URL: simulator_url,
        WHATSAPP_BASE_URL: simulator_url,
        AT_BASE_URL: simulator_url,
        DATABASE_URL: database_url,
      });
    };
    const running = new Map<ProcessName, Running>();
    stops.push(() => Promise.all([...running.values()].map((it) => it.kill())));
    await Promise.all(process_names.map(async (name) => running.set(name, await start(name))));

    const world: MoneyWorld = {
      ...{ db, door, simulator_url, token, close, kills: 0 },
      asksAt: (shortcode) =>
        `http://127.0.0.1:${ports[shortcode === shortcodes.till ? 1 : 0]}/api/payments/initiate`,
      kill: async (name) => {
        await running.get(name)?.kill();
        world.kills += 1;
        running.set(name, await start(name));
      },
      stop: () => Promise.all([...running.values()].map((it) => it.stop())),
    };
    return world;
  } catch (error) {
    await close();
    throw error;
  }
}

/** M-Pesa, to which the business has given its addresses. */
async function openMpesa(
  data_dir: string,
  app_url: string,
  stops: (() => unknown)[],
): Promise<string> {
  const simulator = await openSimulator({
    ...{ data_dir, app_url, hook_secret },
    whatsapp: { phone_number_id },
  });
  stops.push(() => simulator.close());
  const server = serve({ fetch: simulator.routes.fetch, hostname: '127.0.0.1', port: 0 });
  await new Promise((done) => server.once('listening', done));
  // Who pays is not to find a connection closed that was silent for a while.
  if ('keepAliveTimeout' in server) server.keepAliveTimeout = 600_000;
  stops.push(() => {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const basic = { authorization: `Basic ${btoa('k:s')}` };
  const generated = await fetch(`${url}/oauth/v1/generate?grant_type=client_credentials`, {
    headers: basic,
  });
  const { access_token } = (await generated.json()) as { access_token: string };
  const tell = async (path: string, body: object) => {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${access_token}` },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  };
  const hooks = `${app_url}/hooks/${hook_secret}/c2b`;
  const versions = {
    [shortcodes.paybill]: 'v1',
    [shortcodes.till]: 'v2',
    [shortcodes.quiet]: 'v2',
  };
  for (const [ShortCode, version] of Object.entries(versions)) {
    await tell(`/mpesa/c2b/${version}/registerurl`, {
      ShortCode,
      ResponseType: 'Completed',
      ConfirmationURL: `${hooks}/confirmation`,
      ValidationURL: `${hooks}/validation`,
    });
  }
  await tell('/pulltransactions/v1/register', {
    ShortCode: shortcodes.paybill,
    RequestType: 'Pull',
    NominatedNumber: admin,
    CallBackURL: `${hooks}/confirmation`,
  });
  return url;
}

/** What M-Pesa knows of a payment. */
export interface Happened {
  receipt: string;
  amount: number;
  from: string;
  to: string;
  account: string;
  state: 'completed' | 'reversed';
}

/** M-Pesa, as the world's people and its clerks meet it. */
export function mpesaAt(simulator_url: string) {
  const at = `${simulator_url}/sim`;
  return {
    pay: (it: object) => postJson<{ receipt: string }>(`${at}/mpesa/pay`, it),
    open: () => getJson<{ id: string; account: string }[]>(`${at}/mpesa/prompts`),
    answer: (id: string, answer: string) =>
      postJson<{ result_code: string; receipt?: string }>(`${at}/mpesa/prompts/${id}`, { answer }),
    reverse: (receipt: string) => postJson(`${at}/mpesa/reverse`, { receipt }),
    faults: (faults: object) => postJson(`${at}/faults`, faults),
    truth: () => getJson<Happened[]>(`${at}/mpesa/transactions`),
    accounts: () =>
      getJson<{ holder: string; account: string; balance: number }[]>(`${at}/mpesa/accounts`),
    statement: async (shortcode: string) =>
      (await fetch(`${at}/mpesa/statement?shortcode=${shortcode}`)).text(),
  };
}
