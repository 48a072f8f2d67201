import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/helpers/global-setup.ts'],
    // Nothing of ours keeps state between files, and most of a short test's time is loading modules.
    isolate: false,
    pool: 'threads',
    maxWorkers: 2,
    // What is provoked on purpose need not be read.
    env: { LOG_LEVEL: 'silent' },
    testTimeout: 90_000,
    hookTimeout: 90_000,
    reporters: ['default'],
  },
});
