// Makes progressive web apps of a folder as their authors do: `node pwa.mjs workbox FOLDER` puts Workbox's precaching worker into it, `node pwa.mjs vite FOLDER OUT` builds it with vite-plugin-pwa.

import { fileURLToPath } from 'node:url';
import { generateSW } from 'workbox-build';

const [kind, folder, out] = process.argv.slice(2);
const globPatterns = ['**/*.{html,js,css,bin}'];
const maximumFileSizeToCacheInBytes = 64 * 1024 * 1024;

if (kind === 'workbox') {
  const { warnings } = await generateSW({
    globDirectory: folder,
    globPatterns,
    globIgnores: ['sw.js'],
    swDest: `${folder}/sw.js`,
    skipWaiting: true,
    clientsClaim: true,
    inlineWorkboxRuntime: true,
    sourcemap: false,
    maximumFileSizeToCacheInBytes,
  });
  for (const warning of warnings) console.error(warning);
} else {
  const { build } = await import('vite');
  const { VitePWA } = await import('vite-plugin-pwa');
  await build({
    root: folder,
    // The folder lies beside no packages.
    resolve: { alias: { 'workbox-window': fileURLToPath(import.meta.resolve('workbox-window')) } },
    logLevel: 'warn',
    build: { outDir: out, emptyOutDir: true },
    plugins: [VitePWA({ registerType: 'autoUpdate', workbox: { globPatterns, maximumFileSizeToCacheInBytes } })],
  });
}
