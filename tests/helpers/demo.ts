import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runKarani } from './process.ts';

export interface Demo {
  url: string;
  /** Where it keeps what it keeps. */
  data_dir: string;
  stop: () => Promise<void>;
}

/** The demo as `npm start` runs it, in a folder of its own, on any free port. */
export async function startDemo(): Promise<Demo> {
  const data_dir = await mkdtemp(join(tmpdir(), 'karani-demo-'));
  const running = await runKarani('src/main.ts', [], {
    PORT: '0',
    KARANI_DATA: data_dir,
    KARANI_CONFIG: undefined,
    DATABASE_URL: undefined,
  });
  return {
    url: running.url,
    data_dir,
    stop: async () => {
      await running.stop();
      rmSync(data_dir, { recursive: true, force: true });
    },
  };
}
