//! Replays `vectors/`: the same files hold `browser/src/core` to the same bytes and the same refusals.

#![allow(clippy::unwrap_used, reason = "helpers of tests; a failed unwrap is a failed test")]

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use viral_wire::{
    AssetRecord, Channel, Description, Digest, Frame, Manifest, Piece, PieceId,
    frame::{ByeReason, Encoding, RefuseReason},
    limits, push,
    signal::{self, AnswerPost, DoctorPost, PeerToTracker, Push, RecordPost, Signal, SignalError, ThinBoot, TrackerToPeer, VisitPost},
};

fn read<T: DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/../../vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(hex: &str, zeros: usize) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let mut bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    bytes.resize(bytes.len() + zeros, 0);
    bytes
}

#[derive(Deserialize)]
struct Cases<V, I> {
    valid: Vec<V>,
    invalid: Vec<I>,
}

/// Bytes that must be refused.
#[derive(Deserialize)]
struct Refused {
    name: String,
    #[serde(default)]
    channel: u8,
    hex: String,
    #[serde(default)]
    zeros: usize,
    error: String,
}

#[derive(Deserialize)]
struct ManifestCase {
    name: String,
    hex: String,
    digest: Digest,
    bytes: u64,
    distinct: Vec<PieceId>,
    manifest: ManifestJson,
}

#[derive(Deserialize)]
struct ManifestJson {
    assets: Vec<AssetJson>,
}

#[derive(Deserialize)]
struct AssetJson {
    path: String,
    media_type: String,
    headers: Vec<(String, String)>,
    len: u64,
    digest: Digest,
    pieces: Vec<PieceJson>,
}

#[derive(Deserialize)]
struct PieceJson {
    len: u32,
    digest: Digest,
}

fn piece(PieceJson { len, digest }: PieceJson) -> Piece {
    Piece { len, digest }
}

fn record(json: AssetJson) -> AssetRecord {
    let AssetJson { path, media_type, headers, len, digest, pieces } = json;
    AssetRecord { path, media_type, headers, len, digest, pieces: pieces.into_iter().map(piece).collect() }
}

#[test]
fn manifests_have_exactly_these_bytes() {
    for case in read::<Cases<ManifestCase, Refused>>("manifest").valid {
        let blob = bytes(&case.hex, 0);
        let manifest = Manifest { assets: case.manifest.assets.into_iter().map(record).collect() };
        assert_eq!(manifest.encode().as_ref(), Ok(&blob), "{}", case.name);
        assert_eq!(Manifest::decode(&blob).as_ref(), Ok(&manifest), "{}", case.name);
        assert_eq!(Digest::of(&blob), case.digest, "{}", case.name);
        assert_eq!(manifest.bytes(), case.bytes, "{}", case.name);
        let ids: Vec<_> = manifest.distinct_pieces().iter().map(Piece::id).collect();
        assert_eq!(ids, case.distinct, "{}", case.name);
    }
}

#[test]
fn malformed_manifests_are_refused_for_these_reasons() {
    for case in read::<Cases<ManifestCase, Refused>>("manifest").invalid {
        let error = Manifest::decode(&bytes(&case.hex, case.zeros)).expect_err(&case.name);
        assert_eq!(error.token(), case.error, "{}", case.name);
    }
}

