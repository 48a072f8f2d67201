import { mkdir, open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { messageOf, SetupError } from '../base/errors.ts';

/**
 * A file of events, one line of JSON each. An event is on disk when `append` resolves; those that
 * arrive during a write share the next one, so a thousand cost a few writes.
 */
export interface Journal<Event> {
  append(event: Event): Promise<void>;
  /** Resolves when everything appended so far is on disk. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Hands every event of the file to `replay`, then rewrites the file as `compacted` gives it and
 * goes on appending. A line torn by a sudden end was never answered for and is left out.
 */
export async function openJournal<Event>(
  path: string,
  replay: (event: Event) => void,
  compacted: () => Event[],
): Promise<Journal<Event>> {
  await mkdir(dirname(path), { recursive: true });
  for (const line of await readLines(path)) replay(line as Event);
  const file = await replaceFile(path, compacted());

  let lines: string[] = [];
  let last: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;

  const writeWaiting = async (): Promise<void> => {
    const batch = lines.join('');
    lines = [];
    last = next ?? last;
    next = undefined;
    await file.appendFile(batch);
    await file.datasync();
  };

  return {
    append: (event) => {
      lines.push(lineOf(event));
      // After a failed write `last` stays rejected: nothing is promised that is not on disk.
      next ??= last.then(writeWaiting);
      return next;
    },
    settled: () => next ?? last,
    close: async () => {
      await (next ?? last).catch(() => undefined);
      await file.close();
    },
  };
}

async function readLines(path: string): Promise<unknown[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new SetupError(`The simulator cannot read ${path}: ${messageOf(error)}`);
  });
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line, withCents) as unknown];
    } catch {
      if (index === lines.length - 1) return [];
      throw new SetupError(
        `Line ${index + 1} of ${path} cannot be read. Move the file away to begin a new M-Pesa.`,
      );
    }
  });
}

async function replaceFile(path: string, events: unknown[]): Promise<FileHandle> {
  const fresh = `${path}.new`;
  // It holds the addresses that it was given, secrets and all.
  const file = await open(fresh, 'w', 0o600);
  await file.appendFile(events.map(lineOf).join(''));
  await file.sync();
  await file.close();
  await rename(fresh, path);
  const folder = await open(dirname(path), 'r');
  await folder.sync();
  await folder.close();
  return open(path, 'a');
}

function lineOf(event: unknown): string {
  return `${JSON.stringify(event, withoutBigint)}\n`;
}

function withoutBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function withCents(key: string, value: unknown): unknown {
  return key.endsWith('_cents') && typeof value === 'string' ? BigInt(value) : value;
}
