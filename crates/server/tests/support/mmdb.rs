//! Small files of MaxMind's format, for tests (https://maxmind.github.io/MaxMind-DB).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use ipnet::IpNet;

/// What a record is made of.
#[derive(Clone)]
pub(crate) enum Value {
    /// A map.
    Map(Vec<(&'static str, Value)>),
    /// Text of less than 29 bytes.
    Text(&'static str),
    /// A number of 32 bits.
    Number(u32),
    /// A number of 16 bits.
    Short(u16),
    /// A number of 64 bits.
    Long(u64),
    /// A list.
    List(Vec<Value>),
}

/// Some text.
pub(crate) fn text(text: &'static str) -> Value {
    Value::Text(text)
}

/// A map of these.
pub(crate) fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    Value::Map(entries.to_vec())
}

/// A file of these records, in a tree of 4 or 6. Ranges have nothing in common.
pub(crate) fn file(ip_version: u16, records: &[(&str, Value)]) -> Vec<u8> {
    let mut data = Vec::new();
    // Nodes of two places each: none yet, another node, or data at an offset.
    let mut nodes = vec![[Place::Nothing; 2]];
    for (range, record) in records {
        let offset = data.len();
        encode(record, &mut data);
        put(&mut nodes, &bits(range.parse().unwrap(), ip_version), Place::Data(offset));
    }
    let count = u32::try_from(nodes.len()).unwrap();
    let mut out = Vec::new();
    for place in nodes.iter().flatten() {
        let record = match place {
            Place::Nothing => count,
            Place::Node(node) => u32::try_from(*node).unwrap(),
            Place::Data(offset) => count + 16 + u32::try_from(*offset).unwrap(),
        };
        out.extend(record.to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(vec![
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_700_000_000)),
        ("database_type", text("Test")),
        ("description", map([("en", text("for tests"))])),
        ("ip_version", Value::Short(ip_version)),
        ("languages", Value::List(vec![text("en")])),
        ("node_count", Value::Number(count)),
        ("record_size", Value::Short(32)),
    ]);
    encode(&metadata, &mut out);
    out
}

#[derive(Clone, Copy)]
enum Place {
    Nothing,
    Node(usize),
    Data(usize),
}

/// The bits that lead to a range. In a tree of IPv6 those of IPv4 are behind 96 zeros.
fn bits(range: IpNet, ip_version: u16) -> Vec<u8> {
    let (address, len) = match range {
        IpNet::V4(range) if ip_version == 4 => (u128::from(range.network().to_bits()) << 96, range.prefix_len()),
        IpNet::V4(range) => (u128::from(range.network().to_bits()), 96 + range.prefix_len()),
        IpNet::V6(range) => (range.network().to_bits(), range.prefix_len()),
    };
    (0..len).map(|bit| (address >> (127 - bit)) as u8 & 1).collect()
}

fn put(nodes: &mut Vec<[Place; 2]>, bits: &[u8], place: Place) {
    let (last, before) = bits.split_last().unwrap();
    let mut at = 0;
    for bit in before {
        at = match nodes[at][usize::from(*bit)] {
            Place::Node(next) => next,
            Place::Nothing | Place::Data(_) => {
                nodes.push([Place::Nothing; 2]);
                let next = nodes.len() - 1;
                nodes[at][usize::from(*bit)] = Place::Node(next);
                next
            }
        };
    }
    nodes[at][usize::from(*last)] = place;
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Map(entries) => {
            control(7, entries.len(), out);
            for (key, value) in entries.iter().cloned().collect::<BTreeMap<_, _>>() {
                encode(&Value::Text(key), out);
                encode(&value, out);
            }
        }
        Value::Text(text) => {
            control(2, text.len(), out);
            out.extend(text.as_bytes());
        }
        Value::Short(number) => {
            control(5, 2, out);
            out.extend(number.to_be_bytes());
        }
        Value::Number(number) => {
            control(6, 4, out);
            out.extend(number.to_be_bytes());
        }
        Value::Long(number) => {
            control(9, 8, out);
            out.extend(number.to_be_bytes());
        }
        Value::List(values) => {
            control(11, values.len(), out);
            values.iter().for_each(|value| encode(value, out));
        }
    }
}

/// The byte in front of a value: its type and size; of types beyond 7 one more.
fn control(kind: u8, len: usize, out: &mut Vec<u8>) {
    if len < 29 {
        let len = u8::try_from(len).unwrap();
        if kind < 8 {
            out.push(kind << 5 | len)
        } else {
            out.extend([len, kind - 7])
        }
        return;
    }
    let more = u8::try_from(len - 29).unwrap();
    if kind < 8 { out.extend([kind << 5 | 29, more]) } else { out.extend([29, kind - 7, more]) }
}
