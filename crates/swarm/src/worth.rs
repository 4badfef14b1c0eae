//! Whether it pays: the times to app of thin visits beside those of whole pages, for each page and engine. Where thin visits are slower, or save the server nothing, there are
//! none for a while.
//!
//! What is believed of a visitor's word is bounded by what the server saw: one word for each document that it answered, no longer ago than it says, and no network has more of
//! them than others leave it. What a liar can do is turn thin answers off, or keep them on where they are slow.

mod arm;
mod compare;
mod pays;
mod sample;
mod timings;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    limits::{
        WORTH_AGAIN_PERCENT, WORTH_FORGIVEN_MS, WORTH_FORGIVEN_PERMILLE, WORTH_LOOK_VISITS, WORTH_PROVEN_VISITS, WORTH_SAMPLES_MIN,
        WORTH_SAVED_PERMILLE, WORTH_TRIALS_MAX, WORTH_WAIT_MAX_MS, WORTH_WAIT_MS,
    },
    platform::Engine,
    rollout::{Lot, Share},
    visits::AnswerKind,
};
use sample::Sample;
use timings::Timings;

pub use arm::Arm;
pub use pays::PaysSnapshot;
pub use sample::Outcome;
pub use timings::Timed;

/// Why thin answers do not pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Thin visits take longer, all in all.
    Slower,
    /// The slowest twentieth takes longer.
    SlowTail,
    /// The server sends hardly less.
    NothingSaved,
}

impl Against {
    /// Its name in numbers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::SlowTail => "slow-tail",
            Self::NothingSaved => "nothing-saved",
        }
    }
}

/// All trials of a site.
#[derive(Debug, Default)]
pub struct Worth {
    timings: Timings,
    trials: BTreeMap<(String, Engine), Trial>,
}

/// One page in one engine.
#[derive(Debug, Default)]
struct Trial {
    arms: [Sample; 3],
    state: State,
    /// How often in a row it did not pay.
    failures: u32,
    /// What spoke against it last.
    against: Option<Against>,
    /// New visits since it was looked at.
    unseen: usize,
    touched_ms: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Everybody may be answered thin.
    #[default]
    On,
    /// Nobody, until then.
    Off { until_ms: u64 },
    /// A share, after it did not pay.
    Again,
}

/// One trial in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialSummary {
    /// Path of the page.
    pub page: String,
    /// The engine.
    pub engine: Engine,
    /// `on`: everybody may be answered thin; `off`: nobody; `again`: a share, after it did not pay.
    pub state: &'static str,
    /// When it is tried again, in milliseconds from now.
    pub again_ms: Option<u64>,
    /// What spoke against it last.
    pub against: Option<Against>,
    /// Visits of each kind, in the order of [`Arm::ALL`].
    pub arms: [ArmSummary; 3],
}

/// Visits of one kind in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ArmSummary {
    /// How many are remembered.
    pub visits: usize,
    /// Median of the time to app, in milliseconds; none where most gave up.
    pub app_ms_p50: Option<u64>,
    /// What 19 of 20 did not exceed.
    pub app_ms_p95: Option<u64>,
    /// Median of the bytes that the server sent until then.
    pub origin_bytes_p50: Option<u64>,
}

impl Worth {
    /// A document is answered. `gives_up`: the visitor's loader found no way to the app and asks for the plain page.
    pub fn handle_document(&mut self, now_ms: u64, timed: &Timed<'_>, gives_up: bool) {
        let before = self.timings.begin(now_ms, timed);
        let lost = before.filter(|before| gives_up && before.kind == AnswerKind::Thin && *before.page == *timed.page);
        if let Some((before, arm)) = lost.and_then(|before| before.arm.map(|arm| (before, arm))) {
            self.note(now_ms, (&before.page, before.engine), arm, before.outcome(None));
        }
    }

    /// The server sent this much to a visit of a page.
    pub fn handle_sent(&mut self, browser: u64, page: &str, bytes: u64) {
        self.timings.add_bytes(browser, page, bytes);
    }

    /// A page says when its app was there, in milliseconds from the visitor's wish. Returns how it was answered, if that may be so.
    pub fn handle_app(&mut self, now_ms: u64, browser: u64, page: Option<&str>, app_ms: u32) -> Option<AnswerKind> {
        let visit = self.timings.end(now_ms, browser, page, app_ms)?;
        if let Some(arm) = visit.arm {
            self.note(now_ms, (&visit.page, visit.engine), arm, visit.outcome(Some(app_ms)));
        }
        Some(visit.kind)
    }

    /// Whether thin answers pay for this page in this engine, or are to be tried with this visitor.
    pub fn is_worth_it(&mut self, now_ms: u64, page: &str, engine: Engine, lot: Option<Lot>) -> bool {
        // Pages of which nothing is known need no key of their own.
        let Some((_, trial)) =
            self.trials.range_mut((page.to_owned(), engine)..).next().filter(|((known, of), _)| known == page && *of == engine)
        else {
            return true;
        };
        trial.advance(now_ms);
        match trial.state {
            State::On => true,
            State::Off { .. } => false,
            State::Again => lot.is_none_or(|lot| lot.is_on_ramp(Share::percent(WORTH_AGAIN_PERCENT))),
        }
    }

