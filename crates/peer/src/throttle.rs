//! The download limit: one bucket for everything that comes in, from peers and from the origin.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::rate::Rate;

/// What flows in this time may come at once.
const BURST: Duration = Duration::from_millis(50);

/// A token bucket whose debt is paid by waiting. Pure: time is an argument.
#[derive(Debug)]
struct Bucket {
    bytes_per_s: u64,
    /// When the bucket is no longer in debt.
    clear_at: Instant,
}

impl Bucket {
    /// Takes `bytes` and says until when to wait before taking more; none = go on.
    fn take(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let ns = (bytes as u64).saturating_mul(1_000_000_000) / self.bytes_per_s.max(1);
        self.clear_at = self.clear_at.max(now.checked_sub(BURST).unwrap_or(now)) + Duration::from_nanos(ns);
        self.due(now)
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        (self.clear_at > now).then_some(self.clear_at)
    }
}

/// A limit that several readers share. Clones share it, too.
#[derive(Debug, Clone)]
pub(crate) struct Throttle(Option<Arc<Mutex<Bucket>>>);

impl Throttle {
    /// At most this rate; none = no limit.
    pub(crate) fn new(rate: Option<Rate>) -> Self {
        Self(rate.map(|rate| Arc::new(Mutex::new(Bucket { bytes_per_s: rate.0, clear_at: Instant::now() }))))
    }

    /// Counts bytes that came in; until when to read nothing more.
    pub(crate) fn take(&self, now: Instant, bytes: usize) -> Option<Instant> {
        let bucket = self.0.as_ref()?;
        bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now, bytes)
    }

    /// Until when to read nothing.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let bucket = self.0.as_ref()?;
        bucket.lock().unwrap_or_else(PoisonError::into_inner).due(now)
    }

    /// Counts bytes that came in and waits as long as they are too many.
    pub(crate) async fn pay(&self, bytes: usize) {
        if let Some(due) = self.take(Instant::now(), bytes) {
            tokio::time::sleep_until(due.into()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_a_rate_takes_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket { bytes_per_s: 1_000, clear_at: start };
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
        let mut bucket = Bucket { bytes_per_s: 1_000, clear_at: start };
        let later = start + Duration::from_secs(3_600);
        assert_eq!(bucket.take(later, 50), None);
        assert!(bucket.take(later, 50).is_some());
    }
}
