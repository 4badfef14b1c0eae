//! Which pieces each of a crowd takes from the origin, so that the origin sends every piece about once.
//!
//! A crowd that arrives at once finds no seeder. Each of its peers asks for a *lease*: a few pieces that nobody else was given. The others get those from it. How
//! many pieces are out at a time follows the origin's speed: few enough that each arrives soon and can be passed on, enough that the origin's line is
//! never idle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use viral_wire::{
    Digest,
    limits::{LEASE_FIRST_PIECES, SHARE_PIECES_MAX},
    signal::PeerNumber,
};

use super::timers::Timers;
use crate::limits::{
    FIRST_LEASE_MS, FIRST_VISITOR_MS, LEASE_MANIFESTS_MAX, LEASE_MS_MAX, LEASE_MS_MIN, LEASE_PIECES_FIRST, LEASE_PIECES_MIN, LEASE_WAIT_MS,
    LEASE_WINDOW_ALONE, LEASE_WINDOW_MAX, LEASE_WINDOW_MIN, LEASE_WINDOW_START,
};

/// Somebody asks for a lease.
pub(super) struct Asked<'a> {
    pub(super) peer: PeerNumber,
    pub(super) manifest: Digest,
    /// So many pieces of those it was given before are held now.
    pub(super) done: u32,
    /// Distinct pieces of the manifest; `None` if there are none to grant: it is not known, or enough peers give all of it.
    pub(super) pieces: Option<u32>,
    /// It holds all of it.
    pub(super) holds_all: bool,
    /// Tells whether somebody else gives something of it. Only asked where it matters: every session may have to be looked at.
    pub(super) is_given: &'a dyn Fn() -> bool,
}

/// What a peer is to take from the origin: none = everything is with somebody.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) peer: PeerNumber,
    pub(super) manifest: Digest,
    pub(super) pieces: Vec<u32>,
}

/// The leases of every manifest that a crowd is fetching.
#[derive(Debug, Default)]
pub(super) struct OriginLeases {
    by_manifest: BTreeMap<Digest, ManifestLeases>,
    /// Whose lease is of which manifest.
    holders: BTreeMap<PeerNumber, Digest>,
    /// When somebody came first to a manifest that nobody fetched, lately.
    first_visitors: BTreeMap<Digest, u64>,
    /// When each lease lapses.
    timers: Timers<PeerNumber>,
}

/// What was given out of one manifest.
#[derive(Debug)]
struct ManifestLeases {
    /// Distinct pieces of the manifest.
    pieces: u32,
    /// The first piece that nobody was given yet.
    next: u32,
    /// Pieces whose taker left or fell silent.
    returned: BTreeSet<u32>,
    /// Pieces that are under way, by taker, oldest first.
    leases: BTreeMap<PeerNumber, Lease>,
    /// Who asked and waits, longest first.
    queue: VecDeque<PeerNumber>,
    /// Who asked and does not hold everything yet.
    waiters: BTreeMap<PeerNumber, Waiter>,
    /// Pieces that may be under way at once.
    window: usize,
}

/// A peer that asked for a lease and does not hold everything yet.
#[derive(Debug)]
struct Waiter {
    /// When it last asked.
    asked_ms: u64,
    /// Pieces that it then said it had fetched.
    done: usize,
}

#[derive(Debug)]
struct Lease {
    pieces: VecDeque<u32>,
    given_ms: u64,
    due_ms: u64,
}

impl ManifestLeases {
    fn of(pieces: u32) -> Self {
        Self {
            pieces,
            next: 0,
            returned: BTreeSet::new(),
            leases: BTreeMap::new(),
            queue: VecDeque::new(),
            waiters: BTreeMap::new(),
            window: LEASE_WINDOW_START,
        }
    }

    /// Whether every piece was given to somebody.
    fn is_over(&self) -> bool {
        self.returned.is_empty() && self.next >= self.pieces
    }

    fn under_way(&self) -> usize {
        self.leases.values().map(|lease| lease.pieces.len()).sum()
    }

    fn take(&mut self) -> Option<u32> {
        if let Some(piece) = self.returned.pop_first() {
            return Some(piece);
        }
        let piece = self.next;
        (piece < self.pieces).then(|| {
            self.next += 1;
            piece
        })
    }

    /// A lease was fetched so fast, or so slowly: more or less may be under way at once.
    fn adapt(&mut self, took_ms: u64) {
        if took_ms < LEASE_MS_MIN {
            // On a fast line the window of one who is alone grows as that of a download does at first. A thin one would take too long for it once others come.
            let is_fast = self.waiters.len() <= 1 && took_ms < LEASE_MS_MIN / 4;
            let step = if is_fast { self.window } else { self.window.div_ceil(4) };
            self.window = (self.window + step).min(LEASE_WINDOW_MAX);
        } else if took_ms > LEASE_MS_MAX {
            self.window = (self.window - self.window / 4).max(LEASE_WINDOW_MIN);
        }
    }
}

