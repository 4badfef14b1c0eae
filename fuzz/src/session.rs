//! A visitor's session by operations: after any words of tracker, peers and origin it keeps its bounds, and an origin that serves everything gives it what the plainest
//! fetch would have: every piece of the page, once.

use viral_swarm::client::SessionConfig;
use viral_swarm::fetch::Source;
use viral_wire::Ticket;
use viral_wire::signal::{DropReason, ErrorCode, PeerNumber, TrackerToPeer};

use crate::bytes::Bytes;

use world::{PEERS, VERSIONS, World};

mod world;

/// Operations read of one input.
const OPS_MAX: usize = 300;

/// Longest time between two operations, in milliseconds.
const STEP_MS_MAX: u32 = 60_000;

/// Places and pieces named in one call.
const IDS_MAX: usize = 64;

/// The operations, by the number that stands for each. Seeds are written with the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    Timeout,
    Welcome,
    Name,
    Peers,
    Answer,
    Lease,
    Wanted,
    Lost,
    Refused,
    Open,
    Closed,
    Frame,
    Malformed,
    Path,
    Buffered,
    Pieces,
    Served,
    Manifest,
    PostFailed,
    AwaitPeer,
    Gone,
    Relayed,
    Posted,
}

impl Op {
    pub(crate) const ALL: [Self; 23] = [
        Self::Timeout,
        Self::Welcome,
        Self::Name,
        Self::Peers,
        Self::Answer,
        Self::Lease,
        Self::Wanted,
        Self::Lost,
        Self::Refused,
        Self::Open,
        Self::Closed,
        Self::Frame,
        Self::Malformed,
        Self::Path,
        Self::Buffered,
        Self::Pieces,
        Self::Served,
        Self::Manifest,
        Self::PostFailed,
        Self::AwaitPeer,
        Self::Gone,
        Self::Relayed,
        Self::Posted,
    ];
}

/// Operations on a session: how it begins, then of each its number, the milliseconds since the one before, and its arguments.
///
/// # Panics
/// Where the session breaks a promise; see `World` and `World::finish`.
pub fn session_ops(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let (seed, flags, slots, offers) = (bytes.byte(), bytes.byte(), bytes.byte(), bytes.below(PEERS));
    let is = |bit: u8| flags >> bit & 1 == 1;
    let config = SessionConfig {
        seed: seed.into(),
        page: "/".to_owned(),
        ticket: is(0).then_some(Ticket([1; 16])),
        // A thin visit names it.
        manifest: (is(0) || is(1)).then(|| world::digest(0)),
        takes_page: true,
        follows: is(2),
        // Most meet others.
        meets: !is(3),
        in_crowd: is(4),
        is_first: is(5),
        slots: slots % 16,
        up_bytes_per_s: u64::from(is(6)) * 100_000,
    };
    let mut world = World::new(config, offers);
    for _ in 0..OPS_MAX {
        if bytes.is_empty() {
            break;
        }
        let op = Op::ALL[bytes.below(Op::ALL.len())];
        world.now += u64::from(bytes.number() % STEP_MS_MAX);
        apply(&mut world, op, &mut bytes);
        world.settle();
    }
    world.finish();
}

fn apply(world: &mut World, op: Op, bytes: &mut Bytes<'_>) {
    let now = world.now;
    match op {
        Op::Timeout => _ = world.wake(),
        Op::Welcome => world.receive(welcome(bytes)),
        Op::Name => {
            let manifest = world::digest(bytes.below(VERSIONS));
            world.receive(TrackerToPeer::Manifest { page: "/".to_owned(), manifest });
        }
        Op::Peers => {
            let peers = bytes.numbers(PEERS);
            let offers = peers.into_iter().map(|peer| world::offer(peer as usize % PEERS)).collect();
            world.receive(TrackerToPeer::Peers { offers });
        }
        Op::Answer => {
            let (offer, peer) = (bytes.number(), bytes.below(PEERS));
            world.receive(world::answer(offer, peer));
        }
        Op::Lease => {
            let (version, pieces) = (bytes.below(VERSIONS), bytes.numbers(IDS_MAX));
            world.receive(TrackerToPeer::Share { manifest: world::digest(version), pieces });
        }
        Op::Wanted => world.receive(TrackerToPeer::OffersWanted { count: bytes.byte() }),
        Op::Lost => world.session.handle_lost(now),
        Op::Refused if bytes.flag() => world.receive(TrackerToPeer::Dropped { reason: DropReason::Forged }),
        Op::Refused => world.receive(TrackerToPeer::Error { code: ErrorCode::Unknown, message: String::new() }),
        Op::Open => {
            let peer = world.link(bytes.below(PEERS));
            world.session.handle_open(now, peer);
        }
        Op::Closed => {
            let peer = world.link(bytes.below(PEERS));
            world.closed(peer);
        }
        Op::Frame => frame(world, bytes),
        Op::Malformed => {
            let peer = world.link(bytes.below(PEERS));
            world.session.handle_malformed(now, peer);
        }
        Op::Path => {
            let peer = world.link(bytes.below(PEERS));
            world.session.handle_path(now, peer);
        }
        Op::Buffered => {
            let (peer, buffered) = (world.link(bytes.below(PEERS)), bytes.number());
            world.session.handle_buffered(now, peer, buffered.into());
        }
        Op::Pieces => {
            for number in bytes.numbers(IDS_MAX) {
                // A byte that is not there verifies: scripts are seldom cut at a forgery.
                world.arrives(Source::Origin, world::id(number), !bytes.flag());
            }
        }
        Op::Served => {
            let ids = world::ids(&bytes.numbers(IDS_MAX));
            world.served(&ids);
        }
        Op::Manifest => {
            let (version, is_given) = (bytes.below(VERSIONS), !bytes.flag());
            world.manifest(version, is_given);
        }
        Op::PostFailed => world.session.handle_post_failed(now),
        Op::AwaitPeer => world.session.await_peer(bytes.flag()),
        Op::Gone => world.gone(bytes.number()),
        Op::Relayed => world.receive(TrackerToPeer::Relayed { tell: u32::from(bytes.byte() % 8) }),
        Op::Posted => world.session.handle_posted(now),
    }
}

fn welcome(bytes: &mut Bytes<'_>) -> TrackerToPeer {
    TrackerToPeer::Welcome {
        peer: PeerNumber::from_bits(99),
        offers_wanted: bytes.byte() % 9,
        slots: bytes.byte(),
        up_bytes_per_s: bytes.number(),
        up_bytes_per_day: bytes.number().into(),
        stun: Vec::new(),
    }
}

fn frame(world: &mut World, bytes: &mut Bytes<'_>) {
    let peer = world.link(bytes.below(PEERS));
    let (kind, version) = (bytes.byte(), bytes.below(VERSIONS));
    let numbers = bytes.numbers(IDS_MAX);
    world.forges = bytes.flag();
    let frame = world::frame(kind, version, &numbers);
    world.session.handle_frame(world.now, peer, frame);
}
