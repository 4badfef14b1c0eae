//! What was counted over the last hour and the last day, and the times to app of the last hour. Bounded, whatever happens.

use std::collections::VecDeque;

use serde::Serialize;

use crate::{
    limits::{DAY_POINTS, DAY_STEP_MS, HOUR_POINTS, HOUR_STEP_MS, RECENT_TIMES_AGE_MS, RECENT_TIMES_MAX},
    visits::AnswerKind,
};

/// What only grows, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Documents answered with the whole app.
    pub full: u64,
    /// Documents answered thin.
    pub thin: u64,
    /// Documents answered as they are.
    pub plain: u64,
    /// Bytes that left the server.
    pub origin_bytes: u64,
    /// Bytes that visitors took from each other, as they report.
    pub peer_bytes: u64,
    /// Answered introductions that became connections.
    pub opened: u64,
    /// Those that did not.
    pub failed: u64,
    /// Peers dropped for forged pieces.
    pub bans: u64,
    /// Sessions and visits refused because the tracker was full.
    pub refused: u64,
}

impl Counters {
    fn map(self, other: Self, merge: fn(u64, u64) -> u64) -> Self {
        Self {
            full: merge(self.full, other.full),
            thin: merge(self.thin, other.thin),
            plain: merge(self.plain, other.plain),
            origin_bytes: merge(self.origin_bytes, other.origin_bytes),
            peer_bytes: merge(self.peer_bytes, other.peer_bytes),
            opened: merge(self.opened, other.opened),
            failed: merge(self.failed, other.failed),
            bans: merge(self.bans, other.bans),
            refused: merge(self.refused, other.refused),
        }
    }

    /// What came since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        self.map(before, u64::saturating_sub)
    }

    fn plus(self, more: Self) -> Self {
        self.map(more, u64::saturating_add)
    }
}

/// One step of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Point {
    /// When it ended, in milliseconds of the host's clock.
    pub end_ms: u64,
    /// How long it was, in milliseconds.
    pub length_ms: u64,
    /// Sessions that were open when it ended.
    pub sessions: u64,
    /// What happened in it.
    #[serde(flatten)]
    pub counted: Counters,
}

/// The last points, a step apart.
#[derive(Debug, Clone)]
struct Series {
    step_ms: u64,
    points_max: usize,
    points: VecDeque<Point>,
    /// When the step began that is not over, and what was counted until then.
    began: (u64, Counters),
}

impl Series {
    fn new(step_ms: u64, points_max: usize) -> Self {
        Self { step_ms, points_max, points: VecDeque::new(), began: (0, Counters::default()) }
    }

    fn note(&mut self, now_ms: u64, counted: Counters, sessions: u64) {
        let (began_ms, before) = self.began;
        let length_ms = now_ms.saturating_sub(began_ms);
        if length_ms < self.step_ms {
            return;
        }
        if self.points.len() >= self.points_max {
            self.points.pop_front();
        }
        self.points.push_back(Point { end_ms: now_ms, length_ms, sessions, counted: counted.since(before) });
        self.began = (now_ms, counted);
    }
}

/// The last hour and the last day.
#[derive(Debug, Clone)]
pub struct History {
    hour: Series,
    day: Series,
}

impl Default for History {
    fn default() -> Self {
        Self { hour: Series::new(HOUR_STEP_MS, HOUR_POINTS), day: Series::new(DAY_STEP_MS, DAY_POINTS) }
    }
}

impl History {
    /// Tells what was counted until `now_ms` and how many sessions are open. A host that tells less often than every [`HOUR_STEP_MS`] gets longer points.
    pub fn note(&mut self, now_ms: u64, counted: Counters, sessions: u64) {
        self.hour.note(now_ms, counted, sessions);
        self.day.note(now_ms, counted, sessions);
    }

    /// Points of the last hour, oldest first.
    pub fn hour(&self) -> impl Iterator<Item = &Point> {
        self.hour.points.iter()
    }

    /// Points of the last day, oldest first.
    pub fn day(&self) -> impl Iterator<Item = &Point> {
        self.day.points.iter()
    }

    /// What was counted within the last hour.
    #[must_use]
    pub fn last_hour(&self) -> Counters {
        self.hour().fold(Counters::default(), |sum, point| sum.plus(point.counted))
    }
}

/// Times to app of the last hour, by the answer.
#[derive(Debug, Clone, Default)]
pub struct RecentTimes([VecDeque<(u64, u32)>; 3]);

