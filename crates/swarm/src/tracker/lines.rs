//! Who of a crowd share a line to everybody else, and which few of them connect beyond it, so that what comes over it comes about once.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::IpAddr,
};

use viral_wire::{
    Digest,
    signal::{Beyond, PeerNumber},
};

use super::by_peer::ByPeer;
use crate::{
    address::ClientAddr,
    limits::{GATEWAY_MS, GATEWAYS_PER_LINE},
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

/// Those behind one line who hold or fetch one manifest.
#[derive(Debug, Default)]
struct Neighbours {
    count: usize,
    /// Who connects beyond the line, each for a stripe of the pieces, and until when the place is nobody else's, in milliseconds.
    gateways: [Option<(PeerNumber, u64)>; GATEWAYS_PER_LINE],
}

impl Neighbours {
    fn place_of(&self, peer: PeerNumber) -> Option<usize> {
        self.gateways.iter().position(|gateway| gateway.is_some_and(|(known, _)| known == peer))
    }

    fn free_place(&self, now_ms: u64) -> Option<usize> {
        self.gateways.iter().position(|gateway| gateway.is_none_or(|(_, until_ms)| until_ms <= now_ms))
    }
}

/// The sessions behind each line, by what they fetch: the manifest with which they registered, or the last one of which they asked what to take from the origin.
#[derive(Debug, Default)]
pub(super) struct Lines {
    members: ByPeer<(Digest, Line)>,
    lines: BTreeMap<(Digest, Line), Neighbours>,
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
        self.lines.entry(own).or_default().count += 1;
    }

    /// A session ended.
    pub(super) fn leave(&mut self, peer: PeerNumber) {
        let Some(own) = self.members.remove(&peer) else { return };
        if let Entry::Occupied(mut line) = self.lines.entry(own) {
            let neighbours = line.get_mut();
            neighbours.count -= 1;
            if let Some(place) = neighbours.place_of(peer) {
                neighbours.gateways[place] = None;
            }
            if neighbours.count == 0 {
                line.remove();
            }
        }
    }

    /// Whether nobody holds or fetches the manifest behind the line of `addr`.
    pub(super) fn is_alone(&self, manifest: Digest, addr: &ClientAddr) -> bool {
        !self.lines.contains_key(&(manifest, Line::of(addr)))
    }

    /// Whether this session may be connected beyond its line: it is there alone, is so connected already, or few others are.
    pub(super) fn may_cross(&self, now_ms: u64, peer: PeerNumber) -> bool {
        let neighbours = self.members.get(&peer).and_then(|own| self.lines.get(own));
        neighbours.is_none_or(|line| line.count == 1 || line.place_of(peer).or(line.free_place(now_ms)).is_some())
    }

    /// The session is about to be connected beyond its line.
    pub(super) fn cross(&mut self, now_ms: u64, peer: PeerNumber) {
        let Some(line) = self.members.get(&peer).and_then(|own| self.lines.get_mut(own)) else { return };
        if let Some(place) = line.place_of(peer).or(line.free_place(now_ms)) {
            line.gateways[place] = Some((peer, now_ms.saturating_add(GATEWAY_MS)));
        }
    }

    /// What a session takes over its line; nothing where it has no place, or is none yet.
    pub(super) fn stripe_of(&self, peer: Option<PeerNumber>) -> Beyond {
        let place = peer.and_then(|peer| self.lines.get(self.members.get(&peer)?)?.place_of(peer));
        // As many from the first one on: who was told of fewer would go on to take what the next ones take.
        Beyond { stripe: place.unwrap_or(GATEWAYS_PER_LINE) as u8, stripes: GATEWAYS_PER_LINE as u8 }
    }

    /// Nobody is counted who has no session.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }
}
