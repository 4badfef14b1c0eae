//! Every limit of the wire formats, at its maximum and one beyond.

use viral_wire::{
    AssetRecord, Channel, Description, DescriptionError, Digest, Frame, FrameError, Manifest, ManifestError, Piece, PieceId,
    frame::{Encoding, RefuseReason},
    limits::*,
    signal::{self, PeerToTracker, RecordPost, Signal, SignalError, TrackerToPeer, VisitPost},
};

const ZERO: Digest = Digest([0; 32]);

fn asset(path: &str, lens: &[u32]) -> AssetRecord {
    let piece = |(at, len): (usize, &u32)| Piece { len: *len, digest: Digest::of(&at.to_be_bytes()) };
    AssetRecord {
        path: path.to_owned(),
        media_type: "text/plain".to_owned(),
        headers: Vec::new(),
        len: lens.iter().map(|len| u64::from(*len)).sum(),
        digest: ZERO,
        pieces: lens.iter().enumerate().map(piece).collect(),
    }
}

fn round(assets: Vec<AssetRecord>) -> Result<(), ManifestError> {
    let manifest = Manifest { assets };
    let blob = manifest.encode()?;
    assert_eq!(Manifest::decode(&blob), Ok(manifest));
    Ok(())
}

fn with(change: impl FnOnce(&mut AssetRecord)) -> Result<(), ManifestError> {
    let mut asset = asset("/", &[1]);
    change(&mut asset);
    round(vec![asset])
}

#[test]
fn a_manifest_holds_one_to_the_maximum_of_assets() {
    let many = |count: usize| (0..count).map(|at| asset(&format!("/{at}"), &[])).collect::<Vec<_>>();
    assert_eq!(round(many(0)), Err(ManifestError::AssetCount { count: 0 }));
    assert_eq!(round(many(MANIFEST_ASSETS_MAX)), Ok(()));
    let count = MANIFEST_ASSETS_MAX + 1;
    assert_eq!(round(many(count)), Err(ManifestError::AssetCount { count: count as u64 }));
}

#[test]
fn a_record_holds_text_up_to_its_limits() {
    let path = |len: usize| with(|asset| asset.path = format!("/{}", "a".repeat(len - 1)));
    assert_eq!(path(PATH_LEN_MAX), Ok(()));
    assert_eq!(path(PATH_LEN_MAX + 1), Err(ManifestError::Path { asset: 0 }));
    let media_type = |len: usize| with(|asset| asset.media_type = "a".repeat(len));
    assert_eq!(media_type(MEDIA_TYPE_LEN_MAX), Ok(()));
    assert_eq!(media_type(MEDIA_TYPE_LEN_MAX + 1), Err(ManifestError::MediaType { asset: 0 }));
    let headers =
        |count: usize, name: usize, value: usize| with(|asset| asset.headers = vec![("n".repeat(name), "v".repeat(value)); count]);
    assert_eq!(headers(RECORD_HEADERS_MAX, HEADER_LEN_MAX, HEADER_LEN_MAX), Ok(()));
    let malformed = Err(ManifestError::Header { asset: 0 });
    assert_eq!(headers(RECORD_HEADERS_MAX + 1, 1, 1), malformed);
    assert_eq!(headers(1, HEADER_LEN_MAX + 1, 1), malformed);
    assert_eq!(headers(1, 1, HEADER_LEN_MAX + 1), malformed);
    assert_eq!(headers(1, 0, 1), malformed);
}

#[test]
fn pieces_are_of_one_byte_to_the_maximum_and_add_up() {
    let max = PIECE_LEN_MAX as u32;
    assert_eq!(round(vec![asset("/", &[1, max])]), Ok(()));
    let refused = |len: u32| Err(ManifestError::PieceLen { asset: 0, len: u64::from(len) });
    assert_eq!(round(vec![asset("/", &[1, max + 1])]), refused(max + 1));
    assert_eq!(round(vec![asset("/", &[0])]), refused(0));
    assert_eq!(with(|asset| asset.len = 2), Err(ManifestError::Sum { asset: 0 }));
}

