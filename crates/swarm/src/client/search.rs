//! When the tracker is asked for more peers, and for how many.
//!
//! Drive it as [`client`](super) says. `vectors/session/search` has its decisions.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use viral_wire::limits::OFFERS_PER_LEECHER_MAX;

use super::config::{DIAL_HOPED_MS, FIND_MS, FIND_MS_MAX, PEERS_WANTED};

/// What the host must do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SearchOutput {
    /// Send a `find`.
    Find {
        /// How many peers, at least 1.
        count: u8,
    },
}

/// The connections there are, dialled or accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// Open ones.
    pub opened: usize,
    /// Those that are not open and were begun less than [`DIAL_HOPED_MS`] ago.
    pub hopeful: usize,
    /// All others that are not open: they may never be.
    pub late: usize,
}

impl Met {
    /// Those that count.
    #[must_use]
    pub fn counted(&self) -> usize {
        self.opened + self.hopeful
    }
}

/// Looks for peers while there are too few for what is missing, and less and less often.
#[derive(Debug)]
pub struct Search {
    /// The pause after the next search, in milliseconds.
    pause: u64,
    due: Option<u64>,
    out: Option<SearchOutput>,
}

impl Default for Search {
    fn default() -> Self {
        Self { pause: FIND_MS, due: None, out: None }
    }
}

impl Search {
    /// Something changed: a connection, a session, what is missing. `misses`: whether anything is missing that peers may have.
    pub fn handle_change(&mut self, now: u64, met: Met, misses: bool) {
        if !misses {
            return;
        }
        let wait_ms = match (met.counted() < PEERS_WANTED, met.hopeful + met.late > 0) {
            (true, _) if self.pause == FIND_MS => 0,
            (true, _) => self.pause,
            // Not all of those that are dialled may ever open.
            (false, true) => DIAL_HOPED_MS,
            (false, false) => return,
        };
        let at = now + wait_ms;
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: u64, met: Met, misses: bool) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        self.due = None;
        let count = PEERS_WANTED.saturating_sub(met.counted()).min(OFFERS_PER_LEECHER_MAX);
        if count == 0 || !misses {
            // Only what opened counts: where nothing ever does, everybody's offers would be used up.
            if !misses || met.opened >= PEERS_WANTED {
                self.pause = FIND_MS;
            }
            return self.handle_change(now, met, misses);
        }
        self.out = Some(SearchOutput::Find { count: u8::try_from(count).unwrap_or(1) });
        self.pause = (self.pause * 2).min(FIND_MS_MAX);
        self.due = Some(now + self.pause);
    }

    /// The next thing to do; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<SearchOutput> {
        self.out.take()
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.due
    }
}
