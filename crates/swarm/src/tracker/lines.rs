//! Who of a crowd share a line to everybody else, so that what comes over it comes about once.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::IpAddr,
};

use viral_wire::{Digest, signal::PeerNumber};

use crate::{
    address::ClientAddr,
    locality::{self, SiteId},
};

/// What stands for a line: the operator's site, elsewhere the prefix (/24, /48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Site(SiteId),
    Prefix(IpAddr),
}

impl Line {
    fn of(addr: &ClientAddr) -> Self {
        addr.region.site.map_or_else(|| Self::Prefix(locality::network_key(addr.public)), Self::Site)
    }
}

/// How many sessions are behind each line, by what they fetch: the manifest with which they registered, or the last one of which they asked what to take from the origin.
#[derive(Debug, Default)]
pub(super) struct Lines {
    members: BTreeMap<PeerNumber, (Digest, Line)>,
    counts: BTreeMap<(Digest, Line), u64>,
}

impl Lines {
    /// A session holds or fetches a manifest.
    pub(super) fn join(&mut self, peer: PeerNumber, manifest: Digest, addr: &ClientAddr) {
        let own = (manifest, Line::of(addr));
        if self.members.get(&peer) == Some(&own) {
            return;
        }
        self.leave(peer);
        self.members.insert(peer, own);
        *self.counts.entry(own).or_default() += 1;
    }

    /// A session ended.
    pub(super) fn leave(&mut self, peer: PeerNumber) {
        let Some(own) = self.members.remove(&peer) else { return };
        if let Entry::Occupied(mut count) = self.counts.entry(own) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// How many hold or fetch a manifest behind the line of `addr`.
    pub(super) fn count(&self, manifest: Digest, addr: &ClientAddr) -> u64 {
        self.counts.get(&(manifest, Line::of(addr))).copied().unwrap_or_default()
    }

    /// Nobody is counted who has no session.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }
}
