import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { guards } from './guards.ts';

// What `npm run mutations` is going to take away is still there, and so are the tests that notice it.

const read = (file: string) => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

test('every guard of the list stands once where the list says', () => {
  const stale = guards
    .flatMap((guard) => [
      { ...guard, of: guard.guard },
      ...(guard.also ?? []).map((it) => ({ ...it, of: guard.guard })),
    ])
    .filter(({ file, remove }) => read(file).split(remove).length !== 2)
    .map(({ of, file }) => `${of}: ${file}`);
  expect(stale).toEqual([]);
});
