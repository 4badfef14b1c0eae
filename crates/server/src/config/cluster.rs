//! Where the servers of one site know of each other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::{ValueError, serde_as_text};

/// Address of a Redis or Valkey server: `redis://USER:PASSWORD@HOST:PORT/DB`, `rediss://` over TLS. Shown without its password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterUrl(String);

impl ClusterUrl {
    /// The whole address, with the password.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "nobody connects"))]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let host = ["redis://", "rediss://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .map(|rest| rest.rsplit('@').next().unwrap_or(rest));
        let is_one = host.is_some_and(|host| !host.is_empty() && !host.starts_with(['/', ':']) && !host.contains(char::is_whitespace));
        // The text may hold a password, so it is not repeated.
        if is_one { Ok(Self(text.to_owned())) } else { Err(ValueError::ClusterUrl) }
    }
}

impl TryFrom<String> for ClusterUrl {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl From<ClusterUrl> for String {
    fn from(url: ClusterUrl) -> Self {
        url.0
    }
}

impl fmt::Display for ClusterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.split_once("://"), self.0.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) => write!(f, "{scheme}://{place}"),
            _ => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for ClusterUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Longest name of a cluster, in bytes.
const NAME_LEN_MAX: usize = 64;

/// Under what name the servers of one site find each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName(String);

impl ClusterName {
    /// The name of one of several sites of these servers.
    pub(crate) fn of_site(&self, host: &str) -> Self {
        Self(format!("{}/{host}", self.0))
    }
}

impl Default for ClusterName {
    fn default() -> Self {
        Self("viral".to_owned())
    }
}

impl FromStr for ClusterName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let is_name = (1..=NAME_LEN_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if is_name { Ok(Self(text.to_owned())) } else { Err(ValueError::ClusterName(text.to_owned())) }
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(ClusterName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_without_its_password() {
        let shown = |text: &str| text.parse::<ClusterUrl>().map(|url| format!("{url} {url:?}"));
        assert_eq!(shown("redis://cache:6379"), Ok("redis://cache:6379 redis://cache:6379".to_owned()));
        assert_eq!(shown("rediss://:p@ss@cache:6379/2"), Ok("rediss://cache:6379/2 rediss://cache:6379/2".to_owned()));
    }

    #[test]
    fn what_is_no_address_of_redis_is_refused_without_repeating_it() {
        for wrong in ["", "cache:6379", "http://cache", "redis://", "redis://user:secret@", "redis://:6379", "redis://a b"] {
            let error = wrong.parse::<ClusterUrl>().unwrap_err().to_string();
            assert!(error.contains("redis://") && !error.contains("secret"), "{error}");
        }
    }
}
