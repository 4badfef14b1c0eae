//! A scenario's runs put beside the bound, its rival and its targets.

use serde::Serialize;

use crate::measures::Measures;
use crate::processor::IDLE_MIN_PCT;
use crate::run::Run;
use crate::scenario::{Plan, Scenario};

/// Bytes of the first flight of TCP, which a thin answer must fit into (RFC 6928: ten segments of 1,460 bytes).
const THIN_BYTES: f64 = 14_600.0;

/// Copies of the app over the line of each of two offices, at most.
const TWO_OFFICES_MAX: f64 = 1.1;

/// Everything that came of one scenario.
pub struct Outcome {
    /// What was run.
    pub plan: Plan,
    /// Factor on every rate.
    pub scale: f64,
    /// Each run with viral.
    pub viral: Vec<Run>,
    /// Each run with nginx; empty where it would take too long.
    pub nginx: Vec<Run>,
    /// Each run of what the scenario is compared with ([`Plan::compared`]).
    pub compared: Vec<Run>,
    /// Each run with WebTorrent, where it was asked for.
    pub webtorrent: Vec<Run>,
}

/// Viral and WebTorrent side by side.
pub struct Duel {
    /// What is compared, for viral and for WebTorrent.
    pub rows: Vec<(&'static str, [Option<f64>; 2])>,
    /// What WebTorrent came to.
    pub webtorrent: Measures,
}

/// One number and what it should be.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What it is.
    pub name: &'static str,
    /// `None` when it could not be measured.
    pub value: Option<f64>,
    /// At most, or at least, this.
    pub target: Target,
}

/// What a number should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// What the figures come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every target is met.
    Met,
    /// At least one is not.
    Missed,
    /// The processor was too busy to say.
    Busy,
}

impl Figure {
    /// Whether the target is met; what could not be measured does not.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.value.is_some_and(|value| match self.target {
            Target::AtMost(most) => value <= most,
            Target::AtLeast(least) => value >= least,
        })
    }
}

impl Outcome {
    /// Medians of the runs with viral.
    #[must_use]
    pub fn measures(&self) -> Measures {
        self.median(&self.viral)
    }

    /// Medians of the runs with nginx, if there were any.
    #[must_use]
    pub fn rival(&self) -> Option<Measures> {
        (!self.nginx.is_empty()).then(|| self.median(&self.nginx))
    }

    /// Viral beside WebTorrent, if that was run. It has no verdict: both sides' idle shares stand in it.
    #[must_use]
    pub fn duel(&self) -> Option<Duel> {
        let webtorrent = (!self.webtorrent.is_empty()).then(|| self.median(&self.webtorrent))?;
        let rows = rows(&self.measures(), &webtorrent, self.plan.fluid_bound.bound_s());
        Some(Duel { rows, webtorrent })
    }

    fn median(&self, runs: &[Run]) -> Measures {
        Measures::median_of(&runs.iter().map(|run| Measures::of(run, &self.plan)).collect::<Vec<_>>())
    }

