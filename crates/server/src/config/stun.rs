//! Where STUN is answered.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::{ListenAt, ValueError, serde_as_text};

/// Where STUN is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StunListen {
    /// On the addresses and port numbers of `--listen`, where they are free over UDP.
    #[default]
    AsListen,
    /// Nowhere.
    Off,
    /// On this: an address, or all addresses of a name.
    At(ListenAt),
}

impl fmt::Display for StunListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsListen => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::At(at) => at.fmt(f),
        }
    }
}

impl FromStr for StunListen {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.trim() {
            "auto" => Ok(Self::AsListen),
            "off" => Ok(Self::Off),
            text => match text.parse() {
                Ok(at @ (ListenAt::At(_) | ListenAt::Name(..))) => Ok(Self::At(at)),
                Ok(ListenAt::Unix(_)) | Err(_) => Err(ValueError::StunListen(text.to_owned())),
            },
        }
    }
}

serde_as_text!(StunListen);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same_and_a_unix_socket_is_refused() {
        for text in ["auto", "off", "0.0.0.0:3478", "[::]:3478", "app.example:3478"] {
            assert_eq!(text.parse::<StunListen>().unwrap().to_string(), text);
        }
        for text in ["unix:/run/x", "3478", "", "on"] {
            let said = text.parse::<StunListen>().unwrap_err().to_string();
            assert!(said.contains("neither ADDR:PORT, NAME:PORT, `auto` nor `off`"), "{said}");
        }
    }
}
