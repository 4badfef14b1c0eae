#!/usr/bin/env bash
# Run: sirv 3.0.2, send 1.2.1 and serve-handler 6.1.8 (npm) serve one file of 8 MiB to node's http client,
#   which asks for its first byte, for its first two, and for its second.
# Expected: `Range: bytes=0-0` is answered with one byte. RFC 9110, 14.1.2 gives "bytes=0-0" in its example of
#   the first and last bytes only: positions count from zero and last-pos is inclusive.
# Seen:
#   sirv bytes=0-0: 206 bytes 0-8388607/8388608, 8388608 bytes
#   sirv bytes=0-1: 206 bytes 0-1/8388608, 2 bytes
#   sirv bytes=1-1: 206 bytes 1-1/8388608, 1 bytes
#   send and serve-handler bytes=0-0: 206 bytes 0-0/8388608, 1 bytes
#   A last-pos of zero counts as an absent one for sirv, so the smallest range is the whole file, as a 206.
# Means for us: "bytes=0-0" is how clients ask whether a server has ranges and how long a file is. Behind such
#   a server the question costs the whole file. A client of ours that asks another program's server must take
#   Content-Range for what it got, and stop reading there; a server's tests of ranges need 0-0; and that an app
#   worked over sirv (it is within other tools' dev servers) does not prove how it uses ranges.
set -euo pipefail
for need in node npm; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact sirv@3.0.2 send@1.2.1 serve-handler@6.1.8
cat >run.js <<'JS'
import fs from 'node:fs';
import http from 'node:http';
import send from 'send';
import handler from 'serve-handler';
import sirv from 'sirv';

const length = 8 * 1024 * 1024;
fs.mkdirSync('site');
fs.writeFileSync('site/file.bin', Buffer.alloc(length, 7));
const ways = {
  sirv: sirv('site'),
  send: (request, response) => send(request, request.url, { root: 'site' }).pipe(response),
  'serve-handler': (request, response) => handler(request, response, { public: 'site' }),
};
const ask = (port, range) => new Promise((done, fail) => {
  const request = http.get({ host: '127.0.0.1', port, path: '/file.bin', headers: { range }, agent: false, timeout: 20000 }, (response) => {
    let bytes = 0;
    response.on('data', (chunk) => { bytes += chunk.length; });
    response.on('end', () => done(`${response.statusCode} ${response.headers['content-range']}, ${bytes} bytes`));
    response.on('error', fail);
  });
  request.on('error', fail);
  request.on('timeout', () => request.destroy(new Error('no answer in time')));
});

let same = true;
for (const [name, way] of Object.entries(ways)) {
  console.log(name, JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`, 'utf8')).version);
  const server = http.createServer(way);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  for (const [range, wanted] of [
    ['bytes=0-0', name === 'sirv' ? `206 bytes 0-${length - 1}/${length}, ${length} bytes` : `206 bytes 0-0/${length}, 1 bytes`],
    ['bytes=0-1', `206 bytes 0-1/${length}, 2 bytes`],
    ['bytes=1-1', `206 bytes 1-1/${length}, 1 bytes`],
  ]) {
    const got = await ask(server.address().port, range);
    console.log(`${name} ${range}: ${got}`);
    same &&= got === wanted;
  }
  server.close();
}
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
timeout 90 node run.js
