#!/usr/bin/env bash
# Run: proxy-protocol 0.11.3 (PyPI, with its extra `crc32c`) reads headers of version 2 of the PROXY protocol that have
#   a checksum. google-crc32c 1.9.0 (PyPI) made each checksum, over the header as it is sent.
# Expected: each is read. By the protocol's 2.2.3 the checksum is the CRC32C of the header whose four bytes of checksum
#   are zero, whoever sends it. Nothing prescribes an order of the TLVs, nor that a type occurs once.
# Seen:
#   CRC32C: read
#   ALPN, CRC32C: read
#   CRC32C, UNIQUE_ID, SSL: read
#   CRC32C, ALPN: ProxyProtocolChecksumError
#   UNIQUE_ID, CRC32C: ProxyProtocolChecksumError
#   CRC32C, NOOP, NOOP: ProxyProtocolChecksumError
#   AUTHORITY, ALPN without a checksum: read
#   The reader writes what it has read anew, in the order of the type numbers and each type once, and takes the
#   checksum of that. Its own headers are in that order, so it reads them. HAProxy writes CRC32C before ALPN and
#   AUTHORITY: by hand, a header that HAProxy sent with CRC32C and AUTHORITY is refused too. Without the extra no
#   checksum is looked at, and all are read. Neither the readme nor an issue that could be found says so.
# Means for us: our server reads past a checksum (`of_binary` of crates/server/src/listener/proxy_header.rs; the crate
#   ppp has no check), and takes TLVs in any order. Were it to check one, then over the bytes as they came: with a test
#   whose CRC32C stands before a smaller type, and one in which a type occurs twice. Who tries a proxy's header out with
#   this package must not take its refusal for a fault of the proxy.
set -euo pipefail
for need in python3; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
timeout 180 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target packages \
  'proxy-protocol[crc32c]==0.11.3' crc32c==2.9.post0 google-crc32c==1.9.0
cat >run.py <<'PY'
from importlib.metadata import version

import google_crc32c
from proxyprotocol import ProxyProtocolChecksumError
from proxyprotocol.v2 import ProxyProtocolV2

assert google_crc32c.value(b'123456789') == 0xE3069283, 'the check value of CRC32C'
PREFIX = b'\r\n\r\n\0\r\nQUIT\n' + b'\x21\x11'  # version 2, PROXY; IPv4, stream
ADDRESSES = bytes([198, 51, 100, 7, 10, 0, 0, 1, 0x30, 0x39, 1, 0xBB])
CHECKSUM = (3, bytes(4))
ALPN, AUTHORITY, NOOP = (1, b'h2'), (2, b'a.example'), (4, b'')
UNIQUE_ID, SSL = (5, b'id'), (0x20, b'\1\0\0\0\0')


def header(tlvs):
    content, place = ADDRESSES, None
    for kind, value in tlvs:
        if kind == CHECKSUM[0]:
            place = len(PREFIX) + 2 + len(content) + 3
        content += bytes([kind]) + len(value).to_bytes(2, 'big') + value
    whole = PREFIX + len(content).to_bytes(2, 'big') + content
    if place is None:
        return whole
    return whole[:place] + google_crc32c.value(whole).to_bytes(4, 'big') + whole[place + 4:]


def read(tlvs):
    try:
        said = ProxyProtocolV2().unpack(header(tlvs))
    except ProxyProtocolChecksumError as error:
        return type(error).__name__
    assert str(said.source[0]) == '198.51.100.7' and set(said.tlv) == {kind for kind, _ in tlvs}
    return 'read'


print('proxy-protocol', version('proxy-protocol'))
print('CRC32C:', read([CHECKSUM]))
print('ALPN, CRC32C:', read([ALPN, CHECKSUM]))
print('CRC32C, UNIQUE_ID, SSL:', read([CHECKSUM, UNIQUE_ID, SSL]))
print('CRC32C, ALPN:', read([CHECKSUM, ALPN]))
print('UNIQUE_ID, CRC32C:', read([UNIQUE_ID, CHECKSUM]))
print('CRC32C, NOOP, NOOP:', read([CHECKSUM, NOOP, NOOP]))
print('AUTHORITY, ALPN without a checksum:', read([AUTHORITY, ALPN]))
PY
PYTHONPATH=packages timeout 60 python3 run.py | tee said
cat >expected <<'TXT'
proxy-protocol 0.11.3
CRC32C: read
ALPN, CRC32C: read
CRC32C, UNIQUE_ID, SSL: read
CRC32C, ALPN: ProxyProtocolChecksumError
UNIQUE_ID, CRC32C: ProxyProtocolChecksumError
CRC32C, NOOP, NOOP: ProxyProtocolChecksumError
AUTHORITY, ALPN without a checksum: read
TXT
diff expected said && echo 'as described' || { echo CHANGED; exit 1; }
