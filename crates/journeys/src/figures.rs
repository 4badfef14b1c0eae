//! Medians, and what a number should be.

use serde::Serialize;

/// Whether a number should be small or large.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// Shown for comparison only.
    None,
}

impl Target {
    /// Whether `value` is as it should be; nothing is said without a target.
    #[must_use]
    pub fn is_met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtMost(limit) => Some(value <= limit),
            Self::AtLeast(limit) => Some(value >= limit),
            Self::None => None,
        }
    }

    /// As a table shows it beside `value`.
    #[must_use]
    pub fn beside(self, value: f64) -> String {
        let verdict = self.is_met(value).map_or("", |is_met| if is_met { "met" } else { "MISSED" });
        match self {
            Self::AtMost(limit) => format!("<= {limit}: {verdict}"),
            Self::AtLeast(limit) => format!(">= {limit}: {verdict}"),
            Self::None => String::new(),
        }
    }
}

/// The middle one, or the mean of the two in the middle.
#[must_use]
pub fn median(runs: &[f64]) -> f64 {
    quantile(runs, 0.5)
}

/// What this share of `runs` is below, NaN of none. An infinite run is one that never ended.
#[must_use]
pub fn quantile(runs: &[f64], share: f64) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share * last as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    if below == above { below } else { below + (above - below) * at.fract() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_of_runs_of_which_most_never_ended_is_never() {
        assert_eq!(median(&[1.0, f64::INFINITY, f64::INFINITY]), f64::INFINITY);
        assert_eq!(median(&[1.0, 2.0, f64::INFINITY]), 2.0);
        assert_eq!(median(&[1.0, 2.0]), 1.5);
    }
}
