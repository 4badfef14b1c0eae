#!/usr/bin/env bash
# Run: magnet-uri 7.0.10 (npm), which webtorrent and parse-torrent use, reads magnet links in node, each with one tracker
#   or one web seed. node's own URL and torf 4.3.1 (PyPI) read the same links.
# Expected: the tracker or seed in each. RFC 3986, 3.4 and 3.3: "=" may stand in a query as it is, and so may ":", "/"
#   and "?". The URL standard (application/x-www-form-urlencoded, parsing) ends a name at the first "=" and takes all
#   that follows for its value. BEP 9 has tr=<tracker-url>. The package's readme prescribes nothing about it.
# Seen:
#   tr=wss://t.example/announce: magnet-uri wss://t.example/announce; URL and torf the same
#   tr=wss://t.example/announce?room: magnet-uri wss://t.example/announce?room; URL and torf the same
#   tr=wss://t.example/announce?room=a: magnet-uri nothing; URL and torf wss://t.example/announce?room=a
#   tr=wss%3A%2F%2Ft.example%2Fannounce%3Froom%3Da: magnet-uri wss://t.example/announce?room=a; URL and torf the same
#   ws=https://w.example/file?v=1: magnet-uri nothing; URL and torf https://w.example/file?v=1
#   A part with a second "=" is skipped, and nothing is said. Whatever else the link has is read, so a client starts,
#   has no tracker, and in a browser meets nobody. The package's own links are escaped and read again. An open pull
#   request (133) names other parts that are read wrongly ("+", bad escapes), not this.
# Means for us: the address of our tracker has no query (`wss://app.example/.viral/announce`, docs/guide/webtorrent.md),
#   so it survives in any link. It must stay so: were a torrent or a key to be told there, it belongs into the path.
#   Of a link we read only the base32 of its info-hash, which an operator copies (crates/wire/src/webtorrent/id.rs).
set -euo pipefail
for need in node npm python3; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact magnet-uri@7.0.10
timeout 180 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target packages torf==4.3.1
cat >read.py <<'PY'
import json
import sys

from torf import Magnet

link = Magnet.from_string(sys.argv[1])
print(json.dumps([str(one) for one in [*(link.tr or []), *(link.ws or [])]]))
PY
cat >run.js <<'JS'
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import magnet from 'magnet-uri';

console.log('magnet-uri', JSON.parse(fs.readFileSync('node_modules/magnet-uri/package.json', 'utf8')).version);
const named = (list) => list.join(' ') || 'nothing';
const said = [
  'tr=wss://t.example/announce',
  'tr=wss://t.example/announce?room',
  'tr=wss://t.example/announce?room=a',
  'tr=wss%3A%2F%2Ft.example%2Fannounce%3Froom%3Da',
  'ws=https://w.example/file?v=1',
].map((part) => {
  const link = `magnet:?xt=urn:btih:d2474e86c95b19b8bcfdb92bc12c9d44667cfa36&${part}`;
  const read = magnet(link);
  if (read.infoHash !== 'd2474e86c95b19b8bcfdb92bc12c9d44667cfa36') throw new Error('no info-hash');
  const one = named([...read.announce, ...read.urlList]);
  const parameters = new URL(link).searchParams;
  const url = named([...parameters.getAll('tr'), ...parameters.getAll('ws')]);
  const torf = named(JSON.parse(execFileSync('python3', ['read.py', link], { encoding: 'utf8' })));
  const others = url === torf ? (url === one ? 'the same' : url) : `${url} and ${torf}`;
  return `${part}: magnet-uri ${one}; URL and torf ${others}`;
});
console.log(said.join('\n'));
const same = said.join('\n') === fs.readFileSync('expected', 'utf8').trim();
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
cat >expected <<'TXT'
tr=wss://t.example/announce: magnet-uri wss://t.example/announce; URL and torf the same
tr=wss://t.example/announce?room: magnet-uri wss://t.example/announce?room; URL and torf the same
tr=wss://t.example/announce?room=a: magnet-uri nothing; URL and torf wss://t.example/announce?room=a
tr=wss%3A%2F%2Ft.example%2Fannounce%3Froom%3Da: magnet-uri wss://t.example/announce?room=a; URL and torf the same
ws=https://w.example/file?v=1: magnet-uri nothing; URL and torf https://w.example/file?v=1
TXT
PYTHONPATH=packages timeout 60 node run.js
