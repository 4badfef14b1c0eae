//! The tracker by operations: whatever is said in whatever order, it stays bounded, relays between matched peers only, and forgets who left.

use std::net::IpAddr;

use viral_swarm::{
    limits::TICKET_AGE_MAX_MS,
    locality::{Code, Ladder, PeerScope, Region, SharePolicy, SiteId, Tier},
    tracker::{Answerer, ClientAddr},
};
use viral_wire::{
    Digest, Ticket,
    signal::{self, Counts, Fault, FaultReport, PeerNumber, PeerToTracker, SourceBytes, VisitPost},
};

use crate::bytes::Bytes;

use world::World;

mod world;

/// Operations read of one input.
const OPS_MAX: usize = 600;

/// Tickets that one input names: more than the tracker of these scripts remembers.
const TICKETS: usize = 12;

/// Where visitors are: two behind one address, one next to them, others elsewhere.
const ADDRESSES: [&str; 5] = ["203.0.113.7", "203.0.113.9", "198.51.100.1", "2001:db8::1", "2001:db8:0:1::1"];

const FAULTS: [Fault; 5] = [Fault::Forged, Fault::Unasked, Fault::Malformed, Fault::Silent, Fault::Slow];

/// Waits of a script, in milliseconds: from one message after the other to longer than anything is remembered.
const WAITS_MS: [u64; 8] = [0, 20, 200, 1_000, 10_000, 30_000, 120_000, 700_000];

/// The operations, by the number that stands for each. Seeds are written with the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    Wait,
    Join,
    Leave,
    Register,
    Held,
    Offers,
    Find,
    Share,
    Loaded,
    Opened,
    Closed,
    Report,
    Counts,
    Malformed,
    Seek,
    Answer,
    AnswerAsPeer,
    Visit,
    Manifest,
    PageUnknown,
    Used,
    FirstPlace,
    /// A connection that an answer began: its seeder says that it opened or ended.
    Tell,
}

impl Op {
    pub(crate) const ALL: [Self; 23] = [
        Self::Wait,
        Self::Join,
        Self::Leave,
        Self::Register,
        Self::Held,
        Self::Offers,
        Self::Find,
        Self::Share,
        Self::Loaded,
        Self::Opened,
        Self::Closed,
        Self::Report,
        Self::Counts,
        Self::Malformed,
        Self::Seek,
        Self::Answer,
        Self::AnswerAsPeer,
        Self::Visit,
        Self::Manifest,
        Self::PageUnknown,
        Self::Used,
        Self::FirstPlace,
        Self::Tell,
    ];
}

/// Operations on a tracker: a byte for its peer scope, a seed whose upper bits are policies of tiers, then of each its number and its arguments, a byte each.
///
/// # Panics
/// Where the tracker breaks a promise; see `World` and `leave`.
pub fn tracker_ops(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let peer_scope = [PeerScope::Any, PeerScope::Prefix, PeerScope::Near][bytes.below(3)];
    let seed = bytes.byte();
    let rules = [
        (0x80, Tier::SamePrefix, SharePolicy::Off),
        (0x40, Tier::SameCountry, SharePolicy::Leech),
        (0x20, Tier::Anyone, SharePolicy::Leech),
    ];
    let rules = rules.into_iter().filter(|(bit, ..)| seed & bit != 0);
    let ladder = rules.fold(Ladder::default(), |ladder, (_, tier, policy)| ladder.with(tier, policy)).up_to(peer_scope.farthest());
    let mut world = World::new(ladder, u64::from(seed));
    for _ in 0..OPS_MAX {
        if bytes.is_empty() {
            break;
        }
        let op = Op::ALL[bytes.below(Op::ALL.len())];
        apply(&mut world, op, &mut bytes);
        world.settle();
    }
    leave(&mut world);
}

/// Everybody leaves and time passes: nothing is remembered that waits for anything.
fn leave(world: &mut World) {
    for peer in world.everybody() {
        world.leave(peer);
        world.settle();
    }
    world.wait(2 * TICKET_AGE_MAX_MS);
    let stats = world.tracker.snapshot(world.now_ms);
    assert_eq!((stats.sessions, stats.tickets, stats.seeders, stats.leechers, stats.ready), (0, 0, 0, 0, 0));
    assert_eq!(world.tracker.poll_timeout(), None, "a timer waits for nobody");
}

fn apply(world: &mut World, op: Op, bytes: &mut Bytes<'_>) {
    let now_ms = world.now_ms;
    match op {
        Op::Wait => world.wait(WAITS_MS[bytes.below(WAITS_MS.len())]),
        Op::Join => world.join(address(bytes)),
        Op::Leave => {
            let peer = world.peer(bytes.below(256));
            world.leave(peer);
        }
        Op::Seek => {
            let (ticket, addr, wanted) = (ticket(bytes), address(bytes), bytes.below(10));
            world.seek(ticket, addr, version(bytes.below(3)), wanted);
        }
        Op::Answer => {
            let (from, forge) = (Answerer::Ticket(ticket(bytes)), bytes.byte());
            world.answer(from, forge);
        }
        Op::AnswerAsPeer => {
            let (from, forge) = (Answerer::Peer(world.peer(bytes.below(256))), bytes.byte());
            world.answer(from, forge);
        }
        Op::Visit => {
            let counts = Counts { pieces_verified: u32::from(bytes.byte()), ..Counts::default() };
            let post = VisitPost { ticket: ticket(bytes), counts, faults: vec![fault(world, bytes)] };
            let _ = world.tracker.handle_visit(now_ms, &post);
        }
        Op::Manifest => world.tracker.handle_manifest(now_ms, page(bytes), version(bytes.below(4))),
        Op::PageUnknown => world.tracker.handle_page_unknown(now_ms, page(bytes)),
        Op::Used => {
            let browser = u64::from(bytes.byte() % 4);
            let paths: Vec<String> = (0..10 * bytes.below(256)).map(path).collect();
            world.tracker.handle_used(now_ms, browser, page(bytes), &paths);
        }
        Op::FirstPlace => {
            let _ = world.tracker.take_first_place(now_ms, version(bytes.below(3)));
        }
        Op::Tell => {
            let Some((seeder, peer, offer)) = world.connection(bytes.below(256)) else { return };
            let is_open = bytes.flag();
            world.say(
                seeder,
                if is_open { PeerToTracker::Opened { peer, offer, ms: 1 } } else { PeerToTracker::Closed { peer, offer, cause: None } },
            );
        }
        Op::Malformed => {
            let peer = world.peer(bytes.below(256));
            let fault = signal::SignalError::Json { detail: "ü".repeat(bytes.below(256)) };
            world.tracker.handle_malformed(now_ms, peer, &fault);
        }
        Op::Register | Op::Held | Op::Offers | Op::Find | Op::Share | Op::Loaded | Op::Opened | Op::Closed | Op::Report | Op::Counts => {
            let peer = world.peer(bytes.below(256));
            let message = message(world, op, bytes);
            world.say(peer, message);
        }
    }
}

