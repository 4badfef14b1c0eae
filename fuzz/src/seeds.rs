//! Where each target begins: what `vectors/` has, and a few scripts and headers for what has no vectors.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{
    bytes::{put_number, put_numbers},
    download, session,
    tracker::Op,
};

/// Names the folder that a target writes its seeds to when it starts.
pub const FOLDER_VARIABLE: &str = "VIRAL_FUZZ_SEEDS";

/// Lengths of the assets that ranges are asked of.
const ASSET_LENS: [u16; 3] = [0, 10, 1_000];

const RANGES: [&str; 10] = [
    "bytes=0-0",
    "bytes=2-",
    "bytes=-3",
    "bytes=0-1, 4-5",
    "bytes=0-1,90-",
    "Bytes=5-99999999999999999999999",
    "bytes=5-4",
    "bytes=,",
    "pages=1-2",
    "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26,28-28,30-30,32-32",
];

const ACCEPTED: [&str; 8] = [
    "gzip, deflate, br, zstd",
    "br;q=0.5, gzip;q=0.8",
    "br;q=0, *",
    "identity;q=1, *;q=0",
    "X-GZIP;Q=0.001",
    "gzip;q=1.1\nbr ; q=1.000",
    "zstd\ngzip",
    ",;,",
];

/// The request and the two successes of RFC 5769, a bare request, and one that demands what nobody knows.
const STUN: [&str; 5] = [
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff80290008932ff9b151263b36\
     000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf",
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643000800142b91f599fd9e90c38c74\
     89f92af9ba53f06be7d780280004c07d4c96",
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9\
     00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
    "000100002112a442b7e7a701bc34d686fa87dfae",
    "000100102112a442b7e7a701bc34d686fa87dfae0003000c000000000000000000000000",
];

/// What `bittorrent-tracker` 11.2.3 says, shortened, and faults.
const WEBTORRENT: [&str; 6] = [
    "{\"numwant\":2,\"uploaded\":0,\"downloaded\":0,\"left\":null,\"event\":\"started\",\"action\":\"announce\",\"info_hash\":\"\\bÈ\u{a5}§¦\\u0018:®\\u001e\\tØ1ßgHÕf\\tZ\\u0010\",\"peer_id\":\"-WW0300-abcdefghijkl\",\"offers\":[{\"offer\":{\"type\":\"offer\",\"sdp\":\"v=0\\r\\n\"},\"offer_id\":\"abcdefghijklmnopqrst\"}]}",
    "{\"action\":\"announce\",\"info_hash\":\"h1SGeFOAB/gRTdYz+AbC\",\"peer_id\":\"-PM0203-abcdefghijkl\",\"to_peer_id\":\"-PM0203-abcdefghijkm\",\"answer\":{\"type\":\"answer\",\"sdp\":\"v=0\"},\"offer_id\":\"abcdefghijklmnopqrst\"}",
    "{\"action\":\"scrape\",\"info_hash\":[\"h1SGeFOAB/gRTdYz+AbC\",\"abcdefghijklmnopqrst\"]}",
    "{\"action\":\"scrape\",\"info_hash\":\"h1SGeFOAB/gRTdYz+AbC\"}",
    "{\"action\":\"announce\",\"info_hash\":\"6831534765464f41422f67525464597a2b416243\",\"left\":\"x\"}",
    "[\"announce\"]",
];

/// The seeds of a target; none for one that is not known.
///
/// # Panics
/// Where `vectors/` cannot be read.
#[must_use]
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "frame" => hex_cases("frames"),
        "manifest" => hex_cases("manifest"),
        "description" => descriptions(),
        "signal" => signals(|kind| kind != "ThinBoot"),
        "boot" => signals(|kind| kind == "ThinBoot"),
        "stun" => STUN.map(|message| unhex(message, 0)).to_vec(),
        "range_header" => ASSET_LENS.iter().flat_map(|len| RANGES.map(|range| [&len.to_be_bytes(), range.as_bytes()].concat())).collect(),
        "accept_encoding" => ACCEPTED.map(|header| header.as_bytes().to_vec()).to_vec(),
        "webtorrent" => WEBTORRENT.map(|message| message.as_bytes().to_vec()).to_vec(),
        "tracker_ops" => scripts(),
        "download_ops" => traces(),
        "session_ops" => visits(),
        _ => Vec::new(),
    }
}

/// Writes the seeds of a target to the folder that [`FOLDER_VARIABLE`] names, if it names one.
///
/// # Panics
/// Where they cannot be written.
pub fn write_if_asked(target: &str) {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE).map(PathBuf::from) else { return };
    fs::create_dir_all(&folder).expect("the folder of the seeds can be made");
    for (number, seed) in of(target).iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).expect("a seed can be written");
    }
}

