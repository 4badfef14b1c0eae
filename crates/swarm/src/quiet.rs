//! Quiet hours: a part of each day in which browsers are asked to give nothing.

use std::{fmt, str::FromStr};

const DAY_MIN: u16 = 24 * 60;

/// Farthest that a time zone is from UTC, in minutes (Kiribati, +14:00).
const OFFSET_MAX_MIN: i16 = 14 * 60;

/// From one time of day until another, which may be of the next day, at a fixed distance from UTC: there is no summer time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    /// Minutes after midnight at which they begin.
    from_min: u16,
    /// Minutes after midnight at which they are over.
    until_min: u16,
    /// Minutes by which clocks there are ahead of UTC.
    offset_min: i16,
}

/// Why a text is no quiet hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuietHoursError {
    /// There are not two times.
    #[error("write them as 22:00-06:00, which is UTC, or as 22:00-06:00+02:00 where clocks are two hours ahead")]
    NoRange,
    /// A time of day is none.
    #[error("`{0}` is no time of day, which are 00:00 to 23:59")]
    Time(String),
    /// What stands behind the times is no time zone.
    #[error("`{0}` is no distance from UTC; write it as +02:00 or -05:30, at most 14:00, or UTC")]
    Zone(String),
    /// They never begin, or never end.
    #[error("they end when they begin; leave them out if no hour is to be quiet")]
    Empty,
}

impl QuietHours {
    /// Whether it is quiet `unix_s` seconds after 1970.
    #[must_use]
    pub fn are_at(self, unix_s: u64) -> bool {
        let since_midnight = self.minute_at(unix_s);
        let (from, until) = (self.from_min, self.until_min);
        if from < until { (from..until).contains(&since_midnight) } else { since_midnight >= from || since_midnight < until }
    }

    /// In how many seconds they begin or end next, `unix_s` seconds after 1970: 1 to 86,400.
    #[must_use]
    pub fn change_in_s(self, unix_s: u64) -> u64 {
        let since_midnight = self.minute_at(unix_s);
        let in_min = |at: u16| (at + DAY_MIN - since_midnight - 1) % DAY_MIN + 1;
        u64::from(in_min(self.from_min).min(in_min(self.until_min))) * 60 - unix_s % 60
    }

    /// The minute of the day there.
    fn minute_at(self, unix_s: u64) -> u16 {
        let day = i64::from(DAY_MIN);
        let of_day = i64::try_from(unix_s / 60 % u64::from(DAY_MIN)).unwrap_or(0);
        u16::try_from((of_day + i64::from(self.offset_min)).rem_euclid(day)).unwrap_or(0)
    }
}

impl FromStr for QuietHours {
    type Err = QuietHoursError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, rest) = text.trim().split_once('-').ok_or(QuietHoursError::NoRange)?;
        let rest = rest.trim_start();
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != ':').unwrap_or(rest.len());
        let (until, zone) = rest.split_at(end);
        if from.trim().is_empty() || until.is_empty() {
            return Err(QuietHoursError::NoRange);
        }
        let time = |text: &str| time_of_day(text).ok_or_else(|| QuietHoursError::Time(text.to_owned()));
        let (from_min, until_min) = (time(from.trim())?, time(until)?);
        let zone = zone.trim();
        let offset_min = offset(zone).ok_or_else(|| QuietHoursError::Zone(zone.to_owned()))?;
        if from_min == until_min { Err(QuietHoursError::Empty) } else { Ok(Self { from_min, until_min, offset_min }) }
    }
}

