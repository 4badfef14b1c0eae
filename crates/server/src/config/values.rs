//! The types of single settings: how each is written and what is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use viral_swarm::quiet::QuietHoursError;
use viral_swarm::rollout::ShareError;

/// Why a setting's text is not a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No name for which a certificate can be ordered.
    #[error(
        "`{0}` is no name for which a certificate can be ordered: write it as app.example, in ASCII (xn--...), without a star, a port or an address"
    )]
    AcmeName(String),
    /// No address of mail.
    #[error("`{0}` is no address of mail, write it as ops@app.example")]
    AcmeContact(String),
    /// No certificate authority.
    #[error("`{0}` is no address of a certificate authority, write it as https://acme.example/directory")]
    AcmeDirectory(String),
    /// No address of a collector of traces.
    #[error(
        "`{0}` is no address of a collector, write it as http://HOST:4318 or https://HOST/PATH, without the /v1/traces that follows it"
    )]
    OtlpEndpoint(String),
    /// No token of the admin address.
    #[error("a token has 16 to 256 characters that can be typed, without spaces: `openssl rand -hex 16` makes one")]
    AdminToken,
    /// No place where servers meet.
    #[error("this is no address of Redis, write it as redis://HOST:PORT, redis://USER:PASSWORD@HOST:PORT/DB, or rediss:// for TLS")]
    ClusterUrl,
    /// No name of a cluster.
    #[error("`{0}` is no name of a cluster: write up to 64 letters, digits, `-`, `_` and `.`")]
    ClusterName(String),
    /// Nothing about the access log.
    #[error("say `json`, `combined` or `off`, and where to with access-log-file")]
    AccessLog,
    /// No path that a site may lie below.
    #[error("`{0}` is no path to serve below: write it as /app/, of letters, digits, `-`, `.`, `_` and `~`")]
    Base(String),
    /// Nothing to listen on.
    #[error("`{0}` is neither ADDR:PORT, NAME:PORT nor unix:PATH")]
    Listen(String),
    /// Nothing to listen on, nor `off`.
    #[error("`{0}` is neither ADDR:PORT, NAME:PORT, unix:PATH nor `off`")]
    AdminListen(String),
    /// Nowhere that STUN could be answered.
    #[error("`{0}` is neither ADDR:PORT, NAME:PORT, `auto` nor `off`")]
    StunListen(String),
    /// Not `Name: value`.
    #[error("`{0}` is not a header, write it as `Name: value`")]
    Header(String),
    /// No name of a header.
    #[error("`{0}` is not the name of a header")]
    HeaderName(String),
    /// No host.
    #[error("`{0}` is not a host, write it as app.example or app.example:8080")]
    Host(String),
    /// No host of a site.
    #[error("`{0}` is no host of a site, write it as app.example or *.app.example, without a port")]
    SiteHost(String),
    /// No torrent.
    #[error("{0}")]
    InfoHash(String),
    /// No origin of a page.
    #[error("`{0}` is no origin: write it as https://app.example or https://app.example:8443, without a path, or `*` for any")]
    Origin(String),
    /// No volume.
    #[error("`{0}` is no volume: write it as 500M, 2G, a number of bytes, or `off`")]
    Volume(String),
    /// No quiet hours.
    #[error("`{0}` are no quiet hours: {1}")]
    QuietHours(String, QuietHoursError),
    /// No share of visitors.
    #[error("`{0}` is no share of visitors: {1}")]
    Share(String, ShareError),
    /// Neither yes nor no.
    #[error("`{0}` is neither `true` nor `false`")]
    Switch(String),
    /// No tier with its policy.
    #[error("`{0}` is no tier with its policy, write it as country=off: {1}")]
    Tier(String, String),
    /// Neither an address nor a network.
    #[error("`{0}` is neither an address, a network such as 10.0.0.0/8 nor `unix`")]
    Proxy(String),
}

/// A switch as people write it. Nothing at all is off, since that is how an environment variable is left unset in a list of them.
#[cfg(feature = "cli")]
pub(super) fn parse_switch(text: &str) -> Result<bool, ValueError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" | "" => Ok(false),
        _ => Err(ValueError::Switch(text.to_owned())),
    }
}

/// The path that a site lies below, as visitors see it: `/`, or `/app/` with a slash at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(String);

/// Longest base, in bytes: what is left of a path has room enough.
pub(crate) const BASE_LEN_MAX: usize = 256;

impl Base {
    /// With its slashes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the site has the host for itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// Without its first slash: what the relative paths of the site's files begin with.
    pub(crate) fn prefix(&self) -> &str {
        self.0.get(1..).unwrap_or_default()
    }

    /// The address of something of ours, such as `worker.js`.
    pub(crate) fn own(&self, name: &str) -> String {
        format!("{}.viral/{name}", self.0)
    }
}

impl Default for Base {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Base {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let is_name = |name: &str| !name.is_empty() && !name.starts_with('.') && name.bytes().all(is_plain);
        let names = text.trim_matches('/');
        if !text.starts_with('/') || text.len() > BASE_LEN_MAX || !(names.is_empty() || names.split('/').all(is_name)) {
            return Err(ValueError::Base(text.to_owned()));
        }
        Ok(Self(if names.is_empty() { "/".to_owned() } else { format!("/{names}/") }))
    }
}

