import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { startPostgres } from '../../src/base/embedded-postgres.ts';
import { runningPostmaster } from '../../src/base/postmaster.ts';

/** A PostgreSQL for chaos: durable as in earnest, with a database for each seed. */
export interface ChaosPostgres {
  folder: string;
  /** On a small disk of its own, which can be filled; only root can make one. */
  small_disk: boolean;
  socket_path: string;
  makeDatabase: (name: string) => Promise<{ url: string; drop: () => Promise<void> }>;
  stop: () => Promise<void>;
}

const disk_size = '1500m';

export async function startChaosPostgres(): Promise<ChaosPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'karani-chaos-postgres-'));
  const mounted = ['-t', 'tmpfs', '-o', `size=${disk_size},mode=0755`, 'karani-chaos', folder];
  const small_disk = process.getuid?.() === 0 && spawnSync('mount', mounted).status === 0;
  const data_dir = join(folder, 'data');
  mkdirSync(data_dir, { mode: 0o700 });
  const settings = { shared_buffers: '128MB', max_wal_size: '512MB', max_connections: '120' };
  const postgres = await startPostgres(data_dir, { settings });
  const socket_dir = runningPostmaster(join(data_dir, 'postgres'))?.socket_dir ?? '';
  const inServer = async (statement: string): Promise<void> => {
    const client = new Client({ connectionString: postgres.url, application_name: 'chaos' });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(statement);
    await client.end();
  };
  return {
    folder: data_dir,
    small_disk,
    socket_path: join(socket_dir, '.s.PGSQL.5432'),
    makeDatabase: async (name) => {
      await inServer(`create database ${name}`);
      const url = postgres.url.replace('/karani?', `/${name}?`);
      return { url, drop: () => inServer(`drop database ${name} with (force)`) };
    },
    stop: async () => {
      await postgres.stop();
      if (small_disk) spawnSync('umount', [folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
