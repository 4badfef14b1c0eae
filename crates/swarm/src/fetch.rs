//! Fetches pieces from several peers and the origin at once.
//!
//! Sans-IO: call one `handle_*` (or [`Fetch::add_pieces`]), drain [`Fetch::poll`] until `None`, then sleep until [`Fetch::poll_timeout`]
//! and call [`Fetch::handle_timeout`]. Same decisions as `browser/src/core/fetch.ts`; `vectors/fetch` holds both to it.

pub mod config;
mod debts;
mod help;
mod origin;
mod origin_lease;
mod piece_set;
mod piece_table;
mod schedule;
mod state;
#[cfg(test)]
mod tests;
mod timeouts;
mod types;

use viral_wire::{Piece, PieceId, signal::Beyond};

pub use config::FetchConfig;
use config::{DIAL_MS, GRACE_MS, OPEN_MS, PAUSE_MS, PAUSE_MS_MAX, PEERS_MAX, RETRY_MS, RETRY_MS_MAX};
use origin::OriginPolicy;
use origin_lease::OriginLease;
use piece_table::{ORIGIN, PieceTable};
use schedule::schedule;
use state::{NEVER, PieceState, Ring, SourceState, backoff};
pub use types::{Accepted, FetchOutput, PeerKey, Progress, Source};
pub use viral_wire::signal::Fault;

/// The engine of one page. Time is in milliseconds and never decreases.
#[derive(Debug)]
pub struct Fetch {
    table: PieceTable,
    policy: OriginPolicy,
    stale: bool,
    done: bool,
    alone: bool,
    random: u64,
}

impl Fetch {
    /// An engine without pieces or peers.
    #[must_use]
    pub fn new(config: FetchConfig) -> Self {
        Self {
            table: PieceTable::new(),
            policy: OriginPolicy::new(),
            stale: false,
            done: false,
            alone: false,
            random: (u64::from(config.seed) % 2_147_483_647).max(1),
        }
    }

    /// Pieces to fetch, in order of need; known ones are ignored. The first call names the page manifest's, which complete peers hold.
    pub fn add_pieces(&mut self, now: u64, pieces: &[Piece]) {
        let is_page = self.table.pieces.is_empty();
        self.add(now, pieces, Ring::Wanted, is_page);
    }

    /// Pieces that only peers are asked for, after all others and in this order, until [`Self::handle_demand`] names them. They are the page manifest's,
    /// too, if this follows the [`Self::add_pieces`] that names it, with no other in between.
    pub fn add_expected(&mut self, now: u64, pieces: &[Piece]) {
        let is_page = self.table.boot == self.table.pieces.len();
        self.add(now, pieces, Ring::Expected, is_page);
    }

    /// Pieces like those of [`Self::add_expected`] that are not the page manifest's: only who says so holds them.
    pub fn add_on_demand(&mut self, now: u64, pieces: &[Piece]) {
        self.add(now, pieces, Ring::Expected, false);
    }

    /// Whether one of these is held or a peer gives it now; `None` while a peer may still say so.
    #[must_use]
    pub fn supply(&self, ids: &[PieceId]) -> Option<bool> {
        let table = &self.table;
        let peers = ORIGIN + 1..table.sources.len();
        let known = self.known(ids);
        let gives = |i: usize| table.pieces[i].held || !table.pieces[i].from.is_empty() || peers.clone().any(|at| table.can(at, i));
        if known.iter().any(|&i| gives(i)) {
            return Some(true);
        }
        known.iter().all(|&i| table.no_peer_has(i)).then_some(false)
    }

    /// The page waits for these: they come before all others, in the order of their first demand, and the origin may give them.
    pub fn handle_demand(&mut self, now: u64, ids: &[PieceId]) {
        self.at(now);
        for i in self.known(ids) {
            self.table.promote(i, Ring::Demanded);
        }
    }

    /// These were found in the store: no need to fetch them.
    pub fn handle_held(&mut self, now: u64, ids: &[PieceId]) {
        self.at(now);
        for i in self.known(ids) {
            if !self.table.pieces[i].held {
                self.settle(i, None);
            }
        }
    }

