//! What the operator may set about the tracker for WebTorrent clients.

use crate::{
    limits::{RANDOM_SHARE_PERMILLE, WEBTORRENT_PEERS_MAX},
    locality::Ladder,
};

/// What the operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebTorrentConfig {
    /// On which tiers peers are introduced. On one where only native peers give nobody is: clients of WebTorrent are browsers for all that is known.
    pub ladder: Ladder,
    /// Peers at once, all torrents together.
    pub peers_max: usize,
    /// Share of offers that go to anybody, however far, in permille, so that swarms stay connected.
    pub random_share_permille: u16,
}

impl Default for WebTorrentConfig {
    fn default() -> Self {
        Self { ladder: Ladder::default(), peers_max: WEBTORRENT_PEERS_MAX, random_share_permille: RANDOM_SHARE_PERMILLE }
    }
}
