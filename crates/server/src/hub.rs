//! The tracker and the pages behind one lock, driven by requests, sockets, time and deploys.
//!
//! Every method locks, does one thing, hands out what the tracker says, and unlocks; the lock is never held across an `await`.

mod outputs;
mod sessions;
mod tasks;
mod told;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Duration, Instant};
use viral_swarm::coverage::CoverageCache;
use viral_swarm::firstcopy::{Comer, FirstCopies};
use viral_swarm::pageset::{PageSetConfig, PageState, Report, ReportKind};
use viral_swarm::tracker::{Seeking, Tracker, TrackerConfig};
use viral_swarm::visits::{AnswerKind, Output as Seen};
use viral_wire::Digest;
use viral_wire::signal::{Offer, PeerNumber};

use crate::limits::{MANIFESTS_LEN_MAX, PAGES_MAX};
use crate::page_stats::PageCounters;
use crate::pages::{Current, Pages};
use crate::visits::VisitLog;
use viral_site::{Asset, Site, Version};

pub(crate) use sessions::Outgoing;
pub(crate) use tasks::{follow_versions, keep_time};

/// Tracker and pages of one site.
#[derive(Debug)]
pub(crate) struct Hub {
    site: Arc<dyn Site>,
    start: Instant,
    inner: Mutex<Inner>,
    visits: Arc<VisitLog>,
    counters: PageCounters,
    /// Wakes the timekeeper when something is due earlier than it knew.
    due_earlier: Notify,
    lineage_changed: watch::Sender<()>,
    readied: watch::Sender<()>,
}

#[derive(Debug)]
struct Inner {
    tracker: Tracker,
    pages: Pages,
    coverage: CoverageCache,
    sessions: BTreeMap<PeerNumber, mpsc::Sender<Outgoing>>,
    /// When the timekeeper will wake, in milliseconds since the start.
    due_ms: Option<u64>,
    lineage_seen: u64,
    readied_seen: u64,
    first_copies: FirstCopies,
}

impl Hub {
    /// A tracker without members for this site, whose pages begin with what they inherit.
    pub(crate) fn new(
        site: Arc<dyn Site>,
        config: TrackerConfig,
        sets: PageSetConfig,
        inherited: BTreeMap<String, PageState>,
        shared_line: u64,
    ) -> Self {
        let first_copies = FirstCopies::new(shared_line, config.reach);
        let inner = Inner {
            tracker: Tracker::new(config, rand::random()),
            pages: Pages::new(sets, PAGES_MAX, MANIFESTS_LEN_MAX, inherited),
            coverage: CoverageCache::default(),
            sessions: BTreeMap::new(),
            due_ms: None,
            lineage_seen: 0,
            readied_seen: 0,
            first_copies,
        };
        Self {
            site,
            start: Instant::now(),
            inner: Mutex::new(inner),
            visits: Arc::new(VisitLog::new()),
            counters: PageCounters::default(),
            due_earlier: Notify::new(),
            lineage_changed: watch::Sender::new(()),
            readied: watch::Sender::new(()),
        }
    }

    /// The manifest of the page whose document this is; none if the page cannot travel.
    pub(crate) fn page(&self, version: &Version, document: &Asset) -> Option<Current> {
        self.with(|inner, now_ms| {
            let (current, change) = inner.pages.current(now_ms, version, document);
            inner.apply(now_ms, change);
            current
        })
    }

    /// How many peers [`Self::offers_for`] would give.
    pub(crate) fn ready(&self, seeking: &Seeking<'_>) -> usize {
        let now_ms = self.now_ms();
        let inner = self.lock();
        inner.tracker.ready(now_ms, seeking, &inner.coverage)
    }

    /// Reserves offers for a thin visit.
    pub(crate) fn offers_for(&self, seeking: &Seeking<'_>) -> Vec<Offer> {
        self.with(|inner, now_ms| {
            let offers = inner.tracker.offers_for(now_ms, seeking, &inner.coverage);
            if !offers.is_empty() {
                inner.first_copies.note_introduced(now_ms, seeking.manifest, seeking.addr.public);
            }
            offers
        })
    }

    /// Until when somebody waits for a copy that is on its way to somebody else; none if it gets its own now.
    pub(crate) fn wait_for_copy(&self, comer: &Comer) -> Option<Instant> {
        let until_ms = self.lock().first_copies.wait(self.now_ms(), comer)?;
        Some(self.start + Duration::from_millis(until_ms))
    }

    /// Changes whenever a peer may have become one to be introduced.
    pub(crate) fn readied(&self) -> watch::Receiver<()> {
        self.readied.subscribe()
    }

    /// Whether some fetch this manifest by shares now.
    pub(crate) fn is_crowded(&self, manifest: &Digest) -> bool {
        self.lock().tracker.is_crowded(manifest)
    }

    /// Takes the first place at a manifest for somebody who comes now, if it is free.
    pub(crate) fn take_first_place(&self, manifest: Digest) -> bool {
        self.with(|inner, now_ms| inner.tracker.take_first_place(now_ms, manifest))
    }

    /// What was sent to whom. Its lock is never held while the hub's is waited for.
    pub(crate) fn visits(&self) -> &Arc<VisitLog> {
        &self.visits
    }

    /// Bytes by page.
    pub(crate) fn counters(&self) -> &PageCounters {
        &self.counters
    }

    /// What a visit says by its requests.
    pub(crate) fn seen(&self, seen: Seen) {
        self.with(|inner, now_ms| match seen {
            Seen::Vote { page, voter, address, kind, paths } => {
                let kind = if kind == AnswerKind::Full { ReportKind::Full } else { ReportKind::Seen };
                let report = Report { voter, address, kind, paths };
                let change = inner.pages.handle_report(now_ms, &self.site.current(), &page, report);
                inner.apply(now_ms, change);
            }
            Seen::Used { browser, page, paths } => inner.tracker.handle_used(now_ms, browser, &page, &paths),
        });
    }

    /// A visit to `page` asked for a service worker of the site's own.
    pub(crate) fn own_worker_seen(&self, page: &str, address: IpAddr, browser: u64) {
        self.lock().pages.handle_own_worker(page, address, browser);
    }

    /// Locks, does `work`, hands out what came of it.
    fn with<T>(&self, work: impl FnOnce(&mut Inner, u64) -> T) -> T {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        let result = work(&mut inner, now_ms);
        inner.hand_out(now_ms, self);
        let due_ms = inner.tracker.poll_timeout();
        if due_ms.is_some_and(|due| inner.due_ms.is_none_or(|known| due < known)) {
            inner.due_ms = due_ms;
            self.due_earlier.notify_one();
        }
        let next_event = inner.tracker.lineage().next_event();
        if std::mem::replace(&mut inner.lineage_seen, next_event) != next_event {
            self.lineage_changed.send_replace(());
        }
        let readied = inner.tracker.readied();
        if std::mem::replace(&mut inner.readied_seen, readied) != readied {
            self.readied.send_replace(());
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The tracker does not panic; if it ever did, serving on with what it holds is better than failing every request.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        self.ms_of(Instant::now())
    }

    /// Milliseconds since the start, as the tracker counts them.
    pub(crate) fn ms_of(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}
