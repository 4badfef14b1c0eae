//! Scripted meetings in virtual time: a world of one tracker and visitors who do as they are told.

use std::collections::{BTreeMap, BTreeSet};

use viral_wire::{
    Description, Digest, Ticket,
    signal::{self, Answer, Offer, PeerNumber, PeerToTracker, TrackerToPeer},
};

use super::{AnswerError, Answerer, ClientAddr, CloseReason, Seeking, Tracker, TrackerConfig, TrackerOutput};
use crate::coverage::Coverage;

mod connections;
mod faults;
mod giving;
mod learned_locality;
mod limits;
mod lines;
mod locality;
mod matching;
mod membership;
mod nats;
mod origin_leases;
mod random;
mod relay;

/// Bytes of every manifest in these tests.
const APP_BYTES: u64 = 1000;

/// Distinct pieces of every manifest in these tests.
const APP_PIECES: u32 = 100;

const HERE: &str = "203.0.113.7";

/// `v1` and `v2` share 600 permille, `v1` and `v9` 400; nothing else is known.
#[derive(Debug, Clone, Copy)]
struct Versions;

impl Coverage for Versions {
    fn share(&self, have: &Digest, want: &Digest) -> u16 {
        let pair = BTreeSet::from([*have, *want]);
        if have == want && self.bytes(have).is_some() {
            1000
        } else if pair == BTreeSet::from([version(1), version(2)]) {
            600
        } else if pair == BTreeSet::from([version(1), version(9)]) {
            400
        } else {
            0
        }
    }

    fn bytes(&self, manifest: &Digest) -> Option<u64> {
        [1, 2, 9].map(version).contains(manifest).then_some(APP_BYTES)
    }

    fn pieces(&self, manifest: &Digest) -> Option<u32> {
        self.bytes(manifest).map(|_| APP_PIECES)
    }
}

fn version(number: u8) -> Digest {
    Digest::of(&[number])
}

fn ticket(number: u64) -> Ticket {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Ticket(bytes)
}

