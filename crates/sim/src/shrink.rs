//! The smallest run that still fails: whoever looks for a fault has less to look at.

use crate::plan::Plan;
use crate::visitor::Sabotage;
use crate::world::{RunError, run};

/// A failure, and the shortest run found that has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What failed in the whole run.
    pub whole: RunError,
    /// Visitors, by arrival, that are enough.
    pub visitors: usize,
    /// What fails then.
    pub smallest: RunError,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {}: {}\nThe first {} visitors are enough: {}", self.seed, self.whole, self.visitors, self.smallest)
    }
}

/// Runs with fewer and fewer of the first visitors as long as an invariant is broken, by halves: so often as the number of visitors has bits.
#[must_use]
pub fn shrink(plan: &Plan, sabotage: Sabotage, whole: RunError) -> Failure {
    let (mut enough, mut too_few, mut smallest) = (plan.visitors.len(), 0, whole.clone());
    while enough - too_few > 1 {
        let count = too_few + (enough - too_few) / 2;
        let mut fewer = plan.clone();
        fewer.visitors.truncate(count);
        match run(&fewer, sabotage, &mut |_| true) {
            Err(error @ RunError::Broken(_)) => (enough, smallest) = (count, error),
            Err(RunError::App(_) | RunError::Stopped) | Ok(_) => too_few = count,
        }
    }
    Failure { seed: plan.seed, whole, visitors: enough, smallest }
}
