import { defineConfig } from 'vite';
import { counters } from './counters.ts';

// One script, so that its blocks have one name; below `node_modules`, so that it finds libsodium.
export default defineConfig({
  publicDir: false,
  plugins: [counters()],
  build: {
    ssr: 'fuzz/main.ts',
    outDir: 'node_modules/.fuzz',
    rolldownOptions: { output: { entryFileNames: 'main.mjs' } },
  },
});
