//! Who is remembered: visits by browser, browsers by network, and whom to forget first.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::{
    VisitsConfig,
    names::Names,
    visit::{Used, Visit},
};

/// All visits and their paths.
#[derive(Debug, Default)]
pub(super) struct Book {
    names: Names,
    visits: BTreeMap<u64, Visit>,
    browsers: BTreeMap<u64, Browser>,
    networks: BTreeMap<IpAddr, Network>,
}

#[derive(Debug)]
struct Browser {
    network: IpAddr,
    /// Its visits, the oldest first; never empty.
    visits: Vec<u64>,
    /// The serial of its latest visit when that began.
    age: u64,
}

#[derive(Debug, Default)]
struct Network {
    /// Its browsers, the one without a visit for longest first.
    by_age: BTreeSet<(u64, u64)>,
    /// Paths of their visits.
    paths: usize,
}

impl Book {
    /// Uses of all paths together.
    pub(super) fn paths(&self) -> usize {
        self.names.uses()
    }

    pub(super) fn browsers(&self) -> usize {
        self.browsers.len()
    }

    pub(super) fn visit_mut(&mut self, serial: u64) -> Option<&mut Visit> {
        self.visits.get_mut(&serial)
    }

    /// The visits of a browser, the oldest first.
    pub(super) fn visits_of(&self, browser: u64) -> impl DoubleEndedIterator<Item = &Visit> {
        let serials = self.browsers.get(&browser).map_or(&[][..], |browser| &browser.visits);
        serials.iter().filter_map(|serial| self.visits.get(serial))
    }

    pub(super) fn visit_to(&self, browser: u64, page: &str) -> Option<&Visit> {
        self.visits_of(browser).find(|visit| visit.page == page)
    }

    /// Puts in a visit that begins, as the latest of its browser, which is in this network now.
    pub(super) fn insert(&mut self, visit: Visit, network: IpAddr) {
        let id = visit.browser;
        let (serial, paths) = (visit.serial, visit.paths());
        let others = self.leave_network(id);
        let browser = self.browsers.entry(id).or_insert(Browser { network, visits: Vec::new(), age: serial });
        browser.visits.push(serial);
        (browser.network, browser.age) = (network, serial);
        let entry = self.networks.entry(network).or_default();
        entry.by_age.insert((serial, id));
        entry.paths += others + paths;
        self.visits.insert(serial, visit);
    }

    /// Takes a browser out of the index. Returns its paths.
    fn leave_network(&mut self, id: u64) -> usize {
        let Some(browser) = self.browsers.get(&id) else { return 0 };
        let paths = browser.visits.iter().filter_map(|serial| self.visits.get(serial)).map(Visit::paths).sum();
        let Some(network) = self.networks.get_mut(&browser.network) else { return paths };
        network.by_age.remove(&(browser.age, id));
        network.paths -= paths;
        if network.by_age.is_empty() {
            self.networks.remove(&browser.network);
        }
        paths
    }

    /// Takes a visit out; its paths stay in use until they are released.
    pub(super) fn take(&mut self, serial: u64) -> Option<Visit> {
        let visit = self.visits.remove(&serial)?;
        let browser = self.browsers.get_mut(&visit.browser)?;
        browser.visits.retain(|other| *other != serial);
        if let Some(network) = self.networks.get_mut(&browser.network) {
            network.paths -= visit.paths();
        }
        if browser.visits.is_empty() {
            self.leave_network(visit.browser);
            self.browsers.remove(&visit.browser);
        }
        Some(visit)
    }

    pub(super) fn release(&mut self, paths: impl IntoIterator<Item = Arc<str>>) {
        for path in paths {
            self.names.release(&path);
        }
    }

    /// What must be forgotten before this browser may begin a visit in this network; none if there is room.
    pub(super) fn in_the_way(&self, browser: u64, network: IpAddr, config: &VisitsConfig) -> Option<Vec<u64>> {
        let known = self.browsers.get(&browser);
        if let Some(known) = known.filter(|known| known.visits.len() >= config.visits_per_browser_max) {
            return known.visits.first().map(|serial| vec![*serial]);
        }
        let there = known.is_some_and(|known| known.network == network);
        if !there && let Some(crowded) = self.networks.get(&network).filter(|n| n.by_age.len() >= config.browsers_per_network_max) {
            return self.oldest_of(crowded);
        }
        if known.is_none() && self.browsers.len() >= config.browsers_max {
            let largest = self.networks.values().max_by_key(|network| network.by_age.len())?;
            return self.oldest_of(largest);
        }
        None
    }

