//! How much of something there may be at once, and how much for ever: of what is refused beyond that, and of what is waited for.

use std::time::{Duration, Instant};

/// A bucket that is full at first and fills again with time.
#[derive(Debug)]
pub struct Allowance {
    burst: u64,
    per_s: u64,
    /// When it is full again; none = it is.
    full_at: Option<Instant>,
}

impl Allowance {
    /// `burst` at once, `per_s` a second for ever.
    #[must_use]
    pub const fn new(burst: u64, per_s: u64) -> Self {
        Self { burst, per_s, full_at: None }
    }

    /// Takes so much out of it; false where there is not so much left.
    pub fn take(&mut self, now: Instant, amount: u64) -> bool {
        let full_at = self.full_at.map_or(now, |at| at.max(now)) + time_of(amount, self.per_s);
        let fits = full_at <= now + time_of(self.burst, self.per_s);
        if fits {
            self.full_at = Some(full_at);
        }
        fits
    }
}

/// What flows in this time may come at once.
const BURST: Duration = Duration::from_millis(50);

/// A bucket whose debt is paid by waiting.
#[derive(Debug)]
pub struct Bucket {
    bytes_per_s: u64,
    /// When the bucket is no longer in debt.
    clear_at: Instant,
}

impl Bucket {
    /// So much a second, from `now` on.
    #[must_use]
    pub const fn new(bytes_per_s: u64, now: Instant) -> Self {
        Self { bytes_per_s, clear_at: now }
    }

    /// Takes `bytes` and says until when to wait before taking more; none = go on.
    pub fn take(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        self.clear_at = self.clear_at.max(now.checked_sub(BURST).unwrap_or(now)) + time_of(bytes as u64, self.bytes_per_s);
        self.due(now)
    }

    /// Until when to wait before taking anything; none = go on.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        (self.clear_at > now).then_some(self.clear_at)
    }
}

/// How long so much takes at a rate.
fn time_of(amount: u64, per_s: u64) -> Duration {
    Duration::from_nanos(amount.saturating_mul(1_000_000_000) / per_s.max(1))
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

    #[test]
    fn a_second_of_a_rate_takes_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1_000, start);
        let mut now = start;
        let mut taken = 0;
        while now < start + Duration::from_secs(1) {
            match bucket.due(now) {
                Some(due) => now = due,
                None => {
                    bucket.take(now, 10);
                    taken += 10;
                }
            }
        }
        assert!((1_000..=1_070).contains(&taken), "{taken}");
    }

    #[test]
    fn a_bucket_that_rested_for_an_hour_gives_no_more_than_a_burst() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1_000, start);
        let later = start + Duration::from_secs(3_600);
        assert_eq!(bucket.take(later, 50), None);
        assert!(bucket.take(later, 50).is_some());
    }
}
