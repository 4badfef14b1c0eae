//! What a run comes to in numbers, and the median of several runs.

use serde::Serialize;

use crate::run::Run;
use crate::scenario::{Plan, Role};
use crate::visit::VisitResult;

/// The numbers of one run, or the medians of several. `None` where there is nothing to measure.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Measures {
    /// Honest visitors.
    pub visitors: usize,
    /// How many of them got the app within the limit.
    pub done: usize,
    /// Seconds from the first arrival to the last completion; `None` unless everybody was done.
    pub last_s: Option<f64>,
    /// Seconds from the first arrival until half of them were done.
    pub median_s: Option<f64>,
    /// Seconds from a visitor's own arrival to the app: median.
    pub app_p50_s: Option<f64>,
    /// The same: 95th percentile.
    pub app_p95_s: Option<f64>,
    /// The same: 99th percentile.
    pub app_p99_s: Option<f64>,
    /// Bytes of the app that left the origin, over one copy of the app.
    pub origin_payload_ratio: Option<f64>,
    /// Bytes of loaders and signalling that left the origin, per visitor.
    pub origin_overhead_bytes_per_visitor: Option<f64>,
    /// Share of the app's bytes that visitors took from each other, by their own account.
    pub offload: Option<f64>,
    /// Bytes that came down the shared line, headers included, over one copy of the app.
    pub line_ratio: Option<f64>,
    /// The same of the shared line that carried most.
    pub fullest_line_ratio: Option<f64>,
    /// Bytes that visitors accepted and that are not the origin's, of those who wrote down what they got.
    pub forged_bytes_deployed: u64,
    /// Bytes that forgers sent in place of pieces; `None` where nobody forges.
    pub forged_bytes_sent: Option<f64>,
    /// Peers banned, summed over all honest visitors.
    pub bans: u64,
    /// Peers that the tracker dropped because visitors reported forgeries.
    pub bans_by_tracker: u64,
    /// Share of idle processor time, in per cent.
    pub cpu_idle_pct: f64,
    /// What the network itself cost, in microseconds of processor time per packet.
    pub network_us_per_packet: f64,
    /// Rounds of the network that were late by more than 2 ms.
    pub network_late: u64,
}

impl Measures {
    /// The numbers of one run.
    #[must_use]
    pub fn of(run: &Run, plan: &Plan) -> Self {
        let honest: Vec<&VisitResult> = run.visits.iter().filter(|visit| visit.is_honest).collect();
        let done: Vec<&VisitResult> = honest.iter().copied().filter(|visit| visit.done_s.is_some()).collect();
        let ends = sorted(done.iter().filter_map(|visit| visit.done_s));
        let takes = sorted(done.iter().map(|visit| visit.got.ms_total as f64 / 1e3));
        let visitors = plan.visitors.iter().filter(|visitor| visitor.role == Role::Honest).count();
        let everybody = ends.len() == visitors;
        // Who is not done yet counts as later than everybody who is.
        let quantile = |values: &[f64], share: f64| values.get(rank(visitors, share)).copied();
        let app = plan.app_bytes as f64;
        let (peers, origin) =
            done.iter().fold((0, 0), |(peers, origin), visit| (peers + visit.got.bytes_from_peers, origin + visit.got.bytes_from_origin));
        let origin_bytes = run.server.origin_bytes;
        let has_counted = origin_bytes.payload() > 0;
        let counts = run.account.samples.last().map(|sample| sample.counts).unwrap_or_default();
        Self {
            visitors,
            done: ends.len(),
            last_s: ends.last().copied().filter(|_| everybody),
            median_s: quantile(&ends, 0.5),
            app_p50_s: quantile(&takes, 0.5),
            app_p95_s: quantile(&takes, 0.95),
            app_p99_s: quantile(&takes, 0.99),
            origin_payload_ratio: has_counted.then(|| origin_bytes.payload() as f64 / app),
            origin_overhead_bytes_per_visitor: (origin_bytes.overhead() > 0)
                .then(|| origin_bytes.overhead() as f64 / plan.visitors.len() as f64),
            offload: (peers + origin > 0).then(|| peers as f64 / (peers + origin) as f64),
            line_ratio: (run.line_bytes > 0).then(|| run.line_bytes as f64 / app),
            fullest_line_ratio: run.account.down_each_line.iter().max().map(|most| *most as f64 / app),
            forged_bytes_deployed: honest.iter().filter_map(|visit| visit.forged_bytes).sum(),
            forged_bytes_sent: plan.visitors.iter().any(|visitor| visitor.role == Role::Forging).then_some(run.forged_bytes_sent as f64),
            bans: honest.iter().map(|visit| visit.got.bans).sum(),
            bans_by_tracker: run.server.bans,
            cpu_idle_pct: run.cpu_idle_pct,
            network_us_per_packet: run.account.cpu.as_secs_f64() * 1e6 / counts.delivered.max(1) as f64,
            network_late: run.account.late,
        }
    }

