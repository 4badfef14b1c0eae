//! One direction of one link: a rate and a finite drop-tail queue, in virtual time.

/// Nanoseconds since the network began.
pub type Nanos = u64;

/// Nanoseconds of a second.
pub const SECOND_NS: Nanos = 1_000_000_000;

/// What a link can carry and hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinkShape {
    /// Bits of IP packets per second; 0 carries nothing.
    pub rate_bps: u64,
    /// Longest time that a packet waits for its turn, in nanoseconds: the size of the queue at this rate.
    pub queue_ns: Nanos,
}

impl LinkShape {
    /// A link of `rate_mbit` Mbit/s with a queue of `queue_ms` milliseconds.
    #[must_use]
    pub fn mbit(rate_mbit: f64, queue_ms: u64) -> Self {
        Self { rate_bps: (rate_mbit * 1e6) as u64, queue_ns: queue_ms * 1_000_000 }
    }

    /// The same link with its rate multiplied by `factor`.
    ///
    /// The queue keeps its bytes, as the router's memory would, so it grows longer in time.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { rate_bps: (self.rate_bps as f64 * factor) as u64, queue_ns: (self.queue_ns as f64 / factor) as Nanos }
    }
}

/// The sending side of a link. Packets leave in the order in which they came, each after the time its bits take.
#[derive(Debug, Clone)]
pub struct Link {
    shape: LinkShape,
    free_at: Nanos,
    carried_bytes: u64,
    dropped: u64,
}

impl Link {
    /// An idle link.
    #[must_use]
    pub fn new(shape: LinkShape) -> Self {
        Self { shape, free_at: 0, carried_bytes: 0, dropped: 0 }
    }

    /// Takes a packet of `len` bytes that arrives at `now`, which never decreases. Returns when its last bit has left, or `None` when
    /// the queue is full.
    pub fn handle_packet(&mut self, now: Nanos, len: usize) -> Option<Nanos> {
        let waits = self.free_at.saturating_sub(now);
        if self.shape.rate_bps == 0 || waits > self.shape.queue_ns {
            self.dropped += 1;
            return None;
        }
        // 1500 B at 1 bit/s is 12e12 ns, far below 2^64; the product is computed wide all the same.
        let takes = u128::from(SECOND_NS) * len as u128 * 8 / u128::from(self.shape.rate_bps);
        self.free_at = self.free_at.max(now) + u64::try_from(takes).unwrap_or(u64::MAX / 4);
        self.carried_bytes += len as u64;
        Some(self.free_at)
    }

    /// Bytes accepted so far.
    #[must_use]
    pub fn carried_bytes(&self) -> u64 {
        self.carried_bytes
    }

    /// Packets that found the queue full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Nanos = 1_000_000;

    #[test]
    fn a_packet_takes_the_time_of_its_bits() {
        let mut link = Link::new(LinkShape::mbit(2.0, 100));
        assert_eq!(link.handle_packet(5 * MS, 1500), Some(11 * MS));
        assert_eq!(link.handle_packet(5 * MS, 1500), Some(17 * MS));
        assert_eq!(link.handle_packet(30 * MS, 1500), Some(36 * MS), "an idle link saves nothing up");
    }

    #[test]
    fn a_packet_that_would_wait_longer_than_the_queue_is_dropped() {
        let mut link = Link::new(LinkShape::mbit(2.0, 12));
        assert_eq!(link.handle_packet(0, 1500), Some(6 * MS));
        assert_eq!(link.handle_packet(0, 1500), Some(12 * MS));
        assert_eq!(link.handle_packet(0, 1500), Some(18 * MS), "waits exactly as long as the queue is");
        assert_eq!(link.handle_packet(0, 1500), None);
        assert_eq!((link.dropped(), link.carried_bytes()), (1, 4500));
    }

    #[test]
    fn a_link_without_rate_carries_nothing() {
        assert_eq!(Link::new(LinkShape::mbit(0.0, 100)).handle_packet(0, 40), None);
    }

    #[test]
    fn scaling_keeps_the_bytes_of_the_queue() {
        let scaled = LinkShape::mbit(4.0, 100).scaled(0.5);
        assert_eq!(scaled, LinkShape { rate_bps: 2_000_000, queue_ns: 200 * MS });
    }

    proptest! {
        #[test]
        fn never_faster_than_its_rate_nor_later_than_its_queue(
            packets in proptest::collection::vec((0_u64..20 * MS, 20_usize..1500), 1..200), mbit in 1_u64..100,
        ) {
            let shape = LinkShape { rate_bps: mbit * 1_000_000, queue_ns: 50 * MS };
            let mut link = Link::new(shape);
            let (mut now, mut last, mut bits) = (0, 0, 0_u64);
            for (gap, len) in packets {
                now += gap;
                let Some(leaves) = link.handle_packet(now, len) else { continue };
                bits += len as u64 * 8;
                let own = len as u64 * 8 * 1000 / mbit;
                prop_assert!(leaves >= last && leaves <= now + shape.queue_ns + own + 1);
                prop_assert!(leaves + 200 * 1000 >= bits * 1000 / mbit);
                last = leaves;
            }
        }
    }
}
