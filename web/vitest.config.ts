import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'node',
    include: ['tests/**/*.test.ts'],
    // They wait for a daemon, for clocks and for one another more than they compute.
    maxWorkers: 4,
    // Only what hangs is to fail, also on a machine that is busy with other things.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
