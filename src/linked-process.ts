import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { log } from './base/log.ts';

/**
 * The linked number has a process of its own: what goes wrong in the code that speaks WhatsApp's
 * protocol, or stands still there, touches nobody else.
 */

const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
const alive_every_ms = 2_000;
const longest_silence_ms = 30_000;
const longest_wait_ms = 30_000;
const longest_stop_ms = 5_000;

/** Runs it, and again whenever it ends or says nothing for half a minute. */
export function keepLinkedProcess(env: NodeJS.ProcessEnv): { stop: () => Promise<void> } {
  const stopping = new AbortController();
  let child: ChildProcess | undefined;
  const running = (async () => {
    for (
      let wait_ms = 1_000;
      !stopping.signal.aborted;
      wait_ms = Math.min(wait_ms * 2, longest_wait_ms)
    ) {
      const began = performance.now();
      child = spawn(process.execPath, [cli, 'serve', '--roles', 'whatsapp'], {
        env,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      if (stopping.signal.aborted) child.kill('SIGTERM');
      await untilEnded(child);
      if (stopping.signal.aborted) return;
      log.error({}, 'the process of the linked number ended; it begins again');
      if (performance.now() - began > longest_wait_ms) wait_ms = 1_000;
      await sleep(wait_ms, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      child?.kill('SIGTERM');
      const too_long = setTimeout(() => child?.kill('SIGKILL'), longest_stop_ms);
      await running;
      clearTimeout(too_long);
    },
  };
}

async function untilEnded(child: ChildProcess): Promise<void> {
  let silence: NodeJS.Timeout | undefined;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => child.kill('SIGKILL'), longest_silence_ms);
  };
  child.on('message', heard);
  heard();
  await Promise.race([once(child, 'exit'), once(child, 'error')]);
  clearTimeout(silence);
}

/** In that process: says that it is alive, and ends it when nobody listens any more. */
export function sayAlive(): void {
  if (!process.send) return;
  setInterval(() => process.send?.('alive'), alive_every_ms).unref();
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
}
