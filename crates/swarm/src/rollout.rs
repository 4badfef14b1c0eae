//! Who takes part while an operator tries it out: all but a share that is held out, a share of all, or nobody while it is only counted.

use std::{fmt, str::FromStr};

/// A share of visitors, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Share(u16);

impl Share {
    /// Nobody.
    pub const NONE: Self = Self(0);

    /// Everybody.
    pub const ALL: Self = Self(10_000);

    /// So many percent, 100 at most.
    #[must_use]
    pub const fn percent(percent: u16) -> Self {
        Self(if percent > 100 { 10_000 } else { percent * 100 })
    }

    /// Whether one of 2^32 equally likely places is in it.
    const fn has(self, place: u32) -> bool {
        (place as u64 * 10_000) >> 32 < self.0 as u64
    }
}

/// Why a text is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// It has no percent sign behind a number.
    #[error("write it in percent, as 5% or 0.5%")]
    NoPercent,
    /// It is less than 0 or more than 100.
    #[error("it must be from 0% to 100%")]
    OutOfRange,
    /// It has more digits than are told apart.
    #[error("it must be in hundredths of a percent at the finest, as 0.25%")]
    TooFine,
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let number = text.trim().strip_suffix('%').ok_or(ShareError::NoPercent)?.trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let are_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(part) {
            return Err(if number.starts_with('-') { ShareError::OutOfRange } else { ShareError::NoPercent });
        }
        let part = part.trim_end_matches('0');
        if part.len() > 2 {
            return Err(ShareError::TooFine);
        }
        let hundredths = part.parse::<u32>().unwrap_or(0) * if part.len() == 1 { 10 } else { 1 };
        let all = whole.parse::<u32>().ok().filter(|percent| *percent <= 100).map(|percent| percent * 100 + hundredths);
        let all = all.and_then(|all| u16::try_from(all).ok()).filter(|all| *all <= Self::ALL.0);
        all.map(Self).ok_or(ShareError::OutOfRange)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (percent, 0) => write!(f, "{percent}%"),
            (percent, part) if part % 10 == 0 => write!(f, "{percent}.{}%", part / 10),
            (percent, part) => write!(f, "{percent}.{part:02}%"),
        }
    }
}

/// What a visitor drew: the same at each of its visits, and nothing that it can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot(u64);

impl Lot {
    /// Made of 64 equally likely bits, which the host makes of who the visitor is and a secret.
    #[must_use]
    pub const fn new(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether it is among those who are held out. Of two shares the greater one has all of the lesser.
    #[must_use]
    pub const fn is_held_out(self, share: Share) -> bool {
        share.has((self.0 & 0xffff_ffff) as u32)
    }

    /// Whether it is among those who come first on the ramp, whoever is held out.
    #[must_use]
    pub const fn is_on_ramp(self, share: Share) -> bool {
        share.has((self.0 >> 32) as u32)
    }
}

/// What an operator tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// Visitors who get the page as it is, to compare with.
    pub holdout: Share,
    /// Visitors who may be answered thin. The others get the page whole, and give it to them.
    pub ramp: Share,
    /// Nobody takes part: what would have been is only counted.
    pub shadow: bool,
}

impl Default for Rollout {
    fn default() -> Self {
        Self { holdout: Share::NONE, ramp: Share::ALL, shadow: false }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_is_written_in_percent() {
        for (text, same) in
            [("5%", "5%"), (" 0.5 %", "0.5%"), ("0.25%", "0.25%"), ("7.05%", "7.05%"), ("100%", "100%"), ("0%", "0%"), ("5.10%", "5.1%")]
        {
            assert_eq!(text.parse::<Share>().unwrap().to_string(), same);
        }
        for text in ["5", "abc", "", "%", ".5%", "5.%", "5,5%", "+5%", "1e1%", "5%%"] {
            assert_eq!(text.parse::<Share>(), Err(ShareError::NoPercent), "{text}");
        }
        for text in ["150%", "-1%", "100.01%", "99999999999999999999%"] {
            assert_eq!(text.parse::<Share>(), Err(ShareError::OutOfRange), "{text}");
        }
        assert_eq!("0.001%".parse::<Share>(), Err(ShareError::TooFine));
        assert_eq!(Share::percent(300), Share::ALL);
    }

    #[test]
    fn nobody_is_in_no_share_and_everybody_in_all() {
        for bits in [0, 1, u64::MAX, 1 << 32, u64::from(u32::MAX)] {
            let lot = Lot::new(bits);
            assert!(!lot.is_held_out(Share::NONE) && !lot.is_on_ramp(Share::NONE));
            assert!(lot.is_held_out(Share::ALL) && lot.is_on_ramp(Share::ALL));
        }
    }

    proptest! {
        #[test]
        fn every_share_is_read_as_it_is_written(hundredths in 0..=10_000_u16) {
            let share = Share(hundredths);
            prop_assert_eq!(share.to_string().parse::<Share>(), Ok(share));
        }

        #[test]
        fn who_is_in_a_share_is_in_every_greater_one(bits: u64, share in 0..=10_000_u16, more in 0..=10_000_u16) {
            let (lot, lesser, greater) = (Lot::new(bits), Share(share.min(more)), Share(share.max(more)));
            prop_assert!(!lot.is_held_out(lesser) || lot.is_held_out(greater));
            prop_assert!(!lot.is_on_ramp(lesser) || lot.is_on_ramp(greater));
        }
    }
}
