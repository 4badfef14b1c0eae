//! Random streams of everything a peer may say: nothing panics, nothing grows without bound, nothing is relayed between strangers.

use proptest::prelude::*;
use viral_wire::{
    limits::OFFERS_PER_PEER_MAX,
    signal::{Counts, Fault, FaultReport, SourceBytes, VisitPost},
};

use super::*;
use crate::limits::{MATCHES_PER_LEECHER_MAX, REPORTERS_PER_PEER_MAX, UPLOADS_PER_PEER_MAX};

const SESSIONS_MAX: usize = 10;
const TICKETS_MAX: usize = 8;
const ADDRESSES: [&str; 4] = [HERE, "203.0.113.9", "198.51.100.1", "2001:db8::1"];
const FAULTS: [Fault; 5] = [Fault::Forged, Fault::Unasked, Fault::Malformed, Fault::Silent, Fault::Slow];

/// One event; indices are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Join(usize),
    Leave(usize),
    Say(usize, Said),
    Seek(u64, usize, usize),
    /// Answers the last offers this ticket was given, perhaps with one that it was not.
    Answer(u64, bool),
    AnswerAsPeer(usize),
    /// A seeder tells of one of its connections: that it opened, or that it ended.
    Tell(usize, bool),
    Seeder(usize),
    Beacon(u64, usize, usize),
    Deploy(u8),
    Wait(u64),
}

/// What a session says.
#[derive(Debug, Clone)]
enum Said {
    Register(Option<u64>, u8),
    Held(u8, u64),
    Offers(Vec<u32>),
    Find(u8),
    Opened(usize, u32),
    Closed(usize, u32),
    Report(usize, usize),
    Counts(usize, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (peer, thin) = (0..8_usize, 0..10_u64);
    let step = prop_oneof![
        3 => (0..4_usize).prop_map(Step::Join),
        1 => peer.clone().prop_map(Step::Leave),
        24 => (peer.clone(), said()).prop_map(|(peer, said)| Step::Say(peer, said)),
        6 => (thin.clone(), 0..4_usize, 0..10_usize).prop_map(|(t, a, w)| Step::Seek(t, a, w)),
        6 => (thin.clone(), proptest::bool::weighted(0.1)).prop_map(|(t, f)| Step::Answer(t, f)),
        2 => peer.clone().prop_map(Step::AnswerAsPeer),
        4 => (0..16_usize, any::<bool>()).prop_map(|(c, o)| Step::Tell(c, o)),
        4 => (0..4_usize).prop_map(Step::Seeder),
        1 => (thin, peer, 0..5_usize).prop_map(|(t, p, f)| Step::Beacon(t, p, f)),
        1 => (0..4_u8).prop_map(Step::Deploy),
        2 => prop_oneof![6 => 0..100_u64, 3 => 5_000..30_000_u64, 1 => 500_000..1_000_000_u64].prop_map(Step::Wait),
    ];
    proptest::collection::vec(step, 1..150)
}

fn said() -> impl Strategy<Value = Said> {
    let (peer, offer) = (0..8_usize, 0..6_u32);
    prop_oneof![
        4 => (proptest::option::of(0..10_u64), 0..6_u8).prop_map(|(t, s)| Said::Register(t, s)),
        4 => (1..4_u8, prop_oneof![Just(APP_BYTES), 0..1_200_u64]).prop_map(|(v, b)| Said::Held(v, b)),
        6 => proptest::collection::vec(offer.clone(), 0..5).prop_map(Said::Offers),
        2 => (0..10_u8).prop_map(Said::Find),
        2 => (peer.clone(), offer.clone()).prop_map(|(p, o)| Said::Opened(p, o)),
        2 => (peer.clone(), offer).prop_map(|(p, o)| Said::Closed(p, o)),
        1 => (peer.clone(), 0..5_usize).prop_map(|(p, f)| Said::Report(p, f)),
        1 => (peer, any::<u64>()).prop_map(|(p, b)| Said::Counts(p, b)),
    ]
}

/// The world beside what it must never do.
struct Watched {
    world: World,
    peers: Vec<PeerNumber>,
    /// The last offers each ticket, and each session, was given.
    thin: BTreeMap<Ticket, Vec<Offer>>,
    found: BTreeMap<PeerNumber, Vec<Offer>>,
    /// Every offer ever given, by its unique ufrag: to whom.
    given: BTreeMap<(PeerNumber, u32), BTreeSet<String>>,
    answered: BTreeSet<String>,
    /// Seeder, leecher and offer of each answer, newest last.
    connections: Vec<(PeerNumber, PeerNumber, u32)>,
    described: u64,
}

impl Watched {
    fn new(seed: u64) -> Self {
        let config = TrackerConfig { sessions_max: SESSIONS_MAX, tickets_max: TICKETS_MAX, ..TrackerConfig::default() };
        let mut world = World::with(config);
        world.tracker = Tracker::new(config, seed);
        Self {
            world,
            peers: Vec::new(),
            thin: BTreeMap::new(),
            found: BTreeMap::new(),
            given: BTreeMap::new(),
            answered: BTreeSet::new(),
            connections: Vec::new(),
            described: 0,
        }
    }