fn read(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cases in these lists of a file.
fn cases<'a>(file: &'a Value, lists: &'a [&str]) -> impl Iterator<Item = &'a Value> {
    lists.iter().flat_map(|list| file[list].as_array().expect("a list of cases"))
}

fn hex_cases(name: &str) -> Vec<Vec<u8>> {
    let file = read(&format!("{name}.json"));
    cases(&file, &["valid", "invalid"]).map(|case| unhex(case["hex"].as_str().unwrap_or(""), zeros(case))).collect()
}

fn zeros(case: &Value) -> usize {
    case["zeros"].as_u64().and_then(|zeros| usize::try_from(zeros).ok()).unwrap_or(0)
}

fn unhex(hex: &str, zeros: usize) -> Vec<u8> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).expect("hex digits") as u8;
    let mut bytes: Vec<u8> = hex.as_bytes().chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect();
    bytes.resize(bytes.len() + zeros, 0);
    bytes
}

fn descriptions() -> Vec<Vec<u8>> {
    let file = read("descriptions.json");
    let compact = cases(&file, &["sdp", "valid", "canonical", "invalid", "rewritten"]).map(|case| case["compact"].to_string());
    let sdp = cases(&file, &["sdp", "sdp_invalid"]).filter_map(|case| Some(case["sdp"].as_str()?.to_owned()));
    compact.chain(sdp).map(String::into_bytes).collect()
}

fn signals(is_wanted: fn(&str) -> bool) -> Vec<Vec<u8>> {
    let file = read("signals.json");
    let of_kind = |case: &&Value| case["type"].as_str().is_some_and(is_wanted);
    let text = |case: &Value| case["text"].as_str().map_or_else(|| case["json"].to_string(), str::to_owned).into_bytes();
    cases(&file, &["valid", "invalid"]).filter(of_kind).map(text).collect()
}

/// The traces of the download machine, call by call.
fn traces() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors/fetch");
    let mut names: Vec<_> = fs::read_dir(folder).expect("vectors/fetch can be read").flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    names.iter().map(|name| trace(&read(&format!("fetch/{}", name.to_string_lossy())))).collect()
}

fn trace(file: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, number(&file["seed"]));
    let mut now = 0;
    for step in cases(file, &["steps"]) {
        let input = &step["input"];
        // A piece passes `accept` in the target, too.
        let Some(op) = operation(input["call"].as_str().unwrap_or("")) else { continue };
        let at = number(&step["now"]);
        out.push(op as u8);
        put_number(&mut out, at.saturating_sub(now));
        now = at;
        put_arguments(&mut out, op, input);
    }
    out
}

fn operation(call: &str) -> Option<download::Op> {
    use download::Op;
    let name = |op: &&Op| format!("{op:?}").to_lowercase() == call.replace('-', "");
    Op::ALL.iter().find(name).copied()
}

