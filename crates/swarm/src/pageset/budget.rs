//! How often reports may change a page set: a token bucket, time as argument.

use crate::limits::{SET_CHANGE_MS, SET_CHANGES_BURST};

/// Changes that may be made, saved up as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    level_ms: u64,
    filled_ms: u64,
}

impl Budget {
    const FULL_MS: u64 = SET_CHANGES_BURST * SET_CHANGE_MS;

    /// A whole burst.
    pub(super) const fn full() -> Self {
        Self { level_ms: Self::FULL_MS, filled_ms: 0 }
    }

    /// Takes one change out; false where there is none left.
    pub(super) fn take(&mut self, now_ms: u64) -> bool {
        let gained = now_ms.saturating_sub(self.filled_ms);
        self.level_ms = self.level_ms.saturating_add(gained).min(Self::FULL_MS);
        self.filled_ms = now_ms.max(self.filled_ms);
        match self.level_ms.checked_sub(SET_CHANGE_MS) {
            Some(level_ms) => {
                self.level_ms = level_ms;
                true
            }
            None => false,
        }
    }

    /// From when on there is a change to take.
    pub(super) fn ready_ms(&self) -> u64 {
        self.filled_ms.saturating_add(SET_CHANGE_MS.saturating_sub(self.level_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_may_be_spent_at_once_and_then_one_change_a_minute() {
        let mut budget = Budget::full();
        let taken = (0..=SET_CHANGES_BURST).filter(|_| budget.take(5)).count() as u64;
        assert_eq!(taken, SET_CHANGES_BURST);
        assert_eq!(budget.ready_ms(), 5 + SET_CHANGE_MS);
        assert!(!budget.take(4 + SET_CHANGE_MS) && budget.take(5 + SET_CHANGE_MS) && !budget.take(5 + SET_CHANGE_MS));
        let later = 100 * SET_CHANGE_MS;
        assert_eq!((0..20).filter(|_| budget.take(later)).count() as u64, SET_CHANGES_BURST, "never more than a burst");
    }
}
