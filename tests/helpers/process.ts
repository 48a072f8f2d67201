import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Running {
  url: string;
  pid: number;
  /** What it has printed so far. */
  output: () => string;
  /** Asks it to stop and waits until it has; resolves to its exit code. */
  stop: () => Promise<number | null>;
  /** kill -9. */
  kill: () => Promise<void>;
}

/**
 * A command of Karani's as a real process; resolves when it prints the address it listens on, or
 * that it runs without one.
 */
export async function runKarani(
  script: string,
  args: string[],
  env: Record<string, string | undefined>,
): Promise<Running> {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    env: { ...process.env, LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const url = await new Promise<string>((done, failed) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      output += `${line}\n`;
      const found = /(?:Open|Listening|running:) +(http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
      if (found) done(found);
      if (/^The .* is running\.$/.test(line)) done('');
    });
    child.once('error', failed);
    void exited.then(([code]) => failed(new Error(`It ended with ${code}:\n${output}`)));
  });
  return {
    url,
    pid: child.pid ?? 0,
    output: () => output,
    stop: () => end(child, exited, 'SIGTERM'),
    kill: async () => void (await end(child, exited, 'SIGKILL')),
  };
}

async function end(
  child: ChildProcess,
  exited: Promise<[number | null]>,
  signal: NodeJS.Signals,
): Promise<number | null> {
  child.kill(signal);
  return (await exited)[0];
}

/** Runs a command to its end. */
export async function karani(
  args: string[],
  env: Record<string, string | undefined>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['src/cli.ts', ...args], {
    cwd: root,
    env: { ...process.env, LOG_LEVEL: 'warn', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

/** Asks again and again until the answer is right; says what it last was when it never is. */
export async function eventually<T>(
  ask: () => Promise<T>,
  right: (answer: T) => boolean,
  patience_ms: number,
): Promise<T> {
  const until = Date.now() + patience_ms;
  for (;;) {
    const answer = await ask().catch((error: unknown) => error as T);
    if (right(answer)) return answer;
    if (Date.now() > until)
      throw new Error(`Still ${answer instanceof Error ? answer.message : JSON.stringify(answer)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export async function postJson<T>(url: string, body: unknown): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

export async function getJson<T>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}
