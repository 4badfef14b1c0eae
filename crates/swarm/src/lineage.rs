//! Who got the app from whom: a bounded, anonymous picture of recent visits, and the events by which it grows.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::limits::{LINEAGE_EVENTS_MAX, LINEAGE_SOURCES_MAX, LINEAGE_VISITS_MAX};

/// Stands for the origin where otherwise the ordinal of a visit stands; visits count from 1.
pub const ORIGIN: u64 = 0;

/// How a visit began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitKind {
    /// With a full answer.
    Full,
    /// With a thin answer.
    Thin,
}

/// One visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LineageVisit {
    /// Counts visits from 1; tells nothing else about the visitor.
    pub ordinal: u64,
    /// How it began.
    pub answer: VisitKind,
    /// Path of the page.
    pub page: String,
    /// When it was first seen, in milliseconds of the tracker's clock.
    pub joined_ms: u64,
    /// Whether it holds the whole page and serves it.
    pub seeding: bool,
    /// Whether it is over.
    pub left: bool,
    /// Whether it was dropped for forged pieces.
    pub dropped: bool,
    /// Bytes it took from whom, as it reports; ordered by source.
    pub sources: Vec<LineageSource>,
}

/// Bytes from one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LineageSource {
    /// Ordinal of the visit that gave them, or [`ORIGIN`].
    pub from: u64,
    /// How many.
    pub bytes: u64,
}

/// What changed in the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LineageEvent {
    /// A visit began, or came back after its socket was lost.
    Joined {
        /// Which.
        ordinal: u64,
        /// How.
        answer: VisitKind,
        /// Path of the page.
        page: String,
        /// When, in milliseconds of the tracker's clock.
        joined_ms: u64,
    },
    /// Two visits are connected.
    Linked {
        /// Who asked.
        ordinal: u64,
        /// Whom.
        from: u64,
    },
    /// A visit reports bytes that it took and verified.
    Bytes {
        /// Which visit.
        ordinal: u64,
        /// From which visit, or [`ORIGIN`].
        from: u64,
        /// How many more.
        bytes: u64,
    },
    /// A visit holds the whole page now.
    Seeding {
        /// Which.
        ordinal: u64,
    },
    /// A visit is over.
    Left {
        /// Which.
        ordinal: u64,
    },
    /// A visit was dropped for forged pieces.
    Dropped {
        /// Which.
        ordinal: u64,
    },
}

/// Events after a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Ask from here next time.
    pub next: u64,
    /// Some events after that point are forgotten already: take a new [`Lineage::snapshot`].
    pub lost: bool,
    /// Oldest first.
    pub events: Vec<LineageEvent>,
}

/// The picture. Visits and events beyond the limits are forgotten, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    visits: BTreeMap<u64, Entry>,
    events: VecDeque<LineageEvent>,
    /// Number of the event after the newest.
    next_event: u64,
    visits_seen: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    visit: LineageVisit,
    sources: BTreeMap<u64, u64>,
}

impl Lineage {
    /// Every remembered visit, oldest first.
    #[must_use]
    pub fn snapshot(&self) -> Vec<LineageVisit> {
        let list =
            |sources: &BTreeMap<u64, u64>| sources.iter().map(|(from, bytes)| LineageSource { from: *from, bytes: *bytes }).collect();
        self.visits.values().map(|entry| LineageVisit { sources: list(&entry.sources), ..entry.visit.clone() }).collect()
    }

    /// The number to pass to [`Self::news`] to hear what happens after a snapshot taken now.
    #[must_use]
    pub fn next_event(&self) -> u64 {
        self.next_event
    }

    /// What happened from event `since` on.
    #[must_use]
    pub fn news(&self, since: u64) -> News {
        let oldest = self.next_event - self.events.len() as u64;
        let skip = usize::try_from(since.saturating_sub(oldest)).unwrap_or(usize::MAX);
        News { next: self.next_event, lost: since < oldest, events: self.events.iter().skip(skip).cloned().collect() }
    }

    /// How many visits there ever were.
    #[must_use]
    pub fn visits_seen(&self) -> u64 {
        self.visits_seen
    }

    /// A visit begins; returns its ordinal.
    pub(crate) fn join(&mut self, now_ms: u64, answer: VisitKind, page: &str) -> u64 {
        self.visits_seen += 1;
        let ordinal = self.visits_seen;
        let visit = LineageVisit {
            ordinal,
            answer,
            page: page.to_owned(),
            joined_ms: now_ms,
            seeding: false,
            left: false,
            dropped: false,
            sources: Vec::new(),
        };
        self.visits.insert(ordinal, Entry { visit, sources: BTreeMap::new() });
        if self.visits.len() > LINEAGE_VISITS_MAX {
            self.visits.pop_first();
        }
        self.push(LineageEvent::Joined { ordinal, answer, page: page.to_owned(), joined_ms: now_ms });
        ordinal
    }

    /// A visit whose socket was lost has one again.
    pub(crate) fn rejoin(&mut self, ordinal: u64) {
        let Some(entry) = self.visits.get_mut(&ordinal) else { return };
        if std::mem::replace(&mut entry.visit.left, false) {
            let LineageVisit { answer, page, joined_ms, .. } = entry.visit.clone();
            self.push(LineageEvent::Joined { ordinal, answer, page, joined_ms });
        }
    }

