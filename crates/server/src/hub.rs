//! The tracker and the pages behind one lock, driven by requests, sockets, time and deploys.
//!
//! Every method locks, does one thing, hands out what the tracker says, and unlocks; the lock is never held across an `await`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Duration, Instant, sleep_until};
use viral_swarm::coverage::CoverageCache;
use viral_swarm::firstcopy::{Comer, FirstCopies};
use viral_swarm::lineage::{News, Visit};
use viral_swarm::pageset::{PageSetConfig, PageState, Report, ReportKind};
use viral_swarm::tracker::{
    AnswerError, Answerer, ClientAddr, CloseReason, Output, Seeking, Tracker, TrackerConfig, TrackerStats, VisitError,
};
use viral_swarm::visits::{AnswerKind, Output as Seen};
use viral_wire::Digest;
use viral_wire::signal::{AnswerPost, Offer, PeerNumber, PeerToTracker, SignalError, TrackerToPeer, VisitPost};

use crate::files::{Asset, Resolved, Site, Version};
use crate::limits::{MANIFESTS_LEN_MAX, PAGES_MAX, SOCKET_QUEUE_MAX};
use crate::page_stats::{PageCounters, PageSnapshot};
use crate::pages::{Change, Current, Pages, page_path};
use crate::visits::VisitLog;

/// What a session's task must send.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A message.
    Signal(Box<TrackerToPeer>),
    /// A close frame, then nothing.
    Close(CloseReason),
}

/// Tracker and pages of one site.
#[derive(Debug)]
pub(crate) struct Hub {
    site: Arc<Site>,
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
        site: Arc<Site>,
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

    /// The pages in numbers, most bytes first.
    pub(crate) fn page_snapshots(&self) -> Vec<PageSnapshot> {
        let version = self.site.current();
        let assets = version.assets().count();
        let snapshot = |page: &String| {
            let facts = self.lock().pages.facts(&version, page).unwrap_or_default();
            self.counters.snapshot(page, &facts, &version, assets)
        };
        self.counters.pages().iter().filter_map(snapshot).collect()
    }

    /// What is worth keeping of every page, most recently used first, and what grows whenever that changes.
    pub(crate) fn page_states(&self) -> (Vec<(String, PageState)>, u64) {
        let inner = self.lock();
        (inner.pages.states(), inner.pages.revision())
    }

    /// Grows whenever [`Self::page_states`] changes.
    pub(crate) fn pages_revision(&self) -> u64 {
        self.lock().pages.revision()
    }

    /// The blob of a manifest that some page has or recently had.
    pub(crate) fn manifest(&self, digest: &Digest) -> Option<Bytes> {
        self.lock().pages.blob(digest)
    }

    /// A socket opened: its number, and what to send on it. The receiver ends when the reader is too slow.
    pub(crate) fn join(&self, client: ClientAddr) -> (PeerNumber, mpsc::Receiver<Outgoing>) {
        self.with(|inner, now_ms| {
            let (sender, receiver) = mpsc::channel(SOCKET_QUEUE_MAX);
            let peer = inner.tracker.handle_join(now_ms, client);
            inner.sessions.insert(peer, sender);
            (peer, receiver)
        })
    }

    /// A peer said something.
    pub(crate) fn message(&self, peer: PeerNumber, message: PeerToTracker) {
        let message = self.canonical(message);
        self.with(|inner, now_ms| inner.tracker.handle_message(now_ms, peer, message, &inner.coverage));
    }

    /// A peer said something that is no signal.
    pub(crate) fn malformed(&self, peer: PeerNumber, fault: &SignalError) {
        self.with(|inner, now_ms| inner.tracker.handle_malformed(now_ms, peer, fault));
    }

    /// A socket closed.
    pub(crate) fn leave(&self, peer: PeerNumber) {
        self.with(|inner, now_ms| {
            inner.sessions.remove(&peer);
            inner.tracker.handle_leave(now_ms, peer);
        });
    }

    /// Answers of a thin visit.
    pub(crate) fn answers(&self, post: AnswerPost) -> Result<(), AnswerError> {
        self.with(|inner, now_ms| inner.tracker.handle_answers(now_ms, Answerer::Ticket(post.ticket), post.answers))
    }

    /// A visit to `page` asked for a service worker of the site's own.
    pub(crate) fn own_worker_seen(&self, page: &str, address: IpAddr, browser: u64) {
        self.lock().pages.handle_own_worker(page, address, browser);
    }

    /// What a thin visit reports at its end.
    pub(crate) fn visit(&self, post: &VisitPost) -> Result<(), VisitError> {
        self.with(|inner, now_ms| inner.tracker.handle_visit(now_ms, post))
    }

    /// The tracker's numbers.
    pub(crate) fn numbers(&self) -> TrackerStats {
        self.lock().tracker.snapshot(self.now_ms())
    }

    /// Changes with every event of the lineage.
    pub(crate) fn lineage_changed(&self) -> watch::Receiver<()> {
        self.lineage_changed.subscribe()
    }

    /// Events from `since` on.
    pub(crate) fn lineage_news(&self, since: u64) -> News {
        self.lock().tracker.lineage().news(since)
    }

    /// Every remembered visit, and the number of the event that comes next.
    pub(crate) fn lineage_snapshot(&self) -> (Vec<Visit>, u64) {
        let inner = self.lock();
        let lineage = inner.tracker.lineage();
        (lineage.snapshot(), lineage.next_event())
    }

