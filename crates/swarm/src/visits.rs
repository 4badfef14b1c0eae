//! What the server itself saw of each visit: which assets it sent to which browser, in order of request.
//!
//! It is the check on what visitors report, for nobody can report more than was sent to him, and the only word of visitors who report nothing.
//!
//! Drive it: call one `handle_*`, drain [`Visits::poll`] until `None`, then sleep until [`Visits::poll_timeout`] and call
//! [`Visits::handle_timeout`]. Time is an argument in milliseconds and never decreases.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use crate::limits::{VISIT_AGE_MAX_MS, VISIT_QUIET_MS};
use crate::locality;

use book::Book;
use visit::{Used, Visit};

pub use types::{AnswerKind, Found, Opening, Reported, VisitsConfig, VisitsOutput};

mod book;
mod names;
mod types;
mod visit;

/// An answer on its way to a visit: to be given back once its body was handed out whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    visit: u64,
    place: u64,
}

/// The visits of a site, as the server sees them.
#[derive(Debug)]
pub struct Visits {
    config: VisitsConfig,
    now_ms: u64,
    /// Numbers visits and requests, in order of time.
    serial: u64,
    book: Book,
    timers: BTreeSet<(u64, u64)>,
    /// What one timer gave: two at most.
    outputs: VecDeque<VisitsOutput>,
}

impl Visits {
    /// No visits yet.
    #[must_use]
    pub fn new(config: VisitsConfig) -> Self {
        Self { config, now_ms: 0, serial: 0, book: Book::default(), timers: BTreeSet::new(), outputs: VecDeque::new() }
    }

    /// A document is answered: a visit begins. An older one of the same browser to the same page ends, but what was sent to it still counts as
    /// sent to the browser, which may have it in its cache.
    ///
    /// Returns the number that names the visit.
    pub fn handle_document(&mut self, now_ms: u64, opening: &Opening<'_>) -> u64 {
        self.advance(now_ms);
        let Opening { browser, address, page, kind, is_first } = *opening;
        let network = locality::network_key(address);
        self.serial += 1;
        let mut visit = Visit::new(self.serial, browser, page, kind, is_first, address);
        if let Some(older) = self.book.visit_to(browser, page).map(|older| older.serial)
            && let Some(older) = self.take(older)
        {
            let dropped = visit.inherit(older);
            self.book.release(dropped);
        }
        self.make_room(browser, network);
        let due_ms = self.now_ms.saturating_add(VISIT_AGE_MAX_MS);
        (visit.expires_ms, visit.due_ms) = (due_ms, due_ms);
        self.timers.insert((due_ms, visit.serial));
        self.book.insert(visit, network);
        self.serial
    }

