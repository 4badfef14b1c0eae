// Bundles the scripts a visitor may get into dist/, which is committed. `--check` fails if dist/ is stale.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE, ENTRIES, FOLDER, minified } from './options.mjs';

const checks = process.argv.includes('--check');

const bundled = (entries, define) =>
  build({
    ...BUNDLE,
    define: { ...BUNDLE.define, ...define },
    format: 'iife',
    entryPoints: entries.map(({ name, source }) => ({ in: `src/${source ?? name}.ts`, out: name })),
    outdir: 'dist',
  });

const outputs = await Promise.all([bundled(ENTRIES.filter(({ source }) => !source)), bundled(ENTRIES.filter(({ source }) => source), { INSIDE: 'true' })]);
const outputFiles = outputs.flatMap(({ outputFiles }) => outputFiles);

await mkdir(`${FOLDER}/dist`, { recursive: true });
for (const { path, text } of outputFiles) {
  const script = `${await minified(text, false)}\n`;
  if (!checks) {
    await writeFile(path, script);
  } else if (script !== (await readFile(path, 'utf8').catch(() => ''))) {
    console.error(`dist/${basename(path)} is stale: npm run build`);
    process.exitCode = 1;
  }
}