    /// A connection to a peer is being opened, the only one under this key; `push` are the pieces it will send unasked, as far as they are known.
    pub fn handle_dial(&mut self, now: u64, peer: PeerKey, push: &[PieceId]) {
        self.at(now);
        let now = self.table.now;
        self.table.dial_by.get_or_insert(now + DIAL_MS + OPEN_MS);
        let Some(at) = self.meet(peer) else { return };
        let state = &mut self.table.sources[at];
        if state.open {
            return;
        }
        // One that is dialled anew while it is dialled has the time of a first dial again.
        state.overdue = false;
        state.grace = now + DIAL_MS;
        for i in self.known(push) {
            self.table.announce_push(at, i);
        }
    }

    /// What the peer will send unasked became known: call it before the next [`Self::poll`] after [`Self::add_pieces`].
    pub fn handle_push_announced(&mut self, now: u64, peer: PeerKey, ids: &[PieceId]) {
        self.at(now);
        let Some(at) = self.peer(peer) else { return };
        for i in self.known(ids) {
            self.table.announce_push(at, i);
        }
    }

    /// Both channels of a peer opened, dialled or not.
    pub fn handle_open(&mut self, now: u64, peer: PeerKey) {
        self.at(now);
        let Some(at) = self.meet(peer) else { return };
        let now = self.table.now;
        let state = &mut self.table.sources[at];
        if state.open {
            return;
        }
        state.open = true;
        state.overdue = false;
        state.since = now;
        state.grace = now + GRACE_MS;
        for i in std::mem::take(&mut state.announced) {
            self.table.await_push(at, i);
        }
    }

    /// A peer that opened is behind another line than this one. In a crowd what comes from there crosses the line about once: this one takes of it what `beyond` says, and
    /// leaves the rest to neighbours as long as they give something.
    pub fn handle_beyond(&mut self, now: u64, peer: PeerKey, beyond: Beyond) {
        self.at(now);
        if let Some(at) = self.peer(peer) {
            self.table.sources[at].is_beyond = true;
            // Who introduces and does not know this one's stripe takes none away: another server, or the page's answer.
            if beyond.stripe < beyond.stripes || self.table.beyond.is_none() {
                self.table.beyond = Some(beyond);
            }
        }
    }

    /// A peer's connection ended or never came to be.
    pub fn handle_closed(&mut self, now: u64, peer: PeerKey) {
        self.at(now);
        if let Some(at) = self.peer(peer) {
            self.table.remove(at);
        }
    }

    /// The peer's `hello`; `complete`: it names our page manifest.
    pub fn handle_hello(&mut self, now: u64, peer: PeerKey, complete: bool) {
        self.at(now);
        let Some(at) = self.peer(peer) else { return };
        let boot = self.table.boot;
        if !self.table.sources[at].open {
            return;
        }
        self.table.wake(at);
        let state = &mut self.table.sources[at];
        state.known = true;
        state.complete |= complete;
        if state.complete {
            state.answered = state.answered.max(boot);
        }
        if state.asking == 0 {
            state.grace = NEVER;
        }
        state.start_over();
        self.table.sources[ORIGIN].start_over();
    }

    /// The peer holds these: the answer to a query, or news.
    pub fn handle_have(&mut self, now: u64, peer: PeerKey, ids: &[PieceId]) {
        self.at(now);
        let Some(at) = self.peer(peer) else { return };
        self.table.wake(at);
        self.table.sources[at].heard = true;
        for i in self.known(ids) {
            let state = &mut self.table.sources[at];
            if !self.table.pieces[i].held && state.has.insert(i) {
                self.table.pieces[i].availability += 1;
                state.turn_back(&self.table.pieces[i]);
            }
        }
        let state = &mut self.table.sources[at];
        if state.asking == 0 {
            return;
        }
        state.answered = state.answered.max(state.asking);
        state.asking = 0;
        state.grace = NEVER;
        self.table.sources[ORIGIN].start_over();
    }