    pub(crate) fn link(&mut self, ordinal: u64, from: u64) {
        if self.visits.contains_key(&ordinal) {
            self.push(LineageEvent::Linked { ordinal, from });
        }
    }

    pub(crate) fn bytes(&mut self, ordinal: u64, from: u64, bytes: u64) {
        let Some(entry) = self.visits.get_mut(&ordinal) else { return };
        if bytes == 0 || (entry.sources.len() >= LINEAGE_SOURCES_MAX && !entry.sources.contains_key(&from)) {
            return;
        }
        let sum = entry.sources.entry(from).or_default();
        *sum = sum.saturating_add(bytes);
        self.push(LineageEvent::Bytes { ordinal, from, bytes });
    }

    pub(crate) fn seeding(&mut self, ordinal: u64) {
        let Some(entry) = self.visits.get_mut(&ordinal) else { return };
        if !std::mem::replace(&mut entry.visit.seeding, true) {
            self.push(LineageEvent::Seeding { ordinal });
        }
    }

    pub(crate) fn leave(&mut self, ordinal: u64) {
        let Some(entry) = self.visits.get_mut(&ordinal) else { return };
        if !std::mem::replace(&mut entry.visit.left, true) {
            self.push(LineageEvent::Left { ordinal });
        }
    }

    pub(crate) fn dropped(&mut self, ordinal: u64) {
        let Some(entry) = self.visits.get_mut(&ordinal) else { return };
        entry.visit.seeding = false;
        if !std::mem::replace(&mut entry.visit.dropped, true) {
            self.push(LineageEvent::Dropped { ordinal });
        }
    }

    fn push(&mut self, event: LineageEvent) {
        self.events.push_back(event);
        self.next_event += 1;
        if self.events.len() > LINEAGE_EVENTS_MAX {
            self.events.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_follows_the_events_sees_what_a_snapshot_shows() {
        let mut lineage = Lineage::default();
        let first = lineage.join(5, VisitKind::Full, "/");
        let since = lineage.next_event();
        let second = lineage.join(9, VisitKind::Thin, "/");
        lineage.link(second, first);
        lineage.bytes(second, first, 70);
        lineage.bytes(second, first, 5);
        lineage.bytes(second, ORIGIN, 25);
        lineage.seeding(second);
        lineage.leave(first);
        let news = lineage.news(since);
        assert!(!news.lost);
        assert_eq!(news.events.len(), 7);
        assert_eq!(lineage.news(news.next).events, []);
        let snapshot = lineage.snapshot();
        assert_eq!(snapshot[1].sources, [LineageSource { from: ORIGIN, bytes: 25 }, LineageSource { from: first, bytes: 75 }]);
        assert!(snapshot[0].left && snapshot[1].seeding);
    }

    #[test]
    fn saying_the_same_twice_is_one_event() {
        let mut lineage = Lineage::default();
        let ordinal = lineage.join(0, VisitKind::Full, "/");
        let since = lineage.next_event();
        for _ in 0..3 {
            lineage.seeding(ordinal);
            lineage.bytes(ordinal, ORIGIN, 0);
            lineage.rejoin(ordinal);
        }
        assert_eq!(lineage.news(since).events, [LineageEvent::Seeding { ordinal }]);
    }

    #[test]
    fn the_oldest_visits_are_forgotten_at_the_limit() {
        let mut lineage = Lineage::default();
        for _ in 0..LINEAGE_VISITS_MAX {
            lineage.join(0, VisitKind::Full, "/");
        }
        assert_eq!(lineage.snapshot()[0].ordinal, 1);
        lineage.join(0, VisitKind::Full, "/");
        assert_eq!(lineage.snapshot().len(), LINEAGE_VISITS_MAX);
        assert_eq!(lineage.snapshot()[0].ordinal, 2);
        lineage.bytes(1, ORIGIN, 5);
        assert_eq!(lineage.visits_seen(), LINEAGE_VISITS_MAX as u64 + 1);
    }

    #[test]
    fn the_sources_of_a_visit_are_bounded() {
        let mut lineage = Lineage::default();
        let ordinal = lineage.join(0, VisitKind::Thin, "/");
        for from in 0..=LINEAGE_SOURCES_MAX as u64 {
            lineage.bytes(ordinal, from, 1);
        }
        assert_eq!(lineage.snapshot()[0].sources.len(), LINEAGE_SOURCES_MAX);
    }

    #[test]
    fn a_reader_that_lags_too_far_is_told_so() {
        let mut lineage = Lineage::default();
        let ordinal = lineage.join(0, VisitKind::Full, "/");
        for _ in 1..LINEAGE_EVENTS_MAX {
            lineage.bytes(ordinal, ORIGIN, 1);
        }
        assert!(!lineage.news(0).lost);
        lineage.bytes(ordinal, ORIGIN, 1);
        let news = lineage.news(0);
        assert!(news.lost);
        assert_eq!(news.events.len(), LINEAGE_EVENTS_MAX);
    }

    #[test]
    fn events_have_a_kind_in_json() {
        let event = LineageEvent::Bytes { ordinal: 2, from: ORIGIN, bytes: 7 };
        assert_eq!(serde_json::to_string(&event).unwrap(), r#"{"kind":"bytes","ordinal":2,"from":0,"bytes":7}"#);
    }
}
