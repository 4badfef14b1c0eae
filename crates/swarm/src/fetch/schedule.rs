//! The schedule: who is asked for what, now. What the origin gives beside what no peer can, its policy says.

use viral_wire::PieceId;

use super::config::{FLIGHT_IDS_MAX, GRACE_MS, HEDGE_LEN_EXTRA, HEDGE_PERCENT, ORIGIN_IDS_MAX, ORIGIN_REQUESTS_MAX, QUERY_IDS_MAX};
use super::debts::{debts, is_awaited, owed};
use super::origin::OriginPolicy;
use super::origin_lease::OriginLease;
use super::piece_table::{ORIGIN, PieceTable};
use super::state::{NEVER, Ring, SourceState};
use super::types::{FetchOutput, Source};

/// One round: sets every source to work and puts the frames and requests for that into `table.out`.
pub(super) fn schedule(table: &mut PieceTable, policy: &mut OriginPolicy) {
    let peers = ORIGIN + 1..table.sources.len();
    for at in peers.clone() {
        query(table, at);
    }
    ask_peers(table, Ring::Demanded, policy.lease.as_mut());
    ask_peers(table, Ring::Wanted, policy.lease.as_mut());
    if table.free == 0 && table.missing > 0 {
        for at in peers.clone() {
            if !table.sources[at].overdue && !is_awaited(table, at) {
                end_game(table, at);
            }
        }
    }
    ask_peers(table, Ring::Expected, policy.lease.as_mut());
    match &mut policy.lease {
        Some(lease) => ask_for_lease(table, lease),
        None => ask_origin(table, policy),
    }
    for at in peers {
        let state = &mut table.sources[at];
        let Source::Peer(peer) = state.source else { continue };
        let (cancels, wants) = (std::mem::take(&mut state.cancels), std::mem::take(&mut state.wants));
        table.out.extend(cancels.chunks(FLIGHT_IDS_MAX).map(|ids| FetchOutput::Cancel { peer, ids: ids.to_vec() }));
        table.out.extend(wants.chunks(FLIGHT_IDS_MAX).map(|ids| FetchOutput::Want { peer, ids: ids.to_vec() }));
    }
}

/// Asks a peer which of the next pieces it holds, one query at a time.
fn query(table: &mut PieceTable, at: usize) {
    let state = &mut table.sources[at];
    if !state.known || state.asking > 0 {
        return;
    }
    let mut ids: Vec<PieceId> = Vec::new();
    let mut i = state.answered;
    while i < table.pieces.len() && ids.len() < QUERY_IDS_MAX {
        let piece = &table.pieces[i];
        if !piece.held && !state.has.contains(i) {
            ids.push(piece.id);
        }
        i += 1;
    }
    if ids.is_empty() {
        state.answered = i;
        return;
    }
    state.asking = i;
    state.grace = table.now + GRACE_MS;
    if let Source::Peer(peer) = state.source {
        table.out.push_back(FetchOutput::Query { peer, ids });
    }
}

/// Asks peers for pieces of the ring: one piece each in turn, so that the first ones come from several peers at once.
fn ask_peers(table: &mut PieceTable, ring: Ring, mut lease: Option<&mut OriginLease>) {
    // In a crowd the next piece is looked for in all rings at once.
    if lease.is_some() && ring != Ring::Wanted {
        return;
    }
    let mut ready: Vec<usize> = (ORIGIN + 1..table.sources.len()).filter(|&at| is_ready(table, at, ring)).collect();
    while !ready.is_empty() {
        ready.retain(|&at| match &mut lease {
            Some(lease) => take_rarest(table, at, lease),
            None => take(table, at, ring),
        });
    }
}

/// Whether a peer has enough room to be worth a `want` frame.
fn is_ready(table: &PieceTable, at: usize, ring: Ring) -> bool {
    let state = &table.sources[at];
    state.open && state.pause == NEVER && state.bytes * 4 <= window(state, ring) * 3 && has_room(table, at, ring, 1)
}

/// Half of a peer's window is kept free of what nobody waits for: what is demanded next must not queue behind it.
fn window(state: &SourceState, ring: Ring) -> u64 {
    if ring == Ring::Expected { state.window / 2 } else { state.window }
}

