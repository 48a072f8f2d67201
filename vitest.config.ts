import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    setupFiles: ['tests/helpers/each-file.ts'],
    globalSetup: ['tests/helpers/global-setup.ts'],
    // Nothing of ours keeps state between files, and most of a short test's time is loading modules.
    isolate: false,
    pool: 'threads',
    maxWorkers: 2,
    env: {
      // What is provoked on purpose need not be read.
      LOG_LEVEL: 'silent',
      // The processes that tests start are many.
      NODE_COMPILE_CACHE: join(tmpdir(), 'karani-tests-compiled'),
    },
    testTimeout: 90_000,
    hookTimeout: 90_000,
    reporters: ['default'],
  },
});
