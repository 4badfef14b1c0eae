#!/usr/bin/env bash
# Run: the server of bittorrent-tracker 11.2.3 (npm) in node. One WebSocket announces two torrents, each with a
#   peer_id of its own, as two clients in one page do: bittorrent-tracker's clients share a socket by address of
#   the tracker, and p2p-media-loader-core 2.3.1 makes a peer_id for each stream. The socket is closed; another
#   one scrapes both torrents. The same again with one peer_id for both.
# Expected: whoever closed its socket is gone, as with a client that announces one torrent.
# Seen:
#   two peer_ids, before the socket is closed: a 1, b 1
#   two peer_ids, 3 s after it is closed: a 0, b 1
#   one peer_id, before the socket is closed: c 1, d 1
#   one peer_id, 3 s after it is closed: c 0, d 0
#   The server keeps the first peer_id of a socket, and takes that one out of every torrent of the socket when it
#   closes. The others stay for 20 minutes (peersCacheTtl), are counted, and are given offers.
# Means for us: a tracker must know the peers of a socket by torrent and peer_id, not by socket, and end each of
#   them with it. Who measures swarms at such a server sees visitors who left long ago, and offers to them are
#   lost: with 5 offers to an announce, five ghosts suffice.
set -euo pipefail
for need in node npm; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact bittorrent-tracker@11.2.3 ws@8.23.0
cat >run.js <<'JS'
import fs from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import Server from 'bittorrent-tracker/server';
import WebSocket from 'ws';

console.log('bittorrent-tracker', JSON.parse(fs.readFileSync('node_modules/bittorrent-tracker/package.json', 'utf8')).version);
const server = new Server({ udp: false, http: true, ws: true, stats: false });
await new Promise((done) => server.listen(0, '127.0.0.1', done));

const connect = () => new Promise((done, fail) => {
  const socket = new WebSocket(`ws://127.0.0.1:${server.http.address().port}`);
  socket.on('open', () => done(socket));
  socket.on('error', fail);
});
const ask = (socket, message) => new Promise((done) => {
  socket.once('message', (data) => done(JSON.parse(data)));
  socket.send(JSON.stringify(message));
});
const watcher = await connect();
const count = async (torrent) => {
  const info_hash = torrent.repeat(20);
  return (await ask(watcher, { action: 'scrape', info_hash })).files[info_hash].incomplete;
};

let same = true;
for (const [name, peers, wanted] of [['two peer_ids', '12', 'a 0, b 1'], ['one peer_id', '33', 'c 0, d 0']]) {
  const torrents = [...wanted].filter((letter) => letter >= 'a' && letter <= 'd');
  const socket = await connect();
  for (const [at, torrent] of torrents.entries()) {
    await ask(socket, { action: 'announce', info_hash: torrent.repeat(20), peer_id: peers[at].repeat(20), event: 'started', left: 1, numwant: 0 });
  }
  const counts = async () => `${torrents[0]} ${await count(torrents[0])}, ${torrents[1]} ${await count(torrents[1])}`;
  const before = await counts();
  socket.close();
  await after(3000);
  const later = await counts();
  console.log(`${name}, before the socket is closed: ${before}`);
  console.log(`${name}, 3 s after it is closed: ${later}`);
  same &&= before === wanted.replaceAll(/[01]/g, '1') && later === wanted;
}
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
timeout 60 node run.js
