#!/usr/bin/env bash
# Run: puppeteer-core 24.30.0 (npm) with Debian's chromium (156.0.8078.108) and firefox-esr (153.8.0).
#   A page fetches 64 MiB through its service worker, reads one chunk and aborts. The worker answers in
#   several ways: `plain` is respondWith(fetch(event.request)); `clone` is the same, with a clone of the
#   response that waitUntil reads by blob(), as is usual to fill a cache; `hand` reads the body with
#   one reader, passes each chunk on in a stream of its own, and keeps a copy of it. `late` is `plain`
#   where the page aborts after 0.5 s and the server begins its answer after 3 s.
# Expected: the abort ends the download each time. The Service Workers specification gives event.request the
#   signal of an AbortController and signals abort on it when the page's fetch is aborted ("Create Fetch
#   Event and Dispatch"); by Fetch, fetch(event.request) follows that signal, and its abort errors the
#   body, and so both branches of a clone.
# Seen, in both engines:
#   chrome plain: page AbortError, server ended early, signal aborted: false
#   chrome clone: page AbortError, server sent all 67108864 bytes, signal aborted: false, clone got 67108864
#   chrome hand: page AbortError, server ended early, signal aborted: false, cancel called: true
#   chrome late: page AbortError, server ended early, signal aborted: false
#   firefox: the same four lines.
#   The signal is not aborted, not even in `late`, where the worker's request stays until the server begins its
#   answer (else it were "was left before its answer"). A page's abort reaches the worker as the cancellation
#   of the answer's stream only, and a clone hides that: by Streams a source is cancelled when both of its
#   branches are.
# Means for us: a worker that keeps what passes does not use clone(). It copies by hand and ends its own
#   reading in cancel(), or each aborted fetch of a large asset costs the server (or the peers) all of it.
#   event.request.signal is nothing to build on.
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

const whole = 64 * 1024 * 1024;
const worker = `
  const notes = {};
  self.addEventListener('install', () => self.skipWaiting());
  self.addEventListener('activate', (event) => event.waitUntil(clients.claim()));
  self.addEventListener('message', (event) => event.ports[0].postMessage(notes));
  self.addEventListener('fetch', (event) => {
    const url = new URL(event.request.url);
    if (url.pathname !== '/large') return;
    const note = notes[url.search.slice(1)] = { aborted: false };
    event.request.signal.addEventListener('abort', () => { note.aborted = true; });
    const answer = fetch(event.request);
    if (url.search === '?plain' || url.search === '?late') event.respondWith(answer);
    if (url.search === '?clone') {
      const copied = answer.then((response) => response.clone().blob());
      event.waitUntil(copied.then((blob) => { note.clone = blob.size; }, (error) => { note.clone = error.name; }));
      event.respondWith(answer);
    }
    if (url.search === '?hand') event.respondWith(answer.then((response) => {
      const reader = response.body.getReader();
      const kept = [];
      return new Response(new ReadableStream({
        async pull(controller) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          kept.push(value.slice());
          controller.enqueue(value);
        },
        cancel(reason) { note.cancelled = true; return reader.cancel(reason); },
      }));
    }));
  });`;
const ends = {};
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const server = http.createServer(async (request, response) => {
  const [path, way] = request.url.split('?');
  if (path === '/worker.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(worker);
  if (path !== '/large') return response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>page</title>');
  response.once('close', () => { ends[way] ??= response.headersSent ? 'ended early' : 'was left before its answer'; });
  if (way === 'late') await sleep(3000);
  if (response.destroyed) return;
  response.writeHead(200, { 'content-length': whole, 'cache-control': 'no-store', 'content-type': 'application/octet-stream' });
  const piece = Buffer.alloc(64 * 1024, 7);
  let sent = 0;
  const more = () => {
    if (response.destroyed) return;
    sent += piece.length;
    if (sent === whole) return response.end(piece);
    if (response.write(piece)) setTimeout(more, 2);
    else response.once('drain', more);
  };
  response.once('finish', () => { ends[way] ??= `sent all ${sent} bytes`; });
  more();
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));

async function look(engine, program) {
  for (const way in ends) delete ends[way];
  const browser = await puppeteer.launch({
    browser: engine,
    executablePath: program,
    args: engine === 'chrome' && process.getuid() === 0 ? ['--no-sandbox'] : [],
  });
  try {
    console.log(await browser.version());
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.evaluate(async () => {
      const claimed = new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done));
      await navigator.serviceWorker.register('/worker.js');
      if (!navigator.serviceWorker.controller) await claimed;
    });
    let same = true;
    for (const way of ['plain', 'clone', 'hand', 'late']) {
      const error = await page.evaluate(async (path) => {
        const control = new AbortController();
        if (path.endsWith('late')) setTimeout(() => control.abort(), 500);
        try {
          const response = await fetch(path, { signal: control.signal });
          const reader = response.body.getReader();
          await reader.read();
          control.abort();
          while (!(await reader.read()).done);
          return 'none';
        } catch (caught) {
          return caught.name;
        }
      }, '/large?' + way);
      for (let i = 0; i < 150 && !ends[way]; i++) await sleep(200);
      await sleep(1000);
      const note = await page.evaluate(() => new Promise((done) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = (event) => done(event.data);
        navigator.serviceWorker.controller.postMessage('notes', [port2]);
      })).then((notes) => notes[way]);
      console.log(`${engine} ${way}: page ${error}, server ${ends[way] ?? 'still sends'}, signal aborted: ${note.aborted}`
        + (way === 'clone' ? `, clone got ${note.clone}` : '') + (way === 'hand' ? `, cancel called: ${note.cancelled}` : ''));
      same &&= error === 'AbortError' && note.aborted === false
        && ends[way] === (way === 'clone' ? `sent all ${whole} bytes` : 'ended early')
        && (way !== 'clone' || note.clone === whole) && (way !== 'hand' || note.cancelled === true);
    }
    return same;
  } finally {
    await browser.close();
  }
}

let same = true;
try {
  same = await look('chrome', process.argv[2]) && same;
  same = await look('firefox', process.argv[3]) && same;
} finally {
  server.closeAllConnections();
  server.close();
}
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
timeout 240 node run.js "$(command -v chromium)" "$(command -v firefox-esr)"
