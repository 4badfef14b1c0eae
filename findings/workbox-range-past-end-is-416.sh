#!/usr/bin/env bash
# Run: workbox-range-requests 7.4.1 with workbox-core 7.4.1, pmtiles 4.5.0 and send 1.2.1 (npm), in node.
#   A valid PMTiles archive of 134 bytes is read by pmtiles twice: from a server (send), and from a stored
#   whole response through RangeRequestsPlugin.cachedResponseWillBeUsed, as a service worker does it.
#   Then both are asked for ranges of a body of 1000 bytes.
# Expected: 206 with what there is. RFC 9110, 14.1.2: where last-pos is at or past the end, the range is the
#   remainder of the representation. Workbox
#   documents 416 for when "the conditions of the Range: header can't be met".
# Seen:
#   pmtiles over send: tile "ok"
#   pmtiles over workbox: Error: Missing content-length on 416 response
#   bytes=0-999: send 206 bytes 0-999/1000, workbox 206 bytes 0-999/1000
#   bytes=0-1000: send 206 bytes 0-999/1000, workbox 206 bytes 0-1000/1000
#   bytes=0-1001: send 206 bytes 0-999/1000, workbox 416 null
#   bytes=900-16383: send 206 bytes 900-999/1000, workbox 416 null
#   The range of one byte too much names a last byte that does not exist. The 416 has no Content-Range, so
#   a reader that asks for a first block of fixed length (pmtiles: 16384 bytes) cannot correct itself either.
# Means for us: readers that work against a server fail once a worker answers from its store. A worker that
#   carries other people's apps must cut ranges at the end as the RFC says, and leave a range that it cannot
#   satisfy to the server, whose 416 has the length.
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
  workbox-core@7.4.1 workbox-range-requests@7.4.1 pmtiles@4.5.0 send@1.2.1
cat >run.js <<'JS'
import fs from 'node:fs';
import http from 'node:http';
import vm from 'node:vm';
import { PMTiles, FetchSource } from 'pmtiles';
import send from 'send';

globalThis.self = globalThis;
for (const name of ['workbox-core', 'workbox-range-requests']) {
  console.log(name, JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`, 'utf8')).version);
  vm.runInThisContext(fs.readFileSync(`node_modules/${name}/build/${name}.prod.js`, 'utf8'));
}
for (const name of ['pmtiles', 'send']) {
  console.log(name, JSON.parse(fs.readFileSync(`node_modules/${name}/package.json`, 'utf8')).version);
}
const plugin = new workbox.rangeRequests.RangeRequestsPlugin();

// Version 3: a header of 127 bytes, a root directory (one entry), no metadata, one tile at 0/0/0.
const directory = [1, 0, 1, 2, 1]; // entries, id, run, length, offset + 1
const tile = Buffer.from('ok');
const archive = Buffer.alloc(127 + directory.length + tile.length);
archive.write('PMTiles');
archive[7] = 3;
[127, directory.length, 132, 0, 132, 0, 132, tile.length, 1, 1, 1].forEach((number, i) => archive.writeBigUInt64LE(BigInt(number), 8 + 8 * i));
archive.set([1, 1, 1, 2, 0, 0], 96); // clustered; directories and tiles not compressed; PNG; zoom 0 to 0
archive.set(directory, 127);
archive.set(tile, 132);
const body = Buffer.from({ length: 1000 }).map((_, i) => i % 251);
fs.mkdirSync('site');
fs.writeFileSync('site/map.pmtiles', archive);
fs.writeFileSync('site/body.bin', body);
console.log(`archive of ${archive.length} bytes`);

const server = http.createServer((request, response) => send(request, request.url, { root: 'site' }).pipe(response));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const origin = `http://127.0.0.1:${server.address().port}`;
const direct = globalThis.fetch;
const stored = (whole) => (url, init) => plugin.cachedResponseWillBeUsed({
  request: new Request(url, { headers: init.headers }),
  cachedResponse: new Response(whole, { headers: { 'content-type': 'application/octet-stream' } }),
});

let same = true;
const expect = (line, wanted) => {
  console.log(line);
  same &&= line === wanted;
};
async function readTile() {
  try {
    const found = await new PMTiles(new FetchSource(origin + '/map.pmtiles')).getZxy(0, 0, 0);
    return `tile "${Buffer.from(found.data)}"`;
  } catch (error) {
    return String(error);
  }
}
try {
  expect('pmtiles over send: ' + await readTile(), 'pmtiles over send: tile "ok"');
  globalThis.fetch = stored(archive);
  expect('pmtiles over workbox: ' + await readTile(), 'pmtiles over workbox: Error: Missing content-length on 416 response');
  globalThis.fetch = direct;
  for (const [range, fromSend, fromWorkbox] of [
    ['bytes=0-999', '206 bytes 0-999/1000', '206 bytes 0-999/1000'],
    ['bytes=0-1000', '206 bytes 0-999/1000', '206 bytes 0-1000/1000'],
    ['bytes=0-1001', '206 bytes 0-999/1000', '416 null'],
    ['bytes=900-16383', '206 bytes 900-999/1000', '416 null'],
  ]) {
    const tell = async (response) => {
      await response.arrayBuffer();
      return `${response.status} ${response.headers.get('content-range')}`;
    };
    const a = await tell(await direct(origin + '/body.bin', { headers: { range } }));
    const b = await tell(await stored(body)(origin + '/body.bin', { headers: { range } }));
    expect(`${range}: send ${a}, workbox ${b}`, `${range}: send ${fromSend}, workbox ${fromWorkbox}`);
  }
} finally {
  server.closeAllConnections();
  server.close();
}
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
timeout 60 node run.js