/// Minutes after midnight.
fn time_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| if (1..=2).contains(&digits.len()) { digits.parse::<u16>().ok() } else { None };
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|_| minutes.len() == 2)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// Minutes ahead of UTC. No zone is UTC.
fn offset(zone: &str) -> Option<i16> {
    if zone.is_empty() || zone.eq_ignore_ascii_case("utc") || zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, distance) = zone.strip_prefix('+').map(|rest| (1, rest)).or_else(|| zone.strip_prefix('-').map(|rest| (-1, rest)))?;
    let minutes = i16::try_from(time_of_day(distance)?).ok()?;
    (minutes <= OFFSET_MAX_MIN).then_some(sign * minutes)
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        write!(f, "{}-{}", time(self.from_min), time(self.until_min))?;
        match self.offset_min {
            0 => f.write_str(" UTC"),
            offset => write!(f, "{}{}", if offset < 0 { '-' } else { '+' }, time(offset.unsigned_abs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quiet(text: &str) -> QuietHours {
        text.parse().unwrap()
    }

    /// Seconds after 1970 at this time of a day, in UTC.
    fn at(hours: u64, minutes: u64) -> u64 {
        20_000 * 86_400 + hours * 3_600 + minutes * 60
    }

    #[test]
    fn a_night_begins_in_the_evening_and_ends_in_the_morning() {
        let night = quiet("22:00-06:00");
        for (now, is_quiet) in [
            (at(21, 59), false),
            (at(22, 0), true),
            (at(23, 59), true),
            (at(0, 0), true),
            (at(5, 59), true),
            (at(6, 0), false),
            (at(12, 0), false),
        ] {
            assert_eq!(night.are_at(now), is_quiet, "{now}");
        }
        let noon = quiet("11:30-13:00");
        assert!(noon.are_at(at(11, 30)) && noon.are_at(at(12, 59)) && !noon.are_at(at(13, 0)) && !noon.are_at(at(11, 29)));
    }

    #[test]
    fn hours_are_those_of_the_zone_that_is_named() {
        let there = quiet("22:00-06:00+02:00");
        assert!(there.are_at(at(20, 0)) && there.are_at(at(3, 59)) && !there.are_at(at(4, 0)) && !there.are_at(at(19, 59)));
        let west = quiet("22:00-06:00-05:30");
        assert!(west.are_at(at(3, 30)) && !west.are_at(at(3, 29)) && !west.are_at(at(11, 30)) && west.are_at(at(11, 29)));
        for utc in ["22:00-06:00", "22:00-06:00 UTC", " 22:00 - 06:00Z ", "22:00-6:00+00:00"] {
            assert_eq!(quiet(utc), quiet("22:00-06:00"), "{utc}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_right() {
        for (text, said) in [
            ("", "write them as 22:00-06:00"),
            ("22:00", "write them as 22:00-06:00"),
            ("22:00-", "write them as 22:00-06:00"),
            ("-06:00", "write them as 22:00-06:00"),
            ("24:00-06:00", "`24:00` is no time of day, which are 00:00 to 23:59"),
            ("22:00-06:60", "`06:60` is no time of day"),
            ("22-6", "`22` is no time of day"),
            ("22:0-06:00", "`22:0` is no time of day"),
            ("22:00-06:00 CET", "`CET` is no distance from UTC; write it as +02:00"),
            ("22:00-06:00+15:00", "`+15:00` is no distance from UTC"),
            ("22:00-06:00-", "`-` is no distance from UTC"),
            ("22:00-22:00", "they end when they begin"),
        ] {
            let error = text.parse::<QuietHours>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn they_are_read_as_written_and_change_when_they_say(
            from in 0..DAY_MIN, until in 0..DAY_MIN, offset in -OFFSET_MAX_MIN..=OFFSET_MAX_MIN, now in 0..4_000_000_000_u64
        ) {
            prop_assume!(from != until);
            let hours = QuietHours { from_min: from, until_min: until, offset_min: offset };
            prop_assert_eq!(hours.to_string().parse(), Ok(hours));
            let change = hours.change_in_s(now);
            prop_assert!((1..=86_400).contains(&change));
            prop_assert_eq!(hours.are_at(now + change - 1), hours.are_at(now));
            prop_assert_ne!(hours.are_at(now + change), hours.are_at(now));
        }
    }
}
