//! How much of something a client may do at once, and how much for ever. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket that is full at first and fills again with time.
#[derive(Debug)]
pub(crate) struct Allowance {
    burst: u64,
    per_s: u64,
    /// When it is full again; none = it is.
    full_at: Option<Instant>,
}

impl Allowance {
    /// `burst` at once, `per_s` a second for ever.
    pub(crate) const fn new(burst: u64, per_s: u64) -> Self {
        Self { burst, per_s, full_at: None }
    }

    /// Takes so much out of it; false where there is not so much left.
    pub(crate) fn take(&mut self, now: Instant, amount: u64) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + self.time_of(amount);
        let fits = full_at <= now + self.time_of(self.burst);
        if fits {
            self.full_at = Some(full_at);
        }
        fits
    }

    fn time_of(&self, amount: u64) -> Duration {
        Duration::from_nanos(amount.saturating_mul(1_000_000_000) / self.per_s.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_at_once_and_then_what_time_brings() {
        let (mut allowance, now) = (Allowance::new(10, 2), Instant::now());
        assert!((0..10).all(|_| allowance.take(now, 1)));
        assert!(!allowance.take(now, 1), "one more than the burst");
        let later = now + Duration::from_secs(1);
        assert!(allowance.take(later, 2) && !allowance.take(later, 1));
        let much_later = now + Duration::from_secs(3600);
        assert!(allowance.take(much_later, 10) && !allowance.take(much_later, 1), "no more is saved than a burst");
    }
}
