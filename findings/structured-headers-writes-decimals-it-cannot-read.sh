#!/usr/bin/env bash
# Run: structured-headers 2.1.0 (npm) in node writes decimals, and a dictionary with one, and reads its own text again.
#   http_sfv 0.9.9 (PyPI) writes the same numbers.
# Expected: text that can be read. RFC 9651, 4.1.5: a decimal is rounded to three places, and where nothing is left of
#   its fraction, "0" follows the point; 4.2.4: a number that ends with the point fails, and the whole field with it.
#   The package's readme names two differences, of which this is none (1.0 is written as 1; 0.0025 is rounded up).
# Seen:
#   1.5: 1.5 read again; http_sfv 1.5
#   1.0006: 1.001 read again; http_sfv 1.001
#   1.0004: 1. refused; http_sfv 1.0
#   99.9996: 100. refused; http_sfv 100.0
#   0.0004: 0. refused; http_sfv 0.0
#   {"cost": 1.0004, "left": 5}: "cost=1., left=5" refused
#   One measured number in a thousand is so near to a whole one. Nothing is said where it is written. Whoever reads must
#   take the field for absent, with all that stands beside the number.
# Means for us: nothing of ours sends a decimal, and the one structured field that we read (the certificate of a
#   visitor, crates/server/src/client_certificate.rs) has none. Whole microseconds and bytes need none either.
set -euo pipefail
for need in node npm python3; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact structured-headers@2.1.0
timeout 180 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target packages http_sfv==0.9.9
cat >write.py <<'PY'
import sys
import http_sfv
print(*(http_sfv.Item(float(number)) for number in sys.argv[1:]))
PY
cat >run.js <<'JS'
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { parseDictionary, parseItem, serializeDictionary, serializeItem } from 'structured-headers';

console.log('structured-headers', JSON.parse(fs.readFileSync('node_modules/structured-headers/package.json', 'utf8')).version);
const numbers = [1.5, 1.0006, 1.0004, 99.9996, 0.0004];
const others = execFileSync('python3', ['write.py', ...numbers.map(String)], { encoding: 'utf8' }).trim().split(' ');
const read = (parse, text) => {
  try {
    parse(text);
    return 'read again';
  } catch {
    return 'refused';
  }
};
const said = numbers.map((number, at) => {
  const text = serializeItem(number);
  return `${number}: ${text} ${read(parseItem, text)}; http_sfv ${others[at]}`;
});
const text = serializeDictionary({ cost: 1.0004, left: 5 });
said.push(`{"cost": 1.0004, "left": 5}: "${text}" ${read(parseDictionary, text)}`);
console.log(said.join('\n'));
const same = said.join('\n') === fs.readFileSync('expected', 'utf8').trim();
console.log(same ? 'as described' : 'CHANGED');
process.exit(same ? 0 : 1);
JS
cat >expected <<'TXT'
1.5: 1.5 read again; http_sfv 1.5
1.0006: 1.001 read again; http_sfv 1.001
1.0004: 1. refused; http_sfv 1.0
99.9996: 100. refused; http_sfv 100.0
0.0004: 0. refused; http_sfv 0.0
{"cost": 1.0004, "left": 5}: "cost=1., left=5" refused
TXT
PYTHONPATH=packages timeout 60 node run.js