    /// Of which pages and engines there is a trial, by page.
    #[must_use]
    pub fn trials(&self) -> Vec<(String, Engine)> {
        self.trials.keys().cloned().collect()
    }

    /// One trial in numbers.
    #[must_use]
    pub fn summary(&self, now_ms: u64, page: &str, engine: Engine) -> Option<TrialSummary> {
        let trial = self.trials.get(&(page.to_owned(), engine))?;
        Some(trial.summary(now_ms, page, engine))
    }

    /// How many trials there are, and of how many thin answers are off, by what spoke against them.
    #[must_use]
    pub fn off(&self) -> (usize, BTreeMap<&'static str, usize>) {
        let mut off = BTreeMap::new();
        for trial in self.trials.values() {
            if let (State::Off { .. }, Some(against)) = (trial.state, trial.against) {
                *off.entry(against.name()).or_default() += 1;
            }
        }
        (self.trials.len(), off)
    }

    fn note(&mut self, now_ms: u64, (page, engine): (&str, Engine), arm: Arm, outcome: Outcome) {
        let key = (page.to_owned(), engine);
        if self.trials.len() >= WORTH_TRIALS_MAX
            && !self.trials.contains_key(&key)
            && let Some(oldest) = self.trials.iter().min_by_key(|(_, trial)| trial.touched_ms).map(|(key, _)| key.clone())
        {
            self.trials.remove(&oldest);
        }
        let trial = self.trials.entry(key).or_default();
        trial.touched_ms = now_ms;
        trial.advance(now_ms);
        trial.arms[arm as usize].add(now_ms, outcome);
        trial.unseen += 1;
        if trial.unseen >= WORTH_LOOK_VISITS {
            trial.unseen = 0;
            trial.look(now_ms);
        }
    }
}

impl Trial {
    fn advance(&mut self, now_ms: u64) {
        if matches!(self.state, State::Off { until_ms } if until_ms <= now_ms) {
            self.state = State::Again;
            // What was is no evidence of what is.
            self.arms[Arm::Thin as usize].clear();
        }
    }

    fn look(&mut self, now_ms: u64) {
        self.arms.iter_mut().for_each(|arm| arm.expire(now_ms));
        if matches!(self.state, State::Off { .. }) {
            return;
        }
        if let Some(against) = self.verdict() {
            let wait_ms = WORTH_WAIT_MS.saturating_mul(1 << self.failures.min(16)).min(WORTH_WAIT_MAX_MS);
            self.failures = self.failures.saturating_add(1);
            self.against = Some(against);
            self.state = State::Off { until_ms: now_ms.saturating_add(wait_ms) };
        } else if self.state == State::Again && self.arms[Arm::Thin as usize].len() >= WORTH_PROVEN_VISITS {
            (self.state, self.failures, self.against) = (State::On, 0, None);
        }
    }

    /// What speaks against thin answers, for sure.
    fn verdict(&self) -> Option<Against> {
        let [thin, full, holdout] = &self.arms;
        // Drawn by lot, they are the fair ones to compare with.
        let whole = [holdout, full].into_iter().find(|whole| whole.len() >= WORTH_SAMPLES_MIN)?;
        if thin.len() < WORTH_SAMPLES_MIN {
            return None;
        }
        let forgiven =
            |ms: u64| if ms == u64::MAX { ms } else { ms.saturating_sub((ms * WORTH_FORGIVEN_PERMILLE / 1_000).max(WORTH_FORGIVEN_MS)) };
        // It grows with the time, so that the order stays.
        let thin_ms: Vec<u64> = thin.times().into_iter().map(forgiven).collect();
        let whole_ms = whole.times();
        let worth_having = |bytes: u64| bytes - bytes / 1_000 * WORTH_SAVED_PERMILLE;
        let whole_bytes: Vec<u64> = whole.bytes().into_iter().map(worth_having).collect();
        if compare::is_greater(&thin_ms, &whole_ms) || compare::has_greater_quantile(&thin_ms, &whole_ms, 0.5) {
            Some(Against::Slower)
        } else if compare::has_greater_quantile(&thin_ms, &whole_ms, 0.95) {
            Some(Against::SlowTail)
        } else if compare::is_greater(&thin.bytes(), &whole_bytes) {
            Some(Against::NothingSaved)
        } else {
            None
        }
    }

    fn summary(&self, now_ms: u64, page: &str, engine: Engine) -> TrialSummary {
        let (state, again_ms) = match self.state {
            State::On => ("on", None),
            State::Off { until_ms } => ("off", Some(until_ms.saturating_sub(now_ms))),
            State::Again => ("again", None),
        };
        let arms = [0, 1, 2].map(|arm: usize| {
            let (times, bytes) = (self.arms[arm].times(), self.arms[arm].bytes());
            let at = |share| compare::quantile(&times, share).filter(|ms| *ms != u64::MAX);
            ArmSummary { visits: times.len(), app_ms_p50: at(0.5), app_ms_p95: at(0.95), origin_bytes_p50: compare::quantile(&bytes, 0.5) }
        });
        TrialSummary { page: page.to_owned(), engine, state, again_ms, against: self.against, arms }
    }
}

#[cfg(test)]
mod tests;
