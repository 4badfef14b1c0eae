// Bundles and minifies the modules of src/core for `npm run test:min` to run the tests against, as a visitor gets them.

import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE, FOLDER, minified } from './options.mjs';

const files = await readdir(`${FOLDER}/src/core`, { recursive: true });
const modules = files.filter((file) => file.endsWith('.ts') && !/\.(test|harness)\.ts$/.test(file) && !file.startsWith('generated'));

const outdir = 'node_modules/.cache/viral-core';
// With shared chunks, so that two modules that share a third also share its state.
const { outputFiles } = await build({
  ...BUNDLE,
  format: 'esm',
  splitting: true,
  entryPoints: modules.map((file) => `src/core/${file}`),
  outbase: 'src/core',
  outdir,
});
await rm(`${FOLDER}/${outdir}`, { recursive: true, force: true });
for (const { path, text } of outputFiles) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await minified(text, true));
}
