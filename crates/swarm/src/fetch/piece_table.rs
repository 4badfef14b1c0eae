//! Who owes which piece. Keeps the counts right; knows no policy.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use viral_wire::signal::{Beyond, Fault};
use viral_wire::{Piece, PieceId};

use super::config::{BANNED_MAX, PIECES_MAX};
use super::state::{NEVER, PieceState, Ring, SourceState};
use super::types::{FetchOutput, PeerKey, Source};

/// Place of the origin in [`PieceTable::sources`].
pub(super) const ORIGIN: usize = 0;

/// Pieces, sources, and what is in flight between them.
#[derive(Debug)]
pub(super) struct PieceTable {
    pub(super) now: u64,
    pub(super) pieces: Vec<PieceState>,
    /// The pieces of each [`Ring`] in the order of need; who was demanded stands in the queue of its old ring, too.
    pub(super) queues: [Vec<usize>; 3],
    /// Never iterated.
    pub(super) index: HashMap<PieceId, usize>,
    /// The origin, then the peers in the order they came.
    pub(super) sources: Vec<SourceState>,
    pub(super) banned: BTreeSet<PeerKey>,
    pub(super) out: VecDeque<FetchOutput>,
    /// What this one takes from peers behind other lines, as it was told last.
    pub(super) beyond: Option<Beyond>,
    /// Pieces of the page manifest: those of the first `add_pieces`, and of each `add_expected` that follows it directly.
    pub(super) boot: usize,
    pub(super) held: usize,
    pub(super) bytes_held: u64,
    pub(super) bytes_total: u64,
    /// Bytes before [`Ring::Expected`] that are not held.
    pub(super) missing: u64,
    /// Pieces of them that nobody owes.
    pub(super) free: usize,
    /// Bytes of all pieces before [`Ring::Expected`], held or not.
    pub(super) bytes_wanted: u64,
    /// Bytes hedged so far.
    pub(super) hedged: u64,
    /// The request to the origin that each of its pieces is part of, and the pieces left of each request.
    pub(super) request_of: BTreeMap<usize, u64>,
    pub(super) requests: BTreeMap<u64, usize>,
    /// Until then a dialled peer may open before the origin stands in; `None` = nothing dialled yet.
    pub(super) dial_by: Option<u64>,
    /// Numbers assignments and requests.
    next: u64,
}

impl PieceTable {
    pub(super) fn new() -> Self {
        Self {
            now: 0,
            pieces: Vec::new(),
            queues: [const { Vec::new() }; 3],
            index: HashMap::new(),
            sources: vec![SourceState::new(Source::Origin)],
            banned: BTreeSet::new(),
            out: VecDeque::new(),
            beyond: None,
            boot: 0,
            held: 0,
            bytes_held: 0,
            bytes_total: 0,
            missing: 0,
            free: 0,
            bytes_wanted: 0,
            hedged: 0,
            request_of: BTreeMap::new(),
            requests: BTreeMap::new(),
            dial_by: None,
            next: 0,
        }
    }

    /// Takes in pieces to fetch, in order of need; known ones are ignored, and those beyond [`PIECES_MAX`]. True if there was any.
    pub(super) fn add(&mut self, pieces: &[Piece], ring: Ring) -> bool {
        let before = self.pieces.len();
        for piece in pieces {
            let (id, i) = (piece.id(), self.pieces.len());
            if self.index.contains_key(&id) || i >= PIECES_MAX {
                continue;
            }
            self.index.insert(id, i);
            self.pieces.push(PieceState { id, len: piece.len, held: false, ring, place: 0, from: Vec::new(), availability: 0 });
            self.enqueue(i, ring);
            if ring < Ring::Expected {
                self.want(i);
            }
            self.bytes_total += u64::from(piece.len);
        }
        self.pieces.len() > before
    }