fn put_arguments(out: &mut Vec<u8>, op: download::Op, input: &Value) {
    use download::Op;
    if matches!(op, Op::Piece) {
        out.push(input["source"].as_u64().map_or(0, |peer| peer as u8 + 1));
        put_number(out, number(&input["id"]));
        out.push(u8::from(input["verified"] == false));
        return;
    }
    if let Some(peer) = input["peer"].as_u64() {
        out.push(peer as u8);
    }
    for list in ["lens", "ids"] {
        if let Some(items) = input[list].as_array() {
            // A length of 0 stands for one byte.
            let less = u32::from(list == "lens");
            put_numbers(out, &items.iter().map(|item| number(item).saturating_sub(less)).collect::<Vec<_>>());
        }
    }
    if op == Op::Hello {
        out.push(u8::from(input["complete"] == true));
    } else if op == Op::Crowd {
        out.push(u8::from(input["in_crowd"] == true));
    } else if op == Op::Fault {
        out.push(u8::from(input["fault"] == "malformed"));
    }
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// Meetings at the tracker: seeders, thin visitors, sessions that find each other, and a crowd.
fn scripts() -> Vec<Vec<u8>> {
    let op = |op: Op, arguments: &[u8]| [&[op as u8], arguments].concat();
    let join = |address: u8| op(Op::Join, &[address, 7, 0]);
    // Registers for "/" with its manifest, 4 slots and no ticket; holds everything; leaves two offers.
    let seed =
        |peer: u8| [op(Op::Register, &[peer, 0, 1, 0, 0, 4]), op(Op::Held, &[peer, 0, 250]), op(Op::Offers, &[peer, 1, 0, 1])].concat();
    let seeders = [join(0), seed(0), join(1), seed(1), op(Op::Manifest, &[0, 0])].concat();
    let seek = |ticket: u8| op(Op::Seek, &[ticket, 0, 7, 0, 0, 4]);
    let visit = [seek(1), op(Op::Answer, &[1, 0]), op(Op::Tell, &[0, 1]), op(Op::Visit, &[9, 1, 0, 0])].concat();
    let session = [join(0), op(Op::Register, &[2, 1, 1, 1, 0, 0, 2]), op(Op::Find, &[2, 1, 0, 3]), op(Op::AnswerAsPeer, &[2, 0])].concat();
    let told =
        [op(Op::Counts, &[2, 1, 0, 9, 9]), op(Op::Loaded, &[2, 1, 0]), op(Op::Used, &[0, 1, 0]), op(Op::Report, &[2, 0, 0])].concat();
    let share = |peer: u8| [op(Op::Register, &[peer, 0, 0, 0, 4]), op(Op::Share, &[peer, 0, 0])].concat();
    let crowd = [op(Op::FirstPlace, &[0]), join(0), share(0), join(1), share(1), op(Op::Wait, &[4]), op(Op::Share, &[0, 0, 8])].concat();
    let ends = [op(Op::Tell, &[0, 0]), op(Op::Malformed, &[0, 9]), op(Op::PageUnknown, &[0]), op(Op::Leave, &[0])].concat();
    let many: Vec<u8> = (0..12).flat_map(|address| join(address % 5)).collect();
    let waits: Vec<u8> = (0..8).flat_map(|wait| op(Op::Wait, &[wait])).collect();
    let bodies = [
        [&seeders[..], &visit, &session, &told, &ends].concat(),
        [&seeders[..], &seek(1), &seek(2), &waits, &op(Op::Answer, &[2, 1])].concat(),
        [&crowd[..], &seeders, &ends].concat(),
        [&many[..], &seed(0), &seed(5), &waits].concat(),
    ];
    (0..3).flat_map(|reach| bodies.iter().map(move |body| [&[reach, 7][..], body].concat())).collect()
}

/// Visits: thin ones with a peer, a first visitor, one of a crowd, and a page that is replaced.
fn visits() -> Vec<Vec<u8>> {
    use session::Op;
    let op = |op: Op, ms: u8, arguments: &[u8]| [&[op as u8, ms], arguments].concat();
    // Kind of frame, version and pieces; a last byte of 1 forges.
    let frame = |kind: u8, version: u8, pieces: &[u8]| op(Op::Frame, 1, &[&[0, kind, version, pieces.len() as u8], pieces, &[0]].concat());
    let begins = |flags: u8, offers: u8| vec![7, flags, 4, offers];
    let welcome = op(Op::Welcome, 1, &[2, 4, 0, 0]);
    let name = |version: u8| op(Op::Name, 1, &[version]);
    let manifest = |version: u8| op(Op::Manifest, 1, &[version, 0]);
    let given: Vec<u8> = (0..24).flat_map(|number| op(Op::Pieces, 1, &[1, number, 0])).collect();
    let from_peer: Vec<u8> = (0..24).flat_map(|number| frame(10, 0, &[number])).collect();
    let opens = [op(Op::Path, 50, &[0]), op(Op::Open, 5, &[0]), frame(0, 0, &[])].concat();
    let asks = [frame(4, 0, &[1, 2]), frame(2, 0, &[1, 2, 3]), frame(7, 0, &[]), op(Op::Buffered, 9, &[0, 0])].concat();
    let ends = [frame(8, 0, &[]), op(Op::Lost, 3, &[]), op(Op::Timeout, 99, &[])].concat();
    vec![
        [begins(3, 1), opens.clone(), frame(9, 0, &[]), from_peer.clone(), welcome.clone(), asks.clone(), ends.clone()].concat(),
        [begins(0, 0), welcome.clone(), name(0), manifest(0), given.clone(), op(Op::Answer, 9, &[1, 3]), opens.clone(), asks].concat(),
        [begins(16, 0), welcome.clone(), name(0), op(Op::Peers, 1, &[0]), op(Op::Lease, 9, &[0, 2, 4, 5]), manifest(0), given.clone()]
            .concat(),
        [begins(4, 0), welcome.clone(), name(0), manifest(0), given, name(1), manifest(1), op(Op::Gone, 1, &[3]), ends].concat(),
        [begins(0, 0), welcome, name(0), op(Op::Peers, 1, &[3, 1, 2, 67]), opens, frame(9, 0, &[1]), from_peer, op(Op::Timeout, 99, &[99])]
            .concat(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_of_a_trace_has_an_operation_of_the_same_name() {
        for call in ["timeout", "add-pieces", "add-expected", "add-on-demand", "origin-failed", "crowd", "share", "piece", "refuse"] {
            assert!(operation(call).is_some(), "{call}");
        }
        assert_eq!(operation("accept"), None);
    }

    #[test]
    fn every_target_has_seeds() {
        for (target, _) in crate::TARGETS {
            assert!(of(target).len() >= 2, "{target}");
        }
    }
}
