//! The 20 bytes that name a torrent, a peer or an offer.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

/// Bytes of an id: those of a SHA-1 digest (BEP 3).
const LEN: usize = 20;

/// An info-hash, a peer's id or an offer's id. In JSON it is a string of 20 characters, each of which stands for the byte of its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; LEN]);

/// Why a text names no torrent. Written for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no info-hash: write its 40 hexadecimal digits, its 32 letters of base32 as in a magnet link, or its 20 characters if it is text"
)]
pub struct IdError(String);

impl Id {
    /// The id that a string of a message means; none unless it has 20 characters, of U+00FF at most.
    #[must_use]
    pub fn of_characters(text: &str) -> Option<Self> {
        let (mut bytes, mut characters) = ([0; LEN], text.chars());
        for byte in &mut bytes {
            *byte = u8::try_from(u32::from(characters.next()?)).ok()?;
        }
        characters.next().is_none().then_some(Self(bytes))
    }

    /// Appends the string that means it, with its quotes.
    pub(super) fn write(&self, out: &mut String) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        out.push('"');
        for byte in self.0 {
            match byte {
                b'"' => out.push_str("\\\""),
                b'\\' => out.push_str("\\\\"),
                0..=0x1f => {
                    out.push_str("\\u00");
                    [byte >> 4, byte & 0xf].iter().for_each(|digit| out.push(char::from(HEX[usize::from(*digit)])));
                }
                _ => out.push(char::from(byte)),
            }
        }
        out.push('"');
    }

    fn of_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; LEN];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// RFC 4648 section 6: 32 letters of 5 bits are 20 bytes without padding.
    fn of_base32(text: &str) -> Option<Self> {
        let mut bytes = [0; LEN];
        for (five, letters) in bytes.chunks_exact_mut(5).zip(text.as_bytes().chunks_exact(8)) {
            let bits = letters.iter().try_fold(0_u64, |bits, letter| {
                let value = match letter.to_ascii_uppercase() {
                    letter @ b'A'..=b'Z' => letter - b'A',
                    digit @ b'2'..=b'7' => digit - b'2' + 26,
                    _ => return None,
                };
                Some(bits << 5 | u64::from(value))
            })?;
            five.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        Some(Self(bytes))
    }
}

/// As operators write it: 40 hexadecimal digits, 32 letters of base32, or 20 printable characters.
impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let id = match text.len() {
            40 => Self::of_hex(text),
            32 => Self::of_base32(text),
            LEN if text.bytes().all(|byte| byte.is_ascii_graphic()) => Self::of_characters(text),
            _ => None,
        };
        id.ok_or_else(|| IdError(text.chars().take(64).collect()))
    }
}

/// 40 hexadecimal digits.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Characters)
    }
}

struct Characters;

impl Visitor<'_> for Characters {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of 20 characters, one for each byte")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
        Id::of_characters(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str("something else"), &self))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn operators_write_an_info_hash_in_three_ways() {
        let id: Id = "08ada5a7a6183aae1e09d831df6748d566095a10".parse().unwrap();
        assert_eq!("BCW2LJ5GDA5K4HQJ3AY56Z2I2VTASWQQ".parse(), Ok(id), "the same in base32");
        assert_eq!(id.to_string(), "08ada5a7a6183aae1e09d831df6748d566095a10");
        assert_eq!("h1SGeFOAB/gRTdYz+AbC".parse::<Id>().unwrap().0, *b"h1SGeFOAB/gRTdYz+AbC", "p2p-media-loader's");
        for wrong in [
            "",
            "08ada5",
            "08ada5a7a6183aae1e09d831df6748d566095a1g",
            "0CW2LJ5GDA5K4HQJ3AY56Z2I2VTASWQQ",
            "twenty characters :)",
            "\u{fc}234567890123456789",
        ] {
            let error = wrong.parse::<Id>().unwrap_err().to_string();
            assert!(error.contains("40 hexadecimal digits"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(bytes: [u8; 20]) {
            let mut json = String::new();
            Id(bytes).write(&mut json);
            prop_assert_eq!(serde_json::from_str::<Id>(&json).unwrap(), Id(bytes));
            prop_assert_eq!(Id(bytes).to_string().parse::<Id>(), Ok(Id(bytes)));
            // As JavaScript writes it.
            let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            prop_assert_eq!(serde_json::from_str::<Id>(&serde_json::to_string(&text).unwrap()).unwrap(), Id(bytes));
        }

        #[test]
        fn nothing_else_is_an_id(text in "\\PC{0,24}") {
            let is_id = text.chars().count() == 20 && text.chars().all(|character| u32::from(character) < 256);
            prop_assert_eq!(Id::of_characters(&text).is_some(), is_id);
        }
    }
}
