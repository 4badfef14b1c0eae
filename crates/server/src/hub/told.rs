//! What the tracker and the pages tell of themselves: numbers, manifests, lineage, and what is kept over a restart.

use bytes::Bytes;
use tokio::sync::watch;
#[cfg(feature = "cluster")]
use viral_swarm::cluster::ForOthers;
use viral_swarm::cluster::Numbers;
use viral_swarm::lineage::{LineageVisit, News};
use viral_swarm::page_costs::{AssetFacts, PageSnapshot, SetFacts, SiteFacts};
use viral_swarm::pageset::PageState;
use viral_swarm::shadow::ShadowCounts;
use viral_swarm::tracker::{TrackerCounts, TrackerStats};
use viral_wire::Digest;

use super::Hub;
use super::standing::Standing;
use viral_site::Which;

impl Hub {
    /// The pages in numbers, those of most bytes first.
    pub(crate) fn page_snapshots(&self, pages_max: usize) -> Vec<PageSnapshot> {
        let version = self.around.site.current();
        let asset = |path: &str| {
            let asset = version.asset(path)?;
            Some(AssetFacts { len: asset.object(Which::Full).len(), is_document: asset.is_document() })
        };
        let site = SiteFacts { assets: version.assets().count(), bytes: version.bytes(), asset };
        let snapshot = |page: &String| {
            let facts = {
                let inner = self.lock();
                let seeders = inner.tracker.seeders_of(page);
                SetFacts { seeders, ..inner.pages.facts(&version, page).unwrap_or_default() }
            };
            self.costs().snapshot(page, &facts, &site)
        };
        let pages = self.costs().pages();
        pages.iter().take(pages_max).filter_map(snapshot).collect()
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

    /// The tracker's numbers.
    pub(crate) fn numbers(&self) -> TrackerStats {
        self.lock().tracker.snapshot(self.now_ms())
    }

    /// Who holds what is new, and who reaches nobody; networks at most so many.
    pub(crate) fn standing(&self, networks_max: usize) -> Standing {
        let (inner, now_ms) = (self.lock(), self.now_ms());
        let reached = inner.tracker.reached();
        Standing {
            ready_by_age: inner.tracker.ready_by_age(),
            reached: reached.all(now_ms),
            unreached: reached.worst(now_ms, networks_max),
        }
    }

    /// Those that cost the same whoever is there, and what the line of a visitor carries in bytes per second, if that is known.
    pub(crate) fn counts(&self) -> (TrackerCounts, Option<u64>) {
        let inner = self.lock();
        (inner.tracker.counts(), inner.crowds.rate())
    }

    /// How visitors would have been answered who were only counted.
    pub(crate) fn shadow(&self) -> ShadowCounts {
        self.lock().shadow.counts()
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
    pub(crate) fn lineage_snapshot(&self) -> (Vec<LineageVisit>, u64) {
        let inner = self.lock();
        let lineage = inner.tracker.lineage();
        (lineage.snapshot(), lineage.next_event())
    }

    /// What is known of a page, if it was visited.
    #[cfg(feature = "cluster")]
    pub(crate) fn page_state(&self, page: &str) -> Option<PageState> {
        self.lock().pages.state(page)
    }

    /// What other servers were not told yet, of pages at most so many.
    #[cfg(feature = "cluster")]
    pub(crate) fn take_news(&self, pages_max: usize) -> ForOthers {
        self.lock().for_others.as_mut().map(|for_others| for_others.take(pages_max)).unwrap_or_default()
    }

    /// Manifests that ready peers hold, with how many.
    pub(crate) fn holdings(&self, count_max: usize) -> Vec<(Digest, u32)> {
        self.lock().tracker.holdings(count_max)
    }

    /// The version that visitors get, the manifests that most ready peers hold, and the tracker's numbers.
    pub(crate) fn report(&self, holdings_max: usize) -> (String, Vec<(Digest, u32)>, Numbers) {
        let version = self.around.site.current().tag().to_string();
        let inner = self.lock();
        let counts = inner.tracker.counts();
        let from_peers_bytes = counts.totals.reported.from_peers;
        let numbers = Numbers { sessions: counts.sessions as u64, from_peers_bytes, ..Numbers::default() };
        (version, inner.tracker.holdings(holdings_max), numbers)
    }
}
