//! Fetches pieces from several peers and the origin at once.
//!
//! Sans-IO: call one `handle_*` (or [`Fetch::add_pieces`]), drain [`Fetch::poll`] until `None`, then sleep until [`Fetch::poll_timeout`]
//! and call [`Fetch::handle_timeout`]. Same decisions as `browser/src/core/fetch.ts`; `vectors/fetch` holds both to it.

mod board;
pub mod config;
mod debts;
mod fill;
mod help;
mod link;
mod origin;
mod sharing;
#[cfg(test)]
mod tests;
mod types;

use viral_wire::{Piece, PieceId};

use board::{Board, ORIGIN};
pub use config::FetchConfig;
use config::{DIAL_MS, GRACE_MS, OPEN_MS, PAUSE_MS, PAUSE_MS_MAX, PEERS_MAX, PIECES_MAX, RETRY_MS, RETRY_MS_MAX};
use fill::fill;
use link::{Link, NEVER, Ring, Slot, backoff};
use origin::OriginPolicy;
use sharing::Sharing;
pub use types::{Accepted, Output, PeerFault, PeerKey, Progress, Source};

/// The engine of one page. Time is in milliseconds and never decreases.
#[derive(Debug)]
pub struct Fetch {
    board: Board,
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
            board: Board::new(),
            policy: OriginPolicy::new(),
            stale: false,
            done: false,
            alone: false,
            random: (u64::from(config.seed) % 2_147_483_647).max(1),
        }
    }

    /// Pieces to fetch, in order of need; known ones are ignored. The first call names the page manifest's, which complete peers hold.
    pub fn add_pieces(&mut self, now: u64, pieces: &[Piece]) {
        let is_page = self.board.slots.is_empty();
        self.add(now, pieces, Ring::Wanted, is_page);
    }

    /// Pieces that only peers are asked for, after all others and in this order, until [`Self::handle_demand`] names them. They are the page manifest's,
    /// too, if this follows the [`Self::add_pieces`] that names it, with no other in between.
    pub fn add_expected(&mut self, now: u64, pieces: &[Piece]) {
        let is_page = self.board.boot == self.board.slots.len();
        self.add(now, pieces, Ring::Expected, is_page);
    }

    /// Pieces like those of [`Self::add_expected`] that are not the page manifest's: only who says so holds them.
    pub fn add_on_demand(&mut self, now: u64, pieces: &[Piece]) {
        self.add(now, pieces, Ring::Expected, false);
    }

    /// Whether one of these is held or a peer gives it now; `None` while a peer may still say so.
    #[must_use]
    pub fn supply(&self, ids: &[PieceId]) -> Option<bool> {
        let board = &self.board;
        let peers = ORIGIN + 1..board.links.len();
        let known = self.known(ids);
        let gives = |i: usize| board.slots[i].held || !board.slots[i].from.is_empty() || peers.clone().any(|at| board.can(at, i));
        if known.iter().any(|&i| gives(i)) {
            return Some(true);
        }
        known.iter().all(|&i| board.is_orphan(i)).then_some(false)
    }

    /// The page waits for these: they come before all others, in the order of their first demand, and the origin may give them.
    pub fn handle_demand(&mut self, now: u64, ids: &[PieceId]) {
        self.at(now);
        for i in self.known(ids) {
            self.board.promote(i, Ring::Demanded);
        }
    }

    /// These were found in the store: no need to fetch them.
    pub fn handle_held(&mut self, now: u64, ids: &[PieceId]) {
        self.at(now);
        for i in self.known(ids) {
            if !self.board.slots[i].held {
                self.settle(i, None);
            }
        }
    }

    /// A connection to a peer is being opened, the only one under this key; `push` are the pieces it will send unasked, as far as they are known.
    pub fn handle_dial(&mut self, now: u64, peer: PeerKey, push: &[PieceId]) {
        self.at(now);
        let now = self.board.now;
        self.board.dial_by.get_or_insert(now + DIAL_MS + OPEN_MS);
        let Some(at) = self.meet(peer) else { return };
        let link = &mut self.board.links[at];
        if link.open {
            return;
        }
        link.grace = now + DIAL_MS;
        for i in self.known(push) {
            self.board.promise(at, i);
        }
    }

    /// What the peer will send unasked became known: call it before the next [`Self::poll`] after [`Self::add_pieces`].
    pub fn handle_promise(&mut self, now: u64, peer: PeerKey, ids: &[PieceId]) {
        self.at(now);
        let Some(at) = self.peer(peer) else { return };
        for i in self.known(ids) {
            self.board.promise(at, i);
        }
    }

    /// Both channels of a peer opened, dialled or not.
    pub fn handle_open(&mut self, now: u64, peer: PeerKey) {
        self.at(now);
        let Some(at) = self.meet(peer) else { return };
        let now = self.board.now;
        let link = &mut self.board.links[at];
        if link.open {
            return;
        }
        link.open = true;
        link.late = false;
        link.since = now;
        link.grace = now + GRACE_MS;
        for i in std::mem::take(&mut link.promised) {
            self.board.expect(at, i);
        }
    }

    /// A peer's connection ended or never came to be.
    pub fn handle_closed(&mut self, now: u64, peer: PeerKey) {
        self.at(now);
        if let Some(at) = self.peer(peer) {
            self.board.remove(at);
        }
    }

    /// The peer's `hello`; `complete`: it names our page manifest.
    pub fn handle_hello(&mut self, now: u64, peer: PeerKey, complete: bool) {
        self.at(now);
        let Some(at) = self.peer(peer) else { return };
        let boot = self.board.boot;
        if !self.board.links[at].open {
            return;
        }
        self.board.wake(at);
        let link = &mut self.board.links[at];
        link.known = true;
        link.complete |= complete;
        if link.complete {
            link.answered = link.answered.max(boot);
        }
        if link.asking == 0 {
            link.grace = NEVER;
        }
        link.start_over();
        self.board.links[ORIGIN].start_over();
    }

    /// The peer holds these: the answer to a query, or news.
    pub fn handle_have(&mut self, now: u64, peer: PeerKey, ids: &[PieceId]) {
        self.at(now);
        let Some(at) = self.peer(peer) else { return };
        self.board.wake(at);
        self.board.links[at].heard = true;
        for i in self.known(ids) {
            let link = &mut self.board.links[at];
            if !self.board.slots[i].held && link.has.insert(i) {
                self.board.slots[i].copies += 1;
                link.turn_back(&self.board.slots[i]);
            }
        }
        let link = &mut self.board.links[at];
        if link.asking == 0 {
            return;
        }
        link.answered = link.answered.max(link.asking);
        link.asking = 0;
        link.grace = NEVER;
        self.board.links[ORIGIN].start_over();
    }

    /// The peer will not send these. It is left alone for a while.
    pub fn handle_refuse(&mut self, now: u64, peer: PeerKey, ids: &[PieceId]) {
        self.at(now);
        let Some(at) = self.peer(peer) else { return };
        let refused: Vec<usize> = self.known(ids).into_iter().filter(|&i| self.board.owes(at, i)).collect();
        if refused.is_empty() {
            return;
        }
        for i in refused {
            self.board.unassign(at, i);
            let link = &mut self.board.links[at];
            link.asked.remove(&i);
            if link.has.remove(&i) {
                self.board.slots[i].copies -= 1;
            }
        }
        self.board.links[ORIGIN].start_over();
        let now = self.board.now;
        let link = &mut self.board.links[at];
        if link.pause == NEVER {
            link.pause = now + backoff(PAUSE_MS, link.refusals, PAUSE_MS_MAX);
            link.refusals = link.refusals.saturating_add(1);
        }
    }

    /// A piece arrived: whether its bytes are worth inflating and hashing. Ask once per arrival.
    pub fn accept(&mut self, source: Source, id: PieceId) -> Accepted {
        let Some(&i) = self.board.index.get(&id) else { return Accepted::Unasked };
        let Slot { held, len, .. } = self.board.slots[i];
        if let Source::Peer(peer) = source {
            let Some(at) = self.peer(peer) else { return Accepted::Unasked };
            let link = &mut self.board.links[at];
            if !link.asked.remove(&i) {
                return Accepted::Unasked;
            }
            // Too late is a sign of life; what is taken counts once it is verified.
            if held {
                link.hear(self.board.now);
            }
        }
        if held { Accepted::Late } else { Accepted::Take { len } }
    }

    /// An accepted piece was hashed. Unverified bytes from a peer end it for good.
    pub fn handle_piece(&mut self, now: u64, source: Source, id: PieceId, verified: bool) {
        self.at(now);
        let Some(&i) = self.board.index.get(&id) else { return };
        let at = self.board.find(source);
        if !verified {
            match at {
                Some(ORIGIN) => self.handle_origin_failed(now, &[id]),
                Some(at) => self.board.drop_peer(at, PeerFault::Forged),
                None => {}
            }
            return;
        }
        let (now, len) = (self.board.now, u64::from(self.board.slots[i].len));
        let slow = at.is_some_and(|at| self.board.links[at].measure(now, len));
        if !self.board.slots[i].held {
            self.settle(i, Some(source));
        }
        if let Some(at) = at
            && slow
            && at != ORIGIN
            && self.board.missing > 0
            && self.board.links[ORIGIN].refusals == 0
            && self.policy.help.lead > 0
            && self.policy.sharing.is_none()
        {
            self.board.drop_peer(at, PeerFault::Slow);
        }
    }

    /// Whether this is one of a crowd, that takes from the origin what the tracker gives it as its share, and more only where nobody gives anything.
    pub fn handle_crowd(&mut self, now: u64, in_crowd: bool) {
        self.at(now);
        self.board.links[ORIGIN].start_over();
        if !in_crowd {
            self.policy.leave_crowd();
        } else if self.policy.sharing.is_none() {
            self.policy.sharing = Some(Sharing::new(self.board.now, self.random));
            for link in self.board.links.iter_mut().filter(|link| !link.is_origin()) {
                link.be_patient();
            }
        }
    }

    /// The tracker's reply to a `share`: pieces to take from the origin; none = everything is with somebody.
    pub fn handle_share(&mut self, now: u64, ids: &[PieceId]) {
        self.at(now);
        let pieces = self.known(ids);
        if let Some(sharing) = &mut self.policy.sharing {
            sharing.give(self.board.now, &pieces);
            // The crowd counts on this one for them.
            for i in pieces {
                self.board.promote(i, Ring::Wanted);
            }
        }
    }

    /// The peer broke the protocol.
    pub fn handle_fault(&mut self, now: u64, peer: PeerKey, fault: PeerFault) {
        self.at(now);
        if let Some(at) = self.peer(peer) {
            self.board.drop_peer(at, fault);
        }
    }

    /// The origin did not deliver these. It is asked again after a pause; it is never given up.
    pub fn handle_origin_failed(&mut self, now: u64, ids: &[PieceId]) {
        self.at(now);
        for i in self.known(ids) {
            self.board.unassign(ORIGIN, i);
        }
        if let Some(sharing) = &mut self.policy.sharing {
            sharing.relent();
        }
        self.alone = false;
        let now = self.board.now;
        let origin = &mut self.board.links[ORIGIN];
        if origin.pause != NEVER {
            return;
        }
        let ms = backoff(RETRY_MS, origin.refusals, RETRY_MS_MAX);
        origin.refusals = origin.refusals.saturating_add(1);
        let pause = now + ms - self.draw() % ((ms >> 1) + 1);
        self.board.links[ORIGIN].pause = pause;
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64) {
        self.at(now);
        if let Some(sharing) = &mut self.policy.sharing {
            sharing.expire(self.board.now);
        }
        let sources: Vec<Source> = self.board.links.iter().map(|link| link.source).collect();
        for source in sources {
            if let Some(at) = self.board.find(source) {
                self.expire(at);
            }
        }
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<Output> {
        if self.stale && self.board.out.is_empty() {
            self.stale = false;
            fill(&mut self.board, &mut self.policy);
            self.tell();
        }
        self.board.out.pop_front()
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        let mut first = if self.progress().done { NEVER } else { self.policy.sharing.as_ref().map_or(NEVER, Sharing::due) };
        for link in &self.board.links {
            first = first.min(link.pause).min(link.grace);
            if !link.is_awaited() {
                continue;
            }
            if !link.late {
                first = first.min(link.late_at());
            } else if !link.is_origin() {
                first = first.min(link.silent_at());
            }
        }
        (first != NEVER).then_some(first)
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let board = &self.board;
        Progress {
            held: board.held,
            total: board.slots.len(),
            bytes_held: board.bytes_held,
            bytes_total: board.bytes_total,
            done: !board.slots.is_empty() && board.has_all(),
        }
    }

    fn add(&mut self, now: u64, pieces: &[Piece], ring: Ring, is_page: bool) {
        self.at(now);
        let board = &mut self.board;
        let had_all = board.has_all();
        if let Some(sharing) = self.policy.sharing.as_mut().filter(|_| had_all) {
            sharing.begin(board.now);
        }
        for piece in pieces {
            let (id, i) = (piece.id(), board.slots.len());
            if board.index.contains_key(&id) || i >= PIECES_MAX {
                continue;
            }
            board.index.insert(id, i);
            board.slots.push(Slot { id, len: piece.len, held: false, ring, place: 0, from: Vec::new(), copies: 0 });
            board.enqueue(i, ring);
            if ring < Ring::Expected {
                board.want(i);
            }
            board.bytes_total += u64::from(piece.len);
            self.done = false;
        }
        if !is_page {
            return;
        }
        board.boot = board.slots.len();
        for link in board.links.iter_mut().filter(|link| link.complete) {
            link.answered = link.answered.max(board.boot);
        }
    }

    /// The piece, not held yet, is held from now on.
    fn settle(&mut self, i: usize, source: Option<Source>) {
        let is_from_peer = source.is_some_and(|source| self.board.find(source).is_some_and(|at| at != ORIGIN));
        self.board.settle(i, source);
        self.policy.settled(self.board.now, source, self.board.slots[i].len, is_from_peer);
    }

    fn at(&mut self, now: u64) {
        self.stale = true;
        self.board.now = self.board.now.max(now);
    }

    fn known(&self, ids: &[PieceId]) -> Vec<usize> {
        ids.iter().filter_map(|id| self.board.index.get(id).copied()).collect()
    }

    fn peer(&self, peer: PeerKey) -> Option<usize> {
        self.board.find(Source::Peer(peer))
    }

    /// The peer's place, made on first sight unless it is banned or there are too many.
    fn meet(&mut self, peer: PeerKey) -> Option<usize> {
        if self.board.banned.contains(&peer) {
            self.board.out.push_back(Output::Drop { peer, fault: PeerFault::Forged });
            return None;
        }
        let mut at = self.peer(peer);
        if at.is_none() && self.board.links.len() <= PEERS_MAX {
            at = Some(self.board.links.len());
            let mut link = Link::new(Source::Peer(peer));
            if self.policy.sharing.is_some() {
                link.be_patient();
            }
            self.board.links.push(link);
        }
        if at.is_some() {
            self.alone = false;
        }
        at
    }

    /// What became due for one source.
    fn expire(&mut self, at: usize) {
        let now = self.board.now;
        let link = &mut self.board.links[at];
        if link.pause <= now {
            link.pause = NEVER;
        }
        if link.grace <= now && !link.open && !link.late {
            link.late = true;
            link.grace = now + OPEN_MS;
            // What others can give need not be hedged.
            if self.board.links.iter().any(|link| link.complete) {
                self.board.release(at);
            }
        } else if link.grace <= now {
            link.grace = NEVER;
            let (is_open, is_mute) = (link.open, link.is_mute());
            if is_mute {
                link.promised = link.flight.values().copied().collect();
                // What it says may wait to be read, where nothing ran for a while.
                link.since = now;
            }
            self.board.links[ORIGIN].start_over();
            if is_mute || !is_open {
                self.board.release(at);
            }
        }
        let link = &mut self.board.links[at];
        if !link.is_awaited() {
            return;
        }
        if at != ORIGIN && link.silent_at() <= now {
            self.board.drop_peer(at, PeerFault::Silent);
        } else if link.late_at() <= now {
            link.late = true;
        }
    }

    /// Says once that everything is held, or that somebody is needed.
    fn tell(&mut self) {
        let done = self.progress().done;
        if done && !self.done {
            self.board.out.push_back(Output::Done);
        }
        self.done = done;
        let alone = self.board.missing > 0 && self.board.links.len() == 1;
        if alone && !self.alone {
            self.board.out.push_back(Output::NeedPeers);
        }
        self.alone = alone;
    }

    /// Park and Miller's generator (1988): 31 bits, exact in a JavaScript number.
    fn draw(&mut self) -> u64 {
        self.random = self.random * 16_807 % 2_147_483_647;
        self.random
    }
}