    /// The peer will not send these. It is left alone for a while.
    pub fn handle_refuse(&mut self, now: u64, peer: PeerKey, ids: &[PieceId]) {
        self.at(now);
        let Some(at) = self.peer(peer) else { return };
        let refused: Vec<usize> = self.known(ids).into_iter().filter(|&i| self.table.owes(at, i)).collect();
        if refused.is_empty() {
            return;
        }
        for i in refused {
            self.table.unassign(at, i);
            let state = &mut self.table.sources[at];
            state.asked.remove(i);
            if state.has.remove(i) {
                self.table.pieces[i].availability -= 1;
            }
        }
        self.table.sources[ORIGIN].start_over();
        let now = self.table.now;
        let state = &mut self.table.sources[at];
        if state.pause == NEVER {
            state.pause = now + backoff(PAUSE_MS, state.refusals, PAUSE_MS_MAX);
            state.refusals = state.refusals.saturating_add(1);
        }
    }

    /// A piece arrived: whether its bytes are worth inflating and hashing. Ask once per arrival.
    pub fn accept(&mut self, source: Source, id: PieceId) -> Accepted {
        let Some(&i) = self.table.index.get(&id) else { return Accepted::Unasked };
        let PieceState { held, len, .. } = self.table.pieces[i];
        if let Source::Peer(peer) = source {
            let Some(at) = self.peer(peer) else { return Accepted::Unasked };
            let state = &mut self.table.sources[at];
            if !state.asked.remove(i) {
                return Accepted::Unasked;
            }
            // Too late is a sign of life; what is taken counts once it is verified.
            if held {
                state.note_activity(self.table.now);
            }
        }
        if held { Accepted::Late } else { Accepted::Take { len } }
    }

    /// An accepted piece was hashed. Unverified bytes from a peer end it for good.
    pub fn handle_piece(&mut self, now: u64, source: Source, id: PieceId, verified: bool) {
        self.at(now);
        let Some(&i) = self.table.index.get(&id) else { return };
        let at = self.table.find(source);
        if !verified {
            match at {
                Some(ORIGIN) => self.handle_origin_failed(now, &[id]),
                Some(at) => self.table.drop_peer(at, Fault::Forged),
                None => {}
            }
            return;
        }
        let (now, len) = (self.table.now, u64::from(self.table.pieces[i].len));
        let slow = at.is_some_and(|at| self.table.sources[at].measure(now, len));
        if !self.table.pieces[i].held {
            self.settle(i, Some(source));
        }
        if let Some(at) = at
            && slow
            && at != ORIGIN
            && self.table.missing > 0
            && self.table.sources[ORIGIN].refusals == 0
            && self.policy.help.lead > 0
            && self.policy.lease.is_none()
        {
            self.table.drop_peer(at, Fault::Slow);
        }
    }

    /// Whether this is one of a crowd, that takes from the origin what the tracker gives it as its lease, and more only where nobody gives anything.
    pub fn handle_crowd(&mut self, now: u64, in_crowd: bool) {
        self.at(now);
        self.table.sources[ORIGIN].start_over();
        if !in_crowd {
            self.policy.leave_crowd();
        } else if self.policy.lease.is_none() {
            self.policy.lease = Some(OriginLease::new(self.table.now, self.random));
            for state in self.table.sources.iter_mut().filter(|state| !state.is_origin()) {
                state.be_patient();
            }
        }
    }

    /// The tracker's reply to a `share`: pieces to take from the origin; none = everything is with somebody.
    pub fn handle_lease(&mut self, now: u64, ids: &[PieceId]) {
        self.at(now);
        let pieces = self.known(ids);
        if let Some(lease) = &mut self.policy.lease {
            lease.give(self.table.now, &pieces);
            // The crowd counts on this one for them.
            for i in pieces {
                self.table.promote(i, Ring::Wanted);
            }
        }
    }

    /// The peer broke the protocol.
    pub fn handle_fault(&mut self, now: u64, peer: PeerKey, fault: Fault) {
        self.at(now);
        if let Some(at) = self.peer(peer) {
            self.table.drop_peer(at, fault);
        }
    }

