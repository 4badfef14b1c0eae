//! When a certificate authority is asked, and when not: a pure function of what is stored, so that it holds over restarts.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::tls::validity::Validity;

/// Pauses after failures in a row: what Let's Encrypt asks of clients (integration guide, "Retrying failures"). It allows five failed validations of a name in an hour.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(6_000), Duration::from_secs(24 * 3_600)];

/// Longest time that is waited, whatever a certificate authority says and clocks did: Let's Encrypt counts most of its limits by the week.
const PAUSE_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A certificate is shown for so long before the next one is ordered, whatever it says of its life. The shortest in use count for a day.
const LIFE_MIN: Duration = Duration::from_secs(3_600);

/// What was asked before; written before each order, so that a server which ends in the middle of it counts it as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Attempts {
    /// Failures in a row.
    pub(super) failures: u32,
    /// Nobody is asked before, in seconds since 1970.
    pub(super) not_before: u64,
    /// When a certificate was given last, in seconds since 1970.
    #[serde(default)]
    pub(super) given: u64,
}

impl Attempts {
    /// One more order begins at `now`. `spread` from 0 to 1 is by how much of a fifth the pause is longer, so that many servers do not come together.
    pub(super) fn beginning(self, now: SystemTime, spread: f64) -> Self {
        let at = usize::try_from(self.failures).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
        let pause = PAUSES.get(at).copied().unwrap_or(PAUSE_MAX).mul_f64(1.0 + spread.clamp(0.0, 1.0) / 5.0);
        Self { failures: self.failures.saturating_add(1), not_before: seconds(now + pause), ..self }
    }

    /// The certificate authority said at `now` not to come again before `told`.
    pub(super) fn told(self, told: SystemTime, now: SystemTime) -> Self {
        Self { not_before: self.not_before.max(seconds(told.min(now + PAUSE_MAX))), ..self }
    }

    /// It gave a certificate at `now`, which could not be kept. A restart loses it, so that this counts as a failure.
    pub(super) fn unkept(self, now: SystemTime) -> Self {
        Self { given: seconds(now), ..self }
    }

    /// An order gave a certificate at `now`. If that is lost, the next order waits as after one failure.
    pub(super) fn succeeded(now: SystemTime) -> Self {
        Self { failures: 0, not_before: seconds(now + PAUSES[0]), given: seconds(now) }
    }

    /// When the certificate that is shown is to be renewed.
    pub(super) fn renewal(self, validity: &Validity, now: SystemTime) -> SystemTime {
        renewal(validity).max(self.next(now))
    }

    /// When the next order may begin, whatever is shown. A time that no order writes down comes of a clock that was wrong, and holds nobody up:
    /// were it only made shorter, it would move along with `now`.
    pub(super) fn next(self, now: SystemTime) -> SystemTime {
        let pause = time(self.not_before).filter(|at| *at <= now + PAUSE_MAX).unwrap_or(now);
        let life = time(self.given).filter(|at| self.given > 0 && *at <= now).map_or(now, |given| given + LIFE_MIN);
        pause.max(life)
    }
}

/// When the certificate is to be renewed: after two thirds of its life, and up to a thirtieth of it later, as its fingerprint decides.
fn renewal(validity: &Validity) -> SystemTime {
    let life = validity.until.duration_since(validity.from).unwrap_or_default();
    let sum: u32 = validity.fingerprint.bytes().map(u32::from).sum();
    validity.from + life.mul_f64(2.0 / 3.0 + f64::from(sum % 100) / 3_000.0)
}

fn time(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn after(seconds: u64) -> SystemTime {
        NOW + Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_grow_to_a_day_and_are_spread() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.next(NOW), NOW);
        for expected in [60, 600, 6_000, 86_400, 86_400] {
            let spread = attempts.beginning(NOW, 1.0);
            attempts = attempts.beginning(NOW, 0.0);
            assert_eq!((attempts.next(NOW), spread.next(NOW)), (after(expected), after(expected * 6 / 5)));
        }
        assert_eq!(Attempts::succeeded(after(20)).next(after(20)), after(20) + LIFE_MIN, "though nothing is shown");
        assert_eq!(Attempts::default().beginning(after(7), 0.0).unkept(after(9)).next(after(9)), after(9) + LIFE_MIN);
        let unkept = Attempts { failures: 3, ..Attempts::default() }.beginning(after(7), 0.0).unkept(after(9));
        assert_eq!((unkept.failures, unkept.next(after(9))), (4, after(7 + 86_400)), "a failure as any other");
        assert_eq!(Attempts { failures: u32::MAX, ..Attempts::default() }.beginning(NOW, 0.0).failures, u32::MAX);
    }

    #[test]
    fn what_the_authority_says_holds_for_a_week_at_most() {
        let begun = Attempts::default().beginning(NOW, 0.0);
        assert_eq!(begun.told(after(3_600), NOW).next(NOW), after(3_600));
        assert_eq!(begun.told(after(1), NOW).next(NOW), after(60), "and shortens nothing");
        let far = begun.told(after(365 * 86_400), NOW);
        for day in 0..7 {
            assert_eq!(far.next(after(day * 86_400)), NOW + PAUSE_MAX, "day {day}");
        }
        let later = after(8 * 86_400);
        assert!(far.next(later) <= later, "a week is over once it is over");
    }

    #[test]
    fn a_time_of_a_clock_that_was_wrong_holds_nobody_up() {
        let now = after(1_000_000);
        for wrong in [2_000_000, u64::MAX] {
            assert_eq!(Attempts { failures: 1, not_before: wrong, given: 0 }.next(now), now, "{wrong}");
            assert_eq!(Attempts { failures: 0, not_before: 0, given: wrong }.next(now), now, "{wrong}");
        }
        let short = Attempts { failures: 1, not_before: 1_000_060, given: u64::MAX };
        assert_eq!(short.next(now), after(1_000_060), "a pause that may be one is kept");
    }

    #[test]
    fn a_certificate_is_renewed_after_two_thirds_of_its_life() {
        let life = 90 * 86_400;
        for fingerprint in ["00", "FF:AB", "x", ""] {
            let validity = Validity { from: NOW, until: after(life), fingerprint: fingerprint.to_owned() };
            let at = renewal(&validity);
            assert!(at >= after(life * 2 / 3 - 1) && at <= after(life * 21 / 30), "{fingerprint}");
            assert_eq!(at, renewal(&validity), "a restart changes nothing");
        }
        let useless = Validity { from: after(9), until: NOW, fingerprint: String::new() };
        assert_eq!(renewal(&useless), after(9));
        let given = Attempts::succeeded(after(20));
        assert_eq!(given.renewal(&useless, after(30)), after(20) + LIFE_MIN, "nobody is asked every minute for certificates of a second");
        assert_eq!(Attempts { given: u64::MAX, ..given }.renewal(&useless, after(90)), after(90), "but for a clock that was wrong");
    }
}