    /// The place of a source.
    pub(super) fn find(&self, source: Source) -> Option<usize> {
        self.sources.iter().position(|state| state.source == source)
    }

    pub(super) fn is_free(&self, i: usize) -> bool {
        let piece = &self.pieces[i];
        !piece.held && piece.from.is_empty()
    }

    /// Whether nothing that is known is missing.
    pub(super) fn has_all(&self) -> bool {
        self.held == self.pieces.len()
    }

    pub(super) fn owes(&self, at: usize, i: usize) -> bool {
        let source = self.sources[at].source;
        self.pieces[i].from.iter().any(|owner| owner.0 == source)
    }

    /// Whether the piece is to be had from the origin, too.
    pub(super) fn is_wanted(&self, i: usize) -> bool {
        self.pieces[i].ring < Ring::Expected
    }

    /// Puts a piece behind all others of the ring.
    pub(super) fn enqueue(&mut self, i: usize, ring: Ring) {
        let queue = &mut self.queues[ring as usize];
        let piece = &mut self.pieces[i];
        piece.ring = ring;
        piece.place = queue.len();
        queue.push(i);
    }

    /// The piece, not held yet, counts as wanted from now on.
    pub(super) fn want(&mut self, i: usize) {
        let piece = &self.pieces[i];
        self.missing += u64::from(piece.len);
        self.free += usize::from(piece.from.is_empty());
        self.bytes_wanted += u64::from(piece.len);
    }

    /// Moves a piece that is not held to an earlier ring.
    pub(super) fn promote(&mut self, i: usize, ring: Ring) {
        let PieceState { held, ring: old, .. } = self.pieces[i];
        if held || old <= ring {
            return;
        }
        if old == Ring::Expected {
            self.want(i);
        }
        self.enqueue(i, ring);
    }

    /// A number that was not used before.
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The source owes the piece from now on.
    pub(super) fn assign(&mut self, at: usize, i: usize) {
        let number = self.number();
        self.free -= usize::from(self.is_wanted(i) && self.pieces[i].from.is_empty());
        let (piece, state) = (&mut self.pieces[i], &mut self.sources[at]);
        piece.from.push((state.source, number));
        if state.flight.is_empty() {
            // An overdue source that was relieved of all it owed stays overdue until it delivers, unless it was idle for long.
            if !state.overdue || state.timeout_at() <= self.now {
                state.since = self.now;
                state.overdue = false;
            }
            state.epoch_at = NEVER;
            state.epoch_len = 0;
        }
        state.flight.insert(number, i);
        state.asked.insert(i);
        state.bytes += u64::from(piece.len);
    }

    /// One request to the origin for pieces that are assigned to it already.
    pub(super) fn request(&mut self, batch: &[usize]) {
        let request = self.number();
        self.requests.insert(request, batch.len());
        self.request_of.extend(batch.iter().map(|&i| (i, request)));
        let ids = batch.iter().map(|&i| self.pieces[i].id).collect();
        self.out.push_back(FetchOutput::AskOrigin { ids });
    }

    /// The source no longer owes the piece.
    pub(super) fn unassign(&mut self, at: usize, i: usize) {
        let (piece, state) = (&mut self.pieces[i], &mut self.sources[at]);
        let Some(place) = piece.from.iter().position(|owner| owner.0 == state.source) else { return };
        let (_, number) = piece.from.remove(place);
        state.flight.remove(&number);
        state.bytes -= u64::from(piece.len);
        if !piece.held && piece.from.is_empty() {
            self.free += usize::from(piece.ring < Ring::Expected);
            for state in &mut self.sources {
                state.turn_back(piece);
            }
        }
        if at == ORIGIN {
            self.close_request(i);
        }
    }

    fn close_request(&mut self, i: usize) {
        let Some(request) = self.request_of.remove(&i) else { return };
        let Some(left) = self.requests.get_mut(&request) else { return };
        *left -= 1;
        if *left == 0 {
            self.requests.remove(&request);
        }
    }

