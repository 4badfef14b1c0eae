//! What visitors are asked to give: a volume for each day of a visit, and hours in which it is nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use viral_swarm::quiet;

use super::ValueError;
use super::values::serde_as_text;

/// Bytes that one visitor is asked to give in a day; 0 is any number of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UploadVolume(pub u64);

/// Units of 1,024, the largest first.
const UNITS: [(&str, u64); 3] = [("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];

impl fmt::Display for UploadVolume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, bytes)| self.0.is_multiple_of(*bytes)) {
            _ if self.0 == 0 => f.write_str("off"),
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => self.0.fmt(f),
        }
    }
}

impl FromStr for UploadVolume {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::Volume(text.to_owned());
        if text == "off" {
            return Ok(Self(0));
        }
        let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
        let (number, unit) = unit.unwrap_or((text, 1));
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let bytes = number.parse::<u64>().ok().filter(|_| is_number).and_then(|number| number.checked_mul(unit));
        // Beyond it a script's numbers are not exact, and nobody gives so much.
        bytes.filter(|bytes| (1..=1 << 50).contains(bytes)).map(Self).ok_or_else(wrong)
    }
}

/// Hours in which browsers are asked to give nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours(pub quiet::QuietHours);

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for QuietHours {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse().map(Self).map_err(|error| ValueError::QuietHours(text.to_owned(), error))
    }
}

serde_as_text!(UploadVolume);
serde_as_text!(QuietHours);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_bytes_or_units_of_1024_or_off() {
        for (text, bytes, same) in
            [("500M", 500 << 20, "500M"), ("2048M", 2 << 30, "2G"), ("1000", 1000, "1000"), ("64K", 64 << 10, "64K"), ("off", 0, "off")]
        {
            let volume: UploadVolume = text.parse().unwrap();
            assert_eq!((volume.0, volume.to_string().as_str()), (bytes, same));
        }
        for wrong in ["", "0", "M", "-1", "+5", "1.5G", "5MB", "off!", "99999999999999999999", "2000000G"] {
            let error = wrong.parse::<UploadVolume>().unwrap_err().to_string();
            assert!(error.contains("write it as 500M, 2G, a number of bytes, or `off`"), "{error}");
        }
    }
}