/// What a session says.
#[expect(clippy::wildcard_enum_match_arm, reason = "only what a session says comes here, and counts are the last of that")]
fn message(world: &mut World, op: Op, bytes: &mut Bytes<'_>) -> PeerToTracker {
    let other = |bytes: &mut Bytes<'_>| world.peer(bytes.below(256));
    match op {
        Op::Register => {
            let ticket = bytes.flag().then(|| ticket(bytes));
            let manifest = bytes.flag().then(|| version(bytes.below(4)));
            PeerToTracker::Register { page: page(bytes).to_owned(), manifest, ticket, slots: bytes.byte() }
        }
        Op::Held => {
            let manifest = version(bytes.below(4));
            PeerToTracker::Held { manifest, pieces: 1, bytes: u64::from(bytes.byte()) * 4 }
        }
        Op::Offers => {
            let offers = (0..=bytes.below(5)).map(|_| u32::from(bytes.byte() % 8)).collect::<Vec<_>>();
            PeerToTracker::Offers { offers: offers.into_iter().map(|offer| world.ready_offer(offer)).collect() }
        }
        Op::Find => {
            let manifest = bytes.flag().then(|| version(bytes.below(4)));
            PeerToTracker::Find { manifest, count: bytes.byte() % 10 }
        }
        Op::Share => PeerToTracker::Share { manifest: version(bytes.below(4)), done: u32::from(bytes.byte()) },
        Op::Loaded => {
            let assets = (0..8 * bytes.below(256)).map(path).collect();
            PeerToTracker::Loaded { page: page(bytes).to_owned(), assets }
        }
        Op::Opened => PeerToTracker::Opened { peer: other(bytes), offer: u32::from(bytes.byte() % 8), ms: 1 },
        Op::Closed => PeerToTracker::Closed { peer: other(bytes), offer: u32::from(bytes.byte() % 8), cause: None },
        Op::Report => PeerToTracker::Report(fault(world, bytes)),
        _ => {
            let sources = (0..bytes.below(4)).map(|_| SourceBytes {
                peer: other(bytes),
                bytes: u64::from(bytes.byte()) << 56,
                rate: u32::from(bytes.byte()) << 24,
            });
            let sources: Vec<_> = sources.collect();
            let bytes_from_peers = u64::from(bytes.byte()) << 56;
            PeerToTracker::Counts(Counts { bytes_from_peers, sources, rings: [bytes_from_peers; 3], ..Counts::default() })
        }
    }
}

fn fault(world: &World, bytes: &mut Bytes<'_>) -> FaultReport {
    FaultReport { peer: world.peer(bytes.below(256)), fault: FAULTS[bytes.below(FAULTS.len())] }
}

/// Where a visitor is, and in which browser, if that is known.
fn address(bytes: &mut Bytes<'_>) -> ClientAddr {
    let public: IpAddr = ADDRESSES[bytes.below(ADDRESSES.len())].parse().expect("all of them are addresses");
    let bits = bytes.byte();
    let browser = bits % 8;
    let rewrite_to = bytes.flag().then_some(public);
    let region = Region {
        site: (bits & 0x08 != 0).then(|| SiteId::of("office")),
        country: Code::new(["", "DE"][usize::from(bits >> 4 & 1)]),
        ..Region::default()
    };
    let share = [SharePolicy::On, SharePolicy::On, SharePolicy::Leech, SharePolicy::Off][usize::from(bits >> 5 & 3)];
    let browser = (browser < 4).then_some(u64::from(browser));
    ClientAddr { rewrite_to, browser, region, share, is_native: bits & 0x80 != 0, ..ClientAddr::at(public) }
}

fn page(bytes: &mut Bytes<'_>) -> &'static str {
    ["/", "/", "/other"][bytes.below(3)]
}

fn path(number: usize) -> String {
    format!("/assets/{number}.js")
}

fn ticket(bytes: &mut Bytes<'_>) -> Ticket {
    let mut ticket = [0; 16];
    ticket[0] = bytes.below(TICKETS) as u8;
    Ticket(ticket)
}

/// A version of the app: 0 and 1 share 600 permille, 2 stands alone, 3 is unknown.
fn version(number: usize) -> Digest {
    Digest([number as u8 + 1; 32])
}

/// The number of a peer nobody ever was.
fn nobody() -> PeerNumber {
    PeerNumber::from_bits(3)
}
