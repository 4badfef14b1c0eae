//! Whether it pays, behind a lock of its own: what visits tell is noted here, and each page is asked for.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::time::Instant;
use viral_swarm::alerts::NotWorthIt;
use viral_swarm::platform::Engine;
use viral_swarm::rollout::Lot;
use viral_swarm::shadow::ShadowCounts;
use viral_swarm::visits::AnswerKind;
use viral_swarm::worth::{Arm, ArmSummary, Timed, TrialSummary, Worth};

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
        PaysSnapshot { trials: told.map(TrialSnapshot::of).collect(), shadow: ShadowSnapshot::of(shadow) }
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

/// `pays` of `/stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PaysSnapshot {
    trials: Vec<TrialSnapshot>,
    shadow: ShadowSnapshot,
}

impl PaysSnapshot {
    /// Where nobody is answered thin for a while.
    pub(crate) fn not_worth_it(&self) -> Vec<NotWorthIt> {
        let off = self.trials.iter().filter_map(|trial| {
            let (again_s, against) = (trial.again_s?, trial.against?);
            Some(NotWorthIt { page: trial.page.clone(), engine: trial.browser, against, again_s })
        });
        off.collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ShadowSnapshot {
    thin: u64,
    full: u64,
}

impl ShadowSnapshot {
    fn of(ShadowCounts { thin, full }: ShadowCounts) -> Self {
        Self { thin, full }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct TrialSnapshot {
    page: String,
    browser: &'static str,
    thin_answers: &'static str,
    /// Until they are tried again.
    again_s: Option<u64>,
    against: Option<&'static str>,
    thin: ArmSnapshot,
    full: ArmSnapshot,
    holdout: ArmSnapshot,
}

impl TrialSnapshot {
    fn of(trial: TrialSummary) -> Self {
        let arm = |arm: Arm| ArmSnapshot::of(trial.arms[arm as usize]);
        Self {
            browser: trial.engine.name(),
            thin_answers: trial.state,
            again_s: trial.again_ms.map(|ms| ms / 1_000),
            against: trial.against.map(viral_swarm::worth::Against::name),
            thin: arm(Arm::Thin),
            full: arm(Arm::Full),
            holdout: arm(Arm::Holdout),
            page: trial.page,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ArmSnapshot {
    visits: usize,
    app_ms_p50: Option<u64>,
    app_ms_p95: Option<u64>,
    origin_bytes_p50: Option<u64>,
}

impl ArmSnapshot {
    fn of(ArmSummary { visits, app_ms_p50, app_ms_p95, origin_bytes_p50 }: ArmSummary) -> Self {
        Self { visits, app_ms_p50, app_ms_p95, origin_bytes_p50 }
    }
}
