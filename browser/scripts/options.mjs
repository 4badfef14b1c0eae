// What the build, the minified test bundle and the size check share.

import { fileURLToPath } from 'node:url';

/** The browser folder. */
export const FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** Scripts a visitor may get, with the most bytes each may have after brotli 11. */
export const ENTRIES = [
  { name: 'loader', bytesMax: 8192 },
  { name: 'addition', bytesMax: 10_240 },
  { name: 'worker', bytesMax: 3072 },
];

/** `_name` marks a property that is nobody's business but one module's: it may be renamed. */
export const OPTIONS = {
  absWorkingDir: FOLDER,
  bundle: true,
  minify: true,
  mangleProps: /^_[a-z]/,
  format: 'iife',
  target: 'es2022',
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
};