/// A description; `setup` is `actpass` in an offer and `active` in an answer.
fn description(setup: &str) -> Description {
    let fingerprint = Digest::of(b"certificate");
    let local = "1a2b3c4d-0000-4000-8000-123456789abc.local";
    let text = format!(r#"["ufrag","passwordpasswordpassword","{fingerprint}","{setup}",262144,["u|{local}|50000|zzzzz|h"],[]]"#);
    Description::parse(&text).unwrap()
}

fn answers(offers: &[Offer]) -> Vec<Answer> {
    let answer = |offer: &Offer| Answer { peer: offer.peer, offer: offer.offer, description: description("active") };
    offers.iter().map(answer).collect()
}

/// One tracker, its clock, and what it told everybody.
struct World {
    tracker: Tracker,
    now_ms: u64,
    inboxes: BTreeMap<PeerNumber, Vec<TrackerToPeer>>,
    closed: BTreeMap<PeerNumber, CloseReason>,
    others: Vec<TrackerOutput>,
    next_offer: u32,
    next_ticket: u64,
}

impl World {
    /// Without random picks and with few offers, so that scripts are easy to follow.
    fn new() -> Self {
        Self::with(TrackerConfig { random_share_permille: 0, ..TrackerConfig::default() })
    }

    fn with(config: TrackerConfig) -> Self {
        Self {
            tracker: Tracker::new(config, 7),
            now_ms: 1_000,
            inboxes: BTreeMap::new(),
            closed: BTreeMap::new(),
            others: Vec::new(),
            next_offer: 0,
            next_ticket: 0,
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.tracker.poll() {
            match output {
                TrackerOutput::Send(peer, message) => {
                    assert!(!self.closed.contains_key(&peer), "told after its end: {message:?}");
                    self.inboxes.entry(peer).or_default().push(message);
                }
                TrackerOutput::Close(peer, reason) => assert_eq!(self.closed.insert(peer, reason), None, "closed once"),
                TrackerOutput::Loaded { .. }
                | TrackerOutput::Counted { .. }
                | TrackerOutput::Flagged(_)
                | TrackerOutput::PageWanted { .. } => self.others.push(output),
            }
        }
    }

    fn wait(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while let Some(due_ms) = self.tracker.poll_timeout().filter(|due_ms| *due_ms <= until_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            self.tracker.handle_timeout(self.now_ms);
        }
        self.now_ms = until_ms;
        self.drain();
    }

    fn join(&mut self, address: &str) -> PeerNumber {
        self.join_as(address, None)
    }

    fn join_as(&mut self, address: &str, browser: Option<u64>) -> PeerNumber {
        self.join_from(ClientAddr { browser, ..ClientAddr::at(address.parse().unwrap()) })
    }

    fn join_from(&mut self, addr: ClientAddr) -> PeerNumber {
        let peer = self.tracker.handle_join(self.now_ms, addr);
        self.drain();
        peer
    }

    fn say(&mut self, peer: PeerNumber, message: PeerToTracker) {
        self.tracker.handle_message(self.now_ms, peer, message, &Versions);
        self.drain();
    }

    /// Everything this peer was told since last asked.
    fn told(&mut self, peer: PeerNumber) -> Vec<TrackerToPeer> {
        self.inboxes.remove(&peer).unwrap_or_default()
    }

    fn register(&mut self, peer: PeerNumber, ticket: Option<Ticket>) {
        let manifest = Some(version(1));
        self.say(peer, PeerToTracker::Register { page: "/".to_owned(), manifest, ticket, slots: 4 });
    }

    fn held(&mut self, peer: PeerNumber, manifest: Digest, bytes: u64) {
        self.say(peer, PeerToTracker::Held { manifest, pieces: 1, bytes });
    }

    /// Leaves this many fresh offers; returns their numbers.
    fn leave_offers(&mut self, peer: PeerNumber, count: u32) -> Vec<u32> {
        let numbers: Vec<u32> = (self.next_offer..self.next_offer + count).collect();
        self.next_offer += count;
        let ready = |offer: &u32| signal::ReadyOffer { offer: *offer, description: description("actpass") };
        self.say(peer, PeerToTracker::Offers { offers: numbers.iter().map(ready).collect() });
        numbers
    }

    /// A seeder of the whole of `manifest`, with two offers.
    fn seeder_of(&mut self, address: &str, manifest: Digest) -> PeerNumber {
        let peer = self.join(address);
        self.seed(peer, manifest);
        peer
    }

    /// A session that just joined seeds the whole of `manifest`, with two offers.
    fn seed(&mut self, peer: PeerNumber, manifest: Digest) {
        self.register(peer, None);
        self.held(peer, manifest, APP_BYTES);
        self.leave_offers(peer, 2);
        self.told(peer);
    }

    fn seeder(&mut self, address: &str) -> PeerNumber {
        self.seeder_of(address, version(1))
    }

    fn fresh_ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        ticket(self.next_ticket)
    }

    fn seek(&mut self, address: &str, ticket: Ticket, wanted: usize) -> Vec<Offer> {
        self.seek_as(address, None, ticket, wanted)
    }

    fn seek_as(&mut self, address: &str, browser: Option<u64>, ticket: Ticket, wanted: usize) -> Vec<Offer> {
        self.seek_from(ClientAddr { browser, ..ClientAddr::at(address.parse().unwrap()) }, ticket, wanted)
    }

    fn seek_from(&mut self, addr: ClientAddr, ticket: Ticket, wanted: usize) -> Vec<Offer> {
        let seeking = Seeking { addr, page: "/", manifest: version(1), wanted, ticket };
        let ready = self.tracker.ready(self.now_ms, &seeking, &Versions);
        let is_anybody = self.tracker.is_anybody_ready(self.now_ms, &seeking, &Versions);
        assert_eq!(is_anybody, ready > 0, "whoever looks for one finds one if there are any");
        let offers = self.tracker.offers_for(self.now_ms, &seeking, &Versions);
        assert!(ready >= offers.len(), "what is given was announced");
        self.drain();
        offers
    }

    /// A visit to which another server gives somebody.
    fn remember(&mut self, address: &str, ticket: Ticket) {
        let addr = ClientAddr::at(address.parse().unwrap());
        let seeking = Seeking { addr, page: "/", manifest: version(1), wanted: 0, ticket };
        assert_eq!(self.tracker.offers_with_foreign_for(self.now_ms, &seeking, &Versions), []);
        self.drain();
    }

    fn answer(&mut self, ticket: Ticket, offers: &[Offer]) -> Result<(), AnswerError> {
        let result = self.tracker.handle_answers(self.now_ms, Answerer::Ticket(ticket), answers(offers));
        self.drain();
        result
    }

    /// A thin visitor that was given one offer and answered it; returns its ticket and the offer.
    fn connected(&mut self, address: &str) -> (Ticket, Offer) {
        let ticket = self.fresh_ticket();
        let offers = self.seek(address, ticket, 1);
        self.answer(ticket, &offers).unwrap();
        (ticket, offers[0].clone())
    }

    fn peers(offers: &[Offer]) -> Vec<PeerNumber> {
        offers.iter().map(|offer| offer.peer).collect()
    }
}

/// The peer, offer and push of the one `answer` among these messages.
fn the_answer(messages: &[TrackerToPeer]) -> (PeerNumber, u32, Option<signal::Push>) {
    let answer = |message: &TrackerToPeer| {
        let TrackerToPeer::Answer { offer, peer, push, .. } = message else { return None };
        Some((*peer, *offer, *push))
    };
    let found: Vec<_> = messages.iter().filter_map(answer).collect();
    assert_eq!(found.len(), 1, "{messages:?}");
    found[0]
}

fn errors(messages: &[TrackerToPeer]) -> Vec<signal::ErrorCode> {
    let code = |message: &TrackerToPeer| {
        if let TrackerToPeer::Error { code, .. } = message { Some(*code) } else { None }
    };
    messages.iter().filter_map(code).collect()
}
