//! What is remembered for the dashboard: the last hour and the last day, recent times to app, and since when the version of now is there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use viral_swarm::history::{Counters, History, Point, RecentTimes, TimesSummary};
use viral_swarm::page_costs::PageSnapshot;
use viral_swarm::visits::AnswerKind;

use crate::limits::WATCHED_PAGES_AGE;
use crate::stats::KINDS;

/// What is remembered of one site.
#[derive(Debug)]
pub(crate) struct Watch {
    start: Instant,
    watched: Mutex<Watched>,
    /// To look at each page's assets costs more than all the rest, so whoever looks next gets what somebody saw just now.
    pages: Mutex<Option<(Instant, Arc<[PageSnapshot]>)>>,
}

#[derive(Debug, Default)]
struct Watched {
    history: History,
    times: RecentTimes,
    /// The version of now, and since when, in milliseconds.
    version: (String, u64),
}

/// What was remembered after a point.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) now_ms: u64,
    /// Points that ended after that, oldest first.
    pub(crate) hour: Vec<Point>,
    /// The same.
    pub(crate) day: Vec<Point>,
    pub(crate) last_hour: Counters,
    /// In the order of [`KINDS`].
    pub(crate) times: [TimesSummary; 3],
    /// The version of now, and since when, in milliseconds.
    pub(crate) version: (String, u64),
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), watched: Mutex::default(), pages: Mutex::default() }
    }

    /// The app of a visit that was answered so was there after this time, in milliseconds.
    pub(crate) fn note_app(&self, kind: AnswerKind, app_ms: u32) {
        let now_ms = self.now_ms();
        self.lock().times.note(now_ms, kind, app_ms);
    }

    /// What was counted until now, how many sessions are open, and the version of now.
    pub(crate) fn note(&self, counted: Counters, sessions: u64, version: String) {
        let now_ms = self.now_ms();
        let mut watched = self.lock();
        watched.history.note(now_ms, counted, sessions);
        if watched.version.0 != version {
            watched.version = (version, now_ms);
        }
    }

    /// What was remembered; points only if they ended after `since_ms`.
    pub(crate) fn remembered(&self, since_ms: u64) -> Remembered {
        let now_ms = self.now_ms();
        let watched = self.lock();
        let after = |point: &&Point| point.end_ms > since_ms;
        Remembered {
            now_ms,
            hour: watched.history.hour().filter(after).copied().collect(),
            day: watched.history.day().filter(after).copied().collect(),
            last_hour: watched.history.last_hour(),
            times: KINDS.map(|kind| watched.times.summary(now_ms, kind)),
            version: watched.version.clone(),
        }
    }

    /// What `look` says of the pages, or what it said a moment ago.
    pub(crate) fn pages(&self, look: impl FnOnce() -> Vec<PageSnapshot>) -> Arc<[PageSnapshot]> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        match &*pages {
            Some((then, pages)) if then.elapsed() < WATCHED_PAGES_AGE => Arc::clone(pages),
            _ => {
                let looked: Arc<[PageSnapshot]> = look().into();
                *pages = Some((Instant::now(), Arc::clone(&looked)));
                looked
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
