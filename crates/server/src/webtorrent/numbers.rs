//! What the tracker for WebTorrent clients did, in numbers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

/// A number that many threads count.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn sub(&self, count: u64) {
        self.0.fetch_sub(count, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counted since the start, but for the sockets.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sockets: Counter,
    pub(crate) announces: Counter,
    pub(crate) scrapes: Counter,
    pub(crate) offers: Counter,
    pub(crate) answers: Counter,
    pub(crate) late_answers: Counter,
    pub(crate) refused: Counter,
    pub(crate) dropped: Counter,
}

/// `webtorrent` of `/stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WebTorrentNumbers {
    /// Open now.
    sockets: u64,
    /// With a peer now.
    torrents: usize,
    /// Now, all torrents together.
    peers: usize,
    /// Those of them that have everything.
    seeders: usize,
    announces: u64,
    scrapes: u64,
    /// Passed on.
    offers: u64,
    /// Passed on.
    answers: u64,
    /// To offers that lapsed, or whose maker left.
    late_answers: u64,
    /// Answered with a failure.
    refused: u64,
    /// Offers and answers for who did not read.
    dropped: u64,
}

impl Counters {
    pub(super) fn snapshot(&self, (torrents, peers, seeders): (usize, usize, usize)) -> WebTorrentNumbers {
        WebTorrentNumbers {
            sockets: self.sockets.get(),
            torrents,
            peers,
            seeders,
            announces: self.announces.get(),
            scrapes: self.scrapes.get(),
            offers: self.offers.get(),
            answers: self.answers.get(),
            late_answers: self.late_answers.get(),
            refused: self.refused.get(),
            dropped: self.dropped.get(),
        }
    }
}