    /// The visits of the oldest browser of the network that has most paths.
    pub(super) fn most_paths(&self) -> Vec<u64> {
        let largest = self.networks.values().max_by_key(|network| network.paths);
        largest.and_then(|network| self.oldest_of(network)).unwrap_or_default()
    }

    fn oldest_of(&self, network: &Network) -> Option<Vec<u64>> {
        let (_, browser) = network.by_age.first()?;
        self.browsers.get(browser).map(|browser| browser.visits.clone())
    }

    /// Whether this visit may be sent one more path. What earlier visits were sent gives way.
    pub(super) fn has_room(&mut self, serial: u64, paths_max: usize) -> bool {
        let Some(visit) = self.visits.get_mut(&serial) else { return false };
        if visit.sent_paths() < paths_max {
            return true;
        }
        let Some(dropped) = visit.drop_earlier() else { return false };
        self.uncount(serial, 1);
        self.names.release(&dropped);
        true
    }

    pub(super) fn note_asked(&mut self, serial: u64, place: u64, path: &str) {
        let Some(visit) = self.visits.get_mut(&serial) else { return };
        visit.ask(place, self.names.intern(path));
        self.count(serial, 1);
    }

    pub(super) fn visit(&self, serial: u64) -> Option<&Visit> {
        self.visits.get(&serial)
    }

    /// False if the visit is gone or was sent it before.
    pub(super) fn note_sent(&mut self, serial: u64, place: u64) -> bool {
        let Some(visit) = self.visits.get_mut(&serial) else { return false };
        let (is_new, once_too_often) = visit.send(place);
        if let Some(path) = once_too_often {
            self.uncount(serial, 1);
            self.names.release(&path);
        }
        is_new
    }

    /// Those of these paths that any visit of the browser asked for, each once.
    pub(super) fn known_to(&self, browser: u64, paths: &[String], count_max: usize) -> Vec<Arc<str>> {
        let mut seen = BTreeSet::new();
        let known = paths.iter().filter_map(|path| self.names.get(path));
        let asked = known.filter(|path| seen.insert(Arc::clone(path)) && self.visits_of(browser).any(|visit| visit.knows(path)));
        asked.take(count_max).cloned().collect()
    }

    pub(super) fn note_reported(&mut self, serial: u64, paths: &[Arc<str>]) {
        let Some(visit) = self.visits.get_mut(&serial) else { return };
        let named = paths.iter().map(|path| self.names.intern(path)).collect();
        let before = visit.report(named);
        self.count(serial, paths.len());
        self.uncount(serial, before.len());
        self.release(before);
    }

    /// What a visit used, and what of that its page did not report.
    pub(super) fn used(&self, serial: u64) -> Option<Used> {
        let visit = self.visits.get(&serial)?;
        Some(visit.used(|path| self.visits_of(visit.browser).any(|other| other.was_sent(path))))
    }

    pub(super) fn untold(&mut self, serial: u64) -> Vec<Arc<str>> {
        self.visits.get_mut(&serial).map(Visit::untold).unwrap_or_default()
    }

    fn network_of(&mut self, serial: u64) -> Option<&mut Network> {
        let browser = self.visits.get(&serial)?.browser;
        self.networks.get_mut(&self.browsers.get(&browser)?.network)
    }

    fn count(&mut self, serial: u64, paths: usize) {
        if let Some(network) = self.network_of(serial) {
            network.paths += paths;
        }
    }

    fn uncount(&mut self, serial: u64, paths: usize) {
        if let Some(network) = self.network_of(serial) {
            network.paths -= paths;
        }
    }

    /// Whether every sum is that of its parts; for tests.
    #[cfg(test)]
    pub(super) fn is_consistent(&self, config: &VisitsConfig) -> bool {
        let paths: usize = self.visits.values().map(Visit::paths).sum();
        let by_network: usize = self.networks.values().map(|network| network.paths).sum();
        let indexed: usize = self.networks.values().map(|network| network.by_age.len()).sum();
        let in_bounds = self.visits.values().all(|visit| {
            visit.sent_paths() <= config.paths_per_visit_max && visit.paths() - visit.sent_paths() <= config.paths_per_visit_max
        });
        let few_each = self.browsers.values().all(|b| !b.visits.is_empty() && b.visits.len() <= config.visits_per_browser_max);
        let few_near = self.networks.values().all(|network| (1..=config.browsers_per_network_max).contains(&network.by_age.len()));
        paths == self.names.uses()
            && paths == by_network
            && paths <= config.paths_max
            && indexed == self.browsers.len()
            && self.browsers.len() <= config.browsers_max
            && self.visits.len() == self.browsers.values().map(|browser| browser.visits.len()).sum::<usize>()
            && in_bounds
            && few_each
            && few_near
    }
}
