//! How much of one channel is in flight, guessed from how fast it drains. Pure: time is an argument.

use std::time::{Duration, Instant};

/// What a channel drains in this time counts as in flight: a round trip across a continent.
const IN_FLIGHT: Duration = Duration::from_millis(100);

/// The rate is measured over this long.
const EPOCH: Duration = Duration::from_millis(50);

/// In flight at the least: what an association sends before its first acknowledgement comes, a few times.
const IN_FLIGHT_LEN_MIN: usize = 32 * 1024;

/// In flight at most: the receive window that str0m announces.
const IN_FLIGHT_LEN_MAX: usize = 1024 * 1024;

/// The outgoing side of one channel.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Bytes ever written.
    pub(crate) written: u64,
    /// Bytes that are probably in flight when the channel is busy.
    pub(crate) in_flight: usize,
    since: Instant,
    drained: u64,
}

impl Flow {
    pub(crate) fn new(now: Instant) -> Self {
        Self { written: 0, in_flight: IN_FLIGHT_LEN_MIN, since: now, drained: 0 }
    }

    /// Takes note of what is buffered, in flight included; true if the guess changed.
    pub(crate) fn note(&mut self, now: Instant, buffered: usize) -> bool {
        let ms = u64::try_from(now.duration_since(self.since).as_millis()).unwrap_or(u64::MAX);
        if ms < EPOCH.as_millis() as u64 {
            return false;
        }
        let drained = self.written.saturating_sub(buffered as u64);
        let len = (drained - self.drained.min(drained)) * IN_FLIGHT.as_millis() as u64 / ms;
        let len = usize::try_from(len).unwrap_or(usize::MAX).clamp(IN_FLIGHT_LEN_MIN, IN_FLIGHT_LEN_MAX);
        (self.since, self.drained) = (now, drained);
        // Up at once, down slowly: a channel that waited for pieces is not a slower one.
        let before = self.in_flight;
        self.in_flight = if len < before { (before * 3 + len) / 4 } else { len };
        before != self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drains_in_a_tenth_of_a_second_counts_as_in_flight() {
        let start = Instant::now();
        let mut flow = Flow::new(start);
        flow.written = 600_000;
        assert!(!flow.note(start + Duration::from_millis(10), 0), "too early to tell");
        assert!(flow.note(start + Duration::from_millis(100), 200_000));
        assert_eq!(flow.in_flight, 400_000);
        assert!(flow.note(start + Duration::from_millis(200), 200_000), "nothing drained");
        assert_eq!(flow.in_flight, (400_000 * 3 + IN_FLIGHT_LEN_MIN) / 4);
    }

    #[test]
    fn the_guess_has_bounds() {
        let start = Instant::now();
        let mut flow = Flow::new(start);
        flow.written = 1 << 40;
        flow.note(start + Duration::from_millis(100), 0);
        assert_eq!(flow.in_flight, IN_FLIGHT_LEN_MAX);
    }
}
