import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Db, openDatabase } from '../../src/base/db.ts';
import { freePort, karani, postJson, runKarani } from '../helpers/process.ts';
import { businessConfig, seedBusiness } from './business.ts';
import { type Door, openDoor } from './door.ts';
import { type Fleet, startFleet } from './fleet.ts';
import type { Plan } from './plan.ts';
import type { ChaosPostgres } from './postgres.ts';

/** Everything that a story happens in. */
export interface World {
  postgres: ChaosPostgres;
  database_url: string;
  /** Straight to PostgreSQL, past every proxy. */
  db: Db;
  door: Door;
  fleet: Fleet;
  simulator_url: string;
  hook_secret: string;
  /** For commands of ours: straight to PostgreSQL and the simulator. */
  env: Record<string, string>;
  close: () => Promise<void>;
}

const hook_secret = 'chaos-hook-0123456789';

let worlds = 0;

/** The business on a database of its own, two web and two worker processes, and M-Pesa beside them. */
export async function openWorld(plan: Plan, postgres: ChaosPostgres): Promise<World> {
  const stops: (() => unknown)[] = [];
  const close = async () => {
    for (const stop of stops.toReversed()) await Promise.resolve(stop()).catch(() => undefined);
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), 'karani-chaos-'));
    stops.push(() => rmSync(folder, { recursive: true, force: true }));
    const name = `chaos_${(worlds += 1)}`;
    const { url: database_url, drop } = await postgres.makeDatabase(name);
    stops.push(drop);
    await seedBusiness(database_url);
    const { db } = openDatabase(database_url, 4);
    stops.push(() => db.destroy());

    const ports = [await freePort(), await freePort()];
    const targets = ports.map((port) => `http://127.0.0.1:${port}`);
    const door = await openDoor(plan.seed, targets);
    stops.push(() => door.close());
    const simulator = await runKarani(
      'src/cli.ts',
      ['simulator', '--port', '0', '--app', door.url, '--data', join(folder, 'simulator')],
      { KARANI_HOOK_SECRET: hook_secret },
    );
    stops.push(() => simulator.kill());

    const config_path = join(folder, 'config.yaml');
    writeFileSync(config_path, businessConfig(hook_secret));
    const env = {
      PUBLIC_URL: door.url,
      KARANI_CONFIG: config_path,
      KARANI_DATA: join(folder, 'data'),
      KARANI_SECRET: 'a-secret-for-chaos-0123456789abcdefghij',
      DARAJA_BASE_URL: simulator.url,
      WHATSAPP_BASE_URL: simulator.url,
      DATABASE_URL: database_url,
    };
    const { socket_path } = postgres;
    const simulator_url = simulator.url;
    const fleet = await startFleet({
      plan,
      ports,
      env,
      socket_path,
      database: name,
      simulator_url,
    });
    stops.push(() => fleet.destroy());

    const registered = await karani(['daraja', 'register-urls'], env);
    if (registered.code !== 0) throw new Error(registered.stderr);
    const faults = { duplicate: 0.1, seed: String(plan.seed) };
    await postJson(`${simulator_url}/sim/faults`, faults);
    return { postgres, database_url, db, door, fleet, simulator_url, hook_secret, env, close };
  } catch (error) {
    await close();
    throw error;
  }
}