#[derive(Deserialize)]
struct FrameCase {
    name: String,
    channel: u8,
    hex: String,
    frame: FrameJson,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum FrameJson {
    Hello { manifests: Vec<Digest> },
    Want { ids: Vec<PieceId> },
    Cancel { ids: Vec<PieceId> },
    Query { ids: Vec<PieceId> },
    Have { ids: Vec<PieceId> },
    Refuse { reason: u8, ids: Vec<PieceId> },
    WantManifest { manifest: Digest },
    Bye { reason: u8 },
    Piece { id: PieceId, encoding: u8, body: String },
    ManifestPart { manifest: Digest, offset: u32, total: u32, body: String },
}

fn frame(json: FrameJson) -> Frame {
    match json {
        FrameJson::Hello { manifests } => Frame::Hello { manifests },
        FrameJson::Want { ids } => Frame::Want { ids },
        FrameJson::Cancel { ids } => Frame::Cancel { ids },
        FrameJson::Query { ids } => Frame::Query { ids },
        FrameJson::Have { ids } => Frame::Have { ids },
        FrameJson::Refuse { reason, ids } => {
            let reasons = [RefuseReason::NotHeld, RefuseReason::Busy, RefuseReason::Capped];
            Frame::Refuse { reason: reasons[usize::from(reason) - 1], ids }
        }
        FrameJson::WantManifest { manifest } => Frame::WantManifest { manifest },
        FrameJson::Bye { reason } => {
            let reasons = [ByeReason::Leaving, ByeReason::Fault, ByeReason::Idle, ByeReason::OptedOut];
            Frame::Bye { reason: reasons[usize::from(reason) - 1] }
        }
        FrameJson::Piece { id, encoding, body } => {
            let encoding = [Encoding::Raw, Encoding::DeflateRaw][usize::from(encoding)];
            Frame::Piece { id, encoding, body: bytes(&body, 0) }
        }
        FrameJson::ManifestPart { manifest, offset, total, body } => Frame::ManifestPart { manifest, offset, total, body: bytes(&body, 0) },
    }
}

fn channel(id: u8) -> Channel {
    if id == Channel::Control as u8 { Channel::Control } else { Channel::Pieces }
}

#[test]
fn frames_have_exactly_these_bytes() {
    for case in read::<Cases<FrameCase, Refused>>("frames").valid {
        let (message, frame) = (bytes(&case.hex, 0), frame(case.frame));
        assert_eq!(frame.encode().as_ref(), Ok(&message), "{}", case.name);
        assert_eq!(frame.channel() as u8, case.channel, "{}", case.name);
        assert_eq!(Frame::decode(channel(case.channel), &message), Ok(frame), "{}", case.name);
    }
}

#[test]
fn malformed_frames_are_refused_for_these_reasons() {
    for case in read::<Cases<FrameCase, Refused>>("frames").invalid {
        let message = bytes(&case.hex, case.zeros);
        let error = Frame::decode(channel(case.channel), &message).expect_err(&case.name);
        assert_eq!(error.token(), case.error, "{}", case.name);
    }
}

#[derive(Deserialize)]
struct PushCases {
    pieces: Vec<PieceJson>,
    plans: Vec<PushCase>,
}

#[derive(Deserialize)]
struct PushCase {
    name: String,
    push: Push,
    planned: Vec<PieceId>,
}

#[test]
fn push_plans_name_exactly_these_pieces() {
    let cases: PushCases = read("push");
    let pieces: Vec<_> = cases.pieces.into_iter().map(piece).collect();
    for case in cases.plans {
        assert_eq!(push::planned(&case.push, &pieces), case.planned, "{}", case.name);
    }
}

#[derive(Deserialize)]
struct DescriptionCases {
    sdp: Vec<Compact>,
    sdp_invalid: Vec<SdpRefused>,
    valid: Vec<Compact>,
    canonical: Vec<Compact>,
    invalid: Vec<Compact>,
    rewritten: Vec<Compact>,
}

/// SDP text without one of the parts.
#[derive(Deserialize)]
struct SdpRefused {
    name: String,
    sdp: String,
}

/// A compact form and what becomes of it, or the SDP text (and lines that came after it) from which it is made.
#[derive(Deserialize)]
struct Compact {
    name: String,
    #[serde(default)]
    sdp: String,
    #[serde(default)]
    candidates: Vec<String>,
    compact: Value,
    #[serde(default)]
    written: Value,
    #[serde(default)]
    error: String,
    address: Option<std::net::IpAddr>,
    #[serde(default)]
    result: Value,
}

fn parse(case: &Compact) -> Description {
    Description::parse(&case.compact.to_string()).expect(&case.name)
}

fn written(description: &Description) -> Value {
    serde_json::from_str(&description.serialise()).unwrap()
}

#[test]
fn descriptions_of_real_browsers_are_accepted_as_they_are() {
    let cases: DescriptionCases = read("descriptions");
    for case in cases.sdp.iter().chain(&cases.valid) {
        assert_eq!(written(&parse(case)), case.compact, "{}", case.name);
    }
    for case in &cases.canonical {
        assert_eq!(written(&parse(case)), case.written, "{}", case.name);
    }
}

#[test]
fn sdp_text_becomes_compact_as_in_the_browser() {
    let cases: DescriptionCases = read("descriptions");
    for case in cases.sdp.iter().filter(|case| case.candidates.is_empty()) {
        let read = Description::from_sdp(&case.sdp).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        assert_eq!(serde_json::to_value(&read).unwrap(), case.compact, "{}", case.name);
        assert_eq!(serde_json::from_value::<Description>(Value::String(case.sdp.clone())).unwrap(), read, "{}", case.name);
    }
    for case in cases.sdp_invalid {
        assert!(Description::from_sdp(&case.sdp).is_err(), "{}", case.name);
    }
}

#[test]
fn malformed_descriptions_are_refused_for_these_reasons() {
    for case in read::<DescriptionCases>("descriptions").invalid {
        let error = Description::parse(&case.compact.to_string()).expect_err(&case.name);
        assert_eq!(error.token(), case.error, "{}", case.name);
    }
}

#[test]
fn local_names_become_the_address_the_server_saw() {
    for case in read::<DescriptionCases>("descriptions").rewritten {
        let mut description = parse(&case);
        assert!(description.has_local_names(), "{}", case.name);
        description.rewrite_local(case.address.unwrap());
        assert!(!description.has_local_names(), "{}", case.name);
        assert_eq!(written(&description), case.result, "{}", case.name);
    }
}

#[derive(Deserialize)]
struct SignalCase {
    #[serde(rename = "type")]
    kind: String,
    json: Value,
}

#[derive(Deserialize)]
struct SignalRefused {
    #[serde(rename = "type")]
    kind: String,
    text: String,
    error: String,
}

/// Reads and writes again.
fn again<T: Signal>(text: &str) -> Result<String, SignalError> {
    signal::decode::<T>(text.as_bytes()).map(|signal| signal::encode(&signal))
}

fn again_as(kind: &str, text: &str) -> Result<String, SignalError> {
    match kind {
        "PeerToTracker" => again::<PeerToTracker>(text),
        "TrackerToPeer" => again::<TrackerToPeer>(text),
        "ThinBoot" => again::<ThinBoot>(text),
        "AnswerPost" => again::<AnswerPost>(text),
        "VisitPost" => again::<VisitPost>(text),
        "RecordPost" => again::<RecordPost>(text),
        "DoctorPost" => again::<DoctorPost>(text),
        other => panic!("no such type: {other}"),
    }
}

#[test]
fn signals_are_read_and_written_as_they_are() {
    for case in read::<Cases<SignalCase, SignalRefused>>("signals").valid {
        let text = again_as(&case.kind, &case.json.to_string());
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", case.json));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), case.json);
    }
}

#[test]
fn malformed_signals_are_refused_for_these_reasons() {
    for case in read::<Cases<SignalCase, SignalRefused>>("signals").invalid {
        let error = match again_as(&case.kind, &case.text).expect_err(&case.text) {
            SignalError::Limit(field) => field.to_owned(),
            SignalError::Json { .. } => "json".to_owned(),
            SignalError::TooLong { .. } => "too-long".to_owned(),
        };
        assert_eq!(error, case.error, "{}", case.text);
    }
}

#[test]
fn a_boot_block_cannot_end_its_script_element() {
    let boot = read::<Cases<SignalCase, SignalRefused>>("signals").valid;
    let mut json = boot.into_iter().find(|case| case.kind == "ThinBoot").unwrap().json;
    json["page"] = "/%3C/script".into();
    let boot: ThinBoot = signal::decode(json.to_string().as_bytes()).unwrap();
    let text = signal::encode_for_html(&ThinBoot { page: "/</script>".to_owned(), ..boot });
    assert!(!text.contains('<') && text.contains("\\u003c/script>"));
}

/// Every constant of `limits.rs` stands in `limits.json` with its value; a new one must be added there.
#[test]
fn limits_have_exactly_these_values() {
    let values: std::collections::BTreeMap<String, u64> = read("limits");
    let source = include_str!("../src/limits.rs");
    let declared = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    assert_eq!(declared.collect::<std::collections::BTreeSet<_>>(), values.keys().map(String::as_str).collect());
    macro_rules! check {
        ($($name:ident)*) => {
            assert_eq!([$(stringify!($name)),*].len(), values.len());
            $(assert_eq!(limits::$name as u64, values[stringify!($name)], stringify!($name));)*
        };
    }
    check! {
        FRAME_VERSION BOOT_VERSION MESSAGE_LEN_MAX PIECE_LEN_MAX HELLO_MANIFESTS_MAX WANT_IDS_MAX QUERY_IDS_MAX
        MANIFEST_PART_LEN_MAX MANIFEST_LEN_MAX MANIFEST_ASSETS_MAX MANIFEST_BYTES_MAX PATH_LEN_MAX MEDIA_TYPE_LEN_MAX
        RECORD_HEADERS_MAX HEADER_LEN_MAX CANDIDATES_MAX ADDRESS_LEN_MAX EXTRA_LINES_MAX EXTRA_LINE_LEN_MAX
        UFRAG_LEN_MIN PWD_LEN_MIN ICE_TEXT_LEN_MAX DESCRIPTION_LEN_MAX SDP_LEN_MAX SIGNAL_LEN_MAX OFFERS_PER_PEER_MAX
        OFFERS_PER_LEECHER_MAX ANSWERS_MAX SHARE_PIECES_MAX LEASE_FIRST_PIECES LOADED_ASSETS_MAX LOADED_REPORTS_MAX SOURCES_MAX ERROR_MESSAGE_LEN_MAX ANSWER_POST_LEN_MAX
        VISIT_POST_LEN_MAX RECORD_POST_LEN_MAX PERSONAL_POST_LEN_MAX DOCTOR_CHECKS_MAX DOCTOR_POST_LEN_MAX TIME_POST_LEN_MAX RECORD_PATHS_MAX PIECES_PER_REQUEST_MAX PEER_NUMBER_END STUN_LEN_MAX
        STUN_UNKNOWN_MAX STUN_PORTS_MAX ANNOUNCE_LEN_MAX ANNOUNCE_OFFERS_MAX ANNOUNCE_SDP_LEN_MAX SCRAPE_HASHES_MAX
    }
}
