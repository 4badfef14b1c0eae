//! What one of a crowd takes from the origin: the lease that the tracker gives it, and after a while of nothing more, until a peer gives something.

use std::collections::VecDeque;

use super::config::{
    LEASE_ASK_MS, LEASE_RETRY_MS, LEASE_STALL_LAST_MS, LEASE_STALL_MS, LEFT_MS, LEFT_RATE_MIN, NEIGHBOURS_MIN, ORIGIN_IDS_MAX,
    ORIGIN_REQUESTS_MAX,
};
use super::piece_table::{ORIGIN, PieceTable};
use super::state::{NEVER, PieceState, Ring};
use super::types::Source;

/// The lease of one engine.
#[derive(Debug)]
pub(super) struct OriginLease {
    /// Pieces given and not yet reported as held, oldest first.
    given: VecDeque<usize>,
    /// How many of those before them are held and not reported yet.
    done: u32,
    /// A `share` waits for its reply.
    asked: bool,
    /// The tracker had nothing to grant at the last reply.
    is_all_granted: bool,
    /// Until then the tracker is not asked again, because it had nothing to grant.
    retry_at: u64,
    /// The tracker was asked a moment ago: nothing is said until then.
    silent_until: u64,
    /// When a piece was verified last, from whomever.
    advanced_at: u64,
    /// Pieces that the origin is asked for next beside the lease, because nobody gave anything; 0 = somebody does.
    pub(super) origin_fallback: usize,
    /// Since when a peer stands idle for what is left to neighbours, later by what these gave meanwhile: by the last round and by this one; [`NEVER`] = none does.
    left_since: u64,
    left_now: u64,
    /// Neighbours gave nothing for so long that nothing is left to them any more.
    takes_all: bool,
    salt: u64,
}

impl OriginLease {
    pub(super) fn new(now: u64, salt: u64) -> Self {
        Self {
            given: VecDeque::new(),
            done: 0,
            asked: false,
            is_all_granted: false,
            retry_at: NEVER,
            silent_until: NEVER,
            advanced_at: now,
            origin_fallback: 0,
            left_since: NEVER,
            left_now: NEVER,
            takes_all: false,
            salt,
        }
    }

    pub(super) fn give(&mut self, now: u64, pieces: &[usize]) {
        self.asked = false;
        self.is_all_granted = pieces.is_empty();
        self.retry_at = if self.is_all_granted { now + LEASE_RETRY_MS } else { NEVER };
        for &i in pieces {
            // A lease that took too long may be granted to the same taker again.
            if !self.given.contains(&i) {
                self.given.push_back(i);
            }
        }
    }

    /// Something is missing from now on: whoever gave nothing before had nothing to give.
    pub(super) fn begin(&mut self, now: u64) {
        self.advance(now, true, 0);
    }

    /// A piece was verified; `near_len`: its bytes if a neighbour gave it.
    pub(super) fn advance(&mut self, now: u64, is_from_peer: bool, near_len: u32) {
        self.advanced_at = now;
        if self.left_since != NEVER {
            let since = self.left_since + u64::from(near_len) * 1000 / LEFT_RATE_MIN;
            self.left_since = if since < now { since } else { NEVER };
        }
        if is_from_peer {
            self.origin_fallback = 0;
        }
    }

    /// The origin did not give what it was asked for: asking for more would not help it.
    pub(super) fn shrink_fallback(&mut self) {
        self.origin_fallback = self.origin_fallback.min(1);
    }

    pub(super) fn expire(&mut self, now: u64) {
        if self.stalls_at() <= now {
            self.advanced_at = now;
            // From now on the origin stands in, with little at first: where its line is what everybody waits for, all would ask for everything at once.
            self.origin_fallback = self.origin_fallback.max(1);
        }
        self.takes_all |= self.left_until() <= now;
        if self.retry_at <= now {
            self.retry_at = NEVER;
        }
        if self.silent_until <= now {
            self.silent_until = NEVER;
        }
    }

    pub(super) fn due(&self) -> u64 {
        let left_until = if self.takes_all { NEVER } else { self.left_until() };
        self.retry_at.min(self.silent_until).min(self.stalls_at()).min(left_until)
    }

    /// When nothing is left to neighbours any more.
    fn left_until(&self) -> u64 {
        self.left_since.saturating_add(LEFT_MS)
    }

    /// When the crowd counts as giving nothing.
    fn stalls_at(&self) -> u64 {
        self.advanced_at + if self.is_all_granted { LEASE_STALL_LAST_MS } else { LEASE_STALL_MS }
    }

    /// The place of a piece in an order that is another one for each of the crowd.
    fn place_of(&self, i: usize) -> u64 {
        (i as u64 * 48_271 + self.salt * 7) % 2_147_483_647 * 16_807 % 2_147_483_647
    }

