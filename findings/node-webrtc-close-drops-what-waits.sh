#!/usr/bin/env bash
# Run: werift 0.25.2 and @roamhq/wrtc 0.10.0 (npm) in node, and puppeteer-core 24.30.0 (npm) with Debian's chromium
#   (156.0.8078.114). Two connections in one process; a reliable, ordered channel carries 20 messages of 1000 bytes or
#   200 of 16384, and close() of the channel follows at once. `drained` is the second case again, where close() waits
#   until bufferedAmount is 0. The connections stay open until the other end was told of the close, and 1 s longer.
# Expected: each message arrives. W3C WebRTC, 6.2.4 "closing procedure": after close() the first step is to "finish
#   sending all currently pending messages of the channel". werift calls its API browser-compatible, wrtc aims at the
#   specification.
# Seen:
#   chromium: 20 of 20; 200 of 200; drained 200 of 200; close told: true (by hand firefox-esr 153.8.0 does the same)
#   werift: 1 of 20; 0 of 200; drained 200 of 200; close told: true
#   wrtc: 20 of 20, in some runs 11; 80 of 200; drained 86 of 200; close told: true
#   No error at either end, and the one that receives is told of an ordinary close. Of werift's messages only those come
#   that were on their way. Of wrtc's 80 to 100 come, and a bufferedAmount of 0 does not help: only the other end can
#   say that it has them. node-datachannel 0.33.4 is known for losing a few; by hand it lost 1 of 200 in one run of eight.
# Means for us: the end of a channel is never the end of data. Ours is not taken for it: a piece counts by its digest
#   alone, and what a link had not brought when it ended is asked of others. Whoever writes a client with
#   one of these packages closes once the other end has answered. The lab's engines in node (ADR 0091) run on
#   node-datachannel, so what they say last before they close may be missing there without a fault of ours.
set -euo pipefail
for need in node npm chromium; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact puppeteer-core@24.30.0 werift@0.25.2 @roamhq/wrtc@0.10.0
cat >run.js <<'JS'
import http from 'node:http';
import puppeteer from 'puppeteer-core';
import * as werift from 'werift';
import wrtc from '@roamhq/wrtc';

/** What arrives of some messages when their channel is closed at once, and whether the other end was told of the close. */
async function send(count, length, drained) {
  const [one, other] = [new RTCPeerConnection(), new RTCPeerConnection()];
  const gathered = async (pc) => {
    while (pc.iceGatheringState !== 'complete') await new Promise((done) => setTimeout(done, 20));
    return { type: pc.localDescription.type, sdp: pc.localDescription.sdp };
  };
  const channel = one.createDataChannel('messages');
  const opened = new Promise((done) => (channel.onopen = done));
  let arrived = 0;
  const ended = new Promise((done) => (other.ondatachannel = ({ channel: theirs }) => {
    theirs.onmessage = () => arrived++;
    theirs.onclose = done;
  }));
  await one.setLocalDescription(await one.createOffer());
  await other.setRemoteDescription(await gathered(one));
  await other.setLocalDescription(await other.createAnswer());
  await one.setRemoteDescription(await gathered(other));
  await opened;
  // Whatever opening takes is over.
  await new Promise((done) => setTimeout(done, 500));
  const message = new Uint8Array(length);
  for (let i = 0; i < count; i++) channel.send(message);
  while (drained && channel.bufferedAmount) await new Promise((done) => setTimeout(done, 1));
  channel.close();
  const told = await Promise.race([ended.then(() => true), new Promise((done) => setTimeout(done, 10000, false))]);
  // What comes late would count.
  await new Promise((done) => setTimeout(done, 1000));
  one.close();
  other.close();
  return { arrived, told };
}

const CASES = [[20, 1000, false], [200, 16384, false], [200, 16384, true]];
const PACKAGES = { werift, wrtc };
const seen = {};
const server = http.createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>page</title>');
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const browser = await puppeteer.launch({ executablePath: process.argv[2], args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${server.address().port}/`);
const version = await browser.version();
seen[version] = [];
for (const one of CASES) seen[version].push(await page.evaluate(send, ...one));
await browser.close();
server.close();
for (const [name, { RTCPeerConnection }] of Object.entries(PACKAGES)) {
  globalThis.RTCPeerConnection = RTCPeerConnection;
  seen[name] = [];
  for (const one of CASES) seen[name].push(await send(...one));
}
let same = true;
for (const [name, all] of Object.entries(seen)) {
  const line = all.map(({ arrived }, at) => `${CASES[at][2] ? 'drained ' : ''}${arrived} of ${CASES[at][0]}`).join('; ');
  const told = all.every((one) => one.told);
  console.log(`${name}: ${line}; close told: ${told}`);
  const [few, many, drained] = all.map(({ arrived }, at) => arrived === CASES[at][0]);
  same &&= told && (name === 'werift' ? !few && !many && drained : name === 'wrtc' ? !many && !drained : few && many && drained);
}
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
timeout 120 node run.js "$(command -v chromium)"
