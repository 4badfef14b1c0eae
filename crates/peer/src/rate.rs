//! Rates and sizes as people write them: `2M`, `500K`, `10Mbit`.

use std::fmt;
use std::str::FromStr;

/// Text is not a rate or a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No number, or none with a unit that is known.
    #[error("`{0}` is not a number with a unit; write 500K, 2M, 1G (bytes, times 1,024) or 800kbit, 10Mbit, 1Gbit (bits, times 1,000)")]
    Unit(String),
}

/// Bytes per second. Zero is a rate like any other; what it means is up to the flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Rate {
    type Err = ParseError;

    /// Reads `500K`, `2M`, `1.5M`, `10Mbit`, `0`; a `/s` at the end changes nothing.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bare = text.trim();
        let bare = bare.strip_suffix("/s").unwrap_or(bare);
        parse(bare, true).map(Self).ok_or_else(|| ParseError::Unit(text.to_owned()))
    }
}

impl FromStr for Size {
    type Err = ParseError;

    /// Reads `500K`, `2M`, `20G`, `1.5GiB`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text.trim(), false).map(Self).ok_or_else(|| ParseError::Unit(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", Size(self.0))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.into_iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, name)) => write!(f, "{:.1} {name}", self.0 as f64 / unit as f64),
            None => write!(f, "{} B", self.0),
        }
    }
}

fn parse(text: &str, bits_allowed: bool) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    // Without this `.` and `1.2.3` would depend on the parser of floats, which also takes `inf`.
    let number: f64 = number.parse().ok()?;
    let unit = unit.trim_start();
    let (scale, divisor) = match unit.strip_suffix("bit").or_else(|| unit.strip_suffix("bps")) {
        Some(prefix) if bits_allowed => (scale(prefix, 1000.0)?, 8.0),
        Some(_) => return None,
        None => (scale(unit.strip_suffix("iB").or_else(|| unit.strip_suffix('B')).unwrap_or(unit), 1024.0)?, 1.0),
    };
    let value = (number * scale / divisor).round();
    // Beyond this a 64-bit float no longer counts single bytes; nobody has such a line.
    (value <= (1_u64 << 53) as f64).then_some(value as u64)
}

fn scale(prefix: &str, base: f64) -> Option<f64> {
    let power = match prefix {
        "" => 0,
        "k" | "K" => 1,
        "M" | "m" => 2,
        "G" | "g" => 3,
        "T" | "t" => 4,
        _ => return None,
    };
    Some(base.powi(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_in_1024_and_bits_in_1000() {
        let table = [
            ("0", 0),
            ("1500", 1_500),
            ("500K", 512_000),
            ("2M", 2 << 20),
            ("1.5M", 3 << 19),
            ("2MB/s", 2 << 20),
            ("2MiB", 2 << 20),
            ("10Mbit", 1_250_000),
            ("10 Mbit/s", 1_250_000),
            ("800kbit", 100_000),
            ("1Gbps", 125_000_000),
        ];
        for (text, bytes) in table {
            assert_eq!(text.parse(), Ok(Rate(bytes)), "{text}");
        }
        assert_eq!("20G".parse(), Ok(Size(20 << 30)));
    }

    #[test]
    fn what_is_no_rate_is_refused_with_an_example() {
        for text in ["", "fast", "-1", "1e9", "1.2.3", ".", "5X", "inf", "NaN", "99999999999999T"] {
            let error = text.parse::<Rate>().unwrap_err();
            assert!(error.to_string().contains("10Mbit"), "{text}");
        }
        assert!("10Mbit".parse::<Size>().is_err(), "a size is not in bits");
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(Size(999).to_string(), "999 B");
        assert_eq!(Size(3 << 19).to_string(), "1.5 MiB");
        assert_eq!(Rate(2048).to_string(), "2.0 KiB/s");
    }
}
