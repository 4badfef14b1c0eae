/** Unit tests of `src/core`; with `VIRAL_CORE=min` they run against the minified modules, as visitors get them. */

import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { defineConfig } from 'vitest/config';

const source = resolve('src/core');
const core = process.env.VIRAL_CORE;
const minified = resolve('node_modules/.cache/viral-core');

/** Sends what a test imports from `src/core` to the minified bundle, except other tests' helpers. */
const swap = {
  name: 'viral-minified-core',
  enforce: 'pre' as const,
  resolveId(id: string, importer: string | undefined) {
    if (!importer || !id.startsWith('.') || importer.startsWith(minified)) return null;
    const path = relative(source, resolve(importer, '..', id)).replace(/\.ts$/, '');
    const bundle = resolve(minified, `${path}.js`);
    return path.startsWith('..') || !existsSync(bundle) ? null : bundle;
  },
};

export default defineConfig({
  plugins: core ? [swap] : [],
  test: { include: ['src/**/*.test.ts', 'test/**/*.test.ts'], environment: 'node', testTimeout: 20_000 },
});