    /// The median of each number; of what must be zero, the worst.
    #[must_use]
    pub fn median_of(all: &[Self]) -> Self {
        let over = |pick: &dyn Fn(&Self) -> Option<f64>| {
            let values: Option<Vec<f64>> = all.iter().map(pick).collect();
            values.and_then(|values| median(values.into_iter()))
        };
        Self {
            visitors: all.first().map_or(0, |one| one.visitors),
            done: all.iter().map(|one| one.done).min().unwrap_or(0),
            last_s: over(&|one| one.last_s),
            median_s: over(&|one| one.median_s),
            app_p50_s: over(&|one| one.app_p50_s),
            app_p95_s: over(&|one| one.app_p95_s),
            app_p99_s: over(&|one| one.app_p99_s),
            origin_payload_ratio: over(&|one| one.origin_payload_ratio),
            origin_overhead_bytes_per_visitor: over(&|one| one.origin_overhead_bytes_per_visitor),
            offload: over(&|one| one.offload),
            line_ratio: over(&|one| one.line_ratio),
            fullest_line_ratio: over(&|one| one.fullest_line_ratio),
            forged_bytes_deployed: all.iter().map(|one| one.forged_bytes_deployed).max().unwrap_or(0),
            forged_bytes_sent: over(&|one| one.forged_bytes_sent),
            bans: all.iter().map(|one| one.bans).max().unwrap_or(0),
            bans_by_tracker: all.iter().map(|one| one.bans_by_tracker).max().unwrap_or(0),
            cpu_idle_pct: all.iter().map(|one| one.cpu_idle_pct).fold(100.0, f64::min),
            network_us_per_packet: over(&|one| Some(one.network_us_per_packet)).unwrap_or(0.0),
            network_late: all.iter().map(|one| one.network_late).max().unwrap_or(0),
        }
    }
}

/// The middle value, of an even number the mean of the two middle ones.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let values = sorted(values);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        len if len % 2 == 1 => values.get(middle).copied(),
        _ => Some((values.get(middle - 1)? + values.get(middle)?) / 2.0),
    }
}

/// Where the quantile `share` of `len` sorted values is: the nearest rank.
fn rank(len: usize, share: f64) -> usize {
    ((len as f64 * share).ceil() as usize).max(1) - 1
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        assert_eq!([rank(20, 0.5), rank(20, 0.95), rank(20, 0.99), rank(1, 0.5), rank(100, 0.99)], [9, 18, 19, 0, 98]);
    }

    #[test]
    fn a_run_in_which_not_everybody_was_done_has_no_median_of_last_completions() {
        let one = |last_s| Measures { last_s, cpu_idle_pct: 50.0, ..Measures::default() };
        assert_eq!(Measures::median_of(&[one(Some(1.0)), one(Some(9.0)), one(Some(2.0))]).last_s, Some(2.0));
        assert_eq!(Measures::median_of(&[one(Some(1.0)), one(None)]).last_s, None);
        assert_eq!(median([1.0, 2.0].into_iter()), Some(1.5));
    }
}
