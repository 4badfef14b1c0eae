//! Why the origin did not give what was asked.

use http::StatusCode;

/// Why the origin did not give what was asked.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The URL is none that we can ask.
    #[error("`{0}` is not an http or https address")]
    Url(String),
    /// TLS cannot be set up on this machine.
    #[error("this machine's certificates cannot be read: {0}")]
    Certificates(#[source] std::io::Error),
    /// Nothing came.
    #[error("{host} cannot be reached: {reason}")]
    Silent {
        /// Who.
        host: String,
        /// The innermost cause.
        reason: String,
    },
    /// It sends us to another site, which nobody allowed.
    #[error("{host} redirects to {to}, another site; ask that one, or follow with --other-origin")]
    OtherOrigin {
        /// Who.
        host: String,
        /// Where to.
        to: String,
    },
    /// It sends us from TLS to no TLS.
    #[error("{host} redirects from https to {to}, where nobody knows who answers; nothing is followed there")]
    Downgrade {
        /// Who.
        host: String,
        /// Where to.
        to: String,
    },
    /// It lists its assets to nobody.
    #[error("{host} does not list its assets; its operator can allow it with `viral serve --list-assets`")]
    Unlisted {
        /// Who.
        host: String,
    },
    /// It said no.
    #[error("{host} answers {status} to {path}")]
    Status {
        /// Who.
        host: String,
        /// How.
        status: StatusCode,
        /// To what.
        path: String,
    },
    /// What came makes no sense.
    #[error("{host} does not speak viral's protocol: {detail}")]
    Malformed {
        /// Who.
        host: String,
        /// What is wrong.
        detail: String,
    },
}

/// The cause at the bottom: what a person can do something about.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
