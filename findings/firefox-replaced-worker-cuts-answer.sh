#!/usr/bin/env bash
# Run: puppeteer-core 24.30.0 (npm) with Debian's chromium (156.0.8078.114) and firefox-esr (153.8.0).
#   A service worker answers /data with a stream of 4 MiB, all of it enqueued and the stream closed at once.
#   The page has the response, registers the site's next worker, which calls skipWaiting(), waits for
#   controllerchange, and reads the body.
# Expected: all 4,194,304 bytes, since the stream was closed before the worker was replaced, or else an error.
# Seen:
#   Chrome/156.0.8078.114 all bytes
#   firefox/153.8.0 cut, and no error
# Means for us: our worker holds its fetch event (waitUntil) until a body it makes was read, and 3 s longer, so that
#   a site's own worker that replaces it cuts nothing (`hold` in browser/src/worker.ts, DRAIN_MS).
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

const BYTES = 4 * 1024 * 1024;
const first = `
addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => {
  if (!event.request.url.endsWith('/data')) return;
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < ${BYTES}; at += 65536) controller.enqueue(new Uint8Array(65536).fill(7));
      controller.close();
    },
  });
  event.respondWith(new Response(body, { headers: { 'content-length': '${BYTES}' } }));
});`;
const next = `
addEventListener('install', () => skipWaiting());
addEventListener('activate', (event) => event.waitUntil(clients.claim()));`;
const bodies = {
  '/': ['text/html', '<!doctype html><title>page</title>'],
  '/first.js': ['text/javascript', first],
  '/next.js': ['text/javascript', next],
};
const server = http.createServer(({ url }, response) => {
  const [type, body] = bodies[url] ?? ['text/plain', ''];
  response.writeHead(200, { 'content-type': type }).end(body);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));

const look = async (bytes) => {
  const changed = () => new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }));
  const claimed = changed();
  await navigator.serviceWorker.register('/first.js');
  await claimed;
  const response = await fetch('/data');
  const replaced = changed();
  await navigator.serviceWorker.register('/next.js');
  await replaced;
  // The worker that answered is ended some time after.
  await new Promise((done) => setTimeout(done, 2000));
  try {
    const { byteLength } = await response.arrayBuffer();
    return byteLength === bytes ? 'all bytes' : 'cut, and no error';
  } catch (error) {
    return `cut, ${error.name}`;
  }
};

async function visit(options) {
  const browser = await puppeteer.launch({ headless: true, ...options });
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const seen = await page.evaluate(look, BYTES);
  const version = await browser.version();
  await browser.close();
  return { version, seen };
}

const chrome = await visit({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const firefox = await visit({ browser: 'firefox', executablePath: '/usr/bin/firefox-esr' });
server.close();
for (const { version, seen } of [chrome, firefox]) console.log(`${version} ${seen}`);
process.exit(chrome.seen === 'all bytes' && firefox.seen === 'cut, and no error' ? 0 : 1);
JS
timeout 120 node run.js
