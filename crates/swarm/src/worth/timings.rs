//! Visits whose page will say when its app was there.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use super::{arm::Arm, sample::Outcome};
use crate::{
    limits::{TIMED_AGE_MAX_MS, TIMED_BEFORE_MS, TIMED_VISITS_MAX},
    locality,
    platform::Engine,
    visits::AnswerKind,
};

/// A document is answered whose page may tell of itself.
#[derive(Debug, Clone)]
pub struct Timed<'t> {
    /// The browser, by the number in its cookie.
    pub browser: u64,
    /// From where.
    pub address: IpAddr,
    /// Path of the page.
    pub page: &'t str,
    /// Which engine shows it.
    pub engine: Engine,
    /// How it is answered.
    pub kind: AnswerKind,
    /// What it is compared as, if the visit can be compared.
    pub arm: Option<Arm>,
    /// The page's clock runs from the wish for it to the app: it was not begun anew in between.
    pub is_timed: bool,
}

/// One that is waited for.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) page: Arc<str>,
    pub(super) engine: Engine,
    pub(super) kind: AnswerKind,
    pub(super) arm: Option<Arm>,
    is_timed: bool,
    network: IpAddr,
    began_ms: u64,
    bytes: u64,
}

impl Waiting {
    /// How it went.
    pub(super) fn outcome(&self, app_ms: Option<u32>) -> Outcome {
        Outcome { network: self.network, app_ms, origin_bytes: self.bytes }
    }
}

/// One visit of each browser: its latest.
#[derive(Debug, Default)]
pub(super) struct Timings {
    by_browser: BTreeMap<u64, Waiting>,
    by_age: BTreeSet<(u64, u64)>,
}

impl Timings {
    /// A visit begins. Returns the one before it of the same browser.
    pub(super) fn begin(&mut self, now_ms: u64, timed: &Timed<'_>) -> Option<Waiting> {
        let before = self.take(timed.browser);
        while let Some(oldest) = self.by_age.first().copied()
            && (self.by_age.len() >= TIMED_VISITS_MAX || now_ms.saturating_sub(oldest.0) > TIMED_AGE_MAX_MS)
        {
            self.take(oldest.1);
        }
        self.by_age.insert((now_ms, timed.browser));
        self.by_browser.insert(
            timed.browser,
            Waiting {
                page: timed.page.into(),
                engine: timed.engine,
                kind: timed.kind,
                arm: timed.arm,
                is_timed: timed.is_timed,
                network: locality::network_key(timed.address),
                began_ms: now_ms,
                bytes: 0,
            },
        );
        before
    }

    /// The server sent this to a visit of that page.
    pub(super) fn add_bytes(&mut self, browser: u64, page: &str, bytes: u64) {
        if let Some(waiting) = self.by_browser.get_mut(&browser).filter(|waiting| &*waiting.page == page) {
            waiting.bytes = waiting.bytes.saturating_add(bytes);
        }
    }

    /// Its page says how long it took, in milliseconds, once. None where nobody is waited for, it is of another page, or it cannot be.
    pub(super) fn end(&mut self, now_ms: u64, browser: u64, page: Option<&str>, app_ms: u32) -> Option<Waiting> {
        let waiting = self.by_browser.get(&browser).filter(|waiting| page.is_none_or(|page| page == &*waiting.page))?;
        let passed_ms = now_ms.saturating_sub(waiting.began_ms);
        let can_be = waiting.is_timed
            && app_ms > 0
            && passed_ms <= TIMED_AGE_MAX_MS
            && u64::from(app_ms) <= passed_ms.saturating_add(TIMED_BEFORE_MS);
        if can_be { self.take(browser) } else { None }
    }

    fn take(&mut self, browser: u64) -> Option<Waiting> {
        let waiting = self.by_browser.remove(&browser)?;
        self.by_age.remove(&(waiting.began_ms, browser));
        Some(waiting)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.by_browser.len(), self.by_age.len());
        self.by_age.len()
    }
}
