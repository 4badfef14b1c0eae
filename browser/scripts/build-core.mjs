// Bundles and minifies each module of src/core as a visitor gets it, for `npm run test:min` to run the tests against.

import { readdir, rm } from 'node:fs/promises';
import { build } from 'esbuild';
import { FOLDER, OPTIONS } from './options.mjs';

const outdir = 'node_modules/.cache/viral-core';
const files = await readdir(`${FOLDER}/src/core`, { recursive: true });
const modules = files.filter((file) => file.endsWith('.ts') && !/\.(test|harness)\.ts$/.test(file) && !file.startsWith('generated'));

await rm(`${FOLDER}/${outdir}`, { recursive: true, force: true });
// One bundle with shared chunks, so that two modules that share a third also share its state.
await build({
  ...OPTIONS,
  format: 'esm',
  splitting: true,
  entryPoints: modules.map((file) => `src/core/${file}`),
  outbase: 'src/core',
  outdir,
});
