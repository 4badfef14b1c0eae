//! What a page needs before `load`: read from its HTML first, then learned from what visitors really loaded.
//!
//! One asset enters when more than half of the votes name it and leaves when fewer than a quarter do, and the
//! order changes only when the set does; between the two thresholds nothing moves, so that the manifest does not flap.
//!
//! Anybody may report anything, so each site (see [`nearness::site`]) has one vote, shared by its reports. What a single site alone names is
//! believed only while hardly anybody else has spoken, and up to a size that pages plausibly load.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use crate::limits::{BOOT_ASSETS_MAX, BOOT_BYTES_MAX, BOOT_LONE_BYTES_MIN, BOOT_LONE_FACTOR, BOOT_LONE_SITES_MAX, BOOT_REPORTS_MAX};
use crate::nearness;

/// One vote. Divisible by every number up to 16, so that the reports of a site share it without a rest.
const VOTE: u64 = 720_720;

/// Bounds of a boot set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootConfig {
    /// Assets besides the page's document.
    pub assets_max: usize,
    /// Their bytes together.
    pub bytes_max: u64,
    /// Reports whose majority decides.
    pub reports_max: usize,
}

impl Default for BootConfig {
    fn default() -> Self {
        Self { assets_max: BOOT_ASSETS_MAX, bytes_max: BOOT_BYTES_MAX, reports_max: BOOT_REPORTS_MAX }
    }
}

/// Tells the length of an asset that the server itself serves and that may travel; `None` for everything else.
pub type Served<'a> = &'a dyn Fn(&str) -> Option<u64>;

/// The boot set of one page.
#[derive(Debug, Clone)]
pub struct BootSet {
    config: BootConfig,
    /// The page's own path: asset 0 of its manifest, never listed here.
    document: String,
    references: Vec<String>,
    /// Oldest first; one per voter, which is one session.
    reports: VecDeque<Report>,
    /// What reports brought in, whether or not it fits the bounds.
    learned: BTreeSet<String>,
    assets: Vec<String>,
}

#[derive(Debug, Clone)]
struct Report {
    voter: u64,
    site: IpAddr,
    paths: Vec<String>,
}

impl BootSet {
    /// The boot set of the page at `document`, as a static parse of it tells: `references` in document order.
    #[must_use]
    pub fn new(config: BootConfig, document: &str, references: &[String], served: Served<'_>) -> Self {
        let mut set = Self {
            config,
            document: document.to_owned(),
            references: references.to_vec(),
            reports: VecDeque::new(),
            learned: BTreeSet::new(),
            assets: Vec::new(),
        };
        set.assets = set.ordered(served);
        set
    }

    /// Paths in order of need: the static ones first, then the learned ones by the median place at which they were reported.
    #[must_use]
    pub fn assets(&self) -> &[String] {
        &self.assets
    }

    /// The site changed: other references, other assets. Reports are kept as far as they name assets that are still served.
    ///
    /// Returns whether the set changed.
    pub fn handle_site(&mut self, references: &[String], served: Served<'_>) -> bool {
        self.references = references.to_vec();
        for report in &mut self.reports {
            report.paths.retain(|path| served(path).is_some());
        }
        self.learned.retain(|path| served(path).is_some());
        self.elect();
        self.replace(served)
    }

    /// A visitor at `addr` tells what it loaded before `load`, in order. A second report by the same voter replaces its first.
    ///
    /// Returns whether the set changed.
    pub fn handle_report(&mut self, voter: u64, addr: IpAddr, paths: &[String], served: Served<'_>) -> bool {
        let mut seen = BTreeSet::new();
        let paths = paths
            .iter()
            .filter(|path| **path != self.document && served(path).is_some() && seen.insert(path.as_str()))
            .take(self.config.assets_max)
            .cloned()
            .collect();
        self.reports.retain(|report| report.voter != voter);
        self.reports.push_back(Report { voter, site: nearness::site(addr), paths });
        while self.reports.len() > self.config.reports_max {
            self.make_room();
        }
        self.elect();
        self.replace(served)
    }

    /// Forgets the oldest report of the site that has most, so that nobody is pushed out by one who talks much.
    fn make_room(&mut self) {
        let counts = reports_by_site(&self.reports);
        let most = counts.values().copied().max().unwrap_or_default();
        let oldest = self.reports.iter().position(|report| counts.get(&report.site) == Some(&most));
        self.reports.remove(oldest.unwrap_or_default());
    }

    /// Counts the votes.
    fn elect(&mut self) {
        let tally = Tally::of(&self.reports);
        let sites = tally.sites();
        let is_lone = |path: &str| sites > BOOT_LONE_SITES_MAX && tally.witnesses(path) < 2;
        let mut learned = std::mem::take(&mut self.learned);
        learned.retain(|path| tally.votes(path) * 4 >= sites * VOTE && !is_lone(path));
        let entering = tally.paths().filter(|path| tally.votes(path) * 2 > sites * VOTE && !is_lone(path));
        learned.extend(entering.map(str::to_owned));
        self.learned = learned;
    }