/// What is listened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAt {
    /// This address and port.
    At(SocketAddr),
    /// All addresses of this name, `localhost` for example.
    Name(String, u16),
    /// A Unix socket, whose file this is.
    Unix(PathBuf),
}

impl fmt::Display for ListenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(address) => address.fmt(f),
            Self::Name(name, port) => write!(f, "{name}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for ListenAt {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::At(address));
        }
        let named = text.split_once(':').filter(|(name, _)| is_name(name)).and_then(|(name, port)| Some((name, port.parse().ok()?)));
        named.map(|(name, port)| Self::Name(name.to_owned(), port)).ok_or_else(|| ValueError::Listen(text.to_owned()))
    }
}

/// Whether a text can be the name of a host.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// Where the admin endpoints listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminListen {
    /// Nowhere.
    Off,
    /// On this.
    At(ListenAt),
}

impl Default for AdminListen {
    fn default() -> Self {
        Self::At(ListenAt::At(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)))
    }
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(addr) => addr.fmt(f),
        }
    }
}

impl FromStr for AdminListen {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| ValueError::AdminListen(text.to_owned()))
    }
}

/// One response header of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderLine {
    /// Lower-case name.
    pub name: HeaderName,
    /// The value as sent.
    pub value: HeaderValue,
}

impl fmt::Display for HeaderLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value.to_str().unwrap_or_default())
    }
}

impl FromStr for HeaderLine {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let refused = || ValueError::Header(text.to_owned());
        let (name, value) = text.split_once(':').ok_or_else(refused)?;
        Ok(Self { name: name.trim().parse().map_err(|_| refused())?, value: HeaderValue::from_str(value.trim()).map_err(|_| refused())? })
    }
}

/// A host, with a port or without, as it stands in the header of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(pub HeaderValue);

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

impl FromStr for HostName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let value = HeaderValue::from_str(text).ok().filter(viral_swarm::request::same_origin::is_host);
        value.map(Self).ok_or_else(|| ValueError::Host(text.to_owned()))
    }
}

/// The header in which a trusted proxy says for whom it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyHeader(pub HeaderName);

impl Default for ProxyHeader {
    fn default() -> Self {
        Self(HeaderName::from_static("x-forwarded-for"))
    }
}

impl fmt::Display for ProxyHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ProxyHeader {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.trim().parse().map(Self).map_err(|_| ValueError::HeaderName(text.to_owned()))
    }
}

/// Serde of a type by its `Display` and `FromStr`.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use serde_as_text;

serde_as_text!(AdminListen);
serde_as_text!(ListenAt);
serde_as_text!(TrustedProxy);
serde_as_text!(Base);
serde_as_text!(HeaderLine);
serde_as_text!(ProxyHeader);
serde_as_text!(HostName);

/// A proxy that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustedProxy {
    /// Whoever asks from this network.
    At(IpNet),
    /// Whoever asks through a Unix socket.
    Unix,
}

impl fmt::Display for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(network) => network.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

impl FromStr for TrustedProxy {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Self::At).map_err(|_| ValueError::Proxy(text.to_owned()))
    }
}

/// Serde of a list that may be written as its one value.
pub(super) mod one_or_more {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        More(Vec<String>),
        One(String),
    }

    pub(in crate::config) fn serialize<T: Serialize, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        if let [value] = values { value.serialize(serializer) } else { values.serialize(serializer) }
    }

    pub(in crate::config) fn deserialize<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
        D: Deserializer<'de>,
    {
        let texts = match Written::deserialize(deserializer)? {
            Written::More(texts) => texts,
            Written::One(text) => vec![text],
        };
        texts.iter().map(|text| text.parse().map_err(serde::de::Error::custom)).collect()
    }
}

/// How far apart two visitors may be to be introduced to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum PeerScope {
    /// Same public address.
    Near,
    /// Same IPv4 /24 or IPv6 /48.
    Prefix,
    /// Anyone.
    Any,
}

/// What browsers on macOS that may show a permission prompt get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Macos {
    /// Like everybody else.
    Allow,
    /// The plain answer.
    Plain,
}

/// How a certificate comes about that nobody gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// It is signed by itself.
    SelfSigned,
}

/// Whether visitors need a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum TlsClientAuth {
    /// Who has none comes in, too.
    Optional,
    /// Who has none is refused.
    Required,
}

/// What becomes of a service worker of the site's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum OwnServiceWorker {
    /// Its script is sent with ours in front.
    Auto,
    /// Every page is answered plain.
    Yes,
    /// Its script is left as it is.
    No,
}

/// When a `.local` name in a candidate is replaced by the address the server sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum RewriteLocal {
    /// Private, unique-local and link-local addresses only.
    Private,
    /// Any address.
    Always,
    /// Not at all.
    Never,
}

#[cfg(test)]
mod tests;
