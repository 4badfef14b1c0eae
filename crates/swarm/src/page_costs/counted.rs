//! What is counted of one page.

use std::collections::BTreeMap;

/// The counters of one page.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Bytes of its documents.
    pub(super) documents: u64,
    /// Bytes of each asset.
    pub(super) assets: BTreeMap<String, AssetBytes>,
    /// Bytes of all this, and of what belongs to no asset or to one too many.
    pub(super) sent: u64,
    /// Bytes from peers, as visitors report them.
    pub(super) from_peers: u64,
    /// The same by ring, as far as they say.
    pub(super) rings_from_peers: [u64; 3],
}

/// Bytes of one asset that the server sent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct AssetBytes {
    pub(super) sent: u64,
    /// Of these to thin visits, by how they were taken.
    pub(super) thin_whole: u64,
    pub(super) thin_pieces: u64,
}

impl AssetBytes {
    /// All of these.
    pub(super) fn thin(&self) -> u64 {
        self.thin_whole.saturating_add(self.thin_pieces)
    }
}

impl Counted {
    /// From whomever.
    pub(super) fn bytes(&self) -> u64 {
        self.sent.saturating_add(self.from_peers)
    }
}
