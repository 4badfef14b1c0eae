//! What was sent to which visit, behind a lock of its own: asked by every request for an asset, which must not wait for the hub.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep_until};
use viral_swarm::cluster::Seen;
use viral_swarm::visits::{AnswerKind, Asked, Opening, Reported, Visits, VisitsConfig, VisitsOutput};

use crate::limits::CLUSTER_SEEN_MAX;

/// The visits of one site. The hub may be locked by who calls, never the other way round.
#[derive(Debug)]
pub(crate) struct VisitLog {
    start: Instant,
    inner: Mutex<Inner>,
    /// Wakes the timekeeper when something is due earlier than it knew.
    due_earlier: Notify,
    /// Wakes who tells other servers: one of them gets the next request of a visit that began, perhaps.
    begun: Notify,
}

#[derive(Debug)]
struct Inner {
    visits: Visits,
    /// When the timekeeper will wake, in milliseconds since the start.
    due_ms: Option<u64>,
    /// For the other servers of the site, if there are any.
    told: Option<Vec<Seen>>,
}

impl VisitLog {
    /// No visits yet.
    pub(crate) fn new() -> Self {
        let inner = Inner { visits: Visits::new(VisitsConfig::default()), due_ms: None, told: None };
        Self { start: Instant::now(), inner: Mutex::new(inner), due_earlier: Notify::new(), begun: Notify::new() }
    }

    /// A visit begins.
    pub(crate) fn open(&self, opening: &Opening<'_>) {
        self.with(|visits, now_ms| visits.handle_document(now_ms, opening));
        let Opening { browser, address, page, kind, is_first } = *opening;
        self.note_seen(|_| Some(Seen::Document { browser, address, page: page.to_owned(), kind, is_first }));
        self.begun.notify_one();
    }

    /// Waits until a visit begins.
    #[cfg(feature = "cluster")]
    pub(crate) async fn begun(&self) {
        self.begun.notified().await;
    }

    /// Remembers from now on what other servers are to be told.
    pub(crate) fn tell_others(&self) {
        self.lock().told.get_or_insert_default();
    }

    /// What they were not told yet.
    #[cfg(feature = "cluster")]
    pub(crate) fn take_told(&self) -> Vec<Seen> {
        self.lock().told.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What another server saw.
    pub(crate) fn handle_seen(&self, seen: &Seen) {
        match seen {
            Seen::Document { browser, address, page, kind, is_first } => {
                let opening = Opening { browser: *browser, address: *address, page, kind: *kind, is_first: *is_first };
                self.with(|visits, now_ms| visits.handle_document(now_ms, &opening));
            }
            Seen::Part { browser, page, path } => self.with(|visits, now_ms| {
                if let Some(asked) = visits.handle_asked(now_ms, *browser, path, Some(page)) {
                    visits.handle_sent(now_ms, asked);
                }
            }),
        }
    }

    fn note_seen(&self, seen: impl FnOnce(&Visits) -> Option<Seen>) {
        let Inner { visits, told, .. } = &mut *self.lock();
        if let Some(told) = told.as_mut().filter(|told| told.len() < CLUSTER_SEEN_MAX) {
            told.extend(seen(visits));
        }
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
        self.note_seen(|visits| {
            let (browser, page, path) = visits.asked_for(&asked)?;
            Some(Seen::Part { browser, page: page.to_owned(), path: path.to_owned() })
        });
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