impl OriginLeases {
    /// Whether somebody fetches this manifest by leases now.
    pub(super) fn is_crowded(&self, now_ms: u64, manifest: &Digest) -> bool {
        self.by_manifest.get(manifest).is_some_and(|leased| {
            // Who takes part asks every few seconds; who only says so once is no crowd.
            leased.waiters.values().any(|waiter| now_ms < waiter.asked_ms.saturating_add(LEASE_WAIT_MS))
        })
    }

    /// Takes the first place at a manifest for somebody who comes now, if it is free: nobody who is connected ever took a lease of it, and nobody was given the place in the
    /// last [`FIRST_VISITOR_MS`].
    pub(super) fn take_first_place(&mut self, now_ms: u64, manifest: Digest) -> bool {
        let Self { by_manifest, first_visitors, .. } = self;
        first_visitors.retain(|_, came_ms| now_ms < came_ms.saturating_add(FIRST_VISITOR_MS));
        let is_first =
            !by_manifest.contains_key(&manifest) && !first_visitors.contains_key(&manifest) && first_visitors.len() < LEASE_MANIFESTS_MAX;
        if is_first {
            first_visitors.insert(manifest, now_ms);
        }
        is_first
    }

    /// Gives the first pieces of a manifest to somebody who comes now and is not connected yet, if it is the first; see [`Self::take_first_place`]. It has them for
    /// [`FIRST_LEASE_MS`], and as long as any lease once [`Self::handle_connected`].
    pub(super) fn begin(&mut self, now_ms: u64, first: PeerNumber, manifest: Digest, pieces: u32) -> bool {
        let has_room = self.by_manifest.len() < LEASE_MANIFESTS_MAX;
        if !has_room || !self.take_first_place(now_ms, manifest) {
            return false;
        }
        let due_ms = now_ms.saturating_add(FIRST_LEASE_MS);
        let mut leased = ManifestLeases::of(pieces);
        let given: VecDeque<u32> = std::iter::from_fn(|| leased.take()).take(LEASE_FIRST_PIECES as usize).collect();
        leased.leases.insert(first, Lease { pieces: given, given_ms: now_ms, due_ms });
        leased.waiters.insert(first, Waiter { asked_ms: now_ms, done: 0 });
        self.by_manifest.insert(manifest, leased);
        self.holders.insert(first, manifest);
        self.timers.set(due_ms, first);
        true
    }

    /// Whoever others know as `before` has a session of the number `peer` now, and goes on with what it was given.
    pub(super) fn handle_connected(&mut self, now_ms: u64, before: PeerNumber, peer: PeerNumber) {
        let Some(manifest) = self.holders.remove(&before) else { return };
        let Some(leased) = self.by_manifest.get_mut(&manifest) else { return };
        self.holders.insert(peer, manifest);
        if let Some(waiter) = leased.waiters.remove(&before) {
            leased.waiters.insert(peer, waiter);
        }
        if let Some(mut lease) = leased.leases.remove(&before) {
            self.timers.clear(lease.due_ms, before);
            lease.due_ms = now_ms.saturating_add(LEASE_WAIT_MS);
            self.timers.set(lease.due_ms, peer);
            leased.leases.insert(peer, lease);
        }
    }

    /// A peer holds all of a manifest.
    pub(super) fn handle_satisfied(&mut self, peer: PeerNumber, manifest: Digest) {
        if let Some(leased) = self.by_manifest.get_mut(&manifest) {
            leased.waiters.remove(&peer);
        }
    }

    /// A peer wants pieces to take from the origin.
    pub(super) fn handle_asked(&mut self, now_ms: u64, asked: &Asked<'_>) -> Vec<Granted> {
        let Asked { peer, manifest, done, .. } = *asked;
        let mut granted = Vec::new();
        if self.holders.get(&peer).is_some_and(|known| *known != manifest) {
            granted = self.handle_gone(now_ms, peer);
        }
        self.finish(now_ms, peer, manifest, done);
        let has_room = self.by_manifest.contains_key(&manifest) || self.by_manifest.len() < LEASE_MANIFESTS_MAX;
        let Some(pieces) = asked.pieces.filter(|_| has_room) else {
            // Whoever waits waits in vain, too.
            let queue = self.by_manifest.get_mut(&manifest).map(|leased| std::mem::take(&mut leased.queue)).unwrap_or_default();
            let others = queue.into_iter().filter(|other| *other != peer);
            granted.extend(others.chain([peer]).map(|peer| Granted { peer, manifest, pieces: Vec::new() }));
            return granted;
        };
        let is_newcomer = !self.holders.contains_key(&peer);
        let leased = self.by_manifest.entry(manifest).or_insert_with(|| ManifestLeases::of(pieces));
        if is_newcomer && leased.is_over() && leased.leases.is_empty() && !(asked.is_given)() {
            // Whoever fetched it is gone, or gives nothing: it has to be sent once more.
            leased.next = 0;
        }
        if !leased.queue.contains(&peer) {
            leased.queue.push_back(peer);
        }
        if !asked.holds_all {
            leased.waiters.insert(peer, Waiter { asked_ms: now_ms, done: done as usize });
        }
        self.holders.insert(peer, manifest);
        granted.extend(self.grant(now_ms, manifest));
        granted
    }

