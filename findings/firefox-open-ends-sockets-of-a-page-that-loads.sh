#!/usr/bin/env bash
# Run: puppeteer-core 24.30.0 (npm) with Debian's chromium (156.0.8078.114) and firefox-esr (153.8.0).
#   A page opens a WebSocket, begins a fetch whose body takes 3 s, and starts a worker that does the same. Once
#   all four are under way it calls document.open(), write() and close(). In the first case nothing holds its
#   `load` up, so it has loaded by then; in the second a child frame that is being written to does
#   (frame.contentDocument.open()), in the third an image that comes slowly.
# Expected: nothing ends. By the HTML standard (document open steps) document.open() stops loads only where a
#   navigation is under way, and none is.
# Seen:
#   Chrome/156.0.8078.114 loaded, frame, image: all four go on
#   firefox/153.8.0 loaded: all four go on
#   firefox/153.8.0 frame, image: page socket ends 1006; page fetch ends AbortError; worker socket ends 1006;
#     worker fetch goes on
# Means for us: a thin page that is one of a crowd has a session and requests that must outlive its deploy. In
#   Firefox it does not hold its `load` up (`isHeldHarmlessly` in browser/src/shell/hold.ts).
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
import { createHash } from 'node:crypto';
import http from 'node:http';
import puppeteer from 'puppeteer-core';

const CASES = ['loaded', 'frame', 'image'];

// What page and worker do alike. `begun` hears of each that is under way, `say` how it went on.
const begin = `
function begin(who, begun, say) {
  const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
  socket.onopen = () => (say(who + ' socket', 'goes on'), begun());
  socket.onclose = ({ code }) => say(who + ' socket', 'ends ' + code);
  fetch('/slow').then((answer) => (begun(), answer.arrayBuffer())).then(
    () => say(who + ' fetch', 'goes on'),
    ({ name }) => say(who + ' fetch', 'ends ' + name),
  );
}`;
const worker = `${begin}
begin('worker', () => postMessage([]), (what, how) => postMessage([what, how]));`;
const holds = {
  loaded: '',
  frame: `const frame = document.createElement('iframe');
    document.documentElement.append(frame);
    frame.contentDocument.open();`,
  image: `new Image().src = '/slow';`,
};
const page = (hold) => `<!doctype html><title>page</title><body>first<script>
${begin}
${hold}
const seen = {};
let loaded = 'not loaded';
let left = 4;
addEventListener('load', () => (loaded = 'loaded'));
const begun = () => --left || setTimeout(open, 200);
begin('page', begun, (what, how) => (seen[what] = how));
const other = new Worker('/worker.js');
other.onmessage = ({ data: [what, how] }) => (what ? (seen[what] = how) : begun());
function open() {
  seen.before = loaded;
  document.open();
  document.write('<!doctype html><title>page</title><body>second');
  document.close();
  setTimeout(() => fetch('/seen', { method: 'POST', body: JSON.stringify(seen) }), 5000);
}
</script>`;

let report;
const server = http.createServer((request, response) => {
  const { url } = request;
  if (url === '/slow') {
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': 30, 'cache-control': 'no-store' });
    let left = 30;
    const timer = setInterval(() => {
      response.write('x');
      if (--left) return;
      response.end();
      clearInterval(timer);
    }, 100);
    return void response.on('close', () => clearInterval(timer));
  }
  if (url === '/seen') {
    let body = '';
    request.on('data', (data) => (body += data));
    return void request.on('end', () => (response.end(), report(JSON.parse(body))));
  }
  const [type, body] = url === '/worker.js' ? ['text/javascript', worker] : ['text/html', page(holds[url.slice(1)] ?? '')];
  response.writeHead(200, { 'content-type': type }).end(body);
});
server.on('upgrade', (request, socket) => {
  const accept = createHash('sha1').update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.on('error', () => undefined);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  // Nobody says anything on it but goodbye.
  socket.once('data', () => socket.destroy());
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));

async function visit(options) {
  const browser = await puppeteer.launch({ headless: true, ...options });
  const seen = {};
  for (const name of CASES) {
    const tab = await browser.newPage();
    const reported = new Promise((done) => (report = done));
    // A page that is opened for writing may never be done for the driver: what it reports counts.
    tab.goto(`http://127.0.0.1:${server.address().port}/${name}`).catch(() => undefined);
    seen[name] = await reported;
    await tab.close().catch(() => undefined);
  }
  const version = await browser.version();
  await browser.close();
  return { version, seen };
}

const chrome = await visit({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const firefox = await visit({ browser: 'firefox', executablePath: '/usr/bin/firefox-esr' });
server.close();
const WHAT = ['page socket', 'page fetch', 'worker socket', 'worker fetch'];
const ON = WHAT.map((what) => `${what} goes on`).join('; ');
const ENDS = 'page socket ends 1006; page fetch ends AbortError; worker socket ends 1006; worker fetch goes on';
let isAsSeen = true;
for (const { version, seen } of [chrome, firefox]) {
  for (const name of CASES) {
    const line = WHAT.map((what) => `${what} ${seen[name][what]}`).join('; ');
    const isHeld = name !== 'loaded';
    isAsSeen &&= seen[name].before === (isHeld ? 'not loaded' : 'loaded') && line === (isHeld && version === firefox.version ? ENDS : ON);
    console.log(`${version} ${name} (${seen[name].before}): ${line}`);
  }
}
process.exit(isAsSeen ? 0 : 1);
JS
timeout 120 node run.js
