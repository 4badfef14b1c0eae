//! Who owes which piece. Keeps the counts right; knows no policy.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use viral_wire::PieceId;

use super::config::BANNED_MAX;
use super::link::{Link, NEVER, Ring, Slot};
use super::types::{Output, PeerFault, PeerKey, Source};

/// Place of the origin in [`Board::links`].
pub(super) const ORIGIN: usize = 0;

/// Pieces, sources, and what is in flight between them.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) now: u64,
    pub(super) slots: Vec<Slot>,
    /// The pieces of each [`Ring`] in the order of need; who was demanded stands in the queue of its old ring, too.
    pub(super) queues: [Vec<usize>; 3],
    /// Never iterated.
    pub(super) index: HashMap<PieceId, usize>,
    /// The origin, then the peers in the order they came.
    pub(super) links: Vec<Link>,
    pub(super) banned: BTreeSet<PeerKey>,
    pub(super) out: VecDeque<Output>,
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

impl Board {
    pub(super) fn new() -> Self {
        Self {
            now: 0,
            slots: Vec::new(),
            queues: [const { Vec::new() }; 3],
            index: HashMap::new(),
            links: vec![Link::new(Source::Origin)],
            banned: BTreeSet::new(),
            out: VecDeque::new(),
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

    /// The place of a source.
    pub(super) fn find(&self, source: Source) -> Option<usize> {
        self.links.iter().position(|link| link.source == source)
    }

    pub(super) fn is_free(&self, i: usize) -> bool {
        let slot = &self.slots[i];
        !slot.held && slot.from.is_empty()
    }

    /// Whether nothing that is known is missing.
    pub(super) fn has_all(&self) -> bool {
        self.held == self.slots.len()
    }

    pub(super) fn owes(&self, at: usize, i: usize) -> bool {
        let source = self.links[at].source;
        self.slots[i].from.iter().any(|owner| owner.0 == source)
    }

    /// Whether the piece is to be had from the origin, too.
    pub(super) fn is_wanted(&self, i: usize) -> bool {
        self.slots[i].ring < Ring::Expected
    }

    /// Puts a piece behind all others of the ring.
    pub(super) fn enqueue(&mut self, i: usize, ring: Ring) {
        let queue = &mut self.queues[ring as usize];
        let slot = &mut self.slots[i];
        slot.ring = ring;
        slot.place = queue.len();
        queue.push(i);
    }

    /// The piece, not held yet, counts as wanted from now on.
    pub(super) fn want(&mut self, i: usize) {
        let slot = &self.slots[i];
        self.missing += u64::from(slot.len);
        self.free += usize::from(slot.from.is_empty());
        self.bytes_wanted += u64::from(slot.len);
    }

    /// Moves a piece that is not held to an earlier ring.
    pub(super) fn promote(&mut self, i: usize, ring: Ring) {
        let Slot { held, ring: old, .. } = self.slots[i];
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
        self.free -= usize::from(self.is_wanted(i) && self.slots[i].from.is_empty());
        let (slot, link) = (&mut self.slots[i], &mut self.links[at]);
        slot.from.push((link.source, number));
        if link.flight.is_empty() {
            // A late source that was relieved of all it owed stays late until it delivers, unless it was idle for long.
            if !link.late || link.silent_at() <= self.now {
                link.since = self.now;
                link.late = false;
            }
            link.epoch_at = NEVER;
            link.epoch_len = 0;
        }
        link.flight.insert(number, i);
        link.asked.insert(i);
        link.bytes += u64::from(slot.len);
    }

    /// One request to the origin for pieces that are assigned to it already.
    pub(super) fn request(&mut self, batch: &[usize]) {
        let request = self.number();
        self.requests.insert(request, batch.len());
        self.request_of.extend(batch.iter().map(|&i| (i, request)));
        let ids = batch.iter().map(|&i| self.slots[i].id).collect();
        self.out.push_back(Output::AskOrigin { ids });
    }

    /// The source no longer owes the piece.
    pub(super) fn unassign(&mut self, at: usize, i: usize) {
        let (slot, link) = (&mut self.slots[i], &mut self.links[at]);
        let Some(place) = slot.from.iter().position(|owner| owner.0 == link.source) else { return };
        let (_, number) = slot.from.remove(place);
        link.flight.remove(&number);
        link.bytes -= u64::from(slot.len);
        if !slot.held && slot.from.is_empty() {
            self.free += usize::from(slot.ring < Ring::Expected);
            for link in &mut self.links {
                link.turn_back(slot);
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
        let slot = &mut self.slots[i];
        self.missing -= if is_wanted { u64::from(slot.len) } else { 0 };
        self.free -= usize::from(is_wanted && slot.from.is_empty());
        slot.held = true;
        for link in &mut self.links {
            link.has.remove(&i);
        }
        self.held += 1;
        self.bytes_held += u64::from(slot.len);
        let (id, owners) = (slot.id, slot.from.clone());
        for (owner, _) in owners {
            let at = self.find(owner).expect("only present sources owe pieces");
            self.unassign(at, i);
            let link = &mut self.links[at];
            if Some(owner) != source && at != ORIGIN && link.open {
                link.cancels.push(id);
            }
        }
    }

    /// The peer announced that it will send the piece unasked.
    pub(super) fn promise(&mut self, at: usize, i: usize) {
        let link = &mut self.links[at];
        if !link.asked.insert(i) {
            return;
        }
        if link.open && !link.is_mute() {
            self.expect(at, i);
            return;
        }
        link.promised.push(i);
        if link.grace < NEVER && self.is_free(i) {
            self.assign(at, i);
        }
    }

    /// An open peer is about to send a promised piece: it owes it from now on, or is told not to send it.
    pub(super) fn expect(&mut self, at: usize, i: usize) {
        if self.owes(at, i) {
            return;
        }
        let slot = &self.slots[i];
        if slot.held || slot.from.len() > 1 {
            self.links[at].cancels.push(slot.id);
        } else {
            self.assign(at, i);
        }
    }

    /// A peer speaks. If it was mute until now, what it promised is under way after all.
    pub(super) fn wake(&mut self, at: usize) {
        let now = self.now;
        let link = &mut self.links[at];
        if !link.is_mute() {
            return;
        }
        link.hear(now);
        for i in std::mem::take(&mut link.promised) {
            self.expect(at, i);
        }
    }

    /// Takes back all that the source owes.
    pub(super) fn release(&mut self, at: usize) {
        let owed: Vec<usize> = self.links[at].flight.values().copied().collect();
        for i in owed {
            self.unassign(at, i);
        }
    }

    /// Forgets a peer.
    pub(super) fn remove(&mut self, at: usize) {
        self.release(at);
        let link = self.links.remove(at);
        for i in link.has {
            self.slots[i].copies -= 1;
        }
        self.links[ORIGIN].start_over();
    }

    /// Ends with a peer that is at fault.
    pub(super) fn drop_peer(&mut self, at: usize, fault: PeerFault) {
        let Source::Peer(peer) = self.links[at].source else { return };
        self.remove(at);
        if !matches!(fault, PeerFault::Silent | PeerFault::Slow) && self.banned.len() < BANNED_MAX {
            self.banned.insert(peer);
        }
        self.out.push_back(Output::Drop { peer, fault });
    }

    /// Whether an open peer would send the piece if asked now.
    pub(super) fn can(&self, at: usize, i: usize) -> bool {
        let link = &self.links[at];
        link.open && link.pause == NEVER && ((link.complete && i < self.boot) || link.has.contains(&i))
    }

    /// Whether the origin should take the piece: no peer can, and none may still turn out to.
    pub(super) fn is_orphan(&self, i: usize) -> bool {
        (ORIGIN + 1..self.links.len()).all(|at| !self.can(at, i) && !self.may_turn_out_to(at, i))
    }

    fn may_turn_out_to(&self, at: usize, i: usize) -> bool {
        let link = &self.links[at];
        if link.open { link.grace < NEVER && i >= link.answered } else { self.dial_by.is_some_and(|by| self.now < by) }
    }
}
