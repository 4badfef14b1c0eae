//! Names made of bytes: SHA-256 digests, piece ids and tickets.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use ts_rs::TS;

use crate::text::{hex, unhex};

/// Text is not the lower-case hex of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {digits} lower-case hex digits")]
pub struct HexError {
    /// How many digits the name has.
    pub digits: usize,
}

macro_rules! byte_name {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
        #[ts(type = "string")]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// The bytes of the name.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                unhex(text).map(Self).ok_or(HexError { digits: $len * 2 })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&hex(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(HexVisitor).map(Self)
            }
        }
    };
}

byte_name! {
    /// SHA-256 of some bytes; in text 64 lower-case hex digits.
    Digest, 32
}

byte_name! {
    /// The first 16 bytes of a piece's digest: its address in every version of every page. It never proves content.
    PieceId, 16
}

byte_name! {
    /// 16 random bytes that stand for one thin visit.
    Ticket, 16
}

impl Digest {
    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The id of the piece with this digest.
    pub fn piece_id(&self) -> PieceId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.0[..16]);
        PieceId(id)
    }
}

impl From<Digest> for PieceId {
    fn from(digest: Digest) -> Self {
        digest.piece_id()
    }
}

struct HexVisitor<const N: usize>;

impl<const N: usize> de::Visitor<'_> for HexVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lower-case hex digits", 2 * N)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<[u8; N], E> {
        unhex(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn digest_is_sha_256_in_lower_case_hex() {
        let digest = Digest::of(b"");
        assert_eq!(digest.to_string(), EMPTY);
        assert_eq!(EMPTY.parse(), Ok(digest));
        assert_eq!(EMPTY.to_uppercase().parse::<Digest>(), Err(HexError { digits: 64 }));
    }

    #[test]
    fn piece_id_is_the_first_half_of_the_digest() {
        assert_eq!(PieceId::from(Digest::of(b"")).to_string(), EMPTY[..32]);
    }

    #[test]
    fn json_form_is_the_hex_text() {
        let json = format!("\"{EMPTY}\"");
        assert_eq!(serde_json::to_string(&Digest::of(b"")).unwrap(), json);
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), Digest::of(b""));
        assert!(serde_json::from_str::<Digest>("\"e3\"").is_err());
        assert!(serde_json::from_str::<Digest>("7").is_err());
    }
}
