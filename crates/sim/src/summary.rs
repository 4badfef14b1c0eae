//! What a run came to, in the figures that a person asks for.

use serde::Serialize;

use crate::clock::seconds;
use crate::invariants::Causes;
use crate::net::Fidelity;
use crate::plan::{Plan, Role};
use crate::population::fluid_bound;
use crate::visitor::{Answered, Reason};
use crate::world::{RunOutcome, VisitorOutcome};

/// The figures of one run, of those visitors that are expected to be as fast as any: no forgers, none that fail, none on lines too slow.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Summary {
    /// The seed.
    pub seed: u64,
    /// How closely the network was modelled.
    pub fidelity: Fidelity,
    /// Visitors of the plan, everybody.
    pub visitors: usize,
    /// Those that the figures are about.
    pub counted: usize,
    /// Those of them that had the app.
    pub finished: usize,
    /// Those that had not, by reason.
    pub unfinished: Unfinished,
    /// Answers to everybody: thin.
    pub thin: u64,
    /// Full.
    pub full: u64,
    /// Plain.
    pub plain: u64,
    /// Bytes of the app that left the origin: documents, assets, pieces.
    pub origin_app_bytes: u64,
    /// Loaders, signals, heads of answers.
    pub origin_other_bytes: u64,
    /// Bytes of whole packets that its line carried.
    pub origin_line_bytes: u64,
    /// Bytes of whole packets down the shared lines of offices.
    pub office_line_bytes: u64,
    /// Verified bytes that came from peers.
    pub peer_bytes: u64,
    /// Share of the app's bytes that came from peers.
    pub offload: f64,
    /// Seconds from its own arrival until half of the counted have the app; none where fewer have.
    pub time_p50_s: Option<f64>,
    /// The same of 95 in 100.
    pub time_p95_s: Option<f64>,
    /// The same of 99 in 100.
    pub time_p99_s: Option<f64>,
    /// Seconds from the first arrival until half have it.
    pub median_s: Option<f64>,
    /// Until all have it.
    pub last_s: Option<f64>,
    /// No network brings it to all sooner: the fluid bound, in seconds. None where visitors come one after the other for longer than that.
    pub bound_s: Option<f64>,
    /// Why pieces were asked of the origin.
    pub causes: Causes,
    /// Bytes that forgers sent in place of pieces. None of them was delivered.
    pub forged_bytes: u64,
    /// Steps that were taken, each looked at by every invariant.
    pub steps: u64,
    /// The time of the run, in seconds.
    pub simulated_s: f64,
}

/// Visitors without the app, by reason.
#[derive(Debug, Clone, Copy, Default, Serialize, PartialEq, Eq)]
pub struct Unfinished {
    /// See [`Reason::Left`].
    pub left: usize,
    /// See [`Reason::Failed`].
    pub failed: usize,
    /// See [`Reason::Stalled`].
    pub stalled: usize,
    /// See [`Reason::Refused`].
    pub refused: usize,
    /// See [`Reason::Unanswered`].
    pub unanswered: usize,
    /// See [`Reason::TooLate`].
    pub too_late: usize,
}

fn is_counted(visitor: &VisitorOutcome) -> bool {
    // Who closes the tab early is in no time: it never wanted to wait.
    visitor.role == Role::Honest && visitor.reason != Some(Reason::Left)
}

impl Summary {
    /// The figures of a run.
    #[must_use]
    pub fn of(plan: &Plan, outcome: &RunOutcome) -> Self {
        let counted: Vec<_> = outcome.visitors.iter().filter(|visitor| is_counted(visitor)).collect();
        let times = sorted(counted.iter().map(|visitor| visitor.done.map(|done| seconds(done - visitor.arrived))));
        let dones = sorted(counted.iter().map(|visitor| visitor.done.map(seconds)));
        let honest = || outcome.visitors.iter().filter(|visitor| visitor.role == Role::Honest);
        let (peers, origin) = honest().fold((0, 0), |(peers, origin), visitor| (peers + visitor.from_peers, origin + visitor.from_origin));
        let mut unfinished = Unfinished::default();
        for reason in outcome.visitors.iter().filter_map(|visitor| visitor.reason.filter(|_| visitor.role == Role::Honest)) {
            *match reason {
                Reason::Left => &mut unfinished.left,
                Reason::Failed => &mut unfinished.failed,
                Reason::Stalled => &mut unfinished.stalled,
                Reason::Refused => &mut unfinished.refused,
                Reason::Unanswered => &mut unfinished.unanswered,
                Reason::TooLate => &mut unfinished.too_late,
            } += 1;
        }
        let answered = |answer| outcome.visitors.iter().filter(|visitor| visitor.answered == Some(answer)).count() as u64;
        Self {
            seed: plan.seed,
            fidelity: plan.fidelity,
            visitors: outcome.visitors.len(),
            counted: counted.len(),
            finished: counted.iter().filter(|visitor| visitor.done.is_some()).count(),
            unfinished,
            thin: answered(Answered::Thin),
            full: answered(Answered::Full),
            plain: answered(Answered::Plain),
            origin_app_bytes: outcome.server.payload_bytes,
            origin_other_bytes: outcome.server.other_bytes,
            origin_line_bytes: outcome.carried.origin_up_bytes,
            office_line_bytes: outcome.carried.gateway_down_bytes,
            peer_bytes: peers,
            offload: peers as f64 / ((peers + origin).max(1)) as f64,
            time_p50_s: quantile(&times, counted.len(), 0.5),
            time_p95_s: quantile(&times, counted.len(), 0.95),
            time_p99_s: quantile(&times, counted.len(), 0.99),
            median_s: quantile(&dones, counted.len(), 0.5),
            last_s: quantile(&dones, counted.len(), 1.0),
            bound_s: Some(fluid_bound(plan).bound_s())
                .filter(|bound_s| plan.visitors.last().is_some_and(|last| seconds(last.arrives) <= *bound_s)),
            causes: outcome.causes,
            forged_bytes: outcome.forged_bytes,
            steps: outcome.steps,
            simulated_s: seconds(outcome.ended),
        }
    }
}

fn sorted(times: impl Iterator<Item = Option<f64>>) -> Vec<f64> {
    let mut times: Vec<f64> = times.flatten().collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The smallest time that at least this share of `count` has; none where fewer have any.
fn quantile(sorted: &[f64], count: usize, share: f64) -> Option<f64> {
    let rank = (count as f64 * share).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_done_is_later_than_all_others() {
        let times = [1.0, 2.0, 3.0];
        assert_eq!((quantile(&times, 4, 0.5), quantile(&times, 4, 0.95), quantile(&times, 3, 1.0)), (Some(2.0), None, Some(3.0)));
        assert_eq!(quantile(&[], 0, 0.5), None);
    }
}
