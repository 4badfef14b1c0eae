//! One tracker, its clock, and an outsider's view of who was told what.

use std::collections::{BTreeMap, BTreeSet};

use viral_swarm::{
    coverage::Coverage,
    limits::OUTPUTS_MAX,
    locality::{Ladder, SharePolicy},
    tracker::{Answerer, ClientAddr, Seeking, Tracker, TrackerConfig, TrackerOutput},
};
use viral_wire::{
    Description, Digest, Ticket,
    limits::{LOADED_ASSETS_MAX, OFFERS_PER_LEECHER_MAX},
    signal::{self, Answer, Offer, PeerNumber, PeerToTracker, ReadyOffer, TrackerToPeer},
};

use super::{nobody, version};

const SESSIONS_MAX: usize = 10;
const TICKETS_MAX: usize = 8;

/// Bytes and distinct pieces of every manifest.
const APP_BYTES: u64 = 1_000;
const APP_PIECES: u32 = 100;

/// Sessions that a script can name.
const PEERS_NAMED: usize = 12;

/// Manifests that the host knows.
struct Versions;

impl Coverage for Versions {
    fn share(&self, have: &Digest, want: &Digest) -> u16 {
        match (self.bytes(have), self.bytes(want)) {
            (Some(_), Some(_)) if have == want => 1_000,
            (Some(_), Some(_)) if ![*have, *want].contains(&version(2)) => 600,
            _ => 0,
        }
    }

    fn bytes(&self, manifest: &Digest) -> Option<u64> {
        [0, 1, 2].map(version).contains(manifest).then_some(APP_BYTES)
    }

    fn pieces(&self, manifest: &Digest) -> Option<u32> {
        self.bytes(manifest).map(|_| APP_PIECES)
    }
}

/// The tracker beside what it must keep.
pub(crate) struct World {
    pub(crate) tracker: Tracker,
    pub(crate) now_ms: u64,
    config: TrackerConfig,
    /// Sessions that are open: nobody else is told anything.
    open: BTreeMap<PeerNumber, ClientAddr>,
    /// The newest sessions, open or not.
    peers: Vec<PeerNumber>,
    /// The last offers that each was given.
    thin: BTreeMap<Ticket, Vec<Offer>>,
    found: BTreeMap<PeerNumber, Vec<Offer>>,
    /// The offer that was given last under each maker's number, by the fragment that no other has, and all that were answered.
    given: BTreeMap<(PeerNumber, u32), String>,
    answered: BTreeSet<String>,
    /// What is being answered, while it is.
    answering: Vec<Offer>,
    /// What messages with answers bear whose senders wait to be told that they left.
    untold: Vec<u32>,
    /// Seeder, leecher and offer of each answer.
    connections: Vec<(PeerNumber, PeerNumber, u32)>,
    offers: u64,
}

impl World {
    pub(crate) fn new(ladder: Ladder, seed: u64) -> Self {
        let config = TrackerConfig { ladder, sessions_max: SESSIONS_MAX, tickets_max: TICKETS_MAX, ..TrackerConfig::default() };
        Self {
            tracker: Tracker::new(config, seed),
            now_ms: 1_000,
            config,
            open: BTreeMap::new(),
            peers: Vec::new(),
            thin: BTreeMap::new(),
            found: BTreeMap::new(),
            given: BTreeMap::new(),
            answered: BTreeSet::new(),
            answering: Vec::new(),
            untold: Vec::new(),
            connections: Vec::new(),
            offers: 0,
        }
    }

    /// One of the newest sessions, or nobody.
    pub(crate) fn peer(&self, index: usize) -> PeerNumber {
        let count = self.peers.len();
        self.peers.get(index % (count + 1)).copied().unwrap_or(nobody())
    }

    pub(crate) fn everybody(&self) -> Vec<PeerNumber> {
        self.open.keys().copied().collect()
    }

    /// One of the connections, the newest first.
    pub(crate) fn connection(&self, index: usize) -> Option<(PeerNumber, PeerNumber, u32)> {
        self.connections.iter().rev().nth(index).copied()
    }

