//! From when to when a certificate counts.

use std::fmt;
use std::time::SystemTime;

/// From when to when a certificate counts, and what names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Not before.
    pub from: SystemTime,
    /// Not after.
    pub until: SystemTime,
    /// SHA-256 of the certificate, as browsers show it: hex with colons.
    pub fingerprint: String,
}

impl Validity {
    /// Whether it counts at this time.
    pub fn holds(&self, now: SystemTime) -> bool {
        self.from <= now && now <= self.until
    }
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counts from {} until {}", httpdate::fmt_http_date(self.from), httpdate::fmt_http_date(self.until))
    }
}
