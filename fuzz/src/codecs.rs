//! Every decoder of the wire: nothing panics, what is accepted keeps its limits, and what is written of it is read as the same.

use std::{
    fmt::Debug,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use viral_wire::{
    Channel, Description, Frame, Manifest,
    limits::{
        ANNOUNCE_OFFERS_MAX, ANNOUNCE_SDP_LEN_MAX, CANDIDATES_MAX, DESCRIPTION_LEN_MAX, MANIFEST_ASSETS_MAX, MANIFEST_BYTES_MAX,
        MESSAGE_LEN_MAX, SCRAPE_HASHES_MAX,
    },
    signal::{self, AnswerPost, PeerToTracker, RecordPost, Signal, ThinBoot, TrackerToPeer, VisitPost},
    stun, webtorrent as torrents,
};

/// A message on a data channel.
///
/// # Panics
/// Where a frame is written otherwise than it was read, or is a frame on both channels.
pub fn frame(data: &[u8]) {
    let read = [Channel::Control, Channel::Pieces].map(|channel| (channel, Frame::decode(channel, data)));
    assert!(read.iter().filter(|(_, frame)| frame.is_ok()).count() < 2, "a frame has one channel");
    for (channel, frame) in read {
        let Ok(frame) = frame else { continue };
        assert_eq!(frame.channel(), channel);
        assert!(data.len() <= MESSAGE_LEN_MAX);
        assert_eq!(frame.encode().as_deref(), Ok(data), "a frame has one form");
    }
}

/// A manifest blob.
///
/// # Panics
/// Where a manifest is written otherwise than it was read, or is over a limit.
pub fn manifest(data: &[u8]) {
    let Ok(manifest) = Manifest::decode(data) else { return };
    assert_eq!(manifest.encode().as_deref(), Ok(data), "a manifest has one form");
    assert!((1..=MANIFEST_ASSETS_MAX).contains(&manifest.assets.len()) && manifest.bytes() <= MANIFEST_BYTES_MAX);
    let distinct = manifest.distinct_pieces();
    let ids: std::collections::BTreeSet<_> = distinct.iter().map(viral_wire::Piece::id).collect();
    assert_eq!(ids.len(), distinct.len(), "each piece once");
    let known = |piece: &viral_wire::Piece| ids.contains(&piece.id());
    assert!(manifest.assets.iter().flat_map(|asset| &asset.pieces).all(known), "no piece is left out");
}

/// A description: the compact array, SDP text, or either of them as JSON.
///
/// # Panics
/// Where a description is read otherwise than it was written, or could hold a line of SDP that nobody judged.
pub fn description(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = [Description::parse(text).ok(), Description::from_sdp(text).ok(), serde_json::from_str(text).ok()];
    for mut description in read.into_iter().flatten() {
        check_description(&description);
        description.rewrite_local(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)));
        assert!(!description.has_local_names());
        check_description(&description);
    }
}

fn check_description(description: &Description) {
    let text = description.serialise();
    assert!(text.len() <= DESCRIPTION_LEN_MAX && description.candidates().len() <= CANDIDATES_MAX);
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "a line could be smuggled: {text}");
    assert_eq!(Description::parse(&text).as_ref(), Ok(description), "{text}");
}

/// A JSON message of any kind but the boot block.
///
/// # Panics
/// Where a message is read otherwise than it was written.
pub fn signal(data: &[u8]) {
    again::<PeerToTracker>(data);
    again::<TrackerToPeer>(data);
    again::<AnswerPost>(data);
    again::<VisitPost>(data);
    again::<RecordPost>(data);
}

/// A STUN datagram.
///
/// # Panics
/// Where an answer is a request itself, is longer than is safe, or names another address than it was asked from.
pub fn stun(data: &[u8]) {
    let source = SocketAddr::from(([203, 0, 113, 7], 54_321));
    let transaction = data.get(8..20).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    if let Some(answer) = stun::decode_request(data).ok().and_then(|request| request.answer(source)) {
        assert!(stun::decode_request(&answer).is_err(), "two servers could go on for ever");
        if stun::is_success(&answer) {
            assert!(answer.len() <= data.len() + 24);
            assert_eq!(stun::decode_success(&answer, &transaction), Ok(source));
        } else {
            assert!(answer.len() <= data.len());
        }
    }
    assert!(stun::decode_success(data, &transaction).is_err() || stun::is_success(data));
}

/// A message of a WebTorrent client.
///
/// # Panics
/// Where one is read over a limit, is passed on as something else, or its sender is not told what is wrong.
pub fn webtorrent(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("what is sent is JSON");
    match torrents::parse(text) {
        Ok(torrents::Request::Announce(announce)) => {
            assert!(announce.offers.len() <= ANNOUNCE_OFFERS_MAX);
            let (info_hash, peer_id) = (&announce.info_hash, &announce.peer_id);
            let offers = announce
                .offers
                .iter()
                .map(|offer| (offer.offer, "offer", torrents::offer(info_hash, peer_id, &offer.offer_id, offer.offer)));
            let answer = announce
                .answer
                .map(|answer| (answer.answer, "answer", torrents::answer(info_hash, peer_id, &answer.offer_id, answer.answer)));
            for (raw, field, message) in offers.chain(answer) {
                assert!(raw.len() <= ANNOUNCE_SDP_LEN_MAX && json(raw).is_object());
                let message = json(&message);
                assert_eq!(message[field], json(raw));
                assert_eq!(message["info_hash"].as_str().and_then(torrents::Id::of_characters).as_ref(), Some(info_hash));
            }
        }
        Ok(torrents::Request::Scrape(hashes)) => assert!((1..=SCRAPE_HASHES_MAX).contains(&hashes.len())),
        Err(fault) => {
            let reply = json(&fault.reply());
            assert!(reply["action"].is_string() && reply["failure reason"] == fault.reason.to_string());
        }
    }
}

/// The boot block of a thin answer.
///
/// # Panics
/// Where a block is read otherwise than it was written, or could end the element that it stands in.
pub fn boot(data: &[u8]) {
    again::<ThinBoot>(data);
}

fn again<T: Signal + PartialEq + Debug>(data: &[u8]) {
    let Ok(message) = signal::decode::<T>(data) else { return };
    assert!(data.len() <= T::LEN_MAX);
    let html = signal::encode_for_html(&message);
    assert!(!html.contains('<'), "ends the element that it stands in: {html}");
    for text in [signal::encode(&message), html] {
        // What is written may be longer than what was read: `null` where something was left out.
        if text.len() <= T::LEN_MAX {
            assert_eq!(signal::decode::<T>(text.as_bytes()).as_ref(), Ok(&message), "{text}");
        }
    }
}
