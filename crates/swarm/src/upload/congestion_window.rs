//! How much of one channel may be in flight. Pure: time is an argument.
//!
//! SCTP's own window doubles until something is lost, and what is lost first is what the other side's socket has no room for: a browser's holds fifty
//! packets. A burst that overflows it ends in a timeout of a second. So no more is handed to SCTP than the path itself holds, twice.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rate is measured over this long, or over a round trip.
const EPOCH: Duration = Duration::from_millis(50);

/// In flight at the least, in bytes: forty packets. A browser's socket takes about fifty in one burst (64 KiB asked for, doubled by Linux, at 2.3 KB each).
const WINDOW_LEN_MIN: usize = 48 * 1024;

/// In flight at most, in bytes: 100 Mbit/s over a round trip of 120 ms. Less than SCTP buffers, so that control messages always have room.
const WINDOW_LEN_MAX: usize = 3 * 512 * 1024;

/// A channel on which nothing is acknowledged for less than this is not stalled: acknowledgements of a browser that is busy come late.
const STALL_MIN: Duration = Duration::from_millis(25);

/// The same before anything was acknowledged: as long as an acknowledgement may be held back (RFC 9260 section 6.2).
const STALL_FIRST: Duration = Duration::from_millis(200);

/// The longest such wait: half of SCTP's own, however slow a message was that SCTP had to repeat.
const STALL_MAX: Duration = Duration::from_millis(500);

/// Fewer bytes in one packet or two may be acknowledged late (RFC 9260 section 6.2), so they say nothing about the round trip.
const PROBE_LEN_MIN: usize = 4 * 1024;

/// The outgoing side of one channel.
#[derive(Debug)]
pub struct CongestionWindow {
    written: u64,
    acknowledged: u64,
    /// When a message was written and what had been written before it, until the first of it is acknowledged.
    probe: Option<(Instant, u64)>,
    /// The shortest round trip seen.
    round_trip: Option<Duration>,
    /// Bytes per second; falls slowly, since a channel that waited for pieces is not a slower one.
    rate: u64,
    epoch: (Instant, u64),
    /// Where each message that is not acknowledged whole ends, and when it was written, oldest first.
    messages: VecDeque<(u64, Instant)>,
    /// How long a message took from here to its acknowledgement, the longest; falls with each message that took less.
    longest: Option<Duration>,
    /// When a message was last written or acknowledged in part.
    moved_at: Instant,
    /// A message was written because nothing moved, and nothing moved since.
    is_probing: bool,
}

