// Prints what each script weighs on the wire (brotli 11) beside its budget; fails over budget.

import { readFile } from 'node:fs/promises';
import { brotliCompressSync, constants } from 'node:zlib';
import { DASHBOARD, ENTRIES, FOLDER } from './options.mjs';

for (const { name, type = 'js', bytesMax } of [...ENTRIES, ...DASHBOARD]) {
  const script = await readFile(`${FOLDER}/dist/${name}.${type}`);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11,
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_SIZE_HINT]: script.length,
  };
  const bytes = brotliCompressSync(script, { params }).length;
  const verdict = bytes > bytesMax ? 'OVER BUDGET' : 'ok';
  console.log(`${name.padEnd(9)} ${String(script.length).padStart(7)} B  brotli ${String(bytes).padStart(6)} B of ${bytesMax} B  ${verdict}`);
  if (bytes > bytesMax) process.exitCode = 1;
}
