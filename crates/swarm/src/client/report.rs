//! What the tracker is told of what is held and of who gave how much, and when.
//!
//! Drive it as [`client`](super) says. `vectors/session/report` has its decisions.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use serde::Serialize;
use viral_wire::Digest;
use viral_wire::signal::{PeerNumber, PeerToTracker};

use super::config::{CROWD_REPORT_MS, REPORT_MS};
use super::counts::Totals;
use crate::fetch::Progress;

/// Who gave a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Giver {
    /// The origin.
    Origin,
    /// A peer, by the tracker's number if its connection is still there.
    Peer(Option<PeerNumber>),
}

/// What is held of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Which.
    pub manifest: Digest,
    /// Distinct pieces of it.
    pub pieces: u32,
    /// Their raw bytes.
    pub bytes: u64,
}

/// Counts what grows and reports it, a while later, so that a report is about many pieces.
#[derive(Debug)]
pub struct Report {
    in_crowd: bool,
    totals: Totals,
    /// What the tracker knows of `totals`.
    told: Totals,
    /// What the tracker knows to be held: the manifest and how many pieces of it.
    held: Option<(Digest, u32)>,
    /// `told` before the last report, in case that does not leave.
    told_before: Totals,
    due: Option<u64>,
    out: VecDeque<PeerToTracker>,
}

impl Report {
    /// Nothing is held and nothing grew. `in_crowd`: whether nobody had the app when this visitor came.
    #[must_use]
    pub fn new(in_crowd: bool) -> Self {
        let nothing = Totals::default();
        Self { in_crowd, totals: nothing.clone(), told: nothing.clone(), held: None, told_before: nothing, due: None, out: VecDeque::new() }
    }

    /// Everything counted so far.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// A piece was verified and kept.
    pub fn handle_kept(&mut self, giver: Giver, len: u64) {
        match giver {
            Giver::Origin => self.totals.bytes_from_origin += len,
            Giver::Peer(number) => {
                self.totals.bytes_from_peers += len;
                if let Some(number) = number {
                    *self.totals.sources.entry(number).or_default() += len;
                }
            }
        }
        self.totals.pieces_verified += 1;
    }

    /// A peer gives so many bytes per second, as measured last.
    pub fn handle_rate(&mut self, number: PeerNumber, rate: u64) {
        if rate > 0 {
            self.totals.rates.insert(number, u32::try_from(rate).unwrap_or(u32::MAX));
        }
    }

    /// So many bytes of a piece went to a peer.
    pub fn handle_sent(&mut self, len: u64) {
        self.totals.bytes_to_peers += len;
    }

    /// A peer sent bytes that were not what it said.
    pub fn handle_forged(&mut self) {
        self.totals.bans += 1;
    }

    /// Something grew: a report is due soon. `progress` is that of the download.
    pub fn handle_growth(&mut self, now: u64, progress: &Progress) {
        let at = now + if self.in_crowd && !self.matters_to_tracker(progress) { CROWD_REPORT_MS } else { REPORT_MS };
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// A session began: what is held is new to it.
    pub fn handle_welcome(&mut self) {
        self.held = None;
    }

    /// A signal of [`Self::poll`] could not be sent: it is part of the next report.
    pub fn handle_unsent(&mut self, signal: &PeerToTracker) {
        if matches!(signal, PeerToTracker::Held { .. }) {
            self.held = None;
        } else if matches!(signal, PeerToTracker::Counts(_)) {
            self.told.clone_from(&self.told_before);
        }
    }

    /// Reports now. Without a session (`live`) nothing is said, and nothing is lost. `held` is asked only if there is one; `None` = no manifest is known.
    pub fn handle_report(&mut self, live: bool, held: impl FnOnce() -> Option<Held>) {
        self.due = None;
        if !live {
            return;
        }
        if let Some(Held { manifest, pieces, bytes }) = held()
            && self.held != Some((manifest, pieces))
        {
            self.held = Some((manifest, pieces));
            self.out.push_back(PeerToTracker::Held { manifest, pieces, bytes });
        }
        if let Some(counts) = self.totals.growth(&self.told) {
            self.told_before = std::mem::replace(&mut self.told, self.totals.clone());
            self.out.push_back(PeerToTracker::Counts(counts));
        }
    }

    /// The next signal to send; [`Self::handle_unsent`] if that fails.
    pub fn poll(&mut self) -> Option<PeerToTracker> {
        self.out.pop_front()
    }

    /// When to call [`Self::handle_report`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.due
    }

    /// Whether what is held changes what the tracker does: there is something, or so much that others are sent here for it, or everything.
    fn matters_to_tracker(&self, progress: &Progress) -> bool {
        let Progress { held, total, done, .. } = *progress;
        let reported = self.held.map_or(0, |(_, pieces)| pieces as usize);
        done || reported == 0 || (reported * 2 < total && total <= held * 2)
    }
}