#[test]
fn all_assets_together_stay_under_the_total() {
    let max = PIECE_LEN_MAX as u32;
    let pieces = (MANIFEST_BYTES_MAX / PIECE_LEN_MAX as u64) as usize;
    let rest = (MANIFEST_BYTES_MAX % PIECE_LEN_MAX as u64) as u32;
    let full = asset("/full", &vec![max; pieces]);
    assert_eq!(round(vec![full.clone(), asset("/rest", &[rest])]), Ok(()));
    assert_eq!(round(vec![full, asset("/rest", &[rest + 1])]), Err(ManifestError::TotalLen));
}

#[test]
fn a_blob_over_the_maximum_is_refused_by_both_directions() {
    let len = MANIFEST_LEN_MAX + 1;
    assert_eq!(Manifest::decode(&vec![0; len]), Err(ManifestError::TooLong { len }));
    assert_eq!(Manifest::decode(&vec![0; len - 1]), Err(ManifestError::Magic));
    let pieces = MANIFEST_LEN_MAX / 33 + 1;
    assert!(matches!(round(vec![asset("/", &vec![1; pieces])]), Err(ManifestError::TooLong { .. })));
}

#[test]
fn lists_in_frames_stay_within_their_limits() {
    let ids = |count: usize| vec![PieceId([7; 16]); count];
    let check = |frame: Frame, count: usize, fits: bool| {
        let encoded = frame.encode();
        assert_eq!(encoded.is_ok(), fits, "{count}");
        match encoded {
            Ok(bytes) => assert_eq!(Frame::decode(Channel::Control, &bytes), Ok(frame)),
            Err(error) => assert_eq!(error, FrameError::Count { count }),
        }
    };
    for (count, fits) in [(0, false), (1, true), (WANT_IDS_MAX, true), (WANT_IDS_MAX + 1, false)] {
        check(Frame::Want { ids: ids(count) }, count, fits);
        check(Frame::Cancel { ids: ids(count) }, count, fits);
        check(Frame::Refuse { reason: RefuseReason::Busy, ids: ids(count) }, count, fits);
    }
    for (count, fits) in [(0, false), (QUERY_IDS_MAX, true), (QUERY_IDS_MAX + 1, false)] {
        check(Frame::Query { ids: ids(count) }, count, fits);
        check(Frame::Have { ids: ids(count) }, count, fits || count == 0);
    }
    for (count, fits) in [(0, true), (HELLO_MANIFESTS_MAX, true), (HELLO_MANIFESTS_MAX + 1, false)] {
        check(Frame::Hello { manifests: vec![ZERO; count] }, count, fits);
    }
}

#[test]
fn bodies_of_frames_stay_within_their_limits() {
    let piece = |len: usize| Frame::Piece { id: PieceId([0; 16]), encoding: Encoding::Raw, body: vec![0; len] };
    let part =
        |len: usize, offset: u32, total: usize| Frame::ManifestPart { manifest: ZERO, offset, total: total as u32, body: vec![0; len] };
    for frame in [piece(1), piece(PIECE_LEN_MAX), part(MANIFEST_PART_LEN_MAX, 0, MANIFEST_LEN_MAX)] {
        let bytes = frame.encode().unwrap();
        assert!(bytes.len() <= MESSAGE_LEN_MAX);
        assert_eq!(Frame::decode(Channel::Pieces, &bytes), Ok(frame));
    }
    for len in [0, PIECE_LEN_MAX + 1] {
        assert_eq!(piece(len).encode(), Err(FrameError::BodyLen { len }));
    }
    let len = MANIFEST_PART_LEN_MAX + 1;
    assert_eq!(part(len, 0, len).encode(), Err(FrameError::BodyLen { len }));
    let total = (MANIFEST_LEN_MAX + 1) as u32;
    assert_eq!(part(1, 0, MANIFEST_LEN_MAX + 1).encode(), Err(FrameError::Part { offset: 0, total }));
    assert_eq!(part(2, 9, 10).encode(), Err(FrameError::Part { offset: 9, total: 10 }));
    assert_eq!(part(1, 9, 10).encode().unwrap().len(), 42);
}

#[test]
fn a_message_over_the_maximum_is_refused_before_it_is_read() {
    let len = MESSAGE_LEN_MAX + 1;
    assert_eq!(Frame::decode(Channel::Control, &vec![0xff; len]), Err(FrameError::TooLong { len }));
    assert_eq!(Frame::decode(Channel::Control, &vec![0xff; len - 1]), Err(FrameError::UnknownType(0xff)));
}

