// What the build, the minified test bundle and the size check share.

import { fileURLToPath } from 'node:url';
import { minify } from 'terser';

/** The browser folder. */
export const FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** Scripts a visitor may get, with the most bytes each may have after brotli 11. */
export const ENTRIES = [
  { name: 'loader', bytesMax: 8192 },
  { name: 'addition', bytesMax: 10_240 },
  { name: 'worker', bytesMax: 3072 },
];

/** esbuild bundles; its own syntax pass leaves terser less to find. */
export const BUNDLE = {
  absWorkingDir: FOLDER,
  bundle: true,
  write: false,
  minifySyntax: true,
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
};

/** Minified by terser, which after brotli is 4 % smaller than by esbuild alone. Property names stay: tests, JSON and messages use them. */
export async function minified(code, module) {
  const { code: small } = await minify(code, {
    ecma: 2022,
    module,
    compress: { ecma: 2022, passes: 3, keep_fargs: false, pure_getters: true, unsafe_arrows: true, unsafe_methods: true },
    format: { ecma: 2022 },
  });
  return small;
}
