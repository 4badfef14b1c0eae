//! What the tracker remembers of anybody to whom it gave offers: a session, or a thin visit without one.

use std::collections::{BTreeMap, BTreeSet};

use viral_wire::signal::{Fault, PeerNumber, Push};

use crate::limits::{MATCHES_PER_LEECHER_MAX, OUTSTANDING_MATCHES_MAX, REPORTS_PER_REPORTER_MAX};

/// One leecher.
#[derive(Debug, Clone)]
pub(super) struct Leecher {
    /// Tells independent reporters apart; never shown.
    pub(super) id: u64,
    /// Its place in the lineage, once it takes part.
    pub(super) ordinal: Option<u64>,
    /// By maker and the maker's number of the offer.
    pub(super) matches: BTreeMap<(PeerNumber, u32), Match>,
    /// Faults it reported.
    pub(super) reported: BTreeSet<(PeerNumber, Fault)>,
}

/// One offer that was given to a leecher.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    /// Which of the maker's offers under that number.
    pub(super) serial: u64,
    pub(super) state: MatchState,
    /// When it was given, in milliseconds.
    pub(super) given_ms: u64,
    /// What the maker will push if this leecher answers, however late.
    pub(super) push: Option<Push>,
    /// The maker's place in the lineage.
    pub(super) ordinal: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MatchState {
    Given,
    Answered,
    Opened,
    Closed,
}

impl Match {
    /// Whether the two ever came to talk, so that one can have seen the other misbehave.
    pub(super) fn is_answered(&self) -> bool {
        self.state != MatchState::Given
    }
}

impl Leecher {
    pub(super) fn new(id: u64) -> Self {
        Self { id, ordinal: None, matches: BTreeMap::new(), reported: BTreeSet::new() }
    }

    /// How many offers it may be given now. Forgets lapsed ones first, then ended connections.
    pub(super) fn make_room(&mut self, now_ms: u64, reserve_ms: u64) -> usize {
        let lapsed = |found: &Match| found.state == MatchState::Given && now_ms.saturating_sub(found.given_ms) >= reserve_ms;
        if self.room() == 0 {
            self.matches.retain(|_, found| !lapsed(found));
        }
        if self.room() == 0 {
            self.matches.retain(|_, found| found.state != MatchState::Closed);
        }
        self.room()
    }

    fn room(&self) -> usize {
        let outstanding = self.matches.values().filter(|found| found.state == MatchState::Given).count();
        let room = OUTSTANDING_MATCHES_MAX.saturating_sub(outstanding);
        room.min(MATCHES_PER_LEECHER_MAX.saturating_sub(self.matches.len()))
    }

    /// Whether it talked to this peer.
    pub(super) fn talked_to(&self, peer: PeerNumber) -> bool {
        self.matches_of(peer).any(Match::is_answered)
    }

    /// Whether it is talking to this peer, or may still.
    pub(super) fn is_engaged_with(&self, peer: PeerNumber) -> bool {
        self.matches_of(peer).any(|found| found.state != MatchState::Closed)
    }

    pub(super) fn matches_of(&self, peer: PeerNumber) -> impl Iterator<Item = &Match> {
        self.matches.range((peer, 0)..=(peer, u32::MAX)).map(|(_, found)| found)
    }

    /// Notes a report; false where it was made before or is one too many.
    pub(super) fn note_report(&mut self, peer: PeerNumber, fault: Fault) -> bool {
        self.reported.len() < REPORTS_PER_REPORTER_MAX && self.reported.insert((peer, fault))
    }
}
