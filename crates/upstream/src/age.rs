//! How old an answer is (RFC 9111 section 4.2.3). No I/O; time is an argument.

use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap};
use tokio::time::Instant;

use crate::limits::AGE_MAX;

/// How old an answer is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Age {
    /// When its head came.
    pub(crate) came: Instant,
    /// Its age then.
    pub(crate) then: Duration,
}

impl Age {
    /// Of an answer whose head came `now`, which is also the time `date`, and which was asked for at `asked`.
    pub(crate) fn of(headers: &HeaderMap, asked: Instant, now: Instant, date: SystemTime) -> Self {
        // Of several the first counts, and what is no number says nothing (RFC 9111 section 5.1).
        let said = headers.get(header::AGE).and_then(|value| value.to_str().ok()?.split(',').next()).map_or(0, |said| seconds(said.trim()));
        let made = headers.get(header::DATE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
        let apparent = made.and_then(|made| date.duration_since(made).ok()).unwrap_or_default();
        let corrected = Duration::from_secs(said).saturating_add(now.saturating_duration_since(asked));
        Self { came: now, then: apparent.max(corrected).min(AGE_MAX) }
    }

    /// Its age at this time.
    pub(crate) fn at(&self, now: Instant) -> Duration {
        self.then.saturating_add(now.saturating_duration_since(self.came)).min(AGE_MAX)
    }
}

/// A number that is too great to be told apart from greater ones is [`AGE_MAX`].
fn seconds(said: &str) -> u64 {
    let is_number = !said.is_empty() && said.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { said.parse().unwrap_or(AGE_MAX.as_secs()) } else { 0 }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn an_answer_is_as_old_as_caches_on_the_way_and_its_date_say() {
        let date = httpdate::parse_http_date("Mon, 06 Jul 2026 10:00:00 GMT").unwrap();
        let (asked, seconds) = (Instant::now(), Duration::from_secs);
        for (pairs, delay, expected) in [
            (&[][..], 0, 0),
            (&[], 3, 3),
            (&[("age", "60")], 2, 62),
            (&[("age", "60"), ("date", "Mon, 06 Jul 2026 09:58:00 GMT")], 2, 120),
            (&[("age", "600"), ("date", "Mon, 06 Jul 2026 09:58:00 GMT")], 2, 602),
            (&[("date", "Mon, 06 Jul 2026 10:05:00 GMT")], 1, 1),
            (&[("age", "5, 70")], 0, 5),
            (&[("age", "5"), ("age", "70")], 0, 5),
            (&[("age", "-5")], 1, 1),
            (&[("age", "soon"), ("date", "yesterday")], 1, 1),
            (&[("age", "18446744073709551615")], 9, AGE_MAX.as_secs()),
            (&[("age", "18446744073709551616")], 9, AGE_MAX.as_secs()),
            (&[("age", "+5")], 1, 1),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let came = asked + seconds(delay);
            let age = Age::of(&headers, asked, came, date);
            assert_eq!(age.at(came), seconds(expected), "{pairs:?}");
            assert_eq!(age.at(came + seconds(4)), seconds(expected + 4).min(AGE_MAX));
        }
    }
}
