#!/usr/bin/env bash
# Run: puppeteer-core 24.30.0 (npm) with Debian's firefox-esr (153.8.0) and chromium (156.0.8078.108).
#   A service worker fetches 1048575 bytes and 1048576 bytes, makes a Blob of each with
#   `await response.blob()` and posts it to its page through a MessagePort. The page reads both.
#   Then the worker ends: in Firefox because it is idle, in Chromium because it is stopped. The page
#   keeps the Blobs and reads them again.
#   Firefox is given a short idle time with two prefs (dom.serviceWorkers.idle_timeout and
#   dom.serviceWorkers.idle_extended_timeout), so that this takes seconds. With its default prefs the
#   same was seen after 70 idle seconds.
# Expected: the second reads equal the first ones. HTML's serialization steps for a Blob give the clone
#   the byte sequence itself, so it does not depend on the sender. The File API says that a read that
#   cannot be done fails with NotReadableError.
# Seen:
#   firefox 1048575 first 1048575, worker ended: size 1048575 read 1048575
#   firefox 1048576 first 1048576, worker ended: size 1048576 read 0
#   firefox 1048576 from a buffer first 1048576, worker ended: size 1048576 read 1048576
#   chrome 1048576 first 1048576, worker ended: size 1048576 read 1048576
#   From 1 MiB on, Firefox resolves to no bytes, without an error, while `size` stays right.
# Means for us: a page must not keep a Blob that its service worker took from a response. It takes the
#   bytes at once (or the worker builds the Blob from an ArrayBuffer), and it compares the length of
#   what it read with `size`: an empty read is not an error here.
set -euo pipefail
for need in node npm chromium firefox-esr; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact puppeteer-core@24.30.0
cat >run.js <<'JS'
import http from 'node:http';
import puppeteer from 'puppeteer-core';

const worker = `
  const born = Math.random();
  self.addEventListener('install', () => self.skipWaiting());
  self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
  self.addEventListener('message', (event) => event.waitUntil((async () => {
    const { bytes, way } = event.data;
    if (way === 'who') return event.ports[0].postMessage({ born });
    const response = await fetch('/data?' + bytes);
    const blob = way === 'response' ? await response.blob() : new Blob([await response.arrayBuffer()]);
    event.ports[0].postMessage({ born, blob });
  })()));`;
const server = http.createServer((request, response) => {
  const [path, bytes] = request.url.split('?');
  if (path === '/data') return response.writeHead(200, { 'cache-control': 'no-store' }).end(Buffer.alloc(+bytes, 7));
  if (path === '/worker.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(worker);
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>page</title>');
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const cases = [[1048575, 'response'], [1048576, 'response'], [1048576, 'buffer']];

async function look(engine, program) {
  const browser = await puppeteer.launch({
    browser: engine,
    executablePath: program,
    args: engine === 'chrome' && process.getuid() === 0 ? ['--no-sandbox'] : [],
    extraPrefsFirefox: { 'dom.serviceWorkers.idle_timeout': 1000, 'dom.serviceWorkers.idle_extended_timeout': 1000 },
  });
  try {
    console.log(await browser.version());
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.evaluate(async () => {
      await navigator.serviceWorker.register('/worker.js');
      const active = (await navigator.serviceWorker.ready).active;
      window.ask = (message) => new Promise((done) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = (event) => done(event.data);
        active.postMessage(message, [port2]);
      });
      window.read = (blob) => blob.arrayBuffer().then((bytes) => bytes.byteLength, (error) => error.name);
    });
    for (let tries = 0; tries < 5; tries++) {
      const first = await page.evaluate(async (list) => {
        window.kept = [];
        const lengths = [];
        for (const [bytes, way] of list) {
          const answer = await ask({ bytes, way });
          window.born = answer.born;
          kept.push(answer.blob);
          lengths.push(await read(answer.blob));
        }
        return lengths;
      }, cases);
      if (engine === 'chrome') {
        const session = await page.createCDPSession();
        await session.send('ServiceWorker.enable');
        await session.send('ServiceWorker.stopAllWorkers');
      }
      await sleep(engine === 'chrome' ? 1000 : 6000);
      const later = await page.evaluate(async () => {
        const found = [];
        for (const blob of kept) found.push({ size: blob.size, read: await read(blob) });
        return { found, ended: (await ask({ way: 'who' })).born !== born };
      });
      if (!later.ended) continue;
      cases.forEach(([bytes, way], i) => console.log(
        `${engine} ${bytes}${way === 'buffer' ? ' from a buffer' : ''} first ${first[i]}, worker ended: `
        + `size ${later.found[i].size} read ${later.found[i].read}`));
      return { first, later: later.found };
    }
    throw new Error(`${engine}: the worker did not end`);
  } finally {
    await browser.close();
  }
}

let same = true;
try {
  for (const [engine, program, expected] of [
    ['firefox', process.argv[2], [1048575, 0, 1048576]],
    ['chrome', process.argv[3], [1048575, 1048576, 1048576]],
  ]) {
    const { first, later } = await look(engine, program);
    same &&= cases.every(([bytes], i) => first[i] === bytes && later[i].size === bytes && later[i].read === expected[i]);
  }
} finally {
  server.closeAllConnections();
  server.close();
}
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
timeout 150 node run.js "$(command -v firefox-esr)" "$(command -v chromium)"