    /// Puts the set in order again; returns whether it became another.
    fn replace(&mut self, served: Served<'_>) -> bool {
        let assets = self.ordered(served);
        let before: BTreeSet<&String> = self.assets.iter().collect();
        let changed = before != assets.iter().collect() || !in_same_order(&self.references, &self.assets, &assets);
        if changed {
            self.assets = assets;
        }
        changed
    }

    fn ordered(&self, served: Served<'_>) -> Vec<String> {
        let tally = Tally::of(&self.reports);
        let mut learned: Vec<(usize, &String)> = self.learned.iter().map(|path| (tally.median(path), path)).collect();
        learned.sort_unstable();
        let mut chosen = Chosen { config: self.config, seen: BTreeSet::from([self.document.as_str()]), bytes: 0, assets: Vec::new() };
        for path in &self.references {
            chosen.take(path, u64::MAX, served);
        }
        let mut lone_left = BOOT_LONE_BYTES_MIN.max(chosen.bytes.saturating_mul(BOOT_LONE_FACTOR));
        for (_, path) in learned {
            if tally.witnesses(path) >= 2 {
                chosen.take(path, u64::MAX, served);
            } else {
                lone_left -= chosen.take(path, lone_left, served);
            }
        }
        chosen.assets
    }
}

/// A set being put together.
struct Chosen<'s> {
    config: BootConfig,
    seen: BTreeSet<&'s str>,
    bytes: u64,
    assets: Vec<String>,
}

impl<'s> Chosen<'s> {
    /// Takes `path` in if it is served, new, at most `len_max` bytes long and within the bounds. Returns the bytes it added.
    fn take(&mut self, path: &'s str, len_max: u64, served: Served<'_>) -> u64 {
        let Some(len) = served(path).filter(|len| *len <= len_max && self.assets.len() < self.config.assets_max) else { return 0 };
        let fits = self.bytes.checked_add(len).is_some_and(|sum| sum <= self.config.bytes_max);
        if !fits || !self.seen.insert(path) {
            return 0;
        }
        self.bytes += len;
        self.assets.push(path.to_owned());
        len
    }
}

/// The votes of some reports.
struct Tally<'r> {
    by_site: BTreeMap<IpAddr, u64>,
    paths: BTreeMap<&'r str, Named>,
}

/// Where a path was named: the places in the reports, and how many reports of each site.
#[derive(Default)]
struct Named {
    places: Vec<usize>,
    by_site: BTreeMap<IpAddr, u64>,
}

impl<'r> Tally<'r> {
    fn of(reports: &'r VecDeque<Report>) -> Self {
        let mut paths: BTreeMap<&str, Named> = BTreeMap::new();
        for report in reports {
            for (place, path) in report.paths.iter().enumerate() {
                let named = paths.entry(path).or_default();
                named.places.push(place);
                *named.by_site.entry(report.site).or_default() += 1;
            }
        }
        Self { by_site: reports_by_site(reports), paths }
    }

    /// How many sites spoke.
    fn sites(&self) -> u64 {
        self.by_site.len() as u64
    }

    fn paths(&self) -> impl Iterator<Item = &'r str> {
        self.paths.keys().copied()
    }

    /// The votes for a path, in parts of [`VOTE`].
    fn votes(&self, path: &str) -> u64 {
        let Some(named) = self.paths.get(path) else { return 0 };
        named.by_site.iter().map(|(site, count)| VOTE * count / self.by_site.get(site).copied().unwrap_or(1)).sum()
    }

    /// How many sites name it.
    fn witnesses(&self, path: &str) -> usize {
        self.paths.get(path).map_or(0, |named| named.by_site.len())
    }

    /// The place at which half of the reports that name it have had it.
    fn median(&self, path: &str) -> usize {
        self.paths.get(path).map_or(usize::MAX, |named| median(&named.places))
    }
}

fn reports_by_site(reports: &VecDeque<Report>) -> BTreeMap<IpAddr, u64> {
    let mut counts = BTreeMap::new();
    for report in reports {
        *counts.entry(report.site).or_default() += 1;
    }
    counts
}

/// Whether the static references stand in the same order in both; a deploy may turn two scripts around.
fn in_same_order(references: &[String], before: &[String], after: &[String]) -> bool {
    let is_static: BTreeSet<&String> = references.iter().collect();
    let only_static = |assets: &[String]| -> Vec<String> { assets.iter().filter(|path| is_static.contains(path)).cloned().collect() };
    only_static(before) == only_static(after)
}

fn median(places: &[usize]) -> usize {
    let mut places = places.to_vec();
    places.sort_unstable();
    places.get(places.len() / 2).copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
