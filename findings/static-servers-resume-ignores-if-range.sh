#!/usr/bin/env bash
# Run: serve-handler 6.1.8, sirv 3.0.2, http-server 14.1.1 and send 1.2.1 (npm), each over two versions of one
#   file of 2000 bytes (first 2000 times "a", then, with a later mtime, 2000 times "b"). node's http client
#   takes the file's first half from the first version and then resumes at the second one with
#   `Range: bytes=1000-` and `If-Range:` the validator of the first answer (serve-handler: its strong ETag;
#   the others, whose ETags are weak, as If-Range must not have one: their Last-Modified).
# Expected: 200 with all 2000 "b". RFC 9110, 13.1.5: a recipient of If-Range MUST ignore the Range field if the
#   condition is false, as it is for an ETag or a date that is not the current one.
# Seen:
#   serve-handler 6.1.8 by ETag: 206, the client now has 1000 a and 1000 b
#   sirv 3.0.2 by Last-Modified: 206, the client now has 1000 a and 1000 b
#   http-server 14.1.1 by Last-Modified: 206, the client now has 1000 a and 1000 b
#   send 1.2.1 by Last-Modified: 200, the client now has 0 a and 2000 b
# Means for us: whoever resumes behind another program's server gets a mix of two versions with the right length
#   and no error, just after a deploy. If-Range alone is no protection: compare the validator on the 206, and
#   verify by digest before anything is kept or passed on.
set -euo pipefail
for need in node npm; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact \
  serve-handler@6.1.8 sirv@3.0.2 http-server@14.1.1 send@1.2.1
cat >run.js <<'JS'
import fs from 'node:fs';
import http from 'node:http';
import httpServer from 'http-server';
import send from 'send';
import handler from 'serve-handler';
import sirv from 'sirv';

for (const [root, letter, date] of [['old', 'a', '2026-01-01T00:00:00Z'], ['new', 'b', '2026-01-02T00:00:00Z']]) {
  fs.mkdirSync(root);
  fs.writeFileSync(`${root}/file.bin`, letter.repeat(2000));
  fs.utimesSync(`${root}/file.bin`, new Date(date), new Date(date));
}
const ways = {
  'serve-handler': (root) => http.createServer((request, response) => handler(request, response, { public: root, etag: true })),
  sirv: (root) => http.createServer(sirv(root, { etag: true })),
  'http-server': (root) => httpServer.createServer({ root }).server,
  send: (root) => http.createServer((request, response) => send(request, request.url, { root }).pipe(response)),
};
const ask = (port, headers) => new Promise((done, fail) => {
  const request = http.get({ host: '127.0.0.1', port, path: '/file.bin', headers, agent: false, timeout: 20000 }, (response) => {
    let text = '';
    response.on('data', (chunk) => { text += chunk; });
    response.on('end', () => done({ status: response.statusCode, headers: response.headers, text }));
    response.on('error', fail);
  });
  request.on('error', fail);
  request.on('timeout', () => request.destroy(new Error('no answer in time')));
});

let same = true;
for (const [name, way] of Object.entries(ways)) {
  const version = JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`, 'utf8')).version;
  const [old, now] = [way('old'), way('new')];
  for (const server of [old, now]) await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const first = await ask(old.address().port, { range: 'bytes=0-999' });
  const strong = first.headers.etag && !first.headers.etag.startsWith('W/');
  const validator = strong ? first.headers.etag : first.headers['last-modified'];
  const rest = await ask(now.address().port, { range: 'bytes=1000-', 'if-range': validator });
  const has = rest.status === 206 ? first.text + rest.text : rest.text;
  const count = (letter) => has.split(letter).length - 1;
  const line = `${name} ${version} by ${strong ? 'ETag' : 'Last-Modified'}: ${rest.status}, the client now has ${count('a')} a and ${count('b')} b`;
  console.log(line);
  same &&= first.status === 206 && validator !== undefined
    && (name === 'send' ? rest.status === 200 && has === 'b'.repeat(2000) : rest.status === 206 && has === 'a'.repeat(1000) + 'b'.repeat(1000));
  old.close();
  now.close();
}
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
timeout 90 node --no-deprecation run.js