    pub(crate) fn join(&mut self, addr: ClientAddr) {
        let peer = self.tracker.handle_join(self.now_ms, addr);
        assert_eq!(self.open.insert(peer, addr), None, "each session has a number of its own");
        self.peers.push(peer);
        if self.peers.len() > PEERS_NAMED {
            self.peers.remove(0);
        }
    }

    pub(crate) fn leave(&mut self, peer: PeerNumber) {
        self.tracker.handle_leave(self.now_ms, peer);
        self.open.remove(&peer);
    }

    pub(crate) fn say(&mut self, peer: PeerNumber, message: PeerToTracker) {
        let answers = matches!(message, PeerToTracker::Answers { .. });
        self.answering = self.found.get(&peer).filter(|_| answers).cloned().unwrap_or_default();
        self.tracker.handle_message(self.now_ms, peer, message, &Versions);
    }

    pub(crate) fn seek(&mut self, ticket: Ticket, addr: ClientAddr, manifest: Digest, wanted: usize) {
        let seeking = Seeking { addr, page: "/", manifest, wanted, ticket };
        let ready = self.tracker.ready(self.now_ms, &seeking, &Versions);
        let offers = self.tracker.offers_for(self.now_ms, &seeking, &Versions);
        assert!(offers.len() <= wanted && offers.len() <= ready, "what is given was asked for and announced");
        self.note(addr, &offers);
        self.thin.insert(ticket, offers);
    }

    /// Answers what somebody was given last, if `forge` is odd with one offer that it was not.
    pub(crate) fn answer(&mut self, from: Answerer, forge: u8) {
        let given = match from {
            Answerer::Ticket(ticket) => self.thin.get(&ticket),
            Answerer::Peer(peer) => self.found.get(&peer),
        };
        let mut offers = given.cloned().unwrap_or_default();
        let description = self.description("active");
        let answer = |offer: &Offer| Answer { peer: offer.peer, offer: offer.offer, description: description.clone() };
        self.answering.clone_from(&offers);
        if let Some(offer) = offers.first_mut().filter(|_| forge & 1 == 1) {
            offer.offer ^= u32::from(forge >> 1) + 1;
        }
        let answers = offers.iter().map(answer).collect();
        match from {
            Answerer::Peer(peer) => {
                let tell = (forge & 2 == 2).then_some(u32::from(forge));
                self.untold.extend(tell);
                self.say(peer, PeerToTracker::Answers { answers, tell });
            }
            Answerer::Ticket(_) => {
                let _ = self.tracker.handle_answers(self.now_ms, from, answers);
            }
        }
    }

    /// An offer that can be told from every other by its fragment.
    pub(crate) fn ready_offer(&mut self, offer: u32) -> ReadyOffer {
        ReadyOffer { offer, description: self.description("actpass") }
    }

