//! What this peer got from where, and the growth of it since the last report; the Rust twin of `browser/src/core/counts.ts`.

use std::collections::BTreeMap;

use viral_wire::limits::SOURCES_MAX;
use viral_wire::signal::{Counts, PeerNumber, SourceBytes};

/// Totals of one peer's life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Verified bytes taken from peers.
    pub bytes_from_peers: u64,
    /// Verified bytes taken from the origin.
    pub bytes_from_origin: u64,
    /// Bytes sent to peers, as they were encoded.
    pub bytes_to_peers: u64,
    /// Pieces that matched their digest.
    pub pieces_verified: u32,
    /// Verified bytes by the peer that gave them.
    pub sources: BTreeMap<PeerNumber, u64>,
    /// Bytes per second of those of whom that was measured.
    pub rates: BTreeMap<PeerNumber, u32>,
    /// Peers that sent bytes that were not what they said.
    pub bans: u32,
}

impl Totals {
    /// Growth since `before`, the largest sources first; none if nothing grew.
    #[must_use]
    pub fn growth(&self, before: &Self) -> Option<Counts> {
        let rate = |peer: PeerNumber| self.rates.get(&peer).copied().unwrap_or(0);
        let grown = self.sources.iter().map(|(peer, bytes)| (*peer, bytes - before.sources.get(peer).unwrap_or(&0)));
        let mut sources: Vec<SourceBytes> =
            grown.filter(|(_, bytes)| *bytes > 0).map(|(peer, bytes)| SourceBytes { peer, bytes, rate: rate(peer) }).collect();
        sources.sort_by_key(|source| std::cmp::Reverse(source.bytes));
        sources.truncate(SOURCES_MAX);
        let counts = Counts {
            bytes_from_peers: self.bytes_from_peers - before.bytes_from_peers,
            bytes_from_origin: self.bytes_from_origin - before.bytes_from_origin,
            bytes_to_peers: self.bytes_to_peers - before.bytes_to_peers,
            pieces_verified: self.pieces_verified - before.pieces_verified,
            sources,
            // The native peer takes a manifest as a whole and has no rings.
            rings: [0; 3],
        };
        (counts != Counts::default()).then_some(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grew_is_told() {
        let peer = |n| PeerNumber::from_bits(n);
        let before = Totals { bytes_from_peers: 10, sources: BTreeMap::from([(peer(1), 10)]), ..Totals::default() };
        assert_eq!(before.growth(&before), None);
        let now =
            Totals { bytes_from_peers: 60, pieces_verified: 2, sources: BTreeMap::from([(peer(1), 20), (peer(2), 40)]), ..before.clone() };
        let counts = now.growth(&before).unwrap();
        assert_eq!((counts.bytes_from_peers, counts.pieces_verified), (50, 2));
        assert_eq!(counts.sources.iter().map(|source| (source.peer.get(), source.bytes)).collect::<Vec<_>>(), [(2, 40), (1, 10)]);
    }
}
