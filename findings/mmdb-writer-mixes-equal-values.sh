#!/usr/bin/env bash
# Run: mmdb_writer 0.2.7 (PyPI) writes files of two records, and maxminddb 3.2.0 (PyPI, MaxMind's own reader) reads
#   them. The first record has a value that Python holds for equal to the one of the second: True and 1, 50 and 50.0,
#   False and 0.0. Each pair is written in both orders. Then the first pair once more, with MmdbU32(1) for 1.
# Expected: what was put in. In the MMDB format each value has its type, and mmdb_writer documents which type it gives
#   to what: with `auto`, the default, an integer of 0 to 65535 is an uint16. Its encoder has double for a float.
# Seen:
#   {"anycast": true}, then {"asn": 1}: asn is boolean true
#   {"asn": 1}, then {"anycast": true}: anycast is integer 1
#   {"radius": 50}, then {"latitude": 50.0}: latitude is integer 50
#   {"latitude": 50.0}, then {"radius": 50}: radius is double 50.0
#   {"anycast": false}, then {"longitude": 0.0}: longitude is boolean false
#   {"longitude": 0.0}, then {"anycast": false}: anycast is double 0.0
#   {"anycast": true}, then {"asn": MmdbU32(1)}: asn is integer 1
#   A value is written once and pointed at after that, and what was written is found by Python's ==. So the type of a
#   value hangs on what came anywhere before it, and changes with the order of the input. A flag and AS 1 suffice, or
#   an accuracy of 50 km and a latitude of 50. Nothing is said, and only the records with such values are odd.
# Means for us: who asks for a type finds nothing in some records of such a file. `network` of
#   crates/server/src/locality/geo.rs asks for a number and takes a boolean or a double for "unknown", so the visitors
#   of a few networks have none, and all others have theirs. A file made this way needs the types of mmdb_writer.
set -euo pipefail
command -v python3 >/dev/null || { echo "missing: python3"; exit 3; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
timeout 180 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target packages mmdb-writer==0.2.7 maxminddb==3.2.0
cat >run.py <<'PY'
import json, sys
from importlib.metadata import version
import maxminddb
from mmdb_writer import MMDBWriter, MmdbU32
from netaddr import IPSet

print(*(f'{name} {version(name)}' for name in ('mmdb-writer', 'maxminddb')))
TYPES = {bool: 'boolean', int: 'integer', float: 'double'}


def show(record):
    return json.dumps(record, default=lambda typed: f'MmdbU32({typed.value})').replace('"MmdbU32(1)"', 'MmdbU32(1)')


def read_back(*records):
    networks = ('192.0.2.0/25', '192.0.2.128/25')
    writer = MMDBWriter(4, 'Test', languages=['en'], description='test')
    for network, record in zip(networks, records):
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file('test.mmdb')
    with maxminddb.open_database('test.mmdb') as reader:
        first, second = (reader.get(network.split('/')[0]) for network in networks)
    (name, got), = second.items()
    print(f'{show(records[0])}, then {show(records[1])}: {name} is {TYPES[type(got)]} {json.dumps(got)}')
    (_, before), = first.items()
    return before, got


same = True
pairs = [({'anycast': True}, {'asn': 1}), ({'radius': 50}, {'latitude': 50.0}), ({'anycast': False}, {'longitude': 0.0})]
for records in [order for pair in pairs for order in (pair, pair[::-1])]:
    (put_before,), (put,) = (list(record.values()) for record in records)
    before, got = read_back(*records)
    same &= before == put_before and got == put and type(before) is type(got) is type(put_before) is not type(put)
same &= type(read_back({'anycast': True}, {'asn': MmdbU32(1)})[1]) is int
print('as described' if same else 'CHANGED')
sys.exit(0 if same else 1)
PY
PYTHONPATH=packages timeout 60 python3 run.py
