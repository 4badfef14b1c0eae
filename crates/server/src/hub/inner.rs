//! What is behind the hub's lock, and how it carries out what the tracker says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use viral_swarm::cluster::ForOthers;
use viral_swarm::coverage::CoverageCache;
use viral_swarm::crowd::Crowds;
use viral_swarm::page_costs::PageCosts;
use viral_swarm::pageset::{Report, ReportKind};
use viral_swarm::shadow::Shadow;
use viral_swarm::tracker::{Tracker, TrackerOutput};
use viral_swarm::visits::AnswerKind;
use viral_wire::signal::PeerNumber;

use super::outgoing::{Outgoing, OutgoingSender};
use crate::pages::{Change, PageManifest, Pages};
use crate::visits::VisitLog;
use viral_site::{Asset, Resolved, Site, Version};

/// What is behind the lock.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) tracker: Tracker,
    pub(super) pages: Pages,
    pub(super) coverage: CoverageCache,
    pub(super) sessions: BTreeMap<PeerNumber, OutgoingSender>,
    /// When the timekeeper will wake, in milliseconds since the start.
    pub(super) due_ms: Option<u64>,
    pub(super) lineage_seen: u64,
    pub(super) crowds: Crowds,
    /// For the other servers of the site, if there are any.
    pub(super) for_others: Option<ForOthers>,
    pub(super) shadow: Shadow,
}

/// What the tracker's words are carried out on, each behind a lock of its own.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) site: Arc<dyn Site>,
    pub(super) visits: Arc<VisitLog>,
    pub(super) costs: Mutex<PageCosts>,
}

impl Around {
    pub(super) fn costs(&self) -> MutexGuard<'_, PageCosts> {
        self.costs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    pub(super) fn apply(&mut self, now_ms: u64, change: Option<Change>) {
        if let Some(Change { page, manifest, pieces }) = change {
            self.coverage.insert(manifest, &pieces);
            self.tracker.handle_manifest(now_ms, &page, manifest);
        }
    }

    /// The manifest of the page whose document this is, made if need be; none if the page cannot travel.
    pub(super) fn current_page(&mut self, now_ms: u64, version: &Version, document: &Asset) -> Option<PageManifest> {
        let (current, change) = self.pages.current(now_ms, version, document);
        self.apply(now_ms, change);
        current
    }

    /// Does what the tracker says, until it has nothing more to say.
    pub(super) fn hand_out(&mut self, now_ms: u64, around: &Around) {
        while let Some(output) = self.tracker.poll() {
            match output {
                TrackerOutput::Send(peer, message) => self.send(peer, Outgoing::Signal(Box::new(message))),
                TrackerOutput::Close(peer, reason) => {
                    self.send(peer, Outgoing::Close(reason));
                    self.sessions.remove(&peer);
                }
                TrackerOutput::Loaded { page, peer: _, browser, report } => self.handle_loaded(now_ms, around, &page, (browser, report)),
                TrackerOutput::Counted { page, from_peers, rings } => around.costs().add_from_peers(&page, from_peers, rings),
                TrackerOutput::Flagged(address) => self.for_others.iter_mut().for_each(|for_others| for_others.flag(address)),
                TrackerOutput::PageWanted { page } => self.answer_page_wanted(now_ms, &page, &around.site.current()),
            }
        }
    }

    /// What a page says it used. Of a full visit that is believed as far as the server sent it, under the number of the visit, so that it has one vote however
    /// it is heard of.
    fn handle_loaded(&mut self, now_ms: u64, around: &Around, page: &str, (browser, report): (Option<u64>, Report)) {
        let version = around.site.current();
        let report = if report.kind == ReportKind::Thin {
            report
        } else {
            let paths: Vec<String> = report.paths.iter().filter_map(|path| version.canonical_path(path)).map(str::to_owned).collect();
            let Some(browser) = browser else { return };
            let Some(reported) = around.visits.report(browser, page, &paths) else { return };
            if reported.kind == AnswerKind::Thin {
                // Its ticket is forgotten, but not that peers sent most of it.
                Report { voter: reported.voter, kind: ReportKind::Thin, ..report }
            } else {
                self.tracker.handle_used(now_ms, browser, page, &reported.others);
                Report { voter: reported.voter, paths: reported.accepted, ..report }
            }
        };
        self.handle_report(now_ms, &version, page, report);
    }

    /// What a visit to a page used. Other servers hear of what changes the page's manifest, and of the first visits, so that they learn together.
    pub(super) fn handle_report(&mut self, now_ms: u64, version: &Version, page: &str, report: Report) {
        let change = self.pages.handle_report(now_ms, version, page, report);
        if let Some(for_others) = self.for_others.as_mut().filter(|_| change.is_some() || self.pages.is_young(page)) {
            for_others.learn(page);
        }
        self.apply(now_ms, change);
    }

    fn answer_page_wanted(&mut self, now_ms: u64, page: &str, version: &Version) {
        let document = match version.resolve_visit(page) {
            Resolved::Asset(asset) if asset.is_document() => Some(asset),
            Resolved::Asset(_) | Resolved::Redirect(_) => None,
            Resolved::NotFound(_) => version.document(page).cloned(),
        };
        let found = document.and_then(|document| self.current_page(now_ms, version, &document));
        match found {
            Some(current) => self.tracker.handle_manifest(now_ms, page, current.manifest),
            None => self.tracker.handle_page_unknown(now_ms, page),
        }
    }

    /// A session that does not read fast enough loses its place, which ends its task.
    fn send(&mut self, peer: PeerNumber, outgoing: Outgoing) {
        if let Some(session) = self.sessions.get(&peer)
            && !session.put(outgoing)
        {
            tracing::debug!(%peer, "session does not read fast enough");
            self.sessions.remove(&peer);
        }
    }
}