/// Some of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TimesSummary {
    /// How many visits told.
    pub visits: usize,
    /// The median, in milliseconds.
    pub p50_ms: Option<u32>,
    /// What one visit in twenty exceeds, in milliseconds.
    pub p95_ms: Option<u32>,
}

impl RecentTimes {
    /// The app of a visit that was answered so was there after `app_ms`.
    pub fn note(&mut self, now_ms: u64, kind: AnswerKind, app_ms: u32) {
        let times = &mut self.0[kind as usize];
        if times.len() >= RECENT_TIMES_MAX {
            times.pop_front();
        }
        times.push_back((now_ms, app_ms));
    }

    /// Those of the last hour.
    #[must_use]
    pub fn summary(&self, now_ms: u64, kind: AnswerKind) -> TimesSummary {
        let recent = self.0[kind as usize].iter().filter(|(then_ms, _)| now_ms.saturating_sub(*then_ms) <= RECENT_TIMES_AGE_MS);
        let mut times: Vec<u32> = recent.map(|(_, app_ms)| *app_ms).collect();
        times.sort_unstable();
        let at = |percent: usize| times.get((times.len().saturating_sub(1) * percent).div_ceil(100)).copied();
        TimesSummary { visits: times.len(), p50_ms: at(50), p95_ms: at(95) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(thin: u64) -> Counters {
        Counters { thin, peer_bytes: 10 * thin, ..Counters::default() }
    }

    #[test]
    fn a_point_is_what_came_in_its_step() {
        let mut history = History::default();
        history.note(HOUR_STEP_MS - 1, counted(3), 1);
        assert_eq!(history.hour().count(), 0, "the first step is not over");
        history.note(HOUR_STEP_MS, counted(5), 2);
        history.note(2 * HOUR_STEP_MS + 7, counted(6), 1);
        let points: Vec<_> = history.hour().map(|point| (point.end_ms, point.length_ms, point.sessions, point.counted.thin)).collect();
        assert_eq!(points, [(HOUR_STEP_MS, HOUR_STEP_MS, 2, 5), (2 * HOUR_STEP_MS + 7, HOUR_STEP_MS + 7, 1, 1)]);
        assert_eq!((history.last_hour(), history.day().count()), (counted(6), 0));
    }

    #[test]
    fn a_day_of_it_has_a_limit_and_forgets_the_oldest() {
        let mut history = History::default();
        let steps = 2 * 86_400_000 / HOUR_STEP_MS;
        for step in 1..=steps {
            history.note(step * HOUR_STEP_MS, counted(step), step);
        }
        assert_eq!((history.hour().count(), history.day().count()), (HOUR_POINTS, DAY_POINTS));
        assert_eq!(history.last_hour().thin, HOUR_POINTS as u64);
        let day: u64 = history.day().map(|point| point.counted.thin).sum();
        assert_eq!(day, 86_400_000 / HOUR_STEP_MS);
        assert_eq!(history.day().next().map(|point| point.end_ms), Some(86_400_000 + DAY_STEP_MS));
    }

    #[test]
    fn what_a_host_slept_through_is_one_long_point() {
        let mut history = History::default();
        history.note(86_400_000, counted(9), 0);
        assert_eq!(history.hour().map(|point| point.length_ms).collect::<Vec<_>>(), [86_400_000]);
    }

    #[test]
    fn times_are_those_of_the_last_hour_by_answer() {
        let mut times = RecentTimes::default();
        times.note(0, AnswerKind::Thin, 9_000);
        for app_ms in 1..=100 {
            times.note(1, AnswerKind::Thin, app_ms);
        }
        times.note(1, AnswerKind::Full, 700);
        let later = RECENT_TIMES_AGE_MS + 1;
        assert_eq!(times.summary(later, AnswerKind::Thin), TimesSummary { visits: 100, p50_ms: Some(51), p95_ms: Some(96) });
        assert_eq!(times.summary(later, AnswerKind::Full), TimesSummary { visits: 1, p50_ms: Some(700), p95_ms: Some(700) });
        assert_eq!(times.summary(later, AnswerKind::Plain), TimesSummary::default());
        assert_eq!(times.summary(later + 1, AnswerKind::Thin).visits, 0);
        for _ in 0..=RECENT_TIMES_MAX {
            times.note(later, AnswerKind::Plain, 1);
        }
        assert_eq!(times.summary(later, AnswerKind::Plain).visits, RECENT_TIMES_MAX);
    }
}