    /// The visit that a request is part of: that of the page it refers to, or the one that was sent what it refers to last, or the latest.
    #[must_use]
    pub fn find(&self, browser: u64, referer: Option<&str>) -> Option<Found<'_>> {
        self.attribute(browser, referer).map(|visit| Found { page: &visit.page, kind: visit.kind })
    }

    /// The answer to a request for an asset begins. `None` if there is nothing to tell at its end: no visit, sent before, or no room.
    pub fn handle_asked(&mut self, now_ms: u64, browser: u64, path: &str, referer: Option<&str>) -> Option<Asked> {
        self.advance(now_ms);
        let serial = self.attribute(browser, referer)?.serial;
        self.touch(serial);
        let visit = self.book.visit_mut(serial)?;
        if path == visit.page {
            return None;
        }
        if let Some(place) = visit.place_of(path) {
            if visit.is_sent_at(place) {
                return None;
            }
            self.expect_quiet(serial);
            return Some(Asked { visit: serial, place });
        }
        self.make_room_for_paths(1);
        if !self.book.has_room(serial, self.config.paths_per_visit_max) {
            return None;
        }
        self.serial += 1;
        let place = self.serial;
        self.book.note_asked(serial, place, path);
        self.expect_quiet(serial);
        Some(Asked { visit: serial, place })
    }

    /// Of which browser and page that was, and what it asked for; none if the visit is gone.
    #[must_use]
    pub fn asked_for(&self, asked: &Asked) -> Option<(u64, &str, &str)> {
        let visit = self.book.visit(asked.visit)?;
        Some((visit.browser, &visit.page, visit.path_at(asked.place)?))
    }

    /// The body of that answer was handed out whole, or the browser was told that it has it.
    pub fn handle_sent(&mut self, now_ms: u64, asked: Asked) {
        self.advance(now_ms);
        if self.book.note_sent(asked.visit, asked.place) {
            self.touch(asked.visit);
            self.expect_quiet(asked.visit);
        }
    }

    /// A page says which paths its visit used, in order. `None` without a visit of this browser to this page: then it counts for nothing.
    pub fn handle_report(&mut self, now_ms: u64, browser: u64, page: &str, paths: &[String]) -> Option<Reported> {
        self.advance(now_ms);
        let Visit { serial, kind, .. } = *self.book.visit_to(browser, page)?;
        self.touch(serial);
        let named = self.book.known_to(browser, paths, self.config.paths_per_visit_max);
        self.make_room_for_paths(named.len());
        self.book.visit_mut(serial)?;
        self.book.note_reported(serial, &named);
        let Used { all, unnamed } = self.book.used(serial)?;
        self.book.untold(serial);
        Some(Reported { voter: serial, kind, accepted: owned(&all), others: owned(&unnamed) })
    }

    /// What the host must do next, if anything.
    pub fn poll(&mut self) -> Option<VisitsOutput> {
        while self.outputs.is_empty() {
            let (due_ms, serial) = *self.timers.first()?;
            if due_ms > self.now_ms {
                return None;
            }
            self.handle_due(serial);
        }
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] must be called at the latest, in milliseconds; `None` while nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.timers.first().map(|(due_ms, _)| *due_ms)
    }

    /// Time passed: what is due comes out of [`Self::poll`].
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.advance(now_ms);
    }

    /// How many browsers are remembered.
    #[must_use]
    pub fn browsers(&self) -> usize {
        self.book.browsers()
    }

    fn advance(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    fn attribute(&self, browser: u64, referer: Option<&str>) -> Option<&Visit> {
        let visits = || self.book.visits_of(browser);
        let by_referer = |referer: &str| {
            let asked = || visits().filter_map(|visit| Some((visit.place_of(referer)?, visit)));
            visits().find(|visit| visit.page == referer).or_else(|| asked().max_by_key(|(place, _)| *place).map(|(_, visit)| visit))
        };
        referer.and_then(by_referer).or_else(|| visits().last())
    }

    /// A sign of life.
    fn touch(&mut self, serial: u64) {
        let expires_ms = self.now_ms.saturating_add(VISIT_AGE_MAX_MS);
        self.reset(serial, |visit| visit.expires_ms = expires_ms);
    }

    /// A request began or ended: the visit is looked at once it has been quiet from now on.
    fn expect_quiet(&mut self, serial: u64) {
        let quiet_ms = self.now_ms.saturating_add(VISIT_QUIET_MS);
        self.reset(serial, |visit| visit.quiet_ms = Some(quiet_ms));
    }

    fn reset(&mut self, serial: u64, change: impl FnOnce(&mut Visit)) {
        let Some(visit) = self.book.visit_mut(serial) else { return };
        self.timers.remove(&(visit.due_ms, serial));
        change(visit);
        visit.due_ms = visit.quiet_ms.map_or(visit.expires_ms, |quiet_ms| quiet_ms.min(visit.expires_ms));
        self.timers.insert((visit.due_ms, serial));
    }

    fn handle_due(&mut self, serial: u64) {
        let now_ms = self.now_ms;
        let Some(visit) = self.book.visit_mut(serial) else {
            // Each entry is removed with its visit; were one left, it must not be met again.
            self.timers.pop_first();
            return;
        };
        if visit.expires_ms <= now_ms {
            return self.forget(serial);
        }
        let has_news = std::mem::take(&mut visit.has_news);
        let may_vote = has_news && visit.kind != AnswerKind::Thin && (visit.is_first || visit.has_reported());
        let has_reported = visit.has_reported();
        let (browser, page, address, kind) = (visit.browser, visit.page.clone(), visit.address, visit.kind);
        self.reset(serial, |visit| visit.quiet_ms = None);
        if !may_vote {
            return;
        }
        let Some(Used { all, .. }) = self.book.used(serial) else { return };
        self.outputs.push_back(VisitsOutput::Vote { page: page.clone(), voter: serial, address, kind, paths: owned(&all) });
        let news = if has_reported { self.book.untold(serial) } else { Vec::new() };
        if !news.is_empty() {
            self.outputs.push_back(VisitsOutput::Used { browser, page, paths: owned(&news) });
        }
    }

    /// Forgets what must give way to another visit of this browser.
    fn make_room(&mut self, browser: u64, network: IpAddr) {
        while let Some(forgotten) = self.book.in_the_way(browser, network, &self.config) {
            forgotten.into_iter().for_each(|serial| self.forget(serial));
        }
    }

    /// Forgets whole browsers until so many more paths may be kept.
    fn make_room_for_paths(&mut self, count: usize) {
        while self.book.paths() + count > self.config.paths_max {
            let forgotten = self.book.most_paths();
            if forgotten.is_empty() {
                return;
            }
            forgotten.into_iter().for_each(|serial| self.forget(serial));
        }
    }

    fn take(&mut self, serial: u64) -> Option<Visit> {
        let visit = self.book.take(serial)?;
        self.timers.remove(&(visit.due_ms, serial));
        Some(visit)
    }

    fn forget(&mut self, serial: u64) {
        if let Some(visit) = self.take(serial) {
            self.book.release(visit.into_paths());
        }
    }
}

fn owned(paths: &[Arc<str>]) -> Vec<String> {
    paths.iter().map(|path| path.as_ref().to_owned()).collect()
}

#[cfg(test)]
mod tests;
