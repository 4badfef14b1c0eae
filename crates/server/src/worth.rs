//! Whether it pays, behind a lock of its own: what visits tell is noted here, and each page is asked for.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use viral_swarm::platform::Engine;
use viral_swarm::rollout::Lot;
use viral_swarm::shadow::ShadowCounts;
use viral_swarm::visits::AnswerKind;
use viral_swarm::worth::{PaysSnapshot, Timed, Worth};

/// What visits of one site tell.
#[derive(Debug)]
pub(crate) struct WorthLog {
    start: Instant,
    worth: Mutex<Worth>,
    /// The secret of lots. With another process others are drawn.
    lots: RandomState,
}

impl WorthLog {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), worth: Mutex::default(), lots: RandomState::new() }
    }

    /// What a browser drew, by the number in its cookie.
    pub(crate) fn lot_of(&self, browser: u64) -> Lot {
        Lot::new(self.lots.hash_one(browser))
    }

    /// See [`Worth::is_worth_it`].
    pub(crate) fn is_worth_it(&self, page: &str, engine: Engine, lot: Option<Lot>) -> bool {
        self.lock().is_worth_it(self.now_ms(), page, engine, lot)
    }

    /// See [`Worth::handle_document`].
    pub(crate) fn begin(&self, timed: &Timed<'_>, gives_up: bool) {
        self.lock().handle_document(self.now_ms(), timed, gives_up);
    }

    /// See [`Worth::handle_sent`].
    pub(crate) fn sent(&self, browser: u64, page: &str, bytes: u64) {
        self.lock().handle_sent(browser, page, bytes);
    }

    /// See [`Worth::handle_app`].
    pub(crate) fn app_is_there(&self, browser: u64, page: Option<&str>, app_ms: u32) -> Option<AnswerKind> {
        self.lock().handle_app(self.now_ms(), browser, page, app_ms)
    }

    /// All of it in numbers.
    pub(crate) fn snapshot(&self, shadow: ShadowCounts) -> PaysSnapshot {
        // One after the other, so that no page waits for all of them.
        let trials = self.lock().trials();
        let told = trials.iter().filter_map(|(page, engine)| self.lock().summary(self.now_ms(), page, *engine));
        PaysSnapshot::new(told, shadow)
    }

    /// How many trials there are, and why thin answers are off in how many of them.
    pub(crate) fn off(&self) -> (usize, Vec<(&'static str, usize)>) {
        let (trials, off) = self.lock().off();
        (trials, off.into_iter().collect())
    }

    fn lock(&self) -> MutexGuard<'_, Worth> {
        self.worth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
