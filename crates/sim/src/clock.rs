//! Virtual time.

pub use viral_netsim::link::{Nanos, SECOND_NS};

/// Nanoseconds of a millisecond.
pub const MS: Nanos = 1_000_000;

/// So many seconds in nanoseconds; what is negative or no number is 0.
#[must_use]
pub fn of_seconds(seconds: f64) -> Nanos {
    (seconds * SECOND_NS as f64) as Nanos
}

/// So many nanoseconds in seconds.
#[must_use]
pub fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / SECOND_NS as f64
}
