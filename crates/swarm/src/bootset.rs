//! What a page needs before `load`: read from its HTML first, then learned from what visitors really loaded.
//!
//! One asset enters when more than half of the recent reports name it and leaves when fewer than a quarter do, and the
//! order changes only when the set does; between the two thresholds nothing moves, so that the manifest does not flap.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::limits::{BOOT_ASSETS_MAX, BOOT_BYTES_MAX, BOOT_REPORTS_MAX};

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
    /// Oldest first; one per voter.
    reports: VecDeque<Report>,
    /// What reports brought in, whether or not it fits the bounds.
    learned: BTreeSet<String>,
    assets: Vec<String>,
}

#[derive(Debug, Clone)]
struct Report {
    voter: u64,
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

    /// A visitor tells what it loaded before `load`, in order. A second report by the same voter replaces its first.
    ///
    /// Returns whether the set changed.
    pub fn handle_report(&mut self, voter: u64, paths: &[String], served: Served<'_>) -> bool {
        let mut seen = BTreeSet::new();
        let paths = paths
            .iter()
            .filter(|path| **path != self.document && served(path).is_some() && seen.insert(path.as_str()))
            .take(self.config.assets_max)
            .cloned()
            .collect();
        self.reports.retain(|report| report.voter != voter);
        self.reports.push_back(Report { voter, paths });
        while self.reports.len() > self.config.reports_max {
            self.reports.pop_front();
        }
        if !self.elect() {
            return false;
        }
        self.replace(served)
    }

    /// Counts the votes; returns whether a path entered or left.
    fn elect(&mut self) -> bool {
        let votes = votes(&self.reports);
        let reports = self.reports.len();
        let mut changed = false;
        self.learned.retain(|path| {
            let stays = votes.get(path.as_str()).map_or(0, Vec::len) * 4 >= reports;
            changed |= !stays;
            stays
        });
        let entering: Vec<String> = votes
            .iter()
            .filter(|(path, places)| places.len() * 2 > reports && !self.learned.contains(**path))
            .map(|(path, _)| (*path).to_owned())
            .collect();
        changed |= !entering.is_empty();
        self.learned.extend(entering);
        changed
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
        let votes = votes(&self.reports);
        let mut learned: Vec<(usize, &String)> =
            self.learned.iter().map(|path| (votes.get(path.as_str()).map_or(usize::MAX, |places| median(places)), path)).collect();
        learned.sort_unstable();
        let mut chosen = Vec::new();
        let mut seen = BTreeSet::from([self.document.as_str()]);
        let mut bytes = 0_u64;
        for path in self.references.iter().chain(learned.into_iter().map(|(_, path)| path)) {
            if chosen.len() == self.config.assets_max {
                break;
            }
            let Some(len) = served(path) else { continue };
            let fits = bytes.checked_add(len).is_some_and(|sum| sum <= self.config.bytes_max);
            if fits && seen.insert(path) {
                bytes += len;
                chosen.push(path.clone());
            }
        }
        chosen
    }
}