    /// Visitors name a page as they see it in their address bar; the tracker knows it by one name.
    fn canonical(&self, message: PeerToTracker) -> PeerToTracker {
        let named = |page: String| match self.site.current().resolve_visit(&page) {
            Resolved::Asset(asset) => page_path(&asset).to_owned(),
            Resolved::Redirect(_) | Resolved::NotFound(_) => page,
        };
        match message {
            PeerToTracker::Register { page, manifest, ticket, slots } => {
                PeerToTracker::Register { page: named(page), manifest, ticket, slots }
            }
            PeerToTracker::Loaded { page, assets } => PeerToTracker::Loaded { page: named(page), assets },
            PeerToTracker::Offers { .. }
            | PeerToTracker::Held { .. }
            | PeerToTracker::Find { .. }
            | PeerToTracker::Share { .. }
            | PeerToTracker::Answers { .. }
            | PeerToTracker::Closed { .. }
            | PeerToTracker::Opened { .. }
            | PeerToTracker::Report(_)
            | PeerToTracker::Counts(_) => message,
        }
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

impl Inner {
    fn apply(&mut self, now_ms: u64, change: Option<Change>) {
        if let Some(Change { page, manifest, pieces }) = change {
            self.coverage.insert(manifest, &pieces);
            self.tracker.handle_manifest(now_ms, &page, manifest);
        }
    }

    /// Does what the tracker says, until it has nothing more to say.
    fn hand_out(&mut self, now_ms: u64, hub: &Hub) {
        let site = &hub.site;
        while let Some(output) = self.tracker.poll() {
            match output {
                Output::Send(peer, message) => self.send(peer, Outgoing::Signal(Box::new(message))),
                Output::Close(peer, reason) => {
                    self.send(peer, Outgoing::Close(reason));
                    self.sessions.remove(&peer);
                }
                Output::Loaded { page, peer: _, browser, report } => self.handle_loaded(now_ms, hub, &page, (browser, report)),
                Output::Counted { page, from_peers, rings } => hub.counters.add_from_peers(&page, from_peers, rings),
                Output::PageWanted { page } => self.answer_page_wanted(now_ms, &page, &site.current()),
            }
        }
    }

    /// What a page says it used. Of a full visit that is believed as far as the server sent it, under the number of the visit, so that it has one vote however
    /// it is heard of.
    fn handle_loaded(&mut self, now_ms: u64, hub: &Hub, page: &str, (browser, report): (Option<u64>, Report)) {
        let version = hub.site.current();
        let report = if report.kind == ReportKind::Thin {
            report
        } else {
            let paths: Vec<String> = report.paths.iter().filter_map(|path| version.canonical_path(path)).map(str::to_owned).collect();
            let Some(browser) = browser else { return };
            let Some(reported) = hub.visits.report(browser, page, &paths) else { return };
            if reported.kind == AnswerKind::Thin {
                // Its ticket is forgotten, but not that peers sent most of it.
                Report { voter: reported.voter, kind: ReportKind::Thin, ..report }
            } else {
                self.tracker.handle_used(now_ms, browser, page, &reported.others);
                Report { voter: reported.voter, paths: reported.accepted, ..report }
            }
        };
        let change = self.pages.handle_report(now_ms, &version, page, report);
        self.apply(now_ms, change);
    }

    fn answer_page_wanted(&mut self, now_ms: u64, page: &str, version: &Version) {
        let document = match version.resolve_visit(page) {
            Resolved::Asset(asset) if asset.is_document() => Some(asset),
            Resolved::Asset(_) | Resolved::Redirect(_) | Resolved::NotFound(_) => None,
        };
        let found = document.and_then(|document| {
            let (current, change) = self.pages.current(now_ms, version, &document);
            self.apply(now_ms, change);
            current
        });
        match found {
            Some(current) => self.tracker.handle_manifest(now_ms, page, current.manifest),
            None => self.tracker.handle_page_unknown(now_ms, page),
        }
    }

    /// A session that does not read fast enough loses its place, which ends its task.
    fn send(&mut self, peer: PeerNumber, outgoing: Outgoing) {
        if let Some(session) = self.sessions.get(&peer)
            && session.try_send(outgoing).is_err()
        {
            tracing::debug!(%peer, "session does not read fast enough");
            self.sessions.remove(&peer);
        }
    }
}

/// Calls the tracker when something is due. Runs until it is aborted.
pub(crate) async fn keep_time(hub: Arc<Hub>) {
    loop {
        let due_ms = hub.lock().due_ms;
        let due = async {
            match due_ms {
                Some(due_ms) => sleep_until(hub.start + Duration::from_millis(due_ms)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {
                hub.lock().due_ms = None;
                hub.with(|inner, now_ms| inner.tracker.handle_timeout(now_ms));
            }
            () = hub.due_earlier.notified() => {}
        }
    }
}

/// Makes every visited page's manifest anew when the site changes. Runs until it is aborted.
pub(crate) async fn follow_versions(hub: Arc<Hub>) {
    let mut versions = hub.site.subscribe();
    while versions.changed().await.is_ok() {
        versions.borrow_and_update();
        let paths = hub.lock().pages.paths();
        for path in paths {
            // One page at a time, so that nobody waits for all of them.
            hub.with(|inner, now_ms| {
                let change = inner.pages.handle_version(&hub.site.current(), &path);
                inner.apply(now_ms, change);
            });
            tokio::task::yield_now().await;
        }
    }
}
