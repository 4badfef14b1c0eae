import { build } from 'esbuild';
import { brotliCompressSync, constants } from 'node:zlib';
const { BUNDLE, minified } = await import('/work/main/browser/scripts/options.mjs');
const [entry, crowd] = process.argv.slice(2);
const r = await build({ ...BUNDLE, define: { ...BUNDLE.define, CROWD: crowd }, format: 'iife', entryPoints: [entry], outdir: '/tmp/o' });
const s = await minified(r.outputFiles[0].text, false);
console.log(entry, crowd, s.length, brotliCompressSync(Buffer.from(s), { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_MODE]: 1 } }).length);
