// One visitor of the lab with the browser's own engine: the scripts that the server sends, run by node with libdatachannel.
//
//   node member.js HOST PORT [FOLDER]   prints `ready`, visits at SIGUSR2, prints its account in one line once the app has everything, then goes on giving to others
//
// The account is that of `viral get --json`; what else is known, errors of the scripts among it, goes to standard error. With FOLDER what came is written there.
// It ends at SIGTERM.

import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { cleanup } from 'node-datachannel';
import { Network } from './network.js';
import { Page, clock } from './page.js';

/** Without TLS only this name is a secure origin. */
const ORIGIN = 'http://localhost';

/** Longest farewell, in milliseconds. */
const FAREWELL_MS = 500;

const [host, port, folder] = process.argv.slice(2);
const network = new Network(ORIGIN, host, port);
const page = new Page(network, ORIGIN);

/** Resolves with what the lab's page notes once it has everything. */
const loaded = new Promise((resolve) => Object.defineProperty(globalThis, 'lab', { set: resolve, configurable: true }));

/** Everything from the origin, like a browser that was led to the plain page. */
async function plain() {
  const { html } = await network.navigate('/?viral=plain');
  const paths = [...html.matchAll(/<link rel="preload"[^>]*href="([^"]+)"/g)].map(([, path]) => path);
  await Promise.all(paths.map(async (path) => page.preloads.set(path, await (await network.fetch(path)).arrayBuffer())));
  return { bytes: [...page.preloads.values()].reduce((sum, { byteLength }) => sum + byteLength, 0) };
}

/** Writes what the documents preloaded, as files. */
async function write(folder) {
  await mkdir(folder, { recursive: true });
  for (const [path, bytes] of page.preloads) await writeFile(join(folder, basename(path)), new Uint8Array(bytes));
}

/** What is known of the visit beyond its account. */
const details = { said: null };

function tell() {
  const status = globalThis.viral?.status();
  Object.assign(details, { left: page.left ?? null, ms_deployed: page.deployedMs ?? null, marks: status?.marks ?? null, ran: page.ran, rss_bytes: process.memoryUsage.rss(), errors: page.errors });
  console.error(JSON.stringify(details));
  return status;
}

async function visit() {
  const before = process.cpuUsage();
  const began = clock();
  details.said = await page.open('/');
  const { bytes } = await Promise.race([loaded, page.gone.then(plain)]);
  const ms = Math.round(clock() - began);
  const { user, system } = process.cpuUsage(before);
  Object.assign(details, { app_bytes: bytes, cpu_ms: Math.round((user + system) / 1e3) });
  const status = tell();
  if (folder) await write(folder);
  const account = {
    ok: true,
    answer: page.left ? 'plain' : (status?.answer ?? null),
    bytes_from_peers: status?.bytesFromPeers ?? 0,
    bytes_from_origin: network.bytes(),
    peers_used: status?.sources.length ?? 0,
    pieces: status?.piecesVerified ?? 0,
    bans: status?.bans ?? 0,
    ms_total: ms,
  };
  console.log(JSON.stringify(account));
}

process.once('SIGUSR2', () => {
  visit().catch((error) => console.log(JSON.stringify({ ok: false, error: String(error?.stack ?? error) })));
});
process.once('SIGTERM', () => {
  // Of one that never was done, how far it came.
  if (!('app_bytes' in details)) tell();
  page.close();
  setTimeout(() => {
    cleanup();
    process.exit(0);
  }, FAREWELL_MS);
});
// Waits for a signal; nothing else keeps it alive.
setInterval(() => {}, 60_000);
console.log('ready');
