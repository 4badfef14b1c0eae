#!/usr/bin/env bash
# Run: proxy-protocol-js 4.0.6 (npm) in node reads a header of version 2 of the PROXY protocol with two TLVs (NOOP and
#   AUTHORITY, 17 bytes) that a request follows, and builds it again from what it read. proxy-protocol 0.11.3 (PyPI)
#   reads both from a stream, and what follows them.
# Expected: the request alone is what follows, and what is built is what was read. By the protocol's 2.2 the length
#   counts the bytes after the first 16 that belong to the header, TLVs included, and receivers must use it to skip
#   them. The readme has it "building" and "parsing" payloads of both versions, without a word of TLVs.
# Seen:
#   sent: length 29; proxy-protocol: authority a.example, then "GET /"
#   proxy-protocol-js: data of 22 bytes, 17 bytes of TLVs and "GET /"; no member has the length
#   built again: 50 bytes of 50, length 12; proxy-protocol: no authority, then 17 bytes of TLVs and "GET /"
#   The parser looks at the length only to refuse what is shorter than the addresses. The builder writes the length of
#   the addresses, whatever the data. Without TLVs, as in its examples, all is right. Behind a load balancer that adds
#   some, the first request begins with them.
# Means for us: our server takes exactly as many bytes as the length says (`read` of
#   crates/server/src/listener/proxy_header.rs, and a test with a TLV and "GET" behind it). A relay in node that passes
#   a header on with this package makes the visitor's request unreadable to us: pass on the bytes that came.
set -euo pipefail
for need in node npm python3; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact proxy-protocol-js@4.0.6
timeout 180 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target packages proxy-protocol==0.11.3
cat >read.py <<'PY'
import asyncio
import sys

from proxyprotocol.reader import ProxyProtocolReader
from proxyprotocol.v2 import ProxyProtocolV2


async def main():
    stream = asyncio.StreamReader()
    stream.feed_data(bytes.fromhex(sys.argv[1]))
    stream.feed_eof()
    said = await ProxyProtocolReader(ProxyProtocolV2()).read(stream)
    print(said.tlv.authority or '-', (await stream.read()).hex())

asyncio.run(main())
PY
cat >run.js <<'JS'
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { V2ProxyProtocol } from 'proxy-protocol-js';

console.log('proxy-protocol-js', JSON.parse(fs.readFileSync('node_modules/proxy-protocol-js/package.json', 'utf8')).version);
const addresses = [198, 51, 100, 7, 10, 0, 0, 1, 0x30, 0x39, 1, 0xbb];
const tlvs = Buffer.concat([Buffer.from([4, 0, 2, 0, 0, 2, 0, 9]), Buffer.from('a.example')]);
const request = Buffer.from('GET /');
const prefix = Buffer.from([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10, 0x21, 0x11, 0, addresses.length + tlvs.length]);
const sent = Buffer.concat([prefix, Buffer.from(addresses), tlvs, request]);

const both = Buffer.concat([tlvs, request]);
const named = (bytes) => {
  if (bytes.equals(request)) return '"GET /"';
  return bytes.equals(both) ? `${tlvs.length} bytes of TLVs and "GET /"` : bytes.toString('hex');
};
const other = (bytes) => {
  const [authority, rest] = execFileSync('python3', ['read.py', bytes.toString('hex')], { encoding: 'utf8' }).trim().split(' ');
  return `proxy-protocol: ${authority === '-' ? 'no authority' : `authority ${authority}`}, then ${named(Buffer.from(rest, 'hex'))}`;
};
const length = (bytes) => bytes.readUInt16BE(14);

const said = [`sent: length ${length(sent)}; ${other(sent)}`];
const read = V2ProxyProtocol.parse(sent);
const has = Object.values(read).includes(length(sent)) ? 'a' : 'no';
said.push(`proxy-protocol-js: data of ${read.data.length} bytes, ${named(Buffer.from(read.data))}; ${has} member has the length`);
const built = Buffer.from(read.build());
said.push(`built again: ${built.length} bytes of ${sent.length}, length ${length(built)}; ${other(built)}`);
console.log(said.join('\n'));
const same = said.join('\n') === fs.readFileSync('expected', 'utf8').trim();
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
cat >expected <<'TXT'
sent: length 29; proxy-protocol: authority a.example, then "GET /"
proxy-protocol-js: data of 22 bytes, 17 bytes of TLVs and "GET /"; no member has the length
built again: 50 bytes of 50, length 12; proxy-protocol: no authority, then 17 bytes of TLVs and "GET /"
TXT
PYTHONPATH=packages timeout 60 node run.js
