//! `[[site]]` of `viral.toml`: sites of one server, told apart by the host that is asked for.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::values::serde_as_text;
use super::{HeaderLine, QuietHours, UploadVolume, ValueError};

/// Longest name of a host, in bytes (RFC 1035 section 2.3.4).
const HOST_LEN_MAX: usize = 253;

/// A host, or all below one: `app.example`, `*.app.example`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPattern {
    /// In lower case, without the star and with the dot after it.
    text: String,
    is_wild: bool,
}

impl HostPattern {
    /// Whether a host, in lower case and without its port, is meant.
    #[must_use]
    pub fn is_of(&self, host: &str) -> bool {
        if self.is_wild { host.len() > self.text.len() && host.ends_with(&self.text) } else { host == self.text }
    }

    /// How closely it says which host is meant: of several that fit the greatest counts.
    pub(crate) fn closeness(&self) -> (bool, usize) {
        (!self.is_wild, self.text.len())
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_wild { "*" } else { "" }, self.text)
    }
}

impl FromStr for HostPattern {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let lower = text.trim().to_ascii_lowercase();
        let (is_wild, name) = lower.strip_prefix("*.").map_or((false, lower.as_str()), |name| (true, name));
        let is_address = !is_wild && name.starts_with('[') && name.ends_with(']');
        let is_label =
            |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if name.len() > HOST_LEN_MAX || !(is_address || name.split('.').all(is_label)) {
            return Err(ValueError::SiteHost(text.to_owned()));
        }
        Ok(Self { text: if is_wild { format!(".{name}") } else { name.to_owned() }, is_wild })
    }
}

serde_as_text!(HostPattern);

/// A line of the settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLine {
    /// The file.
    pub path: PathBuf,
    /// Its line, from 1 on.
    pub line: usize,
}

impl fmt::Display for FileLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.path.display(), self.line)
    }
}

/// One `[[site]]`. What it leaves out is as the settings above it say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SiteConfig {
    /// Which host it answers for: a name, or `*.app.example` for all below it.
    pub host: HostPattern,
    /// Whether it also answers for hosts that no site has.
    #[serde(default)]
    pub default: bool,
    /// The directory that is served; this or `upstream`.
    pub root: Option<PathBuf>,
    /// The server behind, as `viral proxy` takes it; this or `root`.
    pub upstream: Option<String>,
    /// The certificate that whoever asks for its hosts over TLS is shown, as `tls-cert` has it; without it those of `tls-cert` above.
    pub tls_cert: Option<PathBuf>,
    /// The private key of that.
    pub tls_key: Option<PathBuf>,
    /// Where one of these two is said, for messages.
    #[serde(skip)]
    pub tls_line: Option<FileLine>,
    /// In place of `share`.
    pub share: Option<Vec<String>>,
    /// In place of `never`.
    pub never: Option<Vec<String>>,
    /// In place of `spa`.
    pub spa: Option<bool>,
    /// In place of `upload-volume`.
    pub upload_volume: Option<UploadVolume>,
    /// In place of `quiet-hours`.
    pub quiet_hours: Option<QuietHours>,
    /// Besides those of `header`.
    #[serde(default)]
    pub header: Vec<HeaderLine>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_host_is_a_name_or_all_below_one() {
        let pattern = |text: &str| text.parse::<HostPattern>().unwrap();
        assert!(pattern("App.example").is_of("app.example") && !pattern("app.example").is_of("x.app.example"));
        let wild = pattern("*.app.example");
        assert!(wild.is_of("a.app.example") && wild.is_of("a.b.app.example"));
        assert!(!wild.is_of("app.example") && !wild.is_of(".app.example") && !wild.is_of("xapp.example"));
        assert!(pattern("a.b").closeness() > wild.closeness());
        for text in ["app.example", "*.app.example", "localhost", "127.0.0.1", "[::1]"] {
            assert_eq!(pattern(text).to_string(), text);
        }
        for wrong in ["", "*", "a.*.b", "a b", "app.example:80", "https://a", "a..b", ".a", "a.", "*.[::1]", &"a".repeat(254)] {
            assert_eq!(wrong.parse::<HostPattern>(), Err(ValueError::SiteHost(wrong.to_owned())));
        }
    }

    #[test]
    fn a_site_has_the_settings_above_it_unless_it_says_otherwise() {
        let config = Config { spa: true, share: vec!["/a".to_owned()], header: vec!["A: 1".parse().unwrap()], ..Config::default() };
        let site = SiteConfig {
            host: "a.example".parse().unwrap(),
            default: false,
            root: None,
            upstream: Some("http://127.0.0.1:3000".to_owned()),
            tls_cert: None,
            tls_key: None,
            tls_line: None,
            share: None,
            never: Some(vec!["/b".to_owned()]),
            spa: Some(false),
            upload_volume: None,
            quiet_hours: None,
            header: vec!["B: 2".parse().unwrap()],
        };
        let settings = config.of_site(&site);
        assert_eq!((settings.spa, settings.share, settings.never), (false, vec!["/a".to_owned()], vec!["/b".to_owned()]));
        assert_eq!(settings.header.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a: 1", "b: 2"]);
    }
}
