//! Messages as clients send them, and what else may come.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::limits::{ANNOUNCE_LEN_MAX, ANNOUNCE_OFFERS_MAX, ANNOUNCE_SDP_LEN_MAX, SCRAPE_HASHES_MAX};

const HASH: Id = Id(*b"\x00\"\\\xff\x1f56789abcdefghi\x7f");
const PEER: Id = Id(*b"-WW0300-\xc3\xa4\xe2\x82\xac4567890");

/// As JavaScript has it.
fn characters(id: Id) -> String {
    id.0.iter().map(|byte| char::from(*byte)).collect()
}

fn offer_json(sdp: &str) -> Value {
    json!({ "offer": { "type": "offer", "sdp": sdp }, "offer_id": "o".repeat(20) })
}

fn announce_json(more: Value) -> String {
    let mut message =
        json!({ "action": "announce", "info_hash": characters(HASH), "peer_id": characters(PEER), "uploaded": 0, "downloaded": 0 });
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message.to_string()
}

fn announce(text: &str) -> Announce<'_> {
    match parse(text) {
        Ok(Request::Announce(announce)) => announce,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn an_announce_is_read_as_the_client_means_it() {
    let text = announce_json(json!({ "left": 7, "event": "started", "numwant": 5, "offers": [offer_json("v=0\r\n"), offer_json("x")] }));
    let read = announce(&text);
    assert_eq!((read.info_hash, read.peer_id, read.event), (HASH, PEER, Event::Started));
    assert_eq!((read.is_complete, read.wanted, read.answer), (Some(false), Some(5), None));
    assert_eq!(read.offers[0].offer_id, Id([b'o'; 20]));
    assert_eq!(serde_json::from_str::<Value>(read.offers[0].offer).unwrap(), offer_json("v=0\r\n")["offer"], "as it came");
}

#[test]
fn what_is_left_out_or_null_is_not_said() {
    for more in [
        json!({}),
        json!({ "left": null, "event": null, "numwant": null, "offers": null, "answer": null }),
        json!({ "event": "", "numwant": -1 }),
    ] {
        let text = announce_json(more);
        let read = announce(&text);
        assert_eq!((read.event, read.is_complete, read.wanted, read.offers.len(), read.answer), (Event::Update, None, None, 0, None));
    }
    assert_eq!(announce(&announce_json(json!({ "left": 0, "numwant": 0 }))).is_complete, Some(true));
    assert_eq!(announce(&announce_json(json!({ "left": 0.5, "numwant": 1e300 }))).wanted, Some(usize::MAX));
}

#[test]
fn an_answer_names_the_offer_and_whose_it_is() {
    let text = announce_json(json!({ "answer": { "sdp": "a" }, "offer_id": "o".repeat(20), "to_peer_id": "p".repeat(20) }));
    let answer = announce(&text).answer.unwrap();
    assert_eq!((answer.answer, answer.offer_id, answer.to_peer_id), (r#"{"sdp":"a"}"#, Id([b'o'; 20]), Id([b'p'; 20])));
}

#[test]
fn a_scrape_names_one_or_more() {
    let one = json!({ "action": "scrape", "info_hash": characters(HASH) }).to_string();
    assert_eq!(parse(&one), Ok(Request::Scrape(vec![HASH])));
    let many = |count: usize| json!({ "action": "scrape", "info_hash": vec![characters(HASH); count] }).to_string();
    assert_eq!(parse(&many(SCRAPE_HASHES_MAX)), Ok(Request::Scrape(vec![HASH; SCRAPE_HASHES_MAX])));
    for (text, reason) in [
        (many(SCRAPE_HASHES_MAX + 1), FaultReason::TooManyHashes),
        (many(10_000), FaultReason::TooManyHashes),
        (many(0), FaultReason::InfoHash),
    ] {
        assert_eq!(parse(&text).unwrap_err().reason, reason);
        let reply: Value = serde_json::from_str(&parse(&text).unwrap_err().reply()).unwrap();
        assert_eq!(reply["action"], "scrape");
    }
}

#[test]
fn a_client_is_told_what_is_wrong_so_that_it_shows_it() {
    let hash = json!({ "action": "announce", "info_hash": characters(HASH) });
    let with = |more: Value| {
        let mut message = hash.clone();
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message.to_string()
    };
    let long = "x".repeat(ANNOUNCE_SDP_LEN_MAX);
    for (text, reason) in [
        (hash.to_string(), FaultReason::PeerId),
        (with(json!({ "peer_id": "short" })), FaultReason::PeerId),
        (announce_json(json!({ "event": "dance" })), FaultReason::Event),
        (announce_json(json!({ "event": 5 })), FaultReason::Event),
        (announce_json(json!({ "left": "7" })), FaultReason::Number),
        (announce_json(json!({ "numwant": [] })), FaultReason::Number),
        (announce_json(json!({ "offers": {} })), FaultReason::Offers),
        (announce_json(json!({ "offers": [{ "offer": 5, "offer_id": "o".repeat(20) }] })), FaultReason::Offers),
        (announce_json(json!({ "offers": [{ "offer": {}, "offer_id": "o" }] })), FaultReason::Offers),
        (announce_json(json!({ "offers": [offer_json(&long)] })), FaultReason::SdpTooLong),
        (announce_json(json!({ "answer": {} })), FaultReason::Answer),
        (announce_json(json!({ "answer": "x", "offer_id": "o".repeat(20), "to_peer_id": "p".repeat(20) })), FaultReason::Answer),
    ] {
        let fault = parse(&text).unwrap_err();
        assert_eq!(fault.reason, reason, "{text}");
        let reply: Value = serde_json::from_str(&fault.reply()).unwrap();
        assert_eq!(reply, json!({ "action": "announce", "info_hash": characters(HASH), "failure reason": reason.to_string() }));
    }
}

#[test]
fn a_wrong_info_hash_is_sent_back_since_the_client_looks_for_it() {
    let hex = HASH.to_string();
    let text = json!({ "action": "announce", "info_hash": hex, "peer_id": characters(PEER) }).to_string();
    let reply: Value = serde_json::from_str(&parse(&text).unwrap_err().reply()).unwrap();
    assert_eq!((&reply["info_hash"], &reply["action"]), (&json!(hex), &json!("announce")));
    for (text, reason) in [
        ("", FaultReason::NotJson),
        ("nonsense", FaultReason::NotJson),
        ("[]", FaultReason::NotJson),
        ("null", FaultReason::NotJson),
        ("{}", FaultReason::Action),
        ("{\"action\":\"dance\"}", FaultReason::Action),
        ("{\"action\":\"announce\",\"action\":\"announce\"}", FaultReason::Other),
        ("{\"action\":\"announce\",\"info_hash\":{\"a\":[]}}", FaultReason::InfoHash),
    ] {
        let fault = parse(text).unwrap_err();
        assert_eq!(fault.reason, reason, "{text}");
        assert_eq!(serde_json::from_str::<Value>(&fault.reply()).unwrap()["action"], "announce");
    }
    let long = " ".repeat(ANNOUNCE_LEN_MAX + 1);
    assert_eq!(parse(&long).unwrap_err().reason, FaultReason::TooLong { len: long.len() });
}

#[test]
fn more_offers_than_anybody_makes_are_left_out() {
    let text = announce_json(json!({ "offers": vec![offer_json("x"); ANNOUNCE_OFFERS_MAX + 1] }));
    assert_eq!(announce(&text).offers.len(), ANNOUNCE_OFFERS_MAX);
}

#[test]
fn replies_are_what_clients_read() {
    let read = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let (hash, peer, counts) = (characters(HASH), characters(PEER), Counts { complete: 1, incomplete: 2, downloaded: 3 });
    assert_eq!(
        read(announced(&HASH, 120, counts)),
        json!({ "action": "announce", "info_hash": hash, "interval": 120, "complete": 1, "incomplete": 2 })
    );
    assert_eq!(
        read(offer(&HASH, &PEER, &PEER, "{\"sdp\":\"x\"}")),
        json!({ "action": "announce", "info_hash": hash, "peer_id": peer, "offer_id": peer, "offer": { "sdp": "x" } })
    );
    assert_eq!(read(answer(&HASH, &PEER, &PEER, "{}"))["answer"], json!({}));
    let files = [(HASH, counts), (PEER, Counts::default())];
    assert_eq!(
        read(scraped(files))["files"],
        json!({ hash.as_str(): { "complete": 1, "incomplete": 2, "downloaded": 3 }, peer.as_str(): { "complete": 0, "incomplete": 0, "downloaded": 0 } })
    );
    assert_eq!(read(failed(&HASH, "no \"x\"")), json!({ "action": "announce", "info_hash": hash, "failure reason": "no \"x\"" }));
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_answered(text in "\\PC{0,200}") {
        if let Err(fault) = parse(&text) {
            let reply: Value = serde_json::from_str(&fault.reply()).unwrap();
            prop_assert!(reply["action"].is_string() && reply["failure reason"].is_string());
        }
    }

    #[test]
    fn a_damaged_announce_is_read_or_answered(at in 0usize..400, with in "\\PC{0,3}", cut in 0usize..8) {
        let whole = announce_json(json!({ "left": 7, "offers": [offer_json("v=0")], "answer": { "sdp": "a" }, "offer_id": "o".repeat(20), "to_peer_id": "p".repeat(20) }));
        let (mut start, mut end) = (at.min(whole.len()), (at + cut).min(whole.len()));
        while !whole.is_char_boundary(start) { start -= 1; }
        while !whole.is_char_boundary(end) { end += 1; }
        let damaged = format!("{}{with}{}", &whole[..start], &whole[end..]);
        match parse(&damaged) {
            Ok(Request::Announce(read)) => prop_assert!(read.offers.iter().all(|offer| serde_json::from_str::<Value>(offer.offer).unwrap().is_object())),
            Ok(Request::Scrape(_)) => prop_assert!(false, "it announces"),
            Err(fault) => prop_assert!(serde_json::from_str::<Value>(&fault.reply()).unwrap()["failure reason"].is_string()),
        }
    }

    #[test]
    fn what_is_passed_on_is_what_came(hash: [u8; 20], peer: [u8; 20], id: [u8; 20], sdp in "\\PC{0,80}") {
        let raw = json!({ "type": "offer", "sdp": sdp }).to_string();
        let passed: Value = serde_json::from_str(&offer(&Id(hash), &Id(peer), &Id(id), &raw)).unwrap();
        prop_assert_eq!(&passed["offer"]["sdp"], &json!(sdp));
        prop_assert_eq!(Id::of_characters(passed["info_hash"].as_str().unwrap()), Some(Id(hash)));
        prop_assert_eq!(Id::of_characters(passed["peer_id"].as_str().unwrap()), Some(Id(peer)));
        prop_assert_eq!(Id::of_characters(passed["offer_id"].as_str().unwrap()), Some(Id(id)));
    }
}
