import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

// For work on the app: `npx vite` beside a daemon that listens here.
const daemon = process.env.CODEOUT_DAEMON ?? 'http://localhost:8400';

/**
 * Builds module Workers as chunks of the page instead of as bundles of their own, so that both load
 * the one libsodium: it is more than half of what a device loads first.
 */
function workersShareChunks(): Plugin {
  const worker = /new URL\(\s*'(\.\/[\w-]+)\.ts',\s*import\.meta\.url\s*\)/g;
  return {
    name: 'workers-share-chunks',
    apply: 'build',
    enforce: 'pre',
    async transform(code, id) {
      if (!/\.ts$/.test(id) || !code.includes('new Worker(')) return null;
      const found: { text: string; url: string }[] = [];
      for (const [text, path] of code.matchAll(worker)) {
        const module = await this.resolve(`${path}.ts`, id);
        if (!module) throw new Error(`there is no ${path}.ts beside ${id}`);
        const chunk = this.emitFile({ type: 'chunk', id: module.id });
        found.push({ text, url: `import.meta.ROLLUP_FILE_URL_${chunk}` });
      }
      return { code: found.reduce((so, { text, url }) => so.replace(text, url), code), map: null };
    },
  };
}

export default defineConfig({
  plugins: [
    workersShareChunks(),
    svelte(),
    VitePWA({
      strategies: 'injectManifest',
      srcDir: 'src',
      filename: 'sw.ts',
      // The app registers it itself, on secure pages only, and no script is written into the page.
      injectRegister: false,
      injectManifest: { globPatterns: ['**/*.{html,js,css,svg,png,webmanifest,wasm}'] },
      manifest: {
        id: '/',
        name: 'codeout',
        short_name: 'codeout',
        description: 'The terminals of your own computer, end-to-end encrypted.',
        start_url: '/',
        scope: '/',
        display: 'standalone',
        background_color: '#0f1112',
        theme_color: '#0f1112',
        categories: ['developer', 'productivity'],
        icons: [
          { src: '/icon-192.png', sizes: '192x192', type: 'image/png' },
          { src: '/icon-512.png', sizes: '512x512', type: 'image/png' },
          {
            src: '/icon-maskable-512.png',
            sizes: '512x512',
            type: 'image/png',
            purpose: 'maskable',
          },
        ],
      },
    }),
  ],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    // One stylesheet: Vite remembers one that failed and never asks for it again, so a part of the
    // page that comes at the second attempt would stand without it.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'libsodium', test: /node_modules[\\/]libsodium/ },
            // The terminal alone: what draws it faster loads behind it.
            { name: 'xterm', test: /node_modules[\\/]@xterm[\\/]xterm[\\/]/ },
          ],
        },
      },
    },
  },
  worker: { format: 'es' },
  server: { proxy: { '/ws': { target: daemon, ws: true } } },
  preview: { proxy: { '/ws': { target: daemon, ws: true } } },
});
