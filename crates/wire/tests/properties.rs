//! Every decoder against arbitrary bytes: nothing panics, and what decodes encodes to the same bytes again.

use proptest::{collection::vec, prelude::*};
use viral_wire::{
    AssetRecord, Channel, Description, Digest, Frame, Manifest, Piece, PieceId, Ticket,
    frame::{ByeReason, Encoding, RefuseReason},
    signal::{self, AnswerPost, PeerToTracker, RecordPost, ThinBoot, TrackerToPeer, VisitPost},
};

fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

fn ids(min: usize, max: usize) -> impl Strategy<Value = Vec<PieceId>> {
    vec(any::<[u8; 16]>().prop_map(PieceId), min..max)
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..200)
}

fn frames() -> impl Strategy<Value = Frame> {
    let refusals = prop_oneof![Just(RefuseReason::NotHeld), Just(RefuseReason::Busy), Just(RefuseReason::Capped)];
    let byes = prop_oneof![Just(ByeReason::Leaving), Just(ByeReason::Fault), Just(ByeReason::Idle), Just(ByeReason::OptedOut)];
    let encodings = prop_oneof![Just(Encoding::Raw), Just(Encoding::DeflateRaw)];
    prop_oneof![
        vec(digests(), 0..=16).prop_map(|manifests| Frame::Hello { manifests }),
        ids(1, 20).prop_map(|ids| Frame::Want { ids }),
        ids(1, 20).prop_map(|ids| Frame::Cancel { ids }),
        ids(1, 20).prop_map(|ids| Frame::Query { ids }),
        ids(0, 20).prop_map(|ids| Frame::Have { ids }),
        (refusals, ids(1, 20)).prop_map(|(reason, ids)| Frame::Refuse { reason, ids }),
        digests().prop_map(|manifest| Frame::WantManifest { manifest }),
        byes.prop_map(|reason| Frame::Bye { reason }),
        (any::<[u8; 16]>(), encodings, bodies()).prop_map(|(id, encoding, body)| Frame::Piece { id: PieceId(id), encoding, body }),
        (digests(), 0..1000u32, 0..1000u32, bodies()).prop_map(|(manifest, offset, rest, body)| {
            let total = offset + body.len() as u32 + rest;
            Frame::ManifestPart { manifest, offset, total, body }
        }),
    ]
}

fn assets(index: usize) -> impl Strategy<Value = AssetRecord> {
    let pieces = vec((1..=229_376u32, digests()), 0..5);
    let headers = vec(("[a-z][a-z0-9-]{0,20}", "[ -~]{0,40}"), 0..4);
    ("[a-zA-Z0-9._~-]{0,30}(%[0-9a-f]{2})?", "[a-z]{1,8}/[a-z]{1,8}", headers, digests(), pieces).prop_map(
        move |(name, media_type, headers, digest, pieces)| {
            let pieces: Vec<_> = pieces.into_iter().map(|(len, digest)| Piece { len, digest }).collect();
            let len = pieces.iter().map(|piece| u64::from(piece.len)).sum();
            AssetRecord { path: format!("/{index}/x{name}"), media_type, headers, len, digest, pieces }
        },
    )
}

fn manifests() -> impl Strategy<Value = Manifest> {
    (1..6usize).prop_flat_map(|count| (0..count).map(assets).collect::<Vec<_>>()).prop_map(|assets| Manifest { assets })
}

/// One byte of a valid message changed, or its end cut off.
fn damaged(mut bytes: Vec<u8>, at: usize, value: u8, cut: bool) -> Vec<u8> {
    let at = at % bytes.len();
    if cut {
        bytes.truncate(at)
    } else {
        bytes[at] = value
    }
    bytes
}

