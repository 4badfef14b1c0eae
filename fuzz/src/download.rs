//! The download machine by operations: after any calls in any order it keeps its bounds, and an origin that serves everything finishes it.

use viral_swarm::fetch::{Fault, FetchOutput, PeerKey, Source};
use viral_wire::limits::PIECE_LEN_MAX;

use crate::bytes::Bytes;

use model::Model;

mod model;

/// Operations read of one input: most traces of `vectors/fetch` have fewer steps.
const OPS_MAX: usize = 500;

/// Pieces that one input may add.
const PIECES_MAX: usize = 200;

/// Pieces named in one call, and some that are not there.
const IDS_MAX: usize = 64;

/// Peers that one input may name: some more than the machine takes.
const PEERS: usize = viral_swarm::fetch::config::PEERS_MAX + 4;

/// Longest time between two operations, in milliseconds.
const STEP_MS_MAX: u32 = 60_000;

/// The operations, by the number that stands for each. Seeds are written with the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    Timeout,
    AddPieces,
    AddExpected,
    AddOnDemand,
    Demand,
    Held,
    Dial,
    Promise,
    Open,
    Closed,
    Hello,
    Have,
    Refuse,
    Piece,
    Fault,
    OriginFailed,
    Crowd,
    Share,
}

impl Op {
    pub(crate) const ALL: [Self; 18] = [
        Self::Timeout,
        Self::AddPieces,
        Self::AddExpected,
        Self::AddOnDemand,
        Self::Demand,
        Self::Held,
        Self::Dial,
        Self::Promise,
        Self::Open,
        Self::Closed,
        Self::Hello,
        Self::Have,
        Self::Refuse,
        Self::Piece,
        Self::Fault,
        Self::OriginFailed,
        Self::Crowd,
        Self::Share,
    ];
}

/// Operations on a download: a seed, then of each its number, the milliseconds since the one before, and its arguments.
///
/// # Panics
/// Where the machine breaks a promise; see `Model` and `finish`.
pub fn download_ops(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let mut model = Model::new(bytes.number());
    for _ in 0..OPS_MAX {
        if bytes.is_empty() {
            break;
        }
        let op = Op::ALL[bytes.below(Op::ALL.len())];
        model.now += u64::from(bytes.number() % STEP_MS_MAX);
        apply(&mut model, op, &mut bytes);
        model.settle(op == Op::Timeout);
    }
    finish(&mut model);
}

fn apply(model: &mut Model, op: Op, bytes: &mut Bytes<'_>) {
    match op {
        Op::Timeout => model.fetch.handle_timeout(model.now),
        Op::AddPieces | Op::AddExpected | Op::AddOnDemand => {
            let lens = bytes.numbers(PIECES_MAX.saturating_sub(model.known()));
            model.add(op, lens.into_iter().map(|len| len % PIECE_LEN_MAX as u32 + 1).collect());
        }
        Op::Demand => model.demand(&ids(model, bytes)),
        Op::Held => model.held(&ids(model, bytes)),
        Op::Dial => {
            let (peer, ids) = (peer(bytes), ids(model, bytes));
            model.dial(peer, &ids);
        }
        Op::Promise => {
            let (peer, ids) = (peer(bytes), ids(model, bytes));
            model.fetch.handle_push_announced(model.now, peer, &Model::names(&ids));
        }
        Op::Open => model.fetch.handle_open(model.now, peer(bytes)),
        Op::Closed => model.closed(peer(bytes)),
        Op::Hello => model.fetch.handle_hello(model.now, peer(bytes), bytes.flag()),
        Op::Have => {
            let (peer, ids) = (peer(bytes), ids(model, bytes));
            model.fetch.handle_have(model.now, peer, &Model::names(&ids));
        }
        Op::Refuse => {
            let (peer, ids) = (peer(bytes), ids(model, bytes));
            model.refused(peer, &ids);
        }
        Op::Piece => {
            let (source, id) = (source(bytes), id(model, bytes));
            // A byte that is not there verifies: scripts are seldom cut at a forgery.
            model.piece(source, id, !bytes.flag());
        }
        Op::Fault => {
            let faults = [Fault::Unasked, Fault::Malformed, Fault::Forged, Fault::Silent, Fault::Slow];
            model.fetch.handle_fault(model.now, peer(bytes), faults[bytes.below(faults.len())]);
        }
        Op::OriginFailed => model.origin_failed(&ids(model, bytes)),
        Op::Crowd => model.crowd(bytes.flag()),
        Op::Share => model.lease(&ids(model, bytes)),
    }
}

fn peer(bytes: &mut Bytes<'_>) -> PeerKey {
    bytes.below(PEERS) as PeerKey
}

/// 0 is the origin, others are peers.
fn source(bytes: &mut Bytes<'_>) -> Source {
    let number = bytes.below(PEERS + 1);
    number.checked_sub(1).map_or(Source::Origin, |peer| Source::Peer(peer as PeerKey))
}

/// A piece, or one of a few that are not there.
fn id(model: &Model, bytes: &mut Bytes<'_>) -> u32 {
    bytes.number() % (model.known() as u32 + 8)
}

fn ids(model: &Model, bytes: &mut Bytes<'_>) -> Vec<u32> {
    bytes.numbers(IDS_MAX).into_iter().map(|id| id % (model.known() as u32 + 8)).collect()
}

/// From now on the origin delivers all that it is asked for, and time passes: everything wanted comes, then everything demanded, and then there is nothing
/// left to do.
fn finish(model: &mut Model) {
    serve(model);
    let lacking = model.lacking();
    model.demand(&lacking);
    model.settle(false);
    serve(model);
    let progress = model.fetch.progress();
    assert_eq!((progress.held, progress.bytes_held), (progress.total, progress.bytes_total));
    assert_eq!(progress.done, progress.total > 0);
    if !progress.done {
        // Who knows of no piece is not finished: one of a crowd goes on to look after it.
        return;
    }
    // What is still awaited lapses, and nothing is asked for.
    for _ in 0..10 * PEERS {
        let Some(at) = model.fetch.poll_timeout() else { return };
        model.now = model.now.max(at);
        model.fetch.handle_timeout(model.now);
        for output in model.settle(true) {
            let asks = matches!(
                output,
                FetchOutput::Want { .. } | FetchOutput::AskOrigin { .. } | FetchOutput::AskLease { .. } | FetchOutput::NeedPeers
            );
            assert!(!asks, "everything is held, and yet: {output:?}");
        }
    }
    panic!("everything is held, and yet it wants to be woken at {:?}", model.fetch.poll_timeout());
}

fn serve(model: &mut Model) {
    for _ in 0..20 * PIECES_MAX {
        if model.has_all_wanted() {
            return;
        }
        if let Some(id) = model.owed_by_origin() {
            model.piece(Source::Origin, id, true);
            model.settle(false);
        } else {
            let at = model.fetch.poll_timeout().expect("nothing is under way, something is missing, and there is nothing to wait for");
            model.now = model.now.max(at);
            model.fetch.handle_timeout(model.now);
            model.settle(true);
        }
    }
    panic!("an origin that serves everything did not finish it");
}