/// Whether one more piece fits into the peer's window: always, when it owes nothing; an overdue peer must prove itself with one.
fn has_room(table: &PieceTable, at: usize, ring: Ring, len: u32) -> bool {
    let state = &table.sources[at];
    state.flight.is_empty()
        || (!state.overdue && state.bytes + u64::from(len) <= window(state, ring) && state.flight.len() < FLIGHT_IDS_MAX)
}

fn want(table: &mut PieceTable, at: usize, i: usize) {
    table.assign(at, i);
    let id = table.pieces[i].id;
    table.sources[at].wants.push(id);
}

/// The next piece of the ring in order of need that is free and to this source's liking.
fn next(table: &mut PieceTable, at: usize, ring: Ring, suits: impl Fn(&PieceTable, usize) -> bool) -> Option<usize> {
    let queue = ring as usize;
    while let Some(&i) = table.queues[queue].get(table.sources[at].cursors[queue]) {
        if table.pieces[i].ring == ring && table.is_free(i) && suits(table, i) {
            return Some(i);
        }
        table.sources[at].cursors[queue] += 1;
    }
    None
}

/// Wants the next piece of the ring that this peer can send. False when there is none or no room.
fn take(table: &mut PieceTable, at: usize, ring: Ring) -> bool {
    let Some(i) = next(table, at, ring, |table, i| table.can(at, i)) else { return false };
    if !has_room(table, at, ring, table.pieces[i].len) {
        return false;
    }
    want(table, at, i);
    true
}

/// In a crowd: wants the rarest piece that this peer can send.
fn take_rarest(table: &mut PieceTable, at: usize, lease: &mut OriginLease) -> bool {
    if !has_room(table, at, Ring::Wanted, 1) {
        return false;
    }
    let rarest = lease.rarest(table, at);
    let Some(i) = rarest.filter(|&i| has_room(table, at, Ring::Wanted, table.pieces[i].len)) else { return false };
    want(table, at, i);
    true
}

/// An idle peer is asked, too, for what somebody else is slow with.
fn end_game(table: &mut PieceTable, at: usize) {
    for i in debts(table, at) {
        if table.can(at, i) && has_room(table, at, Ring::Wanted, table.pieces[i].len) {
            want(table, at, i);
        }
    }
}

/// Sends requests to the origin: pieces that a peer is overdue with, within the budget, then pieces that no peer can send, then those that slow peers leave.
fn ask_origin(table: &mut PieceTable, policy: &mut OriginPolicy) {
    policy.help.watch(table);
    // A request that hangs is no reason to wait for it alone.
    let requests_max = if table.sources[ORIGIN].overdue { ORIGIN_REQUESTS_MAX } else { policy.requests_max };
    while table.sources[ORIGIN].pause == NEVER && table.requests.len() < requests_max {
        let mut batch = Vec::new();
        hedge(table, &mut batch);
        for ring in [Ring::Demanded, Ring::Wanted] {
            while batch.len() < ORIGIN_IDS_MAX
                && let Some(i) = next(table, ORIGIN, ring, PieceTable::no_peer_has)
            {
                table.assign(ORIGIN, i);
                batch.push(i);
            }
        }
        if batch.is_empty() {
            batch = policy.help.pieces(table);
            for &i in &batch {
                table.assign(ORIGIN, i);
            }
        }
        if batch.is_empty() {
            return;
        }
        table.request(&batch);
    }
}

/// In a crowd: requests what the lease and a stall allow, and tells the tracker of it.
fn ask_for_lease(table: &mut PieceTable, lease: &mut OriginLease) {
    while let Some(batch) = lease.next_request(table) {
        for &i in &batch {
            table.assign(ORIGIN, i);
        }
        table.request(&batch);
    }
    if let Some(done) = lease.poll_ask(table) {
        table.out.push_back(FetchOutput::AskLease { done });
    }
}

fn hedge(table: &mut PieceTable, batch: &mut Vec<usize>) {
    let budget = HEDGE_LEN_EXTRA + table.bytes_wanted * HEDGE_PERCENT / 100;
    for at in ORIGIN + 1..table.sources.len() {
        if !table.sources[at].overdue {
            continue;
        }
        for i in owed(table, at) {
            let piece = &table.pieces[i];
            let len = u64::from(piece.len);
            if piece.from.len() > 1 {
                continue;
            }
            if batch.len() >= ORIGIN_IDS_MAX || table.hedged + len > budget {
                return;
            }
            table.hedged += len;
            table.assign(ORIGIN, i);
            batch.push(i);
        }
    }
}
