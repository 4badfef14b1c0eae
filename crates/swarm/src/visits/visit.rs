//! One visit: what it was sent, in order of request, and what its page says it used.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::AnswerKind;

/// One visit of a browser to a page.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) serial: u64,
    pub(super) browser: u64,
    pub(super) page: String,
    pub(super) kind: AnswerKind,
    pub(super) is_first: bool,
    pub(super) address: IpAddr,
    /// Something was sent since the last vote.
    pub(super) has_news: bool,
    /// When it will have been quiet for long enough, if something happened since it last was.
    pub(super) quiet_ms: Option<u64>,
    pub(super) expires_ms: u64,
    /// Its entry among the timers.
    pub(super) due_ms: u64,
    /// What it asked for, in order of request.
    entries: BTreeMap<u64, Entry>,
    places: BTreeMap<Arc<str>, u64>,
    /// What earlier visits to the page were sent, and this one not yet.
    earlier: BTreeSet<Arc<str>>,
    /// What its page reported, as far as the server knows of it.
    reported: Option<Vec<Arc<str>>>,
}

#[derive(Debug)]
struct Entry {
    path: Arc<str>,
    sent: bool,
    /// The page knows: it reported it, or was told.
    told: bool,
}

/// What a visit used.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) all: Vec<Arc<str>>,
    /// What of that its page did not report.
    pub(super) unnamed: Vec<Arc<str>>,
}

impl Visit {
    pub(super) fn new(serial: u64, browser: u64, page: &str, kind: AnswerKind, is_first: bool, address: IpAddr) -> Self {
        Self {
            serial,
            browser,
            page: page.to_owned(),
            kind,
            is_first,
            address,
            has_news: false,
            quiet_ms: None,
            expires_ms: 0,
            due_ms: 0,
            entries: BTreeMap::new(),
            places: BTreeMap::new(),
            earlier: BTreeSet::new(),
            reported: None,
        }
    }

    /// Takes over what an earlier visit to the page was sent. Returns the paths that it does not take.
    pub(super) fn inherit(&mut self, older: Self) -> Vec<Arc<str>> {
        let mut dropped = older.reported.unwrap_or_default();
        let sent = older.entries.into_values().filter_map(|entry| {
            let Entry { path, sent, .. } = entry;
            if !sent {
                dropped.push(Arc::clone(&path));
            }
            sent.then_some(path)
        });
        let all: Vec<Arc<str>> = older.earlier.into_iter().chain(sent.collect::<Vec<_>>()).collect();
        for path in all {
            if !self.earlier.insert(Arc::clone(&path)) {
                dropped.push(path);
            }
        }
        dropped
    }

    /// Paths it keeps, each use counted.
    pub(super) fn paths(&self) -> usize {
        self.sent_paths() + self.reported.as_ref().map_or(0, Vec::len)
    }

    /// Those it was sent or asked for.
    pub(super) fn sent_paths(&self) -> usize {
        self.entries.len() + self.earlier.len()
    }

    /// Everything it keeps.
    pub(super) fn into_paths(self) -> Vec<Arc<str>> {
        let asked = self.entries.into_values().map(|entry| entry.path);
        asked.chain(self.earlier).chain(self.reported.unwrap_or_default()).collect()
    }

    pub(super) fn place_of(&self, path: &str) -> Option<u64> {
        self.places.get(path).copied()
    }

    /// The path that was asked for at a place.
    pub(super) fn path_at(&self, place: u64) -> Option<&str> {
        self.entries.get(&place).map(|entry| entry.path.as_ref())
    }

    pub(super) fn is_sent_at(&self, place: u64) -> bool {
        self.entries.get(&place).is_some_and(|entry| entry.sent)
    }

    /// Whether it, or an earlier visit to the page, was sent this.
    pub(super) fn was_sent(&self, path: &str) -> bool {
        self.earlier.contains(path) || self.place_of(path).is_some_and(|place| self.is_sent_at(place))
    }

    pub(super) fn knows(&self, path: &str) -> bool {
        self.earlier.contains(path) || self.places.contains_key(path)
    }

    pub(super) fn has_reported(&self) -> bool {
        self.reported.is_some()
    }

    /// Something that it did not ask for before.
    pub(super) fn ask(&mut self, place: u64, path: Arc<str>) {
        self.places.insert(Arc::clone(&path), place);
        self.entries.insert(place, Entry { path, sent: false, told: false });
    }

    /// What it asked for there was sent; false if that was known. The path that is now kept once too often comes with it.
    pub(super) fn send(&mut self, place: u64) -> (bool, Option<Arc<str>>) {
        let Some(entry) = self.entries.get_mut(&place).filter(|entry| !entry.sent) else { return (false, None) };
        entry.sent = true;
        self.has_news = true;
        (true, self.earlier.take(&entry.path))
    }

    /// Forgets one path of earlier visits.
    pub(super) fn drop_earlier(&mut self) -> Option<Arc<str>> {
        self.earlier.pop_first()
    }

    /// Its page reports this. Returns what it reported before.
    pub(super) fn report(&mut self, paths: Vec<Arc<str>>) -> Vec<Arc<str>> {
        for path in &paths {
            if let Some(entry) = self.places.get(path).and_then(|place| self.entries.get_mut(place)) {
                entry.told = true;
            }
        }
        self.has_news = false;
        self.reported.replace(paths).unwrap_or_default()
    }

    /// What it used and, apart, what of that its page did not report: the report, as far as `was_sent`, with everything else that was sent put in where
    /// it was asked for.
    pub(super) fn used(&self, was_sent: impl Fn(&str) -> bool) -> Used {
        let reported: &[Arc<str>] = self.reported.as_deref().unwrap_or_default();
        let named: BTreeSet<&Arc<str>> = reported.iter().collect();
        let mut others = self.entries.iter().filter(|(_, entry)| entry.sent && !named.contains(&entry.path)).peekable();
        let (mut all, mut unnamed) = (Vec::new(), Vec::new());
        for path in reported.iter().filter(|path| was_sent(path)) {
            let place = self.place_of(path).unwrap_or(0);
            while let Some((_, entry)) = others.next_if(|(other, _)| **other < place) {
                all.push(Arc::clone(&entry.path));
                unnamed.push(Arc::clone(&entry.path));
            }
            all.push(Arc::clone(path));
        }
        for (_, entry) in others {
            all.push(Arc::clone(&entry.path));
            unnamed.push(Arc::clone(&entry.path));
        }
        Used { all, unnamed }
    }

    /// What it was sent and its page knows nothing of; from now on it does.
    pub(super) fn untold(&mut self) -> Vec<Arc<str>> {
        let untold = self.entries.values_mut().filter(|entry| entry.sent && !entry.told);
        untold
            .map(|entry| {
                entry.told = true;
                Arc::clone(&entry.path)
            })
            .collect()
    }
}
