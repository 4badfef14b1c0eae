//! Settings of the tracker for WebTorrent clients.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use viral_wire::webtorrent::Id;

use super::values::{ValueError, serde_as_text};

/// A torrent that the tracker serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoHash(pub Id);

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for InfoHash {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.trim().parse().map(Self).map_err(|error: viral_wire::webtorrent::IdError| ValueError::InfoHash(error.to_string()))
    }
}

serde_as_text!(InfoHash);

/// Whose pages may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebTorrentOrigin {
    /// Anybody's.
    Any,
    /// Those of this origin, as browsers write it (RFC 6454 section 6.1).
    Of(String),
}

impl fmt::Display for WebTorrentOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "*",
            Self::Of(origin) => origin,
        })
    }
}

impl FromStr for WebTorrentOrigin {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::Origin(text.to_owned());
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(wrong()),
        };
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !authority.as_str().contains('@');
        let port = match authority.as_str()[authority.host().len()..].strip_prefix(':') {
            Some(port) => Some(port.parse::<u16>().map_err(|_| wrong())?),
            None => None,
        };
        if !is_bare || authority.host().is_empty() {
            return Err(wrong());
        }
        let port = port.filter(|port| *port != default_port).map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self::Of(format!("{scheme}://{}{port}", authority.host().to_ascii_lowercase())))
    }
}

serde_as_text!(WebTorrentOrigin);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (text, expected) in [
            ("https://App.example", "https://app.example"),
            ("https://app.example/", "https://app.example"),
            ("https://app.example:443", "https://app.example"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://[::1]:80", "http://[::1]"),
            (" * ", "*"),
        ] {
            assert_eq!(text.parse::<WebTorrentOrigin>().unwrap().to_string(), expected);
        }
        for wrong in ["", "app.example", "ftp://a", "https://a/b", "https://a?b", "https://u@a", "https://a:x", "https://", "null"] {
            let said = wrong.parse::<WebTorrentOrigin>().unwrap_err().to_string();
            assert!(said.contains("write it as https://app.example"), "{said}");
        }
    }

    #[test]
    fn an_info_hash_is_shown_in_hexadecimal_digits() {
        assert_eq!("h1SGeFOAB/gRTdYz+AbC".parse::<InfoHash>().unwrap().to_string(), "6831534765464f41422f67525464597a2b416243");
        assert!("x".parse::<InfoHash>().unwrap_err().to_string().contains("`x` is no info-hash"));
    }
}
