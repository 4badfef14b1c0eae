#!/usr/bin/env bash
# Run: prometheus-client 0.26.0 (PyPI) writes two counters in OpenMetrics, one of them with an exemplar, and reads its
#   own text. prom-client 15.1.3 (npm) in node writes a counter with the same exemplar, and the Python parser reads it.
# Expected: what was written is read. OpenMetrics 1.0: an exemplar has a label set like that of a sample, and in any
#   label value \" stands for a quotation mark. The package writes it so in both places.
# Seen:
#   a label     "3.5-inch disk": read
#   a label     "3.5\" disk": read
#   an exemplar "3.5-inch disk": read
#   an exemplar "3.5\" disk": refused, 0 of 2 counters; by prom-client: the same exemplar, refused
#   an exemplar "a \"b\" c": read
#   an exemplar "a \"}\" c": refused, 0 of 2 counters; by prom-client: the same exemplar, refused
#   Within an exemplar each quotation mark counts as the end or the begin of a text, escaped or not. Two of them
#   make up for each other, unless a brace is between. "Invalid line" is raised for the line, and with it the other
#   metrics are gone. By hand, the crate openmetrics-parser 0.5.1 reads all of it. No issue could be found.
# Means for us: /metrics has no exemplars (`counters` of crates/server/src/metrics/encode.rs passes None), so this
#   parser reads all of it. Were there some, to name the request behind a number, they must be ids and not paths or
#   user agents: visitors write those, and one of them would take the whole scrape from such a reader.
set -euo pipefail
for need in node npm python3; do
  command -v "$need" >/dev/null || { echo "missing: $need"; exit 3; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
cd "$work"
echo '{"private":true,"type":"module"}' >package.json
timeout 180 npm install --silent --no-audit --no-fund --ignore-scripts --save-exact prom-client@15.1.3
timeout 180 python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target packages prometheus-client==0.26.0
cat >write.js <<'JS'
import { Counter, Registry } from 'prom-client';

const registry = new Registry(Registry.OPENMETRICS_CONTENT_TYPE);
new Counter({ name: 'reads', help: 'h', registers: [registry], enableExemplars: true }).inc({ value: 1, exemplarLabels: { what: process.argv[2] } });
process.stdout.write((await registry.metrics()).trimEnd() + '\n');
JS
cat >run.py <<'PY'
import json
import re
import subprocess
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

print('prometheus-client', version('prometheus-client'))


def read(text):
    """How many counters there are before the parser raises, if it does, and their first labels."""
    names, labels = [], {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.endswith('_total'):
                    names.append(sample.name)
                    labels = labels or (sample.exemplar.labels if sample.exemplar else sample.labels)
    except ValueError as error:
        assert 'Invalid line' in str(error), error
        return 'refused', names, labels
    return 'read', names, labels


def exemplar_of(text):
    return re.search(r'# (\{.*\}) 1', text).group(1)


for place, what in [('a label', '3.5-inch disk'), ('a label', '3.5" disk'), ('an exemplar', '3.5-inch disk'),
                    ('an exemplar', '3.5" disk'), ('an exemplar', 'a "b" c'), ('an exemplar', 'a "}" c')]:
    registry = CollectorRegistry()
    reads = Counter('reads', 'h', ['what'] if place == 'a label' else [], registry=registry)
    Counter('writes', 'h', registry=registry).inc()
    if place == 'a label':
        reads.labels(what).inc()
    else:
        reads.inc(1, {'what': what})
    text = generate_latest(registry).decode()
    how, names, labels = read(text)
    said = f'{place:11} {json.dumps(what)}: {how}'
    if how == 'read':
        assert len(names) == 2 and labels == {'what': what}, (names, labels)
    else:
        other = subprocess.run(['node', 'write.js', what], capture_output=True, text=True, check=True).stdout
        same = 'the same' if exemplar_of(other) == exemplar_of(text) else 'another'
        said += f', {len(names)} of 2 counters; by prom-client: {same} exemplar, {read(other)[0]}'
    print(said)
PY
PYTHONPATH=packages timeout 60 python3 run.py | tee said
cat >expected <<'TXT'
prometheus-client 0.26.0
a label     "3.5-inch disk": read
a label     "3.5\" disk": read
an exemplar "3.5-inch disk": read
an exemplar "3.5\" disk": refused, 0 of 2 counters; by prom-client: the same exemplar, refused
an exemplar "a \"b\" c": read
an exemplar "a \"}\" c": refused, 0 of 2 counters; by prom-client: the same exemplar, refused
TXT
diff expected said && echo 'as described' || { echo CHANGED; exit 1; }
