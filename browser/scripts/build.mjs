// Bundles the three scripts a visitor may get into dist/, which is committed. `--check` fails if dist/ is stale.

import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { ENTRIES, FOLDER, OPTIONS } from './options.mjs';

const checks = process.argv.includes('--check');

const { outputFiles } = await build({
  ...OPTIONS,
  entryPoints: ENTRIES.map(({ name }) => `src/${name}.ts`),
  outdir: 'dist',
  write: !checks,
});

if (checks) {
  for (const { path, text } of outputFiles) {
    if (text !== (await readFile(path, 'utf8').catch(() => ''))) {
      console.error(`${path.slice(FOLDER.length)} is stale: npm run build`);
      process.exitCode = 1;
    }
  }
}
