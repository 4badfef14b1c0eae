// What the build, the minified test bundle and the size check share.

import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';
import { minify } from 'terser';

/** The browser folder. */
export const FOLDER = fileURLToPath(new URL('..', import.meta.url));

/** Scripts a visitor may get, with the most bytes each may have after brotli 11. */
export const ENTRIES = [
  { name: 'loader', bytesMax: 12_384 },
  { name: 'addition', bytesMax: 12_800 },
  { name: 'crowd', bytesMax: 10_240 },
  { name: 'worker', bytesMax: 5_184 },
  { name: 'inside', source: 'worker', bytesMax: 6_144 },
  { name: 'beside', bytesMax: 11_648 },
  { name: 'doctor', bytesMax: 4_096 },
  { name: 'time', bytesMax: 256 },
];

/** What an operator's browser gets, with the most bytes each may have after brotli 11. It is made of libraries, whose names stay as they are. */
export const DASHBOARD = [
  { name: 'dashboard', type: 'js', bytesMax: 40_960 },
  { name: 'dashboard', type: 'css', bytesMax: 3_072 },
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
  define: { INSIDE: 'false' },
};

/**
 * Properties that only our own scripts see: the engines' own (`_`), methods of the machines, fields of what the loader leaves to the addition, and of objects that the shells hand to each other.
 * Nothing that is in JSON, in a message to the service worker, in `window.viral.status()` or in the DOM may be named here.
 */
const INTERNAL =
  /^(_.*|handle[A-Z]\w*|pollTimeout|poll|progress|rateOf|rates|addPieces|supply|accept|usedAt|startedAt|mediaType|takePiece|takeControl|takeGrowth|bytesOf|isHere|refused|grew|disconnected|pump|tell|answersTo|bytesHeld|bytesTotal|links|engine|ring|users|place|record|whole|need|varint|blobs|engineDriver|pieceStore|handler|pushed|dueMs|misses|manifestsAsked|compresses|welcomed|secure|canConnect|connectionType|batteryLevel|overflows|setManifest|reconsider|totals|outdated|hasAsset|met|grew|hold|asset|boot|handover|tracker|manifests|room|pushPlan|bytesPerS|bytesMax|bytesGiven|isSpent|controlCount|controlSince|reached|handlerOf|askManifest|begins|know|asks|isEmpty|isAsked|isLeasing|session|got|seeder|limit|shares|later)$/;

/** New names of those, the same in every script of one build. */
const names = {};

/**
 * Minified by terser, which after brotli is 4 % smaller than by esbuild alone. Before that esbuild names private fields anew in each class, where terser would name
 * those of all classes apart: 2 % of the addition. `code` is a module with tests, or a whole script for visitors.
 */
export async function minified(code, module) {
  const { code: renamed } = await transform(module ? code : withoutTokens(code), { minifyIdentifiers: !module, target: 'es2022', charset: 'utf8' });
  const { code: small } = await minify(renamed, {
    ecma: 2022,
    module,
    compress: { ecma: 2022, module: true, passes: 3, keep_fargs: false, pure_getters: true, unsafe_arrows: true, unsafe_methods: true, lhs_constants: false },
    mangle: module ? true : { properties: { regex: INTERNAL } },
    format: { ecma: 2022 },
    ...(module ? {} : { nameCache: names }),
  });
  return small;
}

/** Why a decoder refused is for tests and people; a visitor's script only needs to know that it did. */
function withoutTokens(code) {
  return code.replace(/\brefuse\("[a-z-]+"\)/g, 'refuse(1)').replace(/\bbyte\((\d), (\d), "[a-z]+"\)/g, 'byte($1, $2)');
}