    fn peer(&self, index: usize) -> PeerNumber {
        let count = self.peers.len().max(1);
        self.peers.get(index % count).copied().unwrap_or(PeerNumber::from_bits(3))
    }

    fn note_given(&mut self, offers: &[Offer]) {
        let makers: BTreeSet<_> = World::peers(offers).into_iter().collect();
        assert_eq!(makers.len(), offers.len(), "distinct peers");
        for offer in offers {
            let ufrag = offer.description.ufrag().to_owned();
            assert!(!self.answered.contains(&ufrag), "an answered offer is never given again");
            self.given.entry((offer.peer, offer.offer)).or_default().insert(ufrag);
        }
    }

    /// Answers and checks that each answer that was relayed concerned an offer of that very peer that was given out and not yet answered.
    fn answer(&mut self, from: Answerer, offers: &[Offer]) {
        self.world.inboxes.clear();
        let _ = self.world.tracker.handle_answers(self.world.now_ms, from, answers(offers));
        self.world.drain();
        for (peer, messages) in &self.world.inboxes {
            for message in messages {
                let TrackerToPeer::Answer { offer, peer: leecher, .. } = message else { continue };
                self.connections.push((*peer, *leecher, *offer));
                let meant = offers.iter().find(|found| found.peer == *peer && found.offer == *offer);
                let ufrag = meant.expect("nobody else's answer").description.ufrag().to_owned();
                assert!(self.given[&(*peer, *offer)].contains(&ufrag), "between matched peers");
                assert!(self.answered.insert(ufrag), "each offer has one answer");
            }
        }
    }

    /// A newcomer; returns its index. The oldest is forgotten here, not by the tracker.
    fn join(&mut self, address: usize) -> usize {
        let peer = self.world.join(ADDRESSES[address]);
        self.peers.push(peer);
        if self.peers.len() > 8 {
            self.peers.remove(0);
        }
        self.peers.len() - 1
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Join(address) => {
                self.join(address);
            }
            Step::Seeder(address) => {
                let index = self.join(address);
                let offers = Said::Offers(vec![0, 1]);
                for said in [Said::Register(None, 3), Said::Held(1, APP_BYTES), offers] {
                    self.say(index, said);
                }
            }
            Step::Tell(index, opened) => {
                let Some((seeder, peer, offer)) = self.connections.iter().rev().nth(index).copied() else { return };
                let opening = PeerToTracker::Opened { peer, offer, ms: 1 };
                self.world.say(seeder, if opened { opening } else { PeerToTracker::Closed { peer, offer, cause: None } });
            }
            Step::Leave(index) => self.world.tracker.handle_leave(self.world.now_ms, self.peer(index)),
            Step::Seek(thin, address, wanted) => {
                let offers = self.world.seek(ADDRESSES[address], ticket(thin), wanted);
                self.note_given(&offers);
                self.thin.insert(ticket(thin), offers);
            }
            Step::Answer(thin, forge) => {
                let mut offers = self.thin.get(&ticket(thin)).cloned().unwrap_or_default();
                if let Some(offer) = offers.first_mut().filter(|_| forge) {
                    offer.offer ^= 1;
                }
                self.answer(Answerer::Ticket(ticket(thin)), &offers);
            }
            Step::AnswerAsPeer(index) => {
                let offers = self.found.get(&self.peer(index)).cloned().unwrap_or_default();
                self.answer(Answerer::Peer(self.peer(index)), &offers);
            }
            Step::Beacon(thin, peer, fault) => {
                let faults = vec![FaultReport { peer: self.peer(peer), fault: FAULTS[fault] }];
                let counts = Counts { pieces_verified: u32::try_from(peer).unwrap_or(0) % 2, ..Counts::default() };
                let post = VisitPost { ticket: ticket(thin), counts, faults };
                let _ = self.world.tracker.handle_visit(self.world.now_ms, &post);
            }
            Step::Deploy(number) => self.world.tracker.handle_manifest(self.world.now_ms, "/", version(number)),
            Step::Wait(ms) => self.world.wait(ms),
            Step::Say(peer, said) => self.say(peer, said),
        }
        self.world.drain();
        self.check();
    }

