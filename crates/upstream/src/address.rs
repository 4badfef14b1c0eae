//! Where the other server is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, Scheme};

/// Where the other server is: `http://127.0.0.1:3000`, `https://app.example`, `unix:/run/app.sock`. An address without a scheme is taken for `http`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamAddr {
    scheme: Scheme,
    authority: Authority,
    socket: Option<PathBuf>,
}

/// Why a text names no server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It cannot be read as an address.
    #[error("`{0}` is no address of a server; give http://HOST:PORT, https://HOST or unix:PATH")]
    Malformed(String),
    /// The scheme is neither `http` nor `https`.
    #[error("`{0}` is no scheme of a web server; give http://HOST:PORT, https://HOST or unix:PATH")]
    Scheme(String),
    /// There is more than a host and a port.
    #[error("leave `{0}` out: the server is asked for the very paths that visitors ask for")]
    Path(String),
    /// There is a name or a password in it.
    #[error("an address with a user name is not used; let the server trust this machine instead")]
    User,
}

impl UpstreamAddr {
    /// `http` or `https`.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Host and port, as they stand in a URL; `localhost` for a Unix socket.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The Unix socket, if it is one.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Whether it is reached over TLS.
    pub fn is_tls(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }
}

impl FromStr for UpstreamAddr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err(malformed());
            }
            return Ok(Self { scheme: Scheme::HTTP, authority: Authority::from_static("localhost"), socket: Some(path.into()) });
        }
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let parts = whole.parse::<Uri>().map_err(|_| malformed())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(malformed()) };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(AddressError::Scheme(scheme.to_string()));
        }
        if authority.as_str().contains('@') {
            return Err(AddressError::User);
        }
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if authority.host().is_empty() || (!port.is_empty() && authority.port_u16().is_none()) {
            return Err(malformed());
        }
        match parts.path_and_query {
            Some(path) if path != "/" => Err(AddressError::Path(path.to_string())),
            Some(_) | None => Ok(Self { scheme, authority, socket: None }),
        }
    }
}

impl fmt::Display for UpstreamAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "unix:{}", path.display()),
            None => write!(f, "{}://{}", self.scheme, self.authority),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_url_by_address_or_by_socket() {
        for (text, shown) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://127.0.0.1:3000/", "http://127.0.0.1:3000"),
            ("https://app.example", "https://app.example"),
            ("localhost:3000", "http://localhost:3000"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
            ("unix:///run/app.sock", "unix:/run/app.sock"),
        ] {
            assert_eq!(text.parse::<UpstreamAddr>().map(|addr| addr.to_string()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_names_no_server_is_said_with_what_to_give() {
        for text in ["", "http://", "unix:app.sock", "http://a b", "http://a:99999", "/srv/www"] {
            let error = text.parse::<UpstreamAddr>().expect_err(text).to_string();
            assert!(error.contains("give http://HOST:PORT"), "{text}: {error}");
        }
        assert!(matches!("ftp://a".parse::<UpstreamAddr>(), Err(AddressError::Scheme(_))));
        assert!(matches!("http://a/app/".parse::<UpstreamAddr>(), Err(AddressError::Path(_))));
        assert!(matches!("http://me:secret@a".parse::<UpstreamAddr>(), Err(AddressError::User)));
    }
}
