#!/usr/bin/env bash
# Run: puppeteer-core 24.30.0 (npm) with Debian's chromium (156.0.8078.114) and firefox-esr (153.8.0).
#   A page makes a peer connection with one channel, gives it its offer, waits until gathering is complete, closes
#   it, and reads what it can still tell. A second connection is closed before it was given anything.
# Expected: the attributes of a closed connection go on telling: by WebRTC 1.0 only methods throw once it is closed,
#   and `localDescription` is the pending description or the current one.
# Seen:
#   Chrome/156.0.8078.114 localDescription: told / null; remoteDescription: null / null
#   firefox/153.8.0 localDescription, remoteDescription: InvalidStateError / InvalidStateError
#   both: connectionState closed / closed; iceGatheringState complete / new
# Means for us: one connection that ended made the thin page's watch throw in Firefox, and the visit went to the
#   plain answer. A description is read by `sdpOf` of browser/src/shell/link.ts alone, and kept when we close.
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
import puppeteer from 'puppeteer-core';

const told = ['localDescription', 'remoteDescription', 'connectionState', 'iceGatheringState'];

async function look(names) {
  const tell = (pc, name) => {
    try {
      const value = pc[name];
      return typeof value === 'string' ? value : value ? 'told' : 'null';
    } catch (error) {
      return error.name;
    }
  };
  const used = new RTCPeerConnection();
  used.createDataChannel('');
  await used.setLocalDescription();
  for (let turn = 0; turn < 100 && used.iceGatheringState !== 'complete'; turn++) await new Promise((go) => setTimeout(go, 100));
  const unused = new RTCPeerConnection();
  used.close();
  unused.close();
  return names.map((name) => `${name}: ${tell(used, name)} / ${tell(unused, name)}`);
}

const expected = {
  chrome: ['localDescription: told / null', 'remoteDescription: null / null', 'connectionState: closed / closed', 'iceGatheringState: complete / new'],
  firefox: [
    'localDescription: InvalidStateError / InvalidStateError',
    'remoteDescription: InvalidStateError / InvalidStateError',
    'connectionState: closed / closed',
    'iceGatheringState: complete / new',
  ],
};

let asSeen = true;
for (const [browser, executablePath] of [['chrome', '/usr/bin/chromium'], ['firefox', '/usr/bin/firefox-esr']]) {
  const running = await puppeteer.launch({ browser, executablePath, headless: true, args: browser === 'chrome' ? ['--no-sandbox'] : [] });
  const page = await running.newPage();
  const seen = await page.evaluate(look, told);
  console.log(await running.version());
  for (const line of seen) console.log(`  ${line}`);
  asSeen &&= JSON.stringify(seen) === JSON.stringify(expected[browser]);
  await running.close();
}
console.log(asSeen ? 'as seen before' : 'CHANGED');
process.exit(asSeen ? 0 : 1);
JS
timeout 120 node run.js
