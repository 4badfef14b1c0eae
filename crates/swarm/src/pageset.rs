//! All that visitors of a page use during a visit: read from its HTML first, then learned from what visits really used.
//!
//! The set has two rings, in order of need. *Critical* is what rendering and the first scripts need, *expected* is what at least half of the
//! visits use. Everything else of the site is on demand and not listed here.
//!
//! Anybody may report anything, so each network (see [`locality::network_key`]) has one vote, shared by its reports. An asset enters with half of the
//! votes and leaves below a quarter; between the two nothing moves, so that the manifest does not flap. What a single network alone names
//! is believed only while hardly anybody else has spoken, and up to a size that pages plausibly load.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use crate::limits::{LEARN_VISITS, LOADED_REPORT_PATHS_MAX};
use crate::locality;

use budget::Budget;
use chosen::Chosen;
use state::Remembered;
use tally::{Tally, median};
use types::{StaticReference, Vote};

pub use size::Size;
pub use state::PageState;
pub use types::{PageSetConfig, Reference, Report, ReportKind, Served};

mod budget;
mod chosen;
mod size;
mod state;
mod tally;
mod types;

/// The page set of one page. Time is an argument and never decreases.
#[derive(Debug, Clone)]
pub struct PageSet {
    config: PageSetConfig,
    /// The page's own path: asset 0 of its manifest, never listed here.
    document: String,
    references: Vec<StaticReference>,
    /// Oldest first; one per voter.
    reports: VecDeque<Vote>,
    /// What is believed to be used, whether or not it fits the bounds.
    entered: BTreeSet<String>,
    /// Grows with each change of the site.
    epoch: u64,
    visits: u64,
    chosen: Chosen,
    /// Changes that reports may still make.
    budget: Budget,
    /// A report may have changed the set, but the budget was empty.
    pending: bool,
}

impl PageSet {
    /// The set of the page at `document`, as a static parse of it tells: `references` in document order.
    #[must_use]
    pub fn new(config: PageSetConfig, document: &str, references: &[Reference], served: Served<'_>) -> Self {
        Self::restore(config, document, PageState::default(), references, served)
    }

    /// The set that this state was taken of, for the site as it is now. What the state says is believed as far as reports are: whoever can write it
    /// is the operator.
    #[must_use]
    pub fn restore(config: PageSetConfig, document: &str, state: PageState, references: &[Reference], served: Served<'_>) -> Self {
        let Remembered { epoch, visits, references: known, entered, reports } = state.read(&config);
        let mut set = Self {
            config,
            document: document.to_owned(),
            references: known,
            reports,
            entered,
            epoch,
            visits,
            chosen: Chosen::default(),
            budget: Budget::full(),
            pending: false,
        };
        set.handle_site(references, served);
        set
    }

    /// What to keep of this set.
    #[must_use]
    pub fn state(&self) -> PageState {
        PageState::of(self.epoch, self.visits, &self.references, &self.entered, &self.reports)
    }

    /// Paths in order of need, the critical ones first.
    #[must_use]
    pub fn assets(&self) -> &[String] {
        &self.chosen.assets
    }

    /// How many of [`assets`](Self::assets), counted from the first, are critical; the others are expected.
    #[must_use]
    pub fn critical(&self) -> usize {
        self.chosen.critical
    }

