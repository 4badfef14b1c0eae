//! Why a certificate cannot be used.

use std::path::PathBuf;

use super::validity::Validity;

/// Why a certificate cannot be used. Every message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read ({error}); give a file in PEM form that this user may read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// There is no certificate in a file.
    #[error(
        "there is no certificate in {path}; give the one of the host and those above it, in PEM form, with --tls-cert, or as the tls-cert of its site"
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no certificate of an authority in a file.
    #[error(
        "there is no certificate in {path}; give those of the authorities that sign your visitors' certificates, in PEM form, with --tls-client-ca"
    )]
    NoAuthority {
        /// The file.
        path: PathBuf,
    },
    /// A certificate is of nobody who signs others.
    #[error(
        "certificate {number} in {path} is of no authority ({error}); give with --tls-client-ca those that sign your visitors' certificates, not these themselves"
    )]
    NotAuthority {
        /// The file.
        path: PathBuf,
        /// Which of its certificates, from 1 on.
        number: usize,
        /// What is wrong with it.
        error: String,
    },
    /// There are more authorities than a handshake can name.
    #[error("the authorities in {path} are more than a handshake can name; leave in it those alone that sign your visitors' certificates")]
    TooManyAuthorities {
        /// The file.
        path: PathBuf,
    },
    /// Key and certificate do not belong together, or one of them is of a kind that is not used.
    #[error("the key in {key} does not belong to the certificate in {certificate} ({error}); give both of the same request")]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What the library says.
        error: String,
    },
    /// The certificate counts no more, or not yet.
    #[error("the certificate in {path} {validity}; renew it")]
    Expired {
        /// The file.
        path: PathBuf,
        /// From when to when it counts.
        validity: Validity,
    },
    /// The certificate of one of several sites cannot be used.
    #[error("{place}: {error}")]
    OfSite {
        /// What names the site.
        place: String,
        /// Why.
        error: Box<TlsError>,
    },
    /// No certificate can be made.
    #[error("no certificate can be made: {0}")]
    Make(String),
}

impl TlsError {
    /// The same, naming the site whose certificate it is.
    pub(super) fn of_site(self, place: &str) -> Self {
        Self::OfSite { place: place.to_owned(), error: Box::new(self) }
    }
}