/// At which places each path was reported.
fn votes(reports: &VecDeque<Report>) -> BTreeMap<&str, Vec<usize>> {
    let mut votes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for report in reports {
        for (place, path) in report.paths.iter().enumerate() {
            votes.entry(path).or_default().push(place);
        }
    }
    votes
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
mod tests {
    use super::*;

    fn owned(paths: &[&str]) -> Vec<String> {
        paths.iter().map(|path| (*path).to_owned()).collect()
    }

    /// Everything is served and is 10 bytes long, but for what begins with `/no`.
    fn ten_bytes(path: &str) -> Option<u64> {
        (!path.starts_with("/no")).then_some(10)
    }

    fn set(references: &[&str]) -> BootSet {
        BootSet::new(BootConfig::default(), "/", &owned(references), &ten_bytes)
    }

    fn report(set: &mut BootSet, voter: u64, paths: &[&str]) -> bool {
        set.handle_report(voter, &owned(paths), &ten_bytes)
    }

    #[test]
    fn the_first_visitor_teaches_what_a_parse_cannot_see() {
        let mut set = set(&["/app.js", "/style.css"]);
        assert!(report(&mut set, 1, &["/app.js", "/data.json", "/style.css", "/font.woff2"]));
        assert_eq!(set.assets(), owned(&["/app.js", "/style.css", "/data.json", "/font.woff2"]));
        assert!(!report(&mut set, 2, &["/app.js", "/data.json", "/style.css", "/font.woff2"]), "nothing new");
    }

    #[test]
    fn only_what_is_served_is_believed() {
        let mut set = set(&["/no-such.js", "/app.js"]);
        assert_eq!(set.assets(), owned(&["/app.js"]));
        assert!(!report(&mut set, 1, &["/no-such.png", "/no/private"]));
    }

    #[test]
    fn the_document_is_never_part_of_its_own_set() {
        let mut set = set(&["/", "/app.js"]);
        report(&mut set, 1, &["/", "/app.js"]);
        assert_eq!(set.assets(), owned(&["/app.js"]));
    }

    #[test]
    fn a_single_liar_among_three_adds_and_removes_nothing() {
        let mut set = set(&["/app.js"]);
        report(&mut set, 1, &["/app.js", "/data.json"]);
        report(&mut set, 2, &["/app.js", "/data.json"]);
        assert!(!report(&mut set, 3, &["/huge.bin"]));
        assert_eq!(set.assets(), owned(&["/app.js", "/data.json"]));
    }

    #[test]
    fn one_voter_has_one_vote() {
        let mut set = set(&[]);
        report(&mut set, 1, &["/a"]);
        report(&mut set, 2, &["/a"]);
        for _ in 0..20 {
            assert!(!report(&mut set, 3, &["/z"]));
        }
        assert_eq!(set.assets(), owned(&["/a"]));
    }

    #[test]
    fn a_path_between_the_thresholds_neither_enters_nor_leaves() {
        let mut set = set(&[]);
        report(&mut set, 1, &["/a", "/b"]);
        assert!(!report(&mut set, 2, &["/a"]), "1 of 2 stays");
        assert!(!report(&mut set, 3, &["/a"]));
        assert!(!report(&mut set, 4, &["/a"]), "1 of 4 stays");
        assert!(report(&mut set, 5, &["/a"]), "1 of 5 leaves");
        assert_eq!(set.assets(), owned(&["/a"]));
        assert!(!report(&mut set, 6, &["/a", "/b"]), "2 of 6 does not enter");
    }

    #[test]
    fn alternating_reports_do_not_make_the_manifest_flap() {
        let mut set = set(&[]);
        for voter in 0..3 {
            report(&mut set, voter, &["/a", "/b", "/c"]);
        }
        let mut changes = 0;
        for voter in 3..200 {
            let paths: &[&str] = if voter % 2 == 0 { &["/c", "/b", "/a"] } else { &["/a", "/c"] };
            changes += usize::from(report(&mut set, voter, paths));
        }
        assert_eq!(changes, 0);
        assert_eq!(set.assets(), owned(&["/a", "/b", "/c"]));
    }

    #[test]
    fn learned_assets_stand_by_their_median_place() {
        let mut set = set(&[]);
        let config = BootConfig { reports_max: 3, ..BootConfig::default() };
        set.config = config;
        report(&mut set, 1, &["/x", "/y", "/z"]);
        report(&mut set, 2, &["/z", "/x", "/y"]);
        report(&mut set, 3, &["/z", "/y", "/x", "/w"]);
        assert!(report(&mut set, 4, &["/z", "/y", "/x", "/w"]), "the set changed, so the order may");
        assert_eq!(set.assets(), owned(&["/z", "/y", "/x", "/w"]));
    }

    #[test]
    fn count_and_bytes_are_bounded_at_their_maxima() {
        let config = BootConfig { assets_max: 3, bytes_max: 30, reports_max: 2 };
        let set = BootSet::new(config, "/", &owned(&["/1", "/2", "/3", "/4"]), &ten_bytes);
        assert_eq!(set.assets(), owned(&["/1", "/2", "/3"]), "at the maximum of assets");
        let by_bytes = BootConfig { assets_max: 9, bytes_max: 29, reports_max: 2 };
        let set = BootSet::new(by_bytes, "/", &owned(&["/1", "/2", "/3"]), &ten_bytes);
        assert_eq!(set.assets(), owned(&["/1", "/2"]), "one byte over");
    }

    #[test]
    fn an_asset_too_big_makes_room_for_smaller_ones() {
        let config = BootConfig { bytes_max: 30, ..BootConfig::default() };
        let served = |path: &str| Some(if path == "/video" { u64::MAX } else { 10 });
        let set = BootSet::new(config, "/", &owned(&["/1", "/video", "/2"]), &served);
        assert_eq!(set.assets(), owned(&["/1", "/2"]));
    }

    #[test]
    fn the_oldest_report_makes_room_at_the_limit() {
        let mut set = BootSet::new(BootConfig { reports_max: 2, ..BootConfig::default() }, "/", &[], &ten_bytes);
        for voter in 0..50 {
            report(&mut set, voter, &["/a"]);
            assert!(set.reports.len() <= 2);
        }
    }

    #[test]
    fn a_deploy_drops_what_is_gone_and_takes_the_new_order() {
        let mut set = set(&["/app.1.js", "/b.js"]);
        report(&mut set, 1, &["/app.1.js", "/data.1.json", "/kept.png"]);
        let served = |path: &str| (!path.contains(".1.")).then_some(10);
        assert!(set.handle_site(&owned(&["/b.js", "/app.2.js"]), &served));
        assert_eq!(set.assets(), owned(&["/b.js", "/app.2.js", "/kept.png"]));
        assert!(!set.handle_site(&owned(&["/b.js", "/app.2.js"]), &served), "the same again");
        assert!(set.handle_site(&owned(&["/app.2.js", "/b.js"]), &served), "only the order");
    }
}
