//! Everything that lapses, ordered by when.

use std::collections::BTreeSet;

use viral_wire::signal::PeerNumber;

/// What lapses of sessions. Of what lapses at the same time the first comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The wait for a session's `register`.
    Register(PeerNumber),
    /// The wait for the answer of the leecher to whom an offer was given.
    Reservation(PeerNumber, u32),
    /// The life of an offer nobody answered.
    OfferAge(PeerNumber, u32),
    /// The wait for an answered offer to open.
    Open(PeerNumber, u32),
    /// The cooldown of a peer that failed several leechers.
    CooledDown(PeerNumber),
    /// The rest of a day whose volume a session has given.
    NextDay(PeerNumber),
}

/// A queue from which every entry is removed by whoever gave it up, so that it is never longer than what waits.
#[derive(Debug)]
pub(super) struct Timers<T> {
    due: BTreeSet<(u64, T)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { due: BTreeSet::new() }
    }
}

impl<T: Ord> Timers<T> {
    pub(super) fn set(&mut self, due_ms: u64, timer: T) {
        self.due.insert((due_ms, timer));
    }

    pub(super) fn clear(&mut self, due_ms: u64, timer: T) {
        self.due.remove(&(due_ms, timer));
    }

    pub(super) fn next(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, _)| *due_ms)
    }

    pub(super) fn pop_due(&mut self, now_ms: u64) -> Option<T> {
        if self.next()? > now_ms {
            return None;
        }
        self.due.pop_first().map(|(_, timer)| timer)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }
}
