// Bundles the scripts a visitor may get into dist/, which is committed. `--check` fails if dist/ is stale.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { build } from 'esbuild';
import { BUNDLE, DASHBOARD, ENTRIES, FOLDER, minified } from './options.mjs';

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

/** Whose libraries the dashboard is made of: their licenses ask to be told with every copy. */
const NOTICE = `/*! With uPlot (https://github.com/leeoniya/uPlot, MIT license, (c) Leon Sorokin), d3-force, d3-quadtree, d3-dispatch and d3-timer (https://github.com/d3, ISC license, (c) Mike Bostock). */`;

const dashboard = await build({
  ...BUNDLE,
  format: 'iife',
  minify: true,
  entryPoints: DASHBOARD.map(({ name, type }) => ({ in: `src/${name}.${type === 'js' ? 'ts' : type}`, out: name })),
  outdir: 'dist',
  banner: { js: NOTICE, css: NOTICE },
});

const keep = async (path, script) => {
  if (!checks) {
    await writeFile(path, script);
  } else if (script !== (await readFile(path, 'utf8').catch(() => ''))) {
    console.error(`dist/${basename(path)} is stale: npm run build`);
    process.exitCode = 1;
  }
};

await mkdir(`${FOLDER}/dist`, { recursive: true });
for (const { path, text } of outputFiles) await keep(path, `${await minified(text, false)}\n`);
for (const { path, text } of dashboard.outputFiles) await keep(path, text);
