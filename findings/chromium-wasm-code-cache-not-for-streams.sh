#!/usr/bin/env bash
# Run: puppeteer-core 24.30.0 and pyodide 314.0.7 (npm) with Debian's chromium (156.0.8078.114).
#   A page starts pyodide four times, each time in a new tab, 7 s apart, and Chromium's own trace says whether
#   WebAssembly.instantiateStreaming took compiled code from the code cache (v8.wasm.moduleCacheHit) and
#   whether it made some for it (v8.wasm.cachedModule). Its files come three ways: `network` without a service
#   worker, out of the HTTP cache from the second visit on; `store` from a worker that answers with
#   caches.match(); `stream` from a worker that answers with new Response(stored.body, { headers }).
# Expected: from the second visit on compiled code is reused each way, or none is made where it cannot be
#   reused. URL, bytes and headers of the file are the same in all four visits.
# Seen:
#   network: visit 1 makes code, 2 hits, 3 hits, 4 hits
#   store: visit 1 makes code, 2 hits, 3 hits, 4 hits
#   stream: visit 1 makes code, 2 makes code, 3 makes code, 4 makes code
#   For a stream Chromium serialises over a megabyte of compiled code in every visit, keeps it nowhere and says
#   nothing: each visit compiles anew. Only an answer that is the very object from Cache Storage has a place.
# Means for us: what a visitor took from peers piece by piece is compiled once more on the first return, from
#   the store, and comes compiled from the second return on. The worker passes on the stored Response itself
#   where its headers are right, and wraps its body only where they are not.
set -euo pipefail
for need in node npm chromium; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact puppeteer-core@24.30.0 pyodide@314.0.7
cat >run.js <<'JS'
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import puppeteer from 'puppeteer-core';

const names = ['pyodide.js', 'pyodide.asm.mjs', 'pyodide.asm.wasm', 'python_stdlib.zip', 'pyodide-lock.json'];
const types = { html: 'text/html', js: 'text/javascript', mjs: 'text/javascript', wasm: 'application/wasm', zip: 'application/zip', json: 'application/json' };
const pages = {
  '/': `<!doctype html><title>app</title><script src="/pyodide/pyodide.js"></script><script>
    loadPyodide().then((python) => { window.done = python.runPython('import statistics\\nstatistics.mean(range(10))'); });
  </script>`,
  '/prepare': '<!doctype html><title>prepare</title>',
  '/worker.js': `
    const way = new URL(self.location).search.slice(1);
    self.addEventListener('install', () => self.skipWaiting());
    self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
    self.addEventListener('fetch', (event) => {
      if (!new URL(event.request.url).pathname.startsWith('/pyodide/')) return;
      event.respondWith(caches.match(event.request.url).then((stored) => {
        if (!stored) return fetch(event.request);
        return way === 'store' ? stored : new Response(stored.body, { headers: stored.headers });
      }));
    });`,
};
const server = http.createServer(async ({ url }, response) => {
  const [path] = url.split('?');
  const type = path in pages && path !== '/worker.js' ? 'text/html' : types[path.split('.').pop()];
  const name = names.find((known) => path === '/pyodide/' + known);
  const body = pages[path] ?? (name && await readFile('node_modules/pyodide/' + name));
  if (!body) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': type, 'cache-control': 'max-age=3600', etag: '"1"' }).end(body);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const origin = `http://127.0.0.1:${server.address().port}`;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** What Chromium's trace says of the code cache in one visit. */
async function visit(browser) {
  const page = await browser.newPage();
  const session = await page.createCDPSession();
  const seen = new Set();
  session.on('Tracing.dataCollected', ({ value }) => value.forEach(({ name }) => seen.add(name)));
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'v8', 'v8.wasm', 'disabled-by-default-v8.compile'] } });
  await page.goto(origin + '/');
  await page.waitForFunction('window.done', { timeout: 60000 });
  await sleep(7000);
  const ended = new Promise((done) => session.once('Tracing.tracingComplete', done));
  await session.send('Tracing.end');
  await ended;
  await page.close();
  return seen.has('v8.wasm.moduleCacheHit') ? 'hits' : seen.has('v8.wasm.cachedModule') ? 'makes code' : 'neither';
}

const expected = { network: ['makes code', 'hits', 'hits', 'hits'], store: ['makes code', 'hits', 'hits', 'hits'], stream: Array(4).fill('makes code') };
let same = true;
for (const way of Object.keys(expected)) {
  const browser = await puppeteer.launch({ executablePath: process.argv[2], args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
  try {
    if (way === 'network') console.log(await browser.version());
    else {
      const page = await browser.newPage();
      await page.goto(origin + '/prepare');
      await page.evaluate(async (way, names) => {
        await navigator.serviceWorker.register('/worker.js?' + way);
        await navigator.serviceWorker.ready;
        const cache = await caches.open('store');
        for (const name of names) await cache.add('/pyodide/' + name);
      }, way, names);
      await page.close();
    }
    const said = [];
    for (let i = 0; i < 4; i++) said.push(await visit(browser));
    console.log(`${way}: visit ${said.map((what, i) => `${i + 1} ${what}`).join(', ')}`);
    same &&= said.join() === expected[way].join();
  } finally {
    await browser.close();
  }
}
server.closeAllConnections();
server.close();
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
timeout 300 node run.js "$(command -v chromium)"
