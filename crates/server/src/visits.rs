//! What was sent to which visit, behind a lock of its own: asked by every request for an asset, which must not wait for the hub.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep_until};
use viral_swarm::visits::{AnswerKind, Asked, Opening, Reported, Visits, VisitsConfig, VisitsOutput};

/// The visits of one site. The hub may be locked by who calls, never the other way round.
#[derive(Debug)]
pub(crate) struct VisitLog {
    start: Instant,
    inner: Mutex<Inner>,
    /// Wakes the timekeeper when something is due earlier than it knew.
    due_earlier: Notify,
}

#[derive(Debug)]
struct Inner {
    visits: Visits,
    /// When the timekeeper will wake, in milliseconds since the start.
    due_ms: Option<u64>,
}

impl VisitLog {
    /// No visits yet.
    pub(crate) fn new() -> Self {
        let inner = Inner { visits: Visits::new(VisitsConfig::default()), due_ms: None };
        Self { start: Instant::now(), inner: Mutex::new(inner), due_earlier: Notify::new() }
    }

    /// A visit begins.
    pub(crate) fn open(&self, opening: &Opening<'_>) {
        self.with(|visits, now_ms| visits.handle_document(now_ms, opening));
    }

    /// The page of the visit that a request is part of, and how it was answered.
    pub(crate) fn page_of(&self, browser: u64, referer: Option<&str>) -> Option<(String, AnswerKind)> {
        self.lock().visits.find(browser, referer).map(|found| (found.page.to_owned(), found.kind))
    }

    /// The answer to a request for an asset begins; see [`Visits::handle_asked`].
    pub(crate) fn asked(&self, browser: u64, path: &str, referer: Option<&str>) -> Option<Asked> {
        self.with(|visits, now_ms| visits.handle_asked(now_ms, browser, path, referer))
    }

    /// That answer was handed out whole.
    pub(crate) fn sent(&self, asked: Asked) {
        self.with(|visits, now_ms| visits.handle_sent(now_ms, asked));
    }

    /// What is believed of a report; none if nothing is known of such a visit.
    pub(crate) fn report(&self, browser: u64, page: &str, paths: &[String]) -> Option<Reported> {
        self.with(|visits, now_ms| visits.handle_report(now_ms, browser, page, paths))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Visits, u64) -> T) -> T {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        let result = work(&mut inner.visits, now_ms);
        let due_ms = inner.visits.poll_timeout();
        if due_ms.is_some_and(|due| inner.due_ms.is_none_or(|known| due < known)) {
            inner.due_ms = due_ms;
            self.due_earlier.notify_one();
        }
        result
    }

    /// Waits until something is due; empty where something came to be due earlier.
    pub(crate) async fn due(&self) -> Vec<VisitsOutput> {
        let due_ms = self.lock().due_ms;
        let due = async {
            match due_ms {
                Some(due_ms) => sleep_until(self.start + Duration::from_millis(due_ms)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => self.take_due(),
            () = self.due_earlier.notified() => Vec::new(),
        }
    }

    /// Everything that is due now.
    fn take_due(&self) -> Vec<VisitsOutput> {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        inner.visits.handle_timeout(now_ms);
        let outputs = std::iter::from_fn(|| inner.visits.poll()).collect();
        inner.due_ms = inner.visits.poll_timeout();
        outputs
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // As with the hub: serving on is better than failing every request.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
