//! What the tracker remembers of anybody to whom it gave offers: a session, or a thin visit without one.

use std::collections::BTreeMap;

use viral_wire::signal::{Fault, PeerNumber, Push};

use crate::{
    limits::{MATCHES_PER_LEECHER_MAX, OUTSTANDING_MATCHES_MAX, REPORTS_PER_REPORTER_MAX},
    reached::Meeting,
};

/// One leecher.
#[derive(Debug, Clone)]
pub(super) struct Leecher {
    /// Tells independent reporters apart; never shown.
    pub(super) id: u64,
    /// Its place in the lineage, once it takes part.
    pub(super) ordinal: Option<u64>,
    /// By maker and the maker's number of the offer.
    pub(super) matches: BTreeMap<(PeerNumber, u32), Match>,
    /// Some piece matched its digest, as far as it says.
    pub(super) has_verified: bool,
    /// What it reported of whom.
    pub(super) reports: BTreeMap<PeerNumber, Report>,
    /// Whether it reached anybody.
    pub(super) meeting: Meeting,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    New,
    /// It was made before.
    Known,
    TooMany,
}

/// What a leecher reported of one peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    /// Each once, as they came.
    pub(super) faults: Vec<Fault>,
    /// It counted as a fault: one report is one fault, whatever its kinds.
    pub(super) is_counted: bool,
    /// It counted as an accusation.
    pub(super) is_accusation: bool,
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
    /// In a crowd, beyond the lines of both.
    pub(super) crosses: bool,
    /// Which ends said, by whatever they told of it, that the connection opened.
    pub(super) told: Told,
}

/// Which ends told of a connection that it opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) by_maker: bool,
    pub(super) by_answerer: bool,
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
        Self { id, ordinal: None, matches: BTreeMap::new(), has_verified: false, reports: BTreeMap::new(), meeting: Meeting::Unknown }
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

    pub(super) fn answered_mut(&mut self, peer: PeerNumber) -> impl Iterator<Item = &mut Match> {
        self.matches.range_mut((peer, 0)..=(peer, u32::MAX)).map(|(_, found)| found).filter(|found| found.is_answered())
    }

    /// Notes a report.
    pub(super) fn note_report(&mut self, peer: PeerNumber, fault: Fault) -> Noted {
        if !self.reports.contains_key(&peer) && self.reports.len() >= REPORTS_PER_REPORTER_MAX {
            return Noted::TooMany;
        }
        let faults = &mut self.reports.entry(peer).or_default().faults;
        if faults.contains(&fault) {
            return Noted::Known;
        }
        faults.push(fault);
        Noted::New
    }
}