impl CongestionWindow {
    /// Nothing was written yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            written: 0,
            acknowledged: 0,
            probe: None,
            round_trip: None,
            rate: 0,
            epoch: (now, 0),
            messages: VecDeque::new(),
            longest: None,
            moved_at: now,
            is_probing: false,
        }
    }

    /// Bytes that may be in flight now.
    #[must_use]
    pub fn window(&self) -> usize {
        self.path_len().clamp(WINDOW_LEN_MIN, WINDOW_LEN_MAX)
    }

    /// Whether a message of this length may be sent now. One that does not fit follows when little of those before it is left: were it to wait for the very last
    /// acknowledgement, which the other side may hold back for 200 ms, a large piece would take that long on the fastest path. One follows a channel that is stalled:
    /// see [`Self::is_stalled`].
    #[must_use]
    pub fn admits(&self, now: Instant, in_flight: usize, len: usize) -> bool {
        let window = self.window();
        in_flight + len <= window || in_flight <= window / 8 || self.is_stalled(now)
    }

    /// Whether the last packets of what is in flight seem lost. SCTP learns of a loss from what arrives after it; if nothing does, it waits a second. So one more message
    /// goes on its way: the tail loss probe of TCP (RFC 8985 section 7), with new data.
    #[must_use]
    pub fn is_stalled(&self, now: Instant) -> bool {
        self.stalls_at().is_some_and(|at| at <= now)
    }

    /// When the channel counts as stalled unless something is acknowledged before; none if nothing is in flight or a probe is on its way.
    #[must_use]
    pub fn stalls_at(&self) -> Option<Instant> {
        let wait = self.longest.map_or(STALL_FIRST, |longest| (2 * longest).clamp(STALL_MIN, STALL_MAX));
        (!self.messages.is_empty() && !self.is_probing).then(|| self.moved_at + wait)
    }

    /// Bytes that the path holds at the rate and the round trip measured, twice.
    #[must_use]
    pub fn path_len(&self) -> usize {
        let round_trip_us = self.round_trip.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let len = 2 * (u128::from(self.rate) * u128::from(round_trip_us) / 1_000_000);
        usize::try_from(len).unwrap_or(usize::MAX)
    }

    /// A message was handed to SCTP.
    pub fn write(&mut self, now: Instant, len: usize) {
        if self.probe.is_none() && len >= PROBE_LEN_MIN {
            self.probe = Some((now, self.written));
        }
        self.is_probing |= self.is_stalled(now);
        self.moved_at = now;
        self.written += len as u64;
        self.messages.push_back((self.written, now));
    }

    /// When the oldest message that is still on its way was written.
    #[must_use]
    pub fn oldest(&self) -> Option<Instant> {
        self.messages.front().map(|(_, written_at)| *written_at)
    }

    /// So much of what was written is not acknowledged yet.
    pub fn note(&mut self, now: Instant, in_flight: usize) {
        let acknowledged = self.written.saturating_sub(in_flight as u64);
        if acknowledged > self.acknowledged {
            self.acknowledged = acknowledged;
            self.moved_at = now;
            self.is_probing = false;
            while let Some((_, written_at)) = self.messages.pop_front_if(|(end, _)| *end <= acknowledged) {
                let took = now.duration_since(written_at);
                self.longest = Some(self.longest.map_or(took, |longest| took.max(longest - longest / 8)));
            }
            if let Some((written_at, before)) = self.probe
                && acknowledged > before
            {
                self.probe = None;
                let took = now.duration_since(written_at);
                self.round_trip = Some(self.round_trip.map_or(took, |shortest| shortest.min(took)));
            }
        }
        let took = now.duration_since(self.epoch.0);
        if took >= EPOCH.max(self.round_trip.unwrap_or_default()) {
            let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
            let rate = (self.acknowledged - self.epoch.1).saturating_mul(1000) / ms;
            self.rate = rate.max(self.rate - self.rate / 8);
            self.epoch = (now, self.acknowledged);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A channel that is kept full for a second on a path of this rate, in bytes per millisecond, and round trip.
    fn window_on(rate: usize, round_trip_ms: u64) -> usize {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut congestion = CongestionWindow::new(start);
        let (mut arriving, mut in_flight) = (std::collections::VecDeque::new(), 0);
        for ms in 0..2_000 {
            let mut acknowledged = 0;
            while arriving.front().is_some_and(|(due, _)| *due <= ms) {
                acknowledged += arriving.pop_front().map_or(0, |(_, len)| len);
            }
            in_flight -= acknowledged;
            congestion.note(at(ms), in_flight);
            let sent = rate.min(congestion.window().saturating_sub(in_flight));
            if sent > 0 {
                congestion.write(at(ms), sent);
                in_flight += sent;
                arriving.push_back((ms + round_trip_ms, sent));
            }
        }
        congestion.window()
    }

    #[test]
    fn a_short_path_holds_little_however_fast_it_is() {
        assert_eq!(window_on(20_000, 1), WINDOW_LEN_MIN);
    }

    #[test]
    fn the_window_grows_until_a_long_path_is_full_twice() {
        let window = window_on(5_000, 100);
        assert!((900_000..1_200_000).contains(&window), "{window}");
    }

    #[test]
    fn a_small_first_message_does_not_hide_the_path_from_what_follows() {
        let start = Instant::now();
        let mut congestion = CongestionWindow::new(start);
        congestion.write(start, 100);
        congestion.write(start, 40_000);
        congestion.note(start + Duration::from_millis(20), 40_000);
        assert_eq!(congestion.round_trip, None);
        congestion.note(start + Duration::from_millis(30), 30_000);
        assert_eq!(congestion.round_trip, Some(Duration::from_millis(30)));
    }

    #[test]
    fn a_message_longer_than_the_window_does_not_wait_for_the_last_acknowledgement() {
        let now = Instant::now();
        let congestion = CongestionWindow::new(now);
        let len = 2 * WINDOW_LEN_MIN;
        assert!(congestion.admits(now, 0, len) && congestion.admits(now, WINDOW_LEN_MIN / 8, len));
        assert!(!congestion.admits(now, WINDOW_LEN_MIN / 8 + 1, len));
        assert!(congestion.admits(now, WINDOW_LEN_MIN - 10, 10) && !congestion.admits(now, WINDOW_LEN_MIN - 10, 11));
    }

    #[test]
    fn one_message_more_follows_a_channel_that_nobody_acknowledges() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut congestion = CongestionWindow::new(start);
        let len = 2 * WINDOW_LEN_MIN;
        congestion.write(at(0), len);
        congestion.note(at(40), 0);
        congestion.write(at(40), len);
        // Twice what the first took.
        assert_eq!(congestion.stalls_at(), Some(at(120)));
        assert!(!congestion.admits(at(119), len, len) && congestion.admits(at(120), len, len));
        congestion.write(at(120), len);
        assert!(congestion.stalls_at().is_none() && !congestion.admits(at(1_000), 2 * len, len));
        congestion.note(at(1_100), len);
        assert!(congestion.stalls_at().is_some());
        congestion.note(at(1_110), 0);
        assert_eq!(congestion.stalls_at(), None);
        congestion.write(at(2_000), len);
        assert_eq!(congestion.stalls_at(), Some(at(2_000) + STALL_MAX), "a message that SCTP had to repeat says nothing about the next");
        congestion.write(at(2_500), len);
        congestion.write(at(2_600), 10);
        assert_eq!(congestion.stalls_at(), None, "one probe until something moves");
    }

    #[test]
    fn the_oldest_message_on_its_way_is_the_first_not_acknowledged_whole() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut congestion = CongestionWindow::new(start);
        congestion.write(at(1), 1_000);
        congestion.write(at(2), 1_000);
        congestion.note(at(10), 1_001);
        assert_eq!(congestion.oldest(), Some(at(1)));
        congestion.note(at(11), 1_000);
        assert_eq!(congestion.oldest(), Some(at(2)));
        congestion.note(at(12), 0);
        assert_eq!(congestion.oldest(), None);
    }

    #[test]
    fn the_window_has_an_upper_bound() {
        assert_eq!(window_on(100_000, 200), WINDOW_LEN_MAX);
    }

    #[test]
    fn a_small_message_that_is_acknowledged_late_is_no_measure_of_the_path() {
        let start = Instant::now();
        let mut congestion = CongestionWindow::new(start);
        congestion.write(start, 100);
        congestion.note(start + Duration::from_millis(200), 0);
        assert_eq!(congestion.round_trip, None);
        congestion.write(start + Duration::from_millis(300), PROBE_LEN_MIN);
        congestion.note(start + Duration::from_millis(310), PROBE_LEN_MIN / 2);
        assert_eq!(congestion.round_trip, Some(Duration::from_millis(10)));
    }
}