    /// The origin did not deliver these. It is asked again after a pause; it is never given up.
    pub fn handle_origin_failed(&mut self, now: u64, ids: &[PieceId]) {
        self.at(now);
        for i in self.known(ids) {
            self.table.unassign(ORIGIN, i);
        }
        if let Some(lease) = &mut self.policy.lease {
            lease.shrink_fallback();
        }
        self.alone = false;
        let now = self.table.now;
        let origin = &mut self.table.sources[ORIGIN];
        if origin.pause != NEVER {
            return;
        }
        let ms = backoff(RETRY_MS, origin.refusals, RETRY_MS_MAX);
        origin.refusals = origin.refusals.saturating_add(1);
        let pause = now + ms - self.draw() % ((ms >> 1) + 1);
        self.table.sources[ORIGIN].pause = pause;
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64) {
        self.at(now);
        if let Some(lease) = &mut self.policy.lease {
            lease.expire(self.table.now);
        }
        timeouts::expire(&mut self.table);
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<FetchOutput> {
        if self.stale && self.table.out.is_empty() {
            self.stale = false;
            schedule(&mut self.table, &mut self.policy);
            self.report_progress();
        }
        self.table.out.pop_front()
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let lease = if self.progress().done { NEVER } else { self.policy.lease.as_ref().map_or(NEVER, OriginLease::due) };
        let first = lease.min(timeouts::due(&self.table));
        (first != NEVER).then_some(first)
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let table = &self.table;
        Progress {
            held: table.held,
            total: table.pieces.len(),
            bytes_held: table.bytes_held,
            bytes_total: table.bytes_total,
            done: !table.pieces.is_empty() && table.has_all(),
        }
    }

    /// Bytes per second of a source, smoothed; 0 while that is not measured.
    #[must_use]
    pub fn rate_of(&self, source: Source) -> u64 {
        self.table.find(source).map_or(0, |at| self.table.sources[at].rate)
    }

    fn add(&mut self, now: u64, pieces: &[Piece], ring: Ring, is_page: bool) {
        self.at(now);
        let table = &mut self.table;
        let had_all = table.has_all();
        if let Some(lease) = self.policy.lease.as_mut().filter(|_| had_all) {
            lease.begin(table.now);
        }
        self.done &= !table.add(pieces, ring);
        if !is_page {
            return;
        }
        table.boot = table.pieces.len();
        for state in table.sources.iter_mut().filter(|state| state.complete) {
            state.answered = state.answered.max(table.boot);
        }
    }

    /// The piece, not held yet, is held from now on.
    fn settle(&mut self, i: usize, source: Option<Source>) {
        let giver = source.and_then(|source| self.table.find(source)).filter(|&at| at != ORIGIN);
        let is_near = giver.is_some_and(|at| !self.table.sources[at].is_beyond);
        self.table.settle(i, source);
        let len = self.table.pieces[i].len;
        self.policy.settled(self.table.now, source, len, giver.is_some(), if is_near { len } else { 0 });
    }

    fn at(&mut self, now: u64) {
        self.stale = true;
        self.table.now = self.table.now.max(now);
    }

    fn known(&self, ids: &[PieceId]) -> Vec<usize> {
        ids.iter().filter_map(|id| self.table.index.get(id).copied()).collect()
    }

    fn peer(&self, peer: PeerKey) -> Option<usize> {
        self.table.find(Source::Peer(peer))
    }

    /// The peer's place, made on first sight unless it is banned or there are too many.
    fn meet(&mut self, peer: PeerKey) -> Option<usize> {
        if self.table.banned.contains(&peer) {
            self.table.out.push_back(FetchOutput::Drop { peer, fault: Fault::Forged });
            return None;
        }
        let mut at = self.peer(peer);
        if at.is_none() && self.table.sources.len() <= PEERS_MAX {
            at = Some(self.table.sources.len());
            let mut state = SourceState::new(Source::Peer(peer));
            if self.policy.lease.is_some() {
                state.be_patient();
            }
            self.table.sources.push(state);
        }
        if at.is_some() {
            self.alone = false;
        }
        at
    }

    /// Says once that everything is held, or that somebody is needed.
    fn report_progress(&mut self) {
        let done = self.progress().done;
        if done && !self.done {
            self.table.out.push_back(FetchOutput::Done);
        }
        self.done = done;
        let alone = self.table.missing > 0 && self.table.sources.len() == 1;
        if alone && !self.alone {
            self.table.out.push_back(FetchOutput::NeedPeers);
        }
        self.alone = alone;
    }

    /// Park and Miller's generator (1988): 31 bits, exact in a JavaScript number.
    fn draw(&mut self) -> u64 {
        self.random = self.random * 16_807 % 2_147_483_647;
        self.random
    }
}
