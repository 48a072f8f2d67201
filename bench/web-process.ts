import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** The web role as a process of its own on any free port; resolves once it listens. */
export async function startWebProcess(it: {
  database_url: string;
  data_dir: string;
  hook_secret: string;
}): Promise<{ port: number; stop: () => Promise<void> }> {
  const child = spawn(process.execPath, ['src/cli.ts', 'serve', '--roles', 'web'], {
    env: {
      ...process.env,
      PORT: '0',
      DATABASE_URL: it.database_url,
      KARANI_DATA: it.data_dir,
      KARANI_HOOK_SECRET: it.hook_secret,
      KARANI_CONFIG: undefined,
      LOG_LEVEL: 'error',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
    if (port) {
      return {
        port: Number(port),
        stop: async () => {
          child.kill('SIGTERM');
          await exited;
        },
      };
    }
  }
  throw new Error('The server did not start');
}
