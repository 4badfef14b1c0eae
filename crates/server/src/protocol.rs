//! What is spoken on a connection.

use crate::client_certificate::ClientCertificate;

/// A version of HTTP, as far as connections differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// One answer after the other.
    Http1,
    /// Many at a time, over TLS only.
    #[cfg(feature = "tls")]
    Http2,
}

/// What came of the beginning of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// What is spoken.
    pub(crate) protocol: Protocol,
    /// The certificate that the visitor showed, if it was asked for one and has one.
    pub(crate) certificate: Option<ClientCertificate>,
}

impl Agreed {
    /// On what is spoken where nothing is agreed on.
    pub(crate) fn nothing() -> Self {
        Self { protocol: Protocol::Http1, certificate: None }
    }
}
