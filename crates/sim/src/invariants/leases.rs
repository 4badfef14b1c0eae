//! Who has which pieces of a crowd, by what the tracker and its peers say to each other.

use std::collections::{BTreeMap, VecDeque};

use viral_swarm::limits::LEASE_WAIT_MS;
use viral_wire::Digest;

use super::Violation;

/// What the tracker gave.
#[derive(Debug)]
pub struct Grant<'g> {
    /// To whom.
    pub peer: u64,
    /// Of what.
    pub manifest: Digest,
    /// Places of pieces.
    pub places: &'g [u32],
}

#[derive(Debug)]
struct Lease {
    manifest: Digest,
    places: VecDeque<u32>,
    given_ms: u64,
    due_ms: u64,
}

/// All leases.
#[derive(Debug, Default)]
pub(super) struct LeaseBook {
    by_peer: BTreeMap<u64, Lease>,
    /// Who was given a piece last.
    takers: BTreeMap<(Digest, u32), u64>,
}

impl LeaseBook {
    pub(super) fn granted(&mut self, now_ms: u64, grant: &Grant<'_>) -> Option<Violation> {
        let mut violation = None;
        for place in grant.places {
            let taker = self.takers.insert((grant.manifest, *place), grant.peer);
            let other = taker.filter(|other| *other != grant.peer).and_then(|other| Some((other, self.by_peer.get(&other)?)));
            let holds = |lease: &Lease| lease.manifest == grant.manifest && now_ms < lease.due_ms && lease.places.contains(place);
            if let Some((other, lease)) = other.filter(|(_, lease)| holds(lease)) {
                let (after_ms, left_ms) = (now_ms - lease.given_ms, lease.due_ms - now_ms);
                violation.get_or_insert(Violation::LeasedTwice { place: *place, peer: grant.peer, other, after_ms, left_ms });
            }
        }
        if !grant.places.is_empty() {
            let fresh = || Lease { manifest: grant.manifest, places: VecDeque::new(), given_ms: now_ms, due_ms: 0 };
            let lease = self.by_peer.entry(grant.peer).or_insert_with(fresh);
            if lease.manifest != grant.manifest || lease.due_ms <= now_ms {
                *lease = fresh();
            }
            lease.places.extend(grant.places);
            lease.due_ms = now_ms + LEASE_WAIT_MS;
        }
        violation
    }

    pub(super) fn done(&mut self, peer: u64, manifest: Digest, done: u32) {
        if self.by_peer.get(&peer).is_some_and(|lease| lease.manifest != manifest) {
            self.by_peer.remove(&peer);
        } else if let Some(lease) = self.by_peer.get_mut(&peer) {
            let done = lease.places.len().min(done as usize);
            lease.places.drain(..done);
        }
    }

    pub(super) fn left(&mut self, peer: u64) {
        self.by_peer.remove(&peer);
    }
}
