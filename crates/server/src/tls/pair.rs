//! A certificate and its key, in two files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::sign::CertifiedKey;

use super::certificate;
use super::certified::certified;
use super::error::TlsError;
use super::validity::Validity;

/// One of the certificates that visitors are shown.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) validity: Validity,
}

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, with those above it, in PEM form.
    pub certificate: PathBuf,
    /// Its private key, in PEM form.
    pub key: PathBuf,
}

impl Certificate {
    /// # Errors
    /// When the files cannot be read, do not belong together, or the certificate does not count now.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let (chain, private) = (certificate::read_chain(&files.certificate)?, certificate::read_key(&files.key)?);
        let validity = certificate::validity(&chain);
        if !validity.holds(SystemTime::now()) {
            return Err(TlsError::Expired { path: files.certificate.clone(), validity });
        }
        let mismatch = |error: rustls::Error| TlsError::Mismatch {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            error: error.to_string(),
        };
        Ok(Self { certified: certified(chain, private).map_err(mismatch)?, validity })
    }
}
