//! What is spoken on a connection.

/// A version of HTTP, as far as connections differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// One answer after the other.
    Http1,
    /// Many at a time, over TLS only.
    #[cfg(feature = "tls")]
    Http2,
}
