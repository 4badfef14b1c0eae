//! How long to wait before something lost is tried again. The twin of `browser/src/core/backoff.ts`.

/// First wait before the tracker is dialled again, in milliseconds. As in the browser.
const BACKOFF_FIRST_MS: u64 = 500;

/// Longest such wait before jitter, in milliseconds. As in the browser.
const BACKOFF_MAX_MS: u64 = 30_000;

/// The wait before attempt `attempt` (0 = the first after a loss): doubles up to half a minute, plus or minus half of it. As in
/// `browser/src/core/backoff.ts`; `random` is uniform in [0, 1).
#[must_use]
pub fn backoff_ms(attempt: u32, random: f64) -> u64 {
    let base = BACKOFF_MAX_MS.min(BACKOFF_FIRST_MS << attempt.min(16));
    (base as f64 * (0.5 + random)).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_are_spread() {
        assert_eq!((backoff_ms(0, 0.5), backoff_ms(1, 0.5), backoff_ms(3, 0.0)), (500, 1_000, 2_000));
        assert_eq!((backoff_ms(30, 0.5), backoff_ms(u32::MAX, 0.0)), (30_000, 15_000));
    }
}
