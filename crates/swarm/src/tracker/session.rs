//! What the tracker remembers of one socket.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use viral_wire::{
    Digest, Ticket,
    signal::{NatKind, PeerNumber},
};

use super::{given::Given, leecher::Leecher, offers::OfferBook, standing::Standing};
use crate::{address::ClientAddr, limits::UPLOADS_PER_PEER_MAX, locality::SharePolicy, nat::NatFacts};

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) addr: ClientAddr,
    /// What it says that it is behind.
    pub(super) nat: Option<NatKind>,
    /// Its newest offer names an address of IPv6. Known here, since a match looks at many sessions and their offers are elsewhere in memory.
    pub(super) names_ipv6: bool,
    /// Its newest offer names an address that somebody of another network is told, or it was not told how to find out.
    pub(super) is_told: bool,
    /// Its idle offers name addresses that nothing keeps alive.
    pub(super) fades: bool,
    /// By when it must have registered; meaningless afterwards.
    pub(super) register_due_ms: u64,
    /// Path of its page, once registered; all sessions of one page share it.
    pub(super) page: Option<Arc<str>>,
    /// The visit it belongs to, if that is remembered.
    pub(super) ticket: Option<Ticket>,
    /// Whether its page came by a thin answer.
    pub(super) thin: bool,
    pub(super) leecher: Leecher,
    pub(super) held: Option<Held>,
    pub(super) book: OfferBook,
    /// Leechers that it is willing to serve at once.
    pub(super) slots_wanted: u8,
    pub(super) given: Given,
    /// Everybody it ever served, newest last; they may report it and it against them.
    pub(super) served: VecDeque<PeerNumber>,
    pub(super) standing: Standing,
    /// Whether it stands among the candidates, and there among those for which a stranger vouched. `None` also where that is to be looked at anew.
    pub(super) listed: Option<bool>,
    /// When its cooldown for everybody ends, in milliseconds.
    pub(super) cooldown_until_ms: Option<u64>,
    pub(super) bucket: Bucket,
    pub(super) mistakes: u32,
    /// Reports of what its page used.
    pub(super) loaded: usize,
}

/// What a session says it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) manifest: Digest,
    pub(super) bytes: u64,
    /// Whether that is (nearly) all of the manifest, as far as the server knew it when told.
    pub(super) complete: bool,
}

impl Session {
    /// Its way to others.
    pub(super) fn nat_facts(&self) -> NatFacts<'_> {
        NatFacts { addr: &self.addr, nat: self.nat, names_ipv6: self.names_ipv6, is_told: self.is_told }
    }

    /// Whether somebody can be introduced to it, or is connected with it.
    pub(super) fn is_reachable(&self) -> bool {
        !self.book.offers.is_empty() || !self.book.uploads.is_empty() || !self.served.is_empty()
    }

    /// Whether it could serve one more leecher now.
    pub(super) fn is_ready(&self) -> bool {
        self.page.is_some()
            && self.addr.share == SharePolicy::On
            && self.held.is_some()
            && self.cooldown_until_ms.is_none()
            && self.book.free_slots() > 0
            && self.book.unreserved() > 0
    }

    /// Whether others may get something of this manifest from it, now or soon.
    pub(super) fn may_give(&self, manifest: Digest) -> bool {
        self.book.slots > 0 && self.held.is_some_and(|held| held.manifest == manifest && held.bytes > 0)
    }

    /// Whether it says that it holds (nearly) all of this manifest.
    pub(super) fn holds_all(&self, manifest: Digest) -> bool {
        self.held.is_some_and(|held| held.manifest == manifest && held.complete)
    }

    /// Remembers whom it serves; the oldest are forgotten at the limit.
    pub(super) fn note_served(&mut self, number: PeerNumber) {
        if self.served.contains(&number) {
            return;
        }
        if self.served.len() >= UPLOADS_PER_PEER_MAX {
            self.served.pop_front();
        }
        self.served.push_back(number);
    }

    /// Everybody who came to talk with this session.
    pub(super) fn counterparts(&self) -> usize {
        let met: BTreeSet<PeerNumber> =
            self.leecher.matches.iter().filter(|(_, found)| found.is_answered()).map(|((peer, _), _)| *peer).collect();
        met.iter().filter(|peer| !self.served.contains(peer)).count() + self.served.len()
    }
}

/// A token bucket in thousandths of a message.
#[derive(Debug)]
pub(super) struct Bucket {
    level: u64,
    filled_ms: u64,
}

impl Bucket {
    pub(super) fn full(now_ms: u64, burst_max: u32) -> Self {
        Self { level: u64::from(burst_max) * 1000, filled_ms: now_ms }
    }

    /// Takes one message out; false where there is none left.
    pub(super) fn take(&mut self, now_ms: u64, burst_max: u32, per_s: u32) -> bool {
        // One message per second is one thousandth per millisecond.
        let gained = now_ms.saturating_sub(self.filled_ms).saturating_mul(u64::from(per_s));
        self.level = self.level.saturating_add(gained).min(u64::from(burst_max) * 1000);
        self.filled_ms = now_ms.max(self.filled_ms);
        match self.level.checked_sub(1000) {
            Some(level) => {
                self.level = level;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::full(0, 3);
        let mut take = |now_ms| bucket.take(now_ms, 3, 2);
        assert!(take(0) && take(0) && take(0));
        assert!(!take(0));
        assert!(!take(499));
        assert!(take(500));
        assert!(take(60_000) && take(60_000) && take(60_000), "never more than the burst");
        assert!(!take(60_000));
    }
}