proptest! {
    #[test]
    fn frames_survive_the_round_trip(frame in frames()) {
        let bytes = frame.encode().unwrap();
        prop_assert_eq!(Frame::decode(frame.channel(), &bytes), Ok(frame));
    }

    #[test]
    fn damaged_frames_are_refused_or_are_exactly_another_frame(
        frame in frames(), at in any::<usize>(), value in any::<u8>(), cut in any::<bool>(),
    ) {
        let bytes = damaged(frame.encode().unwrap(), at, value, cut);
        if let Ok(other) = Frame::decode(frame.channel(), &bytes) {
            prop_assert_eq!(other.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_the_frame_decoder(bytes in vec(any::<u8>(), 0..200)) {
        for channel in [Channel::Control, Channel::Pieces] {
            if let Ok(frame) = Frame::decode(channel, &bytes) {
                prop_assert_eq!(frame.encode().unwrap(), bytes.clone());
            }
        }
    }

    #[test]
    fn manifests_survive_the_round_trip(manifest in manifests()) {
        let bytes = manifest.encode().unwrap();
        prop_assert_eq!(Manifest::decode(&bytes), Ok(manifest));
    }

    #[test]
    fn damaged_manifests_are_refused_or_are_exactly_another_manifest(
        manifest in manifests(), at in any::<usize>(), value in any::<u8>(), cut in any::<bool>(),
    ) {
        let bytes = damaged(manifest.encode().unwrap(), at, value, cut);
        if let Ok(other) = Manifest::decode(&bytes) {
            prop_assert_eq!(other.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_the_manifest_decoder(bytes in vec(any::<u8>(), 0..300)) {
        let blob = [b"VRL1".as_slice(), &bytes].concat();
        prop_assert!(Manifest::decode(&bytes).is_err() || bytes.starts_with(b"VRL1"));
        if let Ok(manifest) = Manifest::decode(&blob) {
            prop_assert_eq!(manifest.encode().unwrap(), blob);
        }
    }

    #[test]
    fn names_survive_the_round_trip_as_text(digest in digests(), ticket in any::<[u8; 16]>()) {
        prop_assert_eq!(digest.to_string().parse(), Ok(digest));
        prop_assert_eq!(Ticket(ticket).to_string().parse(), Ok(Ticket(ticket)));
        prop_assert_eq!(digest.piece_id().to_string(), digest.to_string()[..32].to_owned());
    }

    #[test]
    fn arbitrary_text_never_panics_the_name_parsers(text in ".{0,80}") {
        prop_assert!(text.parse::<Digest>().is_err() || text.len() == 64);
        prop_assert!(text.parse::<PieceId>().is_err() || text.len() == 32);
    }

    #[test]
    fn arbitrary_text_never_panics_the_description_parser(text in "\\PC{0,200}") {
        let _ = Description::parse(&text);
    }

    /// Whatever is accepted has no character that could end an SDP line or begin another attribute.
    #[test]
    fn accepted_descriptions_hold_no_line_break_or_space(
        ufrag in "[a-z+/ \r\n:]{3,6}", pwd in "[a-zA-Z \r\n]{21,24}",
        candidate in "[ut]\\|[0-9a-f:.\r\n ]{2,12}\\|[0-9\n]{1,6}\\|[0-9a-z]{1,8}\\|[hspr\n]", extra in "sctp-init:[A-Za-z=\r\n ]{0,6}",
    ) {
        let json = serde_json::json!([ufrag, pwd, "0".repeat(64), "actpass", 1, [candidate], [extra]]).to_string();
        if let Ok(description) = Description::parse(&json) {
            let text = description.serialise();
            prop_assert!(!text.contains(['\r', '\n', ' ', '\\']), "{}", text);
            prop_assert_eq!(Description::parse(&text), Ok(description));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_the_signal_decoders(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(signal::decode::<PeerToTracker>(&bytes).is_err());
        prop_assert!(signal::decode::<TrackerToPeer>(&bytes).is_err());
        prop_assert!(signal::decode::<ThinBoot>(&bytes).is_err());
        prop_assert!(signal::decode::<AnswerPost>(&bytes).is_err());
        prop_assert!(signal::decode::<VisitPost>(&bytes).is_err());
        prop_assert!(signal::decode::<RecordPost>(&bytes).is_err());
    }
}