    /// A peer left, or wants another manifest: what it had not fetched goes to somebody else.
    pub(super) fn handle_gone(&mut self, now_ms: u64, peer: PeerNumber) -> Vec<Granted> {
        let Some(manifest) = self.holders.remove(&peer) else { return Vec::new() };
        self.take_back(peer, manifest);
        self.handle_satisfied(peer, manifest);
        let deserted = !self.holders.values().any(|other| *other == manifest);
        if deserted {
            self.by_manifest.remove(&manifest);
            return Vec::new();
        }
        self.grant(now_ms, manifest)
    }

    /// A peer gives back what it was given and did not fetch. It waits for nothing any more, but still fetches.
    pub(super) fn handle_returned(&mut self, now_ms: u64, peer: PeerNumber) -> Vec<Granted> {
        let Some(manifest) = self.holders.get(&peer).copied() else { return Vec::new() };
        self.take_back(peer, manifest);
        self.grant(now_ms, manifest)
    }

    /// A peer neither waits for pieces of a manifest nor has any under way from now on.
    fn take_back(&mut self, peer: PeerNumber, manifest: Digest) {
        let Some(leased) = self.by_manifest.get_mut(&manifest) else { return };
        leased.queue.retain(|other| *other != peer);
        if let Some(lease) = leased.leases.remove(&peer) {
            self.timers.clear(lease.due_ms, peer);
            leased.returned.extend(lease.pieces);
        }
    }

    /// When the next lease lapses, in milliseconds.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Ends the first lease that is due: others may fetch its pieces, too.
    pub(super) fn expire_next(&mut self, now_ms: u64) -> Vec<Granted> {
        let Some(peer) = self.timers.pop_due(now_ms) else { return Vec::new() };
        let Some(manifest) = self.holders.get(&peer).copied() else { return Vec::new() };
        let Some(leased) = self.by_manifest.get_mut(&manifest) else { return Vec::new() };
        if let Some(lease) = leased.leases.remove(&peer) {
            leased.returned.extend(lease.pieces);
            leased.adapt(LEASE_WAIT_MS);
        }
        self.grant(now_ms, manifest)
    }

    /// The oldest `done` pieces of a lease are fetched.
    fn finish(&mut self, now_ms: u64, peer: PeerNumber, manifest: Digest, done: u32) {
        let Some(leased) = self.by_manifest.get_mut(&manifest) else { return };
        let Some(lease) = leased.leases.get_mut(&peer) else { return };
        let done = lease.pieces.len().min(done as usize);
        lease.pieces.drain(..done);
        if lease.pieces.is_empty() {
            let (given_ms, due_ms) = (lease.given_ms, lease.due_ms);
            leased.leases.remove(&peer);
            leased.adapt(now_ms.saturating_sub(given_ms));
            self.timers.clear(due_ms, peer);
        }
    }

    /// Gives out what may be under way, a little to each who waits.
    fn grant(&mut self, now_ms: u64, manifest: Digest) -> Vec<Granted> {
        let mut granted = Vec::new();
        let due_ms = now_ms.saturating_add(LEASE_WAIT_MS);
        let Some(leased) = self.by_manifest.get_mut(&manifest) else { return granted };
        loop {
            let window = if leased.waiters.len() > 1 { leased.window } else { leased.window.max(LEASE_WINDOW_ALONE) };
            let under_way = leased.under_way();
            let left = window.saturating_sub(under_way);
            // Few takers with several pieces each: the first piece of each arrives sooner than if everybody's came at once.
            if left < LEASE_PIECES_MIN && under_way > 0 && !leased.is_over() {
                return granted;
            }
            let Some(peer) = leased.queue.pop_front() else { return granted };
            let takers = leased.leases.len().max(leased.queue.len()) + 1;
            // Much only for those who are fast: who is not would lose it all when its time is up.
            let fast = 2 * leased.waiters.get(&peer).map_or(0, |waiter| waiter.done);
            let most = fast.clamp(LEASE_PIECES_FIRST, SHARE_PIECES_MAX);
            let count = (window / takers).clamp(LEASE_PIECES_MIN, most).min(left.max(1));
            let pieces: Vec<u32> = std::iter::from_fn(|| leased.take()).take(count).collect();
            if !pieces.is_empty() {
                let lease = leased.leases.entry(peer).or_insert(Lease { pieces: VecDeque::new(), given_ms: now_ms, due_ms: 0 });
                self.timers.clear(lease.due_ms, peer);
                lease.pieces.extend(&pieces);
                lease.due_ms = due_ms;
                self.timers.set(due_ms, peer);
            }
            granted.push(Granted { peer, manifest, pieces });
        }
    }
}