    /// The numbers that have a target in this scenario.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let measures = self.measures();
        let bound_s = self.plan.fluid_bound.bound_s();
        let over = |value: Option<f64>, by: Option<f64>| Some(value? / by.filter(|by| *by > 0.0)?);
        let at_most = |name, value, most| Figure { name, value, target: Target::AtMost(most) };
        let mut figures = match self.plan.scenario {
            Scenario::Crowd => vec![
                at_most("last completion / bound", over(measures.last_s, Some(bound_s)), 1.4),
                at_most("median completion / bound", over(measures.median_s, Some(bound_s)), 1.3),
                at_most("origin payload / one copy", measures.origin_payload_ratio, 1.2),
            ],
            Scenario::Engines => vec![
                at_most("last completion / bound", over(measures.last_s, Some(bound_s)), 1.45),
                at_most("median completion / bound", over(measures.median_s, Some(bound_s)), 1.4),
                at_most("origin payload / one copy", measures.origin_payload_ratio, 1.2),
            ],
            Scenario::Browsers => {
                let rival_s = self.rival().and_then(|rival| rival.app_p95_s);
                vec![
                    at_most("last completion / bound", over(measures.last_s, Some(bound_s)), 1.6),
                    at_most("origin payload / one copy", measures.origin_payload_ratio, 1.15),
                    at_most("time to app p95 / nginx p95", over(measures.app_p95_s, rival_s), 0.15),
                ]
            }
            Scenario::Office => {
                let visitors = measures.visitors as f64;
                let most = 1.1 + visitors * THIN_BYTES / self.plan.app_bytes as f64;
                let rival_s = self.rival().and_then(|rival| rival.app_p95_s);
                vec![
                    at_most("time to app p95 / nginx p95", over(measures.app_p95_s, rival_s), 0.15),
                    at_most("bytes over the line / one copy", measures.line_ratio, most),
                ]
            }
            Scenario::TwoOffices => vec![at_most("bytes over the fuller line / one copy", measures.fullest_line_ratio, TWO_OFFICES_MAX)],
            Scenario::Isps => {
                let islands = self.plan.network.gateways.len() as f64;
                let strangers_s = self.median(&self.compared).last_s;
                vec![
                    at_most("copies across transit / islands", over(measures.line_ratio, Some(islands)), 1.2),
                    at_most("last completion / no locality", over(measures.last_s, strangers_s), 1.05),
                ]
            }
            Scenario::Trickle => {
                let value = over(measures.offload, self.plan.offload_bound);
                vec![Figure { name: "offload / its bound", value, target: Target::AtLeast(0.85) }]
            }
            Scenario::Hostile => {
                let honest_s = self.median(&self.compared).app_p99_s;
                vec![
                    at_most("time to app p99 / all honest p99", over(measures.app_p99_s, honest_s), 1.5),
                    at_most("forged bytes deployed", Some(measures.forged_bytes_deployed as f64), 0.0),
                ]
            }
            Scenario::Lone => {
                let rival_s = self.rival().and_then(|rival| rival.app_p50_s);
                vec![at_most("time to app / nginx", over(measures.app_p50_s, rival_s), 1.05)]
            }
        };
        if self.plan.scenario != Scenario::Lone {
            // A browser's are more: its scripts.
            let most = if matches!(self.plan.scenario, Scenario::Browsers | Scenario::Engines) { 24_000.0 } else { 16_384.0 };
            figures.push(at_most("other origin bytes per visitor", measures.origin_overhead_bytes_per_visitor, most));
        }
        let missing = measures.visitors.saturating_sub(measures.done);
        figures.push(at_most("visitors without the app", Some(missing as f64), 0.0));
        figures
    }

    /// What the figures come to.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.idle_pct() < IDLE_MIN_PCT {
            return Verdict::Busy;
        }
        if self.figures().iter().all(Figure::is_met) { Verdict::Met } else { Verdict::Missed }
    }

    /// The busiest run's idle share, in per cent: every run that a figure rests on counts.
    #[must_use]
    pub fn idle_pct(&self) -> f64 {
        self.viral.iter().chain(&self.nginx).chain(&self.compared).map(|run| run.cpu_idle_pct).fold(100.0, f64::min)
    }
}

/// What is compared between viral and WebTorrent.
fn rows(viral: &Measures, webtorrent: &Measures, bound_s: f64) -> Vec<(&'static str, [Option<f64>; 2])> {
    let both = |pick: &dyn Fn(&Measures) -> Option<f64>| [pick(viral), pick(webtorrent)];
    vec![
        ("last completion / bound", both(&|one| Some(one.last_s? / bound_s))),
        ("median completion / bound", both(&|one| Some(one.median_s? / bound_s))),
        ("origin payload / one copy", both(&|one| one.origin_payload_ratio)),
        ("visitors without the app", both(&|one| Some(one.visitors.saturating_sub(one.done) as f64))),
        ("processor idle, %", both(&|one| Some(one.cpu_idle_pct))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rival_is_measured_by_the_same_bound() {
        let one = |last_s, done| Measures { visitors: 2, done, last_s, median_s: Some(10.0), cpu_idle_pct: 50.0, ..Measures::default() };
        let rows = rows(&one(Some(12.0), 2), &one(None, 1), 8.0);
        assert_eq!(rows[0].1, [Some(1.5), None]);
        assert_eq!((rows[1].1, rows[3].1), ([Some(1.25); 2], [Some(0.0), Some(1.0)]));
    }

    #[test]
    fn a_figure_at_its_target_meets_it_and_an_unmeasured_one_does_not() {
        let figure = |value, target| Figure { name: "x", value, target };
        assert!(figure(Some(1.4), Target::AtMost(1.4)).is_met());
        assert!(!figure(Some(1.41), Target::AtMost(1.4)).is_met());
        assert!(figure(Some(0.85), Target::AtLeast(0.85)).is_met());
        assert!(!figure(None, Target::AtMost(1.4)).is_met());
    }
}