    fn say(&mut self, peer: usize, said: Said) {
        let message = match said {
            Said::Register(thin, slots) => {
                let (page, ticket) = ("/".to_owned(), thin.map(ticket));
                PeerToTracker::Register { page, manifest: Some(version(1)), ticket, slots }
            }
            Said::Held(number, bytes) => PeerToTracker::Held { manifest: version(number), pieces: 1, bytes },
            Said::Offers(numbers) => {
                let offers = numbers.into_iter().map(|offer| self.ready_offer(offer)).collect();
                PeerToTracker::Offers { offers }
            }
            Said::Find(count) => PeerToTracker::Find { manifest: Some(version(1)), count },
            Said::Opened(other, offer) => PeerToTracker::Opened { peer: self.peer(other), offer, ms: 1 },
            Said::Closed(other, offer) => PeerToTracker::Closed { peer: self.peer(other), offer, cause: None },
            Said::Report(other, fault) => PeerToTracker::Report(FaultReport { peer: self.peer(other), fault: FAULTS[fault] }),
            Said::Counts(other, bytes) => {
                let sources = vec![SourceBytes { peer: self.peer(other), bytes, rate: bytes as u32 }];
                PeerToTracker::Counts(Counts { bytes_from_peers: bytes, sources, ..Counts::default() })
            }
        };
        let peer = self.peer(peer);
        self.world.told(peer);
        self.world.say(peer, message);
        let told = self.world.inboxes.get(&peer).cloned().unwrap_or_default();
        for message in told {
            if let TrackerToPeer::Peers { offers } = message {
                assert!(offers.iter().all(|offer| offer.peer != peer), "nobody is given to itself");
                self.note_given(&offers);
                self.found.insert(peer, offers);
            }
        }
    }

    /// An offer that can be told from every other by its ufrag.
    fn ready_offer(&mut self, offer: u32) -> signal::ReadyOffer {
        self.described += 1;
        let text = description("actpass").serialise().replacen("ufrag", &format!("ufrag{}", self.described), 1);
        signal::ReadyOffer { offer, description: Description::parse(&text).unwrap() }
    }

    fn check(&self) {
        let tracker = &self.world.tracker;
        assert!(tracker.members.sessions.len() <= SESSIONS_MAX);
        assert!(tracker.members.visits.len() <= TICKETS_MAX);
        assert!(tracker.members.visits.is_consistent());
        assert!(tracker.outputs.is_empty());
        assert_eq!(tracker.session_places.len(), tracker.members.sessions.len());
        assert!(tracker.lines.len() <= tracker.members.sessions.len());
        let mut timers = 0;
        let mut ready = 0;
        for session in tracker.members.sessions.values() {
            assert!(session.book.offers.len() <= OFFERS_PER_PEER_MAX);
            let free = session.book.offers.values().filter(|offer| offer.reservation.is_none());
            assert_eq!(session.book.unreserved(), free.count());
            assert!(session.book.uploads.len() <= usize::from(session.book.slots), "no seeder is overbooked");
            assert!(session.served.len() <= UPLOADS_PER_PEER_MAX);
            assert!(session.standing.len() <= 2 * REPORTERS_PER_PEER_MAX);
            assert!(session.leecher.matches.len() <= MATCHES_PER_LEECHER_MAX);
            timers += usize::from(session.page.is_none()) + usize::from(session.cooldown_until_ms.is_some());
            timers += session.book.offers.len();
            timers += session.book.offers.values().filter(|offer| offer.reservation.is_some()).count();
            timers += session.book.uploads.values().filter(|upload| upload.open_due_ms.is_some()).count();
            ready += usize::from(session.is_ready());
        }
        assert_eq!(tracker.timers.len(), timers, "every timer waits for something");
        assert_eq!(tracker.candidates.len(), ready, "the candidates are exactly who is ready");
        let (stats, counts) = (tracker.snapshot(self.world.now_ms), tracker.counts());
        assert_eq!((counts.sessions, counts.tickets, counts.ready), (stats.sessions, stats.tickets, tracker.candidates.len()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_is_said_the_tracker_stays_bounded_and_relays_between_matched_peers_only(
        seed: u64,
        steps in steps(),
    ) {
        let mut watched = Watched::new(seed);
        for step in steps {
            watched.take(step);
        }
    }
}