    /// Of the first ring of which this peer can send something, the piece that the fewest peers have, so that it spreads; among equals each of the crowd begins elsewhere.
    pub(super) fn rarest(&mut self, table: &PieceTable, at: usize) -> Option<usize> {
        let state = &table.sources[at];
        if !state.open || state.pause != NEVER {
            return None;
        }
        let whole = if state.complete { 0..table.boot } else { 0..0 };
        let (mut rarest, mut leaves) = (None, false);
        let neighbours = self.neighbours(table, at);
        for i in whole.chain(state.has.iter()).filter(|&i| table.is_free(i)) {
            let rank = (table.pieces[i].ring, table.pieces[i].availability);
            if rarest.is_some_and(|((best, place), _)| best < rank || (best == rank && place <= self.place_of(i))) {
                continue;
            }
            let rank = (rank, self.place_of(i));
            if is_left(table, &neighbours, i) {
                leaves = true;
            } else {
                rarest = Some((rank, i));
            }
        }
        if leaves && rarest.is_none() {
            // It stands idle for what is left to neighbours.
            self.left_now = self.left_since.min(table.now);
        }
        rarest.map(|(_, i)| i)
    }

    /// The neighbours to whom something is left of what this peer could send; none where nothing is.
    fn neighbours(&self, table: &PieceTable, at: usize) -> Vec<usize> {
        if self.takes_all || !table.sources[at].is_beyond {
            return Vec::new();
        }
        let near = |&other: &usize| table.sources[other].open && !table.sources[other].is_beyond;
        let neighbours: Vec<usize> = (ORIGIN + 1..table.sources.len()).filter(near).collect();
        if neighbours.len() < NEIGHBOURS_MIN { Vec::new() } else { neighbours }
    }

    /// What the origin is asked for next: what of the lease is neither held nor under way; after a while of nothing, more and more of the rest until a peer gives something.
    pub(super) fn next_request(&mut self, table: &PieceTable) -> Option<Vec<usize>> {
        if table.sources[ORIGIN].pause != NEVER || table.requests.len() >= ORIGIN_REQUESTS_MAX {
            return None;
        }
        let mut batch: Vec<usize> = self.given.iter().copied().filter(|&i| table.is_free(i)).take(ORIGIN_IDS_MAX).collect();
        if batch.is_empty() && self.origin_fallback > 0 && table.requests.is_empty() {
            batch = self.fallback_pieces(table);
            if !batch.is_empty() {
                self.origin_fallback = (self.origin_fallback * 2).min(ORIGIN_IDS_MAX);
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Pieces that nobody gives, each of the crowd others: those that nobody owes before those that somebody is overdue with.
    fn fallback_pieces(&self, table: &PieceTable) -> Vec<usize> {
        let is_overdue = |&(source, _): &(Source, u64)| table.find(source).is_some_and(|at| table.sources[at].overdue);
        let is_missing =
            |piece: &PieceState| piece.ring < Ring::Expected && !piece.held && piece.from.len() < 2 && piece.from.iter().all(is_overdue);
        let mut missing: Vec<usize> = (0..table.pieces.len()).filter(|&i| is_missing(&table.pieces[i])).collect();
        missing.sort_by_key(|&i| (table.pieces[i].from.len(), self.place_of(i)));
        missing.truncate(self.origin_fallback);
        missing
    }

    /// Whether the tracker is asked now: with how much of the lease is held, once that is worth saying, or for more, once all of it is under way.
    pub(super) fn poll_ask(&mut self, table: &PieceTable) -> Option<u32> {
        // The round is over.
        self.left_since = std::mem::replace(&mut self.left_now, NEVER);
        let is_done = table.has_all();
        while self.given.front().is_some_and(|&i| table.pieces[i].held) {
            self.given.pop_front();
            self.done += 1;
        }
        // The last word must not come too late, or what is held here counts as lost.
        if self.silent_until != NEVER && !is_done {
            return None;
        }
        let wants_more = !is_done && !table.pieces.is_empty() && !self.asked && self.retry_at == NEVER;
        let is_under_way = self.given.iter().all(|&i| table.pieces[i].held || !table.pieces[i].from.is_empty());
        // Half of a lease at a time: a message for each piece would be too many on a fast line.
        let is_worth_saying = self.done > 0 && self.done as usize >= self.given.len();
        let asks = is_worth_saying || (wants_more && is_under_way);
        if !asks {
            return None;
        }
        self.asked = true;
        self.silent_until = table.now + LEASE_ASK_MS;
        Some(std::mem::take(&mut self.done))
    }
}

/// Whether a piece that a peer could send is left to these neighbours: over the line this one takes only its stripe, and of that nothing that one of them has.
fn is_left(table: &PieceTable, neighbours: &[usize], i: usize) -> bool {
    let is_ours = table.beyond.is_none_or(|beyond| beyond.takes(&table.pieces[i].id));
    let is_with_them = || neighbours.iter().any(|&other| table.can(other, i));
    !neighbours.is_empty() && (!is_ours || is_with_them())
}