    /// Bytes of [`assets`](Self::assets) together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.chosen.bytes
    }

    /// How many visits have told, since the beginning.
    #[must_use]
    pub fn visits(&self) -> u64 {
        self.visits
    }

    /// Bytes that a visit uses: the median over networks of the median of each, over the reports remembered. `None` without any.
    #[must_use]
    pub fn used_bytes_p50(&self) -> Option<u64> {
        let mut by_network: BTreeMap<IpAddr, Vec<u64>> = BTreeMap::new();
        for vote in &self.reports {
            by_network.entry(vote.network).or_default().push(vote.bytes);
        }
        median(by_network.into_values().filter_map(median).collect())
    }

    /// What the visit used that used most, of those remembered, in bytes. `None` without any.
    #[must_use]
    pub fn used_bytes_max(&self) -> Option<u64> {
        self.reports.iter().map(|vote| vote.bytes).max()
    }

    /// How much a visit uses, as far as is known.
    #[must_use]
    pub fn size(&self) -> Size {
        match self.used_bytes_p50() {
            Some(bytes) if self.visits >= LEARN_VISITS => Size::Known { bytes },
            used => Size::Unknown { at_least: self.chosen.bytes.max(used.unwrap_or_default()) },
        }
    }

    /// The site changed: other references, other assets. Reports are kept as far as they name assets that are still served, and say nothing about
    /// what nobody named before.
    ///
    /// Returns whether the set changed.
    pub fn handle_site(&mut self, references: &[Reference], served: Served<'_>) -> bool {
        self.epoch += 1;
        let mut known: BTreeMap<String, StaticReference> =
            std::mem::take(&mut self.references).into_iter().map(|reference| (reference.path.clone(), reference)).collect();
        let mut seen = BTreeSet::new();
        self.references = references
            .iter()
            .filter(|reference| seen.insert(&reference.path))
            .map(|Reference { path, critical }| match known.remove(path) {
                Some(before) => StaticReference { critical: *critical, ..before },
                None => StaticReference { path: path.clone(), critical: *critical, since: self.epoch, judged: false },
            })
            .collect();
        for vote in &mut self.reports {
            vote.paths.retain(|path| served(path).is_some());
        }
        self.entered.retain(|path| served(path).is_some());
        self.elect();
        self.pending = false;
        let chosen = self.choose(served);
        self.replace(chosen)
    }

    /// A visit tells what it used so far. A later report of the same visit replaces the earlier one.
    ///
    /// Returns whether the set changed. With an empty budget it changes later: see [`poll_timeout`](Self::poll_timeout).
    pub fn handle_report(&mut self, now_ms: u64, report: Report, served: Served<'_>) -> bool {
        let before = self.reports.len();
        self.reports.retain(|vote| vote.voter != Some(report.voter));
        self.visits += u64::from(self.reports.len() == before);
        let vote = self.vote(report, served);
        if vote.kind != ReportKind::Thin {
            self.references.iter_mut().filter(|known| known.since <= vote.epoch).for_each(|known| known.judged = true);
        }
        self.reports.push_back(vote);
        while self.reports.len() > self.config.reports_max {
            self.make_room();
        }
        self.elect();
        self.pending = true;
        self.handle_timeout(now_ms, served)
    }

    /// Makes a change that waited for the budget. Returns whether the set changed.
    pub fn handle_timeout(&mut self, now_ms: u64, served: Served<'_>) -> bool {
        if !self.pending {
            return false;
        }
        let chosen = self.choose(served);
        let waits = self.differs(&chosen) && !self.budget.take(now_ms);
        self.pending = waits;
        !waits && self.replace(chosen)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), in milliseconds; `None` if nothing waits. Later is as good: the set only stays as it is.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.pending.then(|| self.budget.ready_ms())
    }

    /// A report as it is remembered: what is served, each path once.
    fn vote(&self, report: Report, served: Served<'_>) -> Vote {
        let mut seen = BTreeSet::new();
        let mut bytes = 0_u64;
        let mut paths = Vec::new();
        for path in report.paths.into_iter().take(LOADED_REPORT_PATHS_MAX) {
            let Some(len) = served(&path).filter(|_| path != self.document && seen.insert(path.clone())) else { continue };
            bytes = bytes.saturating_add(len);
            if paths.len() < self.config.assets_max {
                paths.push(path);
            }
        }
        let (network, epoch) = (locality::network_key(report.address), self.vintage(&seen, served));
        Vote { voter: Some(report.voter), network, kind: report.kind, epoch, paths, bytes }
    }

    /// The last epoch about which a visit that used `used` says something. Pages stay open while the site changes: whoever names none of what the page
    /// began to need last has seen an earlier one, or nothing of this one.
    fn vintage(&self, used: &BTreeSet<String>, served: Served<'_>) -> u64 {
        let critical = || self.references.iter().filter(|known| known.critical && served(&known.path).is_some());
        match critical().map(|known| known.since).max() {
            Some(newest) if !critical().any(|known| known.since == newest && used.contains(&known.path)) => newest.saturating_sub(1),
            Some(_) | None => self.epoch,
        }
    }

    /// Forgets the oldest report of the network that has most, so that nobody is pushed out by one who talks much.
    fn make_room(&mut self) {
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for vote in &self.reports {
            *counts.entry(vote.network).or_default() += 1;
        }
        let most = counts.values().copied().max();
        let oldest = self.reports.iter().position(|vote| counts.get(&vote.network).copied() == most);
        self.reports.remove(oldest.unwrap_or_default());
    }

    /// Counts the votes.
    fn elect(&mut self) {
        let tally = Tally::of(&self.references, &self.reports);
        let mut entered = std::mem::take(&mut self.entered);
        entered.retain(|path| tally.stays(path));
        entered.extend(tally.paths().filter(|path| tally.enters(path)).map(str::to_owned));
        // Until visits have told, the parse is believed.
        entered.extend(self.references.iter().filter(|reference| !reference.judged).map(|reference| reference.path.clone()));
        self.entered = entered;
    }

    /// The set that follows from what entered.
    fn choose(&self, served: Served<'_>) -> Chosen {
        let tally = Tally::of(&self.references, &self.reports);
        Chosen::of(&self.config, &self.document, &self.references, &self.entered, &tally, served)
    }

    /// Whether this would be another set; another order alone is none, except of the critical ring, which a deploy may turn around.
    fn differs(&self, chosen: &Chosen) -> bool {
        let set = |chosen: &Chosen| -> BTreeSet<String> { chosen.assets.iter().cloned().collect() };
        self.chosen.first_ring() != chosen.first_ring() || set(&self.chosen) != set(chosen)
    }

    fn replace(&mut self, chosen: Chosen) -> bool {
        let differs = self.differs(&chosen);
        if differs {
            self.chosen = chosen;
        } else {
            self.chosen.bytes = chosen.bytes;
        }
        differs
    }
}

#[cfg(test)]
mod tests;