    fn description(&mut self, setup: &str) -> Description {
        self.offers += 1;
        let (number, fingerprint) = (self.offers, Digest([9; 32]));
        let local = "1a2b3c4d-0000-4000-8000-123456789abc.local";
        let text = format!(r#"["ufrag{number}","passwordpasswordpassword","{fingerprint}","{setup}",0,["u|{local}|50000|zzzzz|h"],[]]"#);
        Description::parse(&text).expect("well-formed")
    }

    /// Lets time pass, and each timer have its turn.
    pub(crate) fn wait(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while let Some(due_ms) = self.tracker.poll_timeout().filter(|due_ms| *due_ms <= until_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            self.tracker.handle_timeout(self.now_ms);
            let next_ms = self.tracker.poll_timeout();
            assert!(next_ms.is_none_or(|next_ms| next_ms > self.now_ms), "asks to be woken in the past: {next_ms:?} at {}", self.now_ms);
            self.settle();
        }
        self.now_ms = until_ms;
    }

    /// Drains the outputs of one call and checks what must hold of each and of the whole.
    pub(crate) fn settle(&mut self) {
        let mut count = 0;
        while let Some(output) = self.tracker.poll() {
            count += 1;
            assert!(count <= OUTPUTS_MAX, "outputs never end");
            self.check(output);
        }
        self.answering.clear();
        let stats = self.tracker.snapshot(self.now_ms);
        assert_eq!(stats.sessions, self.open.len(), "who is open is who was not closed");
        assert!(stats.sessions <= SESSIONS_MAX && stats.tickets <= TICKETS_MAX);
        assert!(stats.ready <= stats.sessions && stats.seeders <= stats.sessions);
        assert_eq!(stats.refused.outputs, 0);
        assert_eq!(stats.matches.answered, self.answered.len() as u64);
    }

    fn check(&mut self, output: TrackerOutput) {
        match output {
            TrackerOutput::Close(peer, _) => assert!(self.open.remove(&peer).is_some(), "closed once"),
            TrackerOutput::Loaded { peer, report, .. } => {
                assert!(self.open.contains_key(&peer) && report.paths.len() <= LOADED_ASSETS_MAX);
            }
            TrackerOutput::Counted { .. } | TrackerOutput::Flagged(_) => {}
            TrackerOutput::PageWanted { page } => assert!(page.starts_with('/')),
            TrackerOutput::Send(peer, message) => {
                let Some(addr) = self.open.get(&peer).copied() else { panic!("{peer} is told after its end: {message:?}") };
                let text = signal::encode(&message);
                assert_eq!(signal::decode(text.as_bytes()).as_ref(), Ok(&message), "what is said keeps its limits");
                self.receive(peer, addr, message);
            }
        }
    }

    fn receive(&mut self, peer: PeerNumber, addr: ClientAddr, message: TrackerToPeer) {
        match message {
            TrackerToPeer::Welcome { peer: own, slots, .. } => assert!(own == peer && slots <= self.config.slots_max),
            TrackerToPeer::Limits { slots, .. } => assert!(slots <= self.config.slots_max),
            TrackerToPeer::Peers { offers } => {
                assert!(offers.iter().all(|offer| offer.peer != peer), "nobody is given to itself");
                self.note(addr, &offers);
                self.found.insert(peer, offers);
            }
            TrackerToPeer::Answer { offer, peer: leecher, .. } => {
                assert!(self.answering.iter().any(|found| found.peer == peer && found.offer == offer), "nobody else's answer");
                // The visitor may have been given a newer one under the same number meanwhile, by its session.
                let ufrag = self.given.get(&(peer, offer)).expect("between matched peers").clone();
                assert!(self.answered.insert(ufrag), "each offer has one answer");
                self.connections.push((peer, leecher, offer));
            }
            TrackerToPeer::Share { manifest, pieces } => {
                assert!(Versions.bytes(&manifest).is_some() || pieces.is_empty());
                assert!(pieces.iter().all(|piece| *piece < APP_PIECES), "only what there is");
            }
            TrackerToPeer::Relayed { tell } => {
                let asked = self.untold.iter().position(|asked| *asked == tell);
                self.untold.swap_remove(asked.expect("only who asks is told that answers left"));
            }
            TrackerToPeer::Manifest { .. }
            | TrackerToPeer::Used { .. }
            | TrackerToPeer::OffersWanted { .. }
            | TrackerToPeer::Dropped { .. }
            | TrackerToPeer::Error { .. } => {}
        }
    }

    /// Somebody there was given these offers.
    fn note(&mut self, addr: ClientAddr, offers: &[Offer]) {
        let makers: BTreeSet<PeerNumber> = offers.iter().map(|offer| offer.peer).collect();
        assert_eq!(makers.len(), offers.len(), "distinct peers");
        assert!(offers.len() <= OFFERS_PER_LEECHER_MAX);
        for offer in offers {
            let maker = self.open.get(&offer.peer).expect("only who is there");
            assert!(maker.browser.is_none() || maker.browser != addr.browser, "nobody is introduced to its own browser");
            let policy = self.config.ladder.policy(maker.place().tier_to(&addr.place()));
            let gives = policy == SharePolicy::On || (policy == SharePolicy::Leech && maker.is_native);
            assert!(gives, "nobody is introduced out of reach");
            assert!(maker.share == SharePolicy::On && addr.share != SharePolicy::Off, "nobody gives who only takes, or meets nobody");
            assert!(offer.push.is_none_or(|push| push.budget <= self.config.push_bytes_max));
            let ufrag = offer.description.ufrag().to_owned();
            assert!(!self.answered.contains(&ufrag), "an answered offer is never given again");
            self.given.insert((offer.peer, offer.offer), ufrag);
        }
    }
}
