//! The tracker and the pages behind one lock, driven by requests, sockets, time and deploys.
//!
//! Every method locks, does one thing, hands out what the tracker says, and unlocks; the lock is never held across an `await`.

mod inner;
mod outgoing;
mod sessions;
mod standing;
mod tasks;
mod told;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use viral_swarm::admission::{self, Admission, Policy, Reason, Swarm, VisitFacts};
use viral_swarm::coverage::CoverageCache;
use viral_swarm::crowd::Crowds;
use viral_swarm::page_costs::PageCosts;
use viral_swarm::pageset::{PageSetConfig, PageState, Report, ReportKind};
use viral_swarm::shadow::Shadow;
use viral_swarm::stun::StunPorts;
use viral_swarm::tracker::{Tracker, TrackerConfig};
use viral_swarm::visits::{AnswerKind, VisitsOutput};
use viral_wire::Digest;

use crate::limits::{MANIFESTS_LEN_MAX, PAGES_MAX};
use crate::pages::{PageManifest, Pages, page_path};
use crate::visits::VisitLog;
use viral_site::{Asset, Site, Version};

use inner::{Around, Inner};

pub(crate) use outgoing::{Outgoing, OutgoingReceiver};
pub(crate) use tasks::{follow_versions, follow_visits, keep_quiet, keep_time, unix_s};

/// Tracker and pages of one site.
#[derive(Debug)]
pub(crate) struct Hub {
    start: Instant,
    inner: Mutex<Inner>,
    around: Around,
    /// Wakes the timekeeper when something is due earlier than it knew.
    due_earlier: Notify,
    lineage_changed: watch::Sender<()>,
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
        let inner = Inner {
            tracker: Tracker::new(config, rand::random()),
            pages: Pages::new(sets, PAGES_MAX, MANIFESTS_LEN_MAX, inherited),
            coverage: CoverageCache::default(),
            sessions: BTreeMap::new(),
            due_ms: None,
            lineage_seen: 0,
            crowds: Crowds::new(shared_line),
            for_others: None,
            shadow: Shadow::default(),
        };
        Self {
            start: Instant::now(),
            inner: Mutex::new(inner),
            around: Around { site, visits: Arc::new(VisitLog::new()), costs: Mutex::default() },
            due_earlier: Notify::new(),
            lineage_changed: watch::Sender::new(()),
        }
    }

    /// Decides a visit to a document of a version, with the page as it is now: the lock is taken once. `stores`: whether the visitor's worker says that it stores a manifest.
    pub(crate) fn admit(
        &self,
        (version, document): (&Version, &Asset),
        facts: &VisitFacts,
        stores: impl FnOnce(&Digest) -> bool,
        policy: &Policy,
    ) -> (Option<PageManifest>, Admission) {
        self.with(|inner, now_ms| {
            let current = inner.current_page(now_ms, version, document);
            let page = current.map(|page| page.facts(page_path(document)));
            let Inner { tracker, crowds, coverage, .. } = inner;
            let swarm = Swarm { tracker, crowds, coverage };
            let admission = admission::admit(now_ms, facts, page.as_ref(), stores, policy, swarm);
            if admission == Admission::Plain(Reason::Shadow) && !facts.is_head {
                inner.shadow.handle_visit(now_ms, page_path(document), &facts.addr, &inner.tracker.config().ladder);
            }
            (current, admission)
        })
    }

    /// Visitors' downloads were measured, in bytes per second.
    pub(crate) fn note_rates(&self, rates: impl IntoIterator<Item = (IpAddr, u64)>) {
        let mut inner = self.lock();
        rates.into_iter().for_each(|(address, rate)| inner.crowds.note_rate(address, rate));
    }

    /// The operator wants no more than so many bytes per second to leave; 0 = as many as can.
    pub(crate) fn limit_origin(&self, bytes_per_s: u64) {
        self.lock().crowds.limit_origin(bytes_per_s);
    }

    /// Peers that register from now on are told to ask there how the world sees them.
    pub(crate) fn set_stun(&self, ports: StunPorts) {
        self.lock().tracker.set_stun(ports);
    }

    /// The manifest of the page whose document this is; none if the page cannot travel.
    pub(crate) fn page(&self, version: &Version, document: &Asset) -> Option<PageManifest> {
        self.with(|inner, now_ms| inner.current_page(now_ms, version, document))
    }

    /// What was sent to whom. Its lock is never held while the hub's is waited for.
    pub(crate) fn visits(&self) -> &Arc<VisitLog> {
        &self.around.visits
    }

    /// Bytes by page. Its lock is held for one call, and no other is waited for meanwhile.
    pub(crate) fn costs(&self) -> MutexGuard<'_, PageCosts> {
        self.around.costs()
    }

    /// What a visit says by its requests.
    pub(crate) fn seen(&self, seen: VisitsOutput) {
        self.with(|inner, now_ms| match seen {
            VisitsOutput::Vote { page, voter, address, kind, paths } => {
                let kind = if kind == AnswerKind::Full { ReportKind::Full } else { ReportKind::Seen };
                let report = Report { voter, address, kind, paths };
                inner.handle_report(now_ms, &self.around.site.current(), &page, report);
            }
            VisitsOutput::Used { browser, page, paths } => inner.tracker.handle_used(now_ms, browser, &page, &paths),
        });
    }

    /// Locks, does `work`, hands out what came of it.
    fn with<T>(&self, work: impl FnOnce(&mut Inner, u64) -> T) -> T {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        let result = work(&mut inner, now_ms);
        inner.hand_out(now_ms, &self.around);
        let due_ms = inner.tracker.poll_timeout();
        if due_ms.is_some_and(|due| inner.due_ms.is_none_or(|known| due < known)) {
            inner.due_ms = due_ms;
            self.due_earlier.notify_one();
        }
        let next_event = inner.tracker.lineage().next_event();
        if std::mem::replace(&mut inner.lineage_seen, next_event) != next_event {
            self.lineage_changed.send_replace(());
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
