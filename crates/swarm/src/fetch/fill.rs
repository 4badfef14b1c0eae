//! The schedule: who is asked for what, now. What the origin gives beside what no peer can, its policy says.

use viral_wire::PieceId;

use super::board::{Board, ORIGIN};
use super::config::{FLIGHT_IDS_MAX, GRACE_MS, HEDGE_LEN_EXTRA, HEDGE_PERCENT, ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, QUERY_IDS_MAX};
use super::debts::{debts, is_awaited, owed};
use super::link::{Link, NEVER, Ring};
use super::origin::OriginPolicy;
use super::sharing::Sharing;
use super::types::{Output, Source};

/// One round: sets every source to work and puts the frames and requests for that into `board.out`.
pub(super) fn fill(board: &mut Board, policy: &mut OriginPolicy) {
    let peers = ORIGIN + 1..board.links.len();
    for at in peers.clone() {
        query(board, at);
    }
    ask_peers(board, Ring::Demanded, policy.sharing.as_ref());
    ask_peers(board, Ring::Wanted, policy.sharing.as_ref());
    if board.free == 0 && board.missing > 0 {
        for at in peers.clone() {
            if !board.links[at].late && !is_awaited(board, at) {
                end_game(board, at);
            }
        }
    }
    ask_peers(board, Ring::Expected, policy.sharing.as_ref());
    match &mut policy.sharing {
        Some(sharing) => ask_for_share(board, sharing),
        None => ask_origin(board, policy),
    }
    for at in peers {
        let link = &mut board.links[at];
        let Source::Peer(peer) = link.source else { continue };
        let (cancels, wants) = (std::mem::take(&mut link.cancels), std::mem::take(&mut link.wants));
        board.out.extend(cancels.chunks(FLIGHT_IDS_MAX).map(|ids| Output::Cancel { peer, ids: ids.to_vec() }));
        board.out.extend(wants.chunks(FLIGHT_IDS_MAX).map(|ids| Output::Want { peer, ids: ids.to_vec() }));
    }
}

/// Asks a peer which of the next pieces it holds, one query at a time.
fn query(board: &mut Board, at: usize) {
    let link = &mut board.links[at];
    if !link.known || link.asking > 0 {
        return;
    }
    let mut ids: Vec<PieceId> = Vec::new();
    let mut i = link.answered;
    while i < board.slots.len() && ids.len() < QUERY_IDS_MAX {
        let slot = &board.slots[i];
        if !slot.held && !link.has.contains(&i) {
            ids.push(slot.id);
        }
        i += 1;
    }
    if ids.is_empty() {
        link.answered = i;
        return;
    }
    link.asking = i;
    link.grace = board.now + GRACE_MS;
    if let Source::Peer(peer) = link.source {
        board.out.push_back(Output::Query { peer, ids });
    }
}

/// Asks peers for pieces of the ring: one piece each in turn, so that the first ones come from several peers at once.
fn ask_peers(board: &mut Board, ring: Ring, sharing: Option<&Sharing>) {
    // The rarest piece is looked for in all rings at once.
    if sharing.is_some() && ring == Ring::Expected {
        return;
    }
    let rarest_first = sharing.filter(|_| ring == Ring::Wanted);
    let mut ready: Vec<usize> = (ORIGIN + 1..board.links.len()).filter(|&at| is_ready(board, at, ring)).collect();
    while !ready.is_empty() {
        ready.retain(|&at| match rarest_first {
            Some(sharing) => take_rarest(board, at, sharing),
            None => take(board, at, ring),
        });
    }
}

/// Whether a peer has enough room to be worth a `want` frame.
fn is_ready(board: &Board, at: usize, ring: Ring) -> bool {
    let link = &board.links[at];
    link.open && link.pause == NEVER && link.bytes * 4 <= window(link, ring) * 3 && has_room(board, at, ring, 1)
}

/// Half of a peer's window is kept free of what nobody waits for: what is demanded next must not queue behind it.
fn window(link: &Link, ring: Ring) -> u64 {
    if ring == Ring::Expected { link.window / 2 } else { link.window }
}

/// Whether one more piece fits into the peer's window: always, when it owes nothing; a late peer must prove itself with one.
fn has_room(board: &Board, at: usize, ring: Ring, len: u32) -> bool {
    let link = &board.links[at];
    link.flight.is_empty() || (!link.late && link.bytes + u64::from(len) <= window(link, ring) && link.flight.len() < FLIGHT_IDS_MAX)
}