#[test]
fn hostile_counts_allocate_nothing() {
    // A count of 2^48 pieces in a blob of 100 bytes: refused for what is missing, long before memory is.
    let mut blob = b"VRL1\x01\x01/\x00\x00\x00".to_vec();
    blob.extend([0; 32]);
    blob.extend([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40]);
    blob.extend([0; 40]);
    assert_eq!(Manifest::decode(&blob), Err(ManifestError::Truncated));
    assert_eq!(Frame::decode(Channel::Control, &[0x02, 1, 0]), Err(FrameError::Truncated));
}

fn description(ufrag: usize, pwd: usize, candidates: usize, extra: usize, extra_len: usize) -> String {
    let line = format!("sctp-init:{}", "A".repeat(extra_len.saturating_sub(10)));
    let candidates = vec!["u|ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255|65535|1z141z3|h"; candidates];
    serde_json::json!(["u".repeat(ufrag), "p".repeat(pwd), "0".repeat(64), "actpass", u32::MAX, candidates, vec![line; extra]]).to_string()
}

#[test]
fn descriptions_stay_within_their_limits() {
    let max = description(ICE_TEXT_LEN_MAX, ICE_TEXT_LEN_MAX, CANDIDATES_MAX, EXTRA_LINES_MAX, EXTRA_LINE_LEN_MAX);
    assert!(max.len() <= DESCRIPTION_LEN_MAX, "{}", max.len());
    let parsed = Description::parse(&max).unwrap();
    assert_eq!(Description::parse(&parsed.serialise()), Ok(parsed));
    assert!(Description::parse(&description(UFRAG_LEN_MIN, PWD_LEN_MIN, 0, 0, 0)).is_ok());
    let cases = [
        (description(UFRAG_LEN_MIN - 1, 22, 0, 0, 0), DescriptionError::Ufrag),
        (description(ICE_TEXT_LEN_MAX + 1, 22, 0, 0, 0), DescriptionError::Ufrag),
        (description(4, PWD_LEN_MIN - 1, 0, 0, 0), DescriptionError::Pwd),
        (description(4, ICE_TEXT_LEN_MAX + 1, 0, 0, 0), DescriptionError::Pwd),
        (description(4, 22, CANDIDATES_MAX + 1, 0, 0), DescriptionError::Candidate { index: CANDIDATES_MAX }),
        (description(4, 22, 0, EXTRA_LINES_MAX + 1, 20), DescriptionError::Extra { index: EXTRA_LINES_MAX }),
        (description(4, 22, 0, 1, EXTRA_LINE_LEN_MAX + 1), DescriptionError::Extra { index: 0 }),
    ];
    for (text, error) in cases {
        assert_eq!(Description::parse(&text), Err(error));
    }
    let len = DESCRIPTION_LEN_MAX + 1;
    assert_eq!(Description::parse(&" ".repeat(len)), Err(DescriptionError::TooLong { len }));
}

