import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'node',
    include: ['tests/**/*.test.ts'],
    // They wait for a daemon, for clocks and for one another more than they compute.
    maxWorkers: 4,
  },
});