fn want(board: &mut Board, at: usize, i: usize) {
    board.assign(at, i);
    let id = board.slots[i].id;
    board.links[at].wants.push(id);
}

/// The next piece of the ring in order of need that is free and to this source's liking.
fn next(board: &mut Board, at: usize, ring: Ring, suits: impl Fn(&Board, usize) -> bool) -> Option<usize> {
    let queue = ring as usize;
    while let Some(&i) = board.queues[queue].get(board.links[at].cursors[queue]) {
        if board.slots[i].ring == ring && board.is_free(i) && suits(board, i) {
            return Some(i);
        }
        board.links[at].cursors[queue] += 1;
    }
    None
}

/// Wants the next piece of the ring that this peer can send. False when there is none or no room.
fn take(board: &mut Board, at: usize, ring: Ring) -> bool {
    let Some(i) = next(board, at, ring, |board, i| board.can(at, i)) else { return false };
    if !has_room(board, at, ring, board.slots[i].len) {
        return false;
    }
    want(board, at, i);
    true
}

/// In a crowd: of what this peer can send, the piece that the fewest peers have, so that it spreads; among equals each of the crowd begins elsewhere.
fn take_rarest(board: &mut Board, at: usize, sharing: &Sharing) -> bool {
    if !has_room(board, at, Ring::Wanted, 1) {
        return false;
    }
    let link = &board.links[at];
    let whole = if link.complete { 0..board.boot } else { 0..0 };
    let rarest = whole
        .chain(link.has.iter().copied())
        .filter(|&i| board.is_free(i) && board.can(at, i))
        .min_by_key(|&i| (board.slots[i].copies, sharing.place_of(i)));
    let Some(i) = rarest.filter(|&i| has_room(board, at, Ring::Wanted, board.slots[i].len)) else { return false };
    want(board, at, i);
    true
}

/// An idle peer is asked, too, for what somebody else is slow with.
fn end_game(board: &mut Board, at: usize) {
    for i in debts(board, at) {
        if board.can(at, i) && has_room(board, at, Ring::Wanted, board.slots[i].len) {
            want(board, at, i);
        }
    }
}

/// Sends requests to the origin: pieces that a peer is late with, within the budget, then pieces that no peer can send, then those that slow peers leave.
fn ask_origin(board: &mut Board, policy: &mut OriginPolicy) {
    policy.help.watch(board);
    // A request that hangs is no reason to wait for it alone.
    let requests_max = if board.links[ORIGIN].late { ORIGIN_REQUESTS_MAX } else { policy.requests_max };
    while board.links[ORIGIN].pause == NEVER && board.requests.len() < requests_max {
        let mut batch = Vec::new();
        hedge(board, &mut batch);
        for ring in [Ring::Demanded, Ring::Wanted] {
            while batch.len() < ORIGIN_IDS_MAX
                && let Some(i) = next(board, ORIGIN, ring, Board::is_orphan)
            {
                board.assign(ORIGIN, i);
                batch.push(i);
            }
        }
        if batch.is_empty() {
            batch = policy.help.pieces(board);
            for &i in &batch {
                board.assign(ORIGIN, i);
            }
        }
        if batch.is_empty() {
            return;
        }
        board.request(&batch);
    }
}

/// In a crowd: requests what the share and a stall allow, and tells the tracker of it.
fn ask_for_share(board: &mut Board, sharing: &mut Sharing) {
    while let Some(batch) = sharing.next_request(board) {
        for &i in &batch {
            board.assign(ORIGIN, i);
        }
        board.request(&batch);
    }
    if let Some(done) = sharing.poll_ask(board) {
        board.out.push_back(Output::AskShare { done });
    }
}

fn hedge(board: &mut Board, batch: &mut Vec<usize>) {
    let budget = HEDGE_LEN_EXTRA + board.bytes_wanted * HEDGE_PERCENT / 100;
    for at in ORIGIN + 1..board.links.len() {
        if !board.links[at].late {
            continue;
        }
        for i in owed(board, at) {
            let slot = &board.slots[i];
            let len = u64::from(slot.len);
            if slot.from.len() > 1 {
                continue;
            }
            if batch.len() >= ORIGIN_IDS_MAX || board.hedged + len > budget {
                return;
            }
            board.hedged += len;
            board.assign(ORIGIN, i);
            batch.push(i);
        }
    }
}
