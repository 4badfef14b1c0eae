#!/usr/bin/env bash
# Run: mmdb_writer 0.2.7 (PyPI) writes a file of three networks, with its defaults. The crate maxminddb 0.32.0
#   (crates.io) looks them up, as its own `geoip2::Asn` and as a u32 by `decode_path`; so do 0.27.3, as `geoip2::Asn`,
#   and maxminddb 3.2.0 (PyPI, MaxMind's own reader).
# Expected: 64500, 65535 and 65536 from each: a u32 has room for all three. The MMDB format leaves it to the writer
#   which type of integer it takes, mmdb_writer documents uint16 for what is below 65536, and Serde's u32 takes a u16.
# Seen:
#   python 3.2.0: 64500; 65535; 65536
#   crate 0.27.3, Asn: 64500; 65535; 65536
#   crate 0.32.0, Asn: expected u32, got type 5; expected u32, got type 5; 65536
#   crate 0.32.0, u32: expected u32, got type 5; expected u32, got type 5; 65536
#   Type 5 is uint16. By hand, 0.28.0 to 0.31.0 are like 0.32.0. The crate's changelog has faster scalars for 0.28.0, and
#   neither it nor UPGRADING.md has a word of this. MaxMind's own files have uint32 for each number of a network, so
#   nothing shows with those. In a file that somebody made, each network below 65536 is an error and the others are not.
# Means for us: we were hit. `network` of crates/server/src/locality/geo.rs asked for a u32 and took an error for
#   "unknown": with such a file visitors from networks below 65536, most of the large ones, were never near each other
#   by it. Where all numbers are below, as with the private ones that an office gives its own networks (64512 to 65534),
#   the start failed: "tells neither networks nor countries". Now it asks for 16, 32 and 64 bits; a test has each.
set -euo pipefail
for need in python3 cargo; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
timeout 180 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target packages mmdb-writer==0.2.7 maxminddb==3.2.0
cat >make.py <<'PY'
from importlib.metadata import version

import maxminddb
from mmdb_writer import MMDBWriter
from netaddr import IPSet

networks = {'192.0.2.0/24': 64500, '198.51.100.0/24': 65535, '203.0.113.0/24': 65536}
writer = MMDBWriter(4, 'Test-ASN', languages=['en'], description='test')
for network, number in networks.items():
    writer.insert_network(IPSet([network]), {'autonomous_system_number': number})
writer.to_db_file('asn.mmdb')
with maxminddb.open_database('asn.mmdb') as reader:
    print(f'python {version("maxminddb")}:', '; '.join(str(reader.get(network.split('/')[0])['autonomous_system_number']) for network in networks))
PY
PYTHONPATH=packages python3 make.py | tee said
mkdir -p src
cat >Cargo.toml <<'TOML'
[package]
name = "reads"
version = "0.0.0"
edition = "2021"
[dependencies]
before = { package = "maxminddb", version = "=0.27.3" }
now = { package = "maxminddb", version = "=0.32.0" }
[workspace]
TOML
cat >src/main.rs <<'RS'
use std::{fmt::Display, net::IpAddr};

/// What an error says after its place in the file.
fn told<E: Display>(read: Result<Option<u32>, E>) -> String {
    match read {
        Ok(number) => number.unwrap().to_string(),
        Err(error) => error.to_string().rsplit(": ").next().unwrap().to_owned(),
    }
}

fn main() {
    let addresses = ["192.0.2.1", "198.51.100.1", "203.0.113.1"].map(|address| address.parse::<IpAddr>().unwrap());
    let before = before::Reader::open_readfile("asn.mmdb").unwrap();
    let asn = |address| before.lookup(address).unwrap().decode::<before::geoip2::Asn>().map(|found| found.unwrap().autonomous_system_number);
    println!("crate 0.27.3, Asn: {}", addresses.map(|address| told(asn(address))).join("; "));
    let now = now::Reader::open_readfile("asn.mmdb").unwrap();
    let asn = |address| now.lookup(address).unwrap().decode::<now::geoip2::Asn>().map(|found| found.unwrap().autonomous_system_number);
    println!("crate 0.32.0, Asn: {}", addresses.map(|address| told(asn(address))).join("; "));
    let path = [now::PathElement::Key("autonomous_system_number")];
    println!("crate 0.32.0, u32: {}", addresses.map(|address| told(now.lookup(address).unwrap().decode_path(&path))).join("; "));
}
RS
CARGO_TARGET_DIR="$work/target" timeout 300 cargo build --quiet
target/debug/reads | tee -a said
cat >expected <<'TXT'
python 3.2.0: 64500; 65535; 65536
crate 0.27.3, Asn: 64500; 65535; 65536
crate 0.32.0, Asn: expected u32, got type 5; expected u32, got type 5; 65536
crate 0.32.0, u32: expected u32, got type 5; expected u32, got type 5; 65536
TXT
diff expected said && echo 'as described' || { echo CHANGED; exit 1; }