    /// The piece is held; whoever else owes it is told so.
    pub(super) fn settle(&mut self, i: usize, source: Option<Source>) {
        let is_wanted = self.is_wanted(i);
        let piece = &mut self.pieces[i];
        self.missing -= if is_wanted { u64::from(piece.len) } else { 0 };
        self.free -= usize::from(is_wanted && piece.from.is_empty());
        piece.held = true;
        for state in &mut self.sources {
            state.has.remove(i);
        }
        self.held += 1;
        self.bytes_held += u64::from(piece.len);
        let (id, owners) = (piece.id, piece.from.clone());
        for (owner, _) in owners {
            let at = self.find(owner).expect("only present sources owe pieces");
            self.unassign(at, i);
            let state = &mut self.sources[at];
            if Some(owner) != source && at != ORIGIN && state.open {
                state.cancels.push(id);
            }
        }
    }

    /// The peer announced that it will send the piece unasked.
    pub(super) fn announce_push(&mut self, at: usize, i: usize) {
        let state = &mut self.sources[at];
        if !state.asked.insert(i) {
            return;
        }
        if state.open && !state.is_mute() {
            self.await_push(at, i);
            return;
        }
        state.announced.push(i);
        if state.grace < NEVER && self.is_free(i) {
            self.assign(at, i);
        }
    }

    /// An open peer is about to send an announced piece: it owes it from now on, or is told not to send it.
    pub(super) fn await_push(&mut self, at: usize, i: usize) {
        if self.owes(at, i) {
            return;
        }
        let piece = &self.pieces[i];
        if piece.held || piece.from.len() > 1 {
            self.sources[at].cancels.push(piece.id);
        } else {
            self.assign(at, i);
        }
    }

    /// A peer speaks. If it was mute until now, what it announced is under way after all.
    pub(super) fn wake(&mut self, at: usize) {
        let now = self.now;
        let state = &mut self.sources[at];
        if !state.is_mute() {
            return;
        }
        state.note_activity(now);
        for i in std::mem::take(&mut state.announced) {
            self.await_push(at, i);
        }
    }

    /// Takes back all that the source owes.
    pub(super) fn release(&mut self, at: usize) {
        let owed: Vec<usize> = self.sources[at].flight.values().copied().collect();
        for i in owed {
            self.unassign(at, i);
        }
    }

    /// Forgets a peer.
    pub(super) fn remove(&mut self, at: usize) {
        self.release(at);
        let state = self.sources.remove(at);
        for i in state.has.iter() {
            self.pieces[i].availability -= 1;
        }
        self.sources[ORIGIN].start_over();
    }

    /// Ends with a peer that is at fault.
    pub(super) fn drop_peer(&mut self, at: usize, fault: Fault) {
        let Source::Peer(peer) = self.sources[at].source else { return };
        self.remove(at);
        if !matches!(fault, Fault::Silent | Fault::Slow) && self.banned.len() < BANNED_MAX {
            self.banned.insert(peer);
        }
        self.out.push_back(FetchOutput::Drop { peer, fault });
    }

    /// Whether an open peer would send the piece if asked now.
    pub(super) fn can(&self, at: usize, i: usize) -> bool {
        let state = &self.sources[at];
        state.open && state.pause == NEVER && ((state.complete && i < self.boot) || state.has.contains(i))
    }

    /// Whether the origin should take the piece: no peer can, and none may still turn out to.
    pub(super) fn no_peer_has(&self, i: usize) -> bool {
        (ORIGIN + 1..self.sources.len()).all(|at| !self.can(at, i) && !self.may_turn_out_to(at, i))
    }

    fn may_turn_out_to(&self, at: usize, i: usize) -> bool {
        let state = &self.sources[at];
        if state.open { state.grace < NEVER && i >= state.answered } else { self.dial_by.is_some_and(|by| self.now < by) }
    }
}