fn over<T: Signal>(value: serde_json::Value) -> Option<&'static str> {
    match signal::decode::<T>(value.to_string().as_bytes()) {
        Ok(_) => None,
        Err(SignalError::Limit(field)) => Some(field),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn sdp_text_stays_within_its_limit() {
    let head = format!(
        "a=ice-ufrag:abcd\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {}\r\na=setup:active\r\na=max-message-size:1\r\n",
        "p".repeat(22),
        "AB".repeat(32)
    );
    let max = format!("{head}{}", "x".repeat(SDP_LEN_MAX - head.len()));
    assert!(Description::from_sdp(&max).is_ok());
    assert_eq!(Description::from_sdp(&format!("{max}x")), Err(DescriptionError::TooLong { len: SDP_LEN_MAX + 1 }));
}

#[test]
fn signals_stay_within_their_limits() {
    use serde_json::json;
    let description: serde_json::Value = serde_json::from_str(&description(4, 22, 0, 0, 0)).unwrap();
    let offers = |count: usize| json!({"kind": "offers", "offers": vec![json!({"offer": 1, "description": description}); count]});
    assert_eq!(over::<PeerToTracker>(offers(OFFERS_PER_PEER_MAX)), None);
    assert_eq!(over::<PeerToTracker>(offers(OFFERS_PER_PEER_MAX + 1)), Some("offers"));
    let answers =
        |count: usize| json!({"kind": "answers", "answers": vec![json!({"peer": 1, "offer": 1, "description": description}); count]});
    assert_eq!(over::<PeerToTracker>(answers(ANSWERS_MAX)), None);
    assert_eq!(over::<PeerToTracker>(answers(ANSWERS_MAX + 1)), Some("answers"));
    assert_eq!(over::<PeerToTracker>(answers(0)), Some("answers"));
    let peers = |count: usize, stripe: u8, stripes: u8| {
        let push = json!({"manifest": ZERO, "stripe": stripe, "stripes": stripes, "budget": 1});
        json!({"kind": "peers", "offers": vec![json!({"peer": 1, "offer": 1, "description": description, "push": push}); count]})
    };
    assert_eq!(over::<TrackerToPeer>(peers(OFFERS_PER_LEECHER_MAX, 1, 2)), None);
    assert_eq!(over::<TrackerToPeer>(peers(OFFERS_PER_LEECHER_MAX + 1, 1, 2)), Some("offers"));
    assert_eq!(over::<TrackerToPeer>(peers(1, 2, 2)), Some("push"));
    let loaded = |count: usize| json!({"kind": "loaded", "page": "/", "assets": vec!["/a.js"; count]});
    assert_eq!(over::<PeerToTracker>(loaded(LOADED_ASSETS_MAX)), None);
    assert_eq!(over::<PeerToTracker>(loaded(LOADED_ASSETS_MAX + 1)), Some("assets"));
    let used = |count: usize| json!({"kind": "used", "page": "/", "assets": vec!["/a.js"; count]});
    assert_eq!(over::<TrackerToPeer>(used(LOADED_ASSETS_MAX)), None);
    assert_eq!(over::<TrackerToPeer>(used(LOADED_ASSETS_MAX + 1)), Some("assets"));
    let record = |count: usize| json!({"paths": vec!["/a.js"; count]});
    assert_eq!(over::<RecordPost>(record(RECORD_PATHS_MAX)), None);
    assert_eq!(over::<RecordPost>(record(RECORD_PATHS_MAX + 1)), Some("paths"));
    let visit = |sources: usize, faults: usize| {
        let counts = json!({"bytes_from_peers": 1, "bytes_from_origin": 0, "bytes_to_peers": 0, "pieces_verified": 1,
            "sources": vec![json!({"peer": PEER_NUMBER_END - 1, "bytes": 1}); sources]});
        let faults = vec![json!({"peer": PEER_NUMBER_END - 1, "fault": "forged"}); faults];
        json!({"ticket": "0".repeat(32), "counts": counts, "faults": faults})
    };
    assert_eq!(over::<VisitPost>(visit(SOURCES_MAX, SOURCES_MAX)), None);
    assert_eq!(over::<VisitPost>(visit(SOURCES_MAX + 1, 0)), Some("sources"));
    assert_eq!(over::<VisitPost>(visit(0, SOURCES_MAX + 1)), Some("faults"));
}

#[test]
fn the_largest_legitimate_posts_fit_their_bodies() {
    let description = description(ICE_TEXT_LEN_MAX, ICE_TEXT_LEN_MAX, CANDIDATES_MAX, EXTRA_LINES_MAX, EXTRA_LINE_LEN_MAX);
    let answer = format!(r#"{{"peer":{},"offer":{},"description":{description}}}"#, PEER_NUMBER_END - 1, u32::MAX);
    let post = format!(r#"{{"ticket":"{}","answers":[{}]}}"#, "0".repeat(32), vec![answer; ANSWERS_MAX].join(","));
    assert!(signal::decode::<signal::AnswerPost>(post.as_bytes()).is_ok());
    let len = SIGNAL_LEN_MAX + 1;
    let refused = signal::decode::<PeerToTracker>(&vec![b' '; len]);
    assert_eq!(refused, Err(SignalError::TooLong { len, max: SIGNAL_LEN_MAX }));
}

#[test]
fn peer_numbers_from_two_to_the_53_are_refused() {
    let closed = |peer: u64| signal::decode::<PeerToTracker>(format!(r#"{{"kind":"closed","peer":{peer},"offer":1}}"#).as_bytes());
    assert!(closed(PEER_NUMBER_END - 1).is_ok());
    assert!(matches!(closed(PEER_NUMBER_END), Err(SignalError::Json { .. })));
}
