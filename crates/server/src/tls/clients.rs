//! Whose certificates visitors are asked for, and what is told of the one that a visitor showed.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use webpki::{EndEntityCert, KeyUsage};

use super::certificate;
use super::error::TlsError;
use crate::client_certificate::ClientCertificate;
use crate::limits::CLIENT_AUTHORITIES_LEN_MAX;

/// Which certificates visitors are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuth {
    /// The authorities that sign them, in PEM form.
    pub authorities: PathBuf,
    /// Whether who has none is refused.
    pub is_required: bool,
    /// Whether the service behind is told of those between a visitor's certificate and the authority's, too.
    pub tells_chain: bool,
}

/// The same, as it is asked now.
#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) auth: ClientAuth,
    roots: Arc<RootCertStore>,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
}

impl Clients {
    /// # Errors
    /// When the file cannot be read, or something in it is no certificate of an authority.
    pub(super) fn read(auth: &ClientAuth) -> Result<Self, TlsError> {
        let path = || auth.authorities.clone();
        let found = certificate::read_chain(&auth.authorities)
            .map_err(|error| if let TlsError::NoCertificate { path } = error { TlsError::NoAuthority { path } } else { error })?;
        let mut roots = RootCertStore::empty();
        for (at, der) in found.into_iter().enumerate() {
            let fault = |error: String| TlsError::NotAuthority { path: path(), number: at + 1, error };
            if certificate::is_of_no_authority(&der) {
                return Err(fault("it may sign no others".to_owned()));
            }
            roots.add(der).map_err(|error| fault(error.to_string()))?;
        }
        if roots.subjects().iter().map(|name| name.as_ref().len()).sum::<usize>() > CLIENT_AUTHORITIES_LEN_MAX {
            return Err(TlsError::TooManyAuthorities { path: path() });
        }
        let roots = Arc::new(roots);
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::new(aws_lc_rs::default_provider()));
        let builder = if auth.is_required { builder } else { builder.allow_unauthenticated() };
        let verifier = builder.build().map_err(|error| TlsError::Make(error.to_string()))?;
        Ok(Self { auth: auth.clone(), roots, verifier })
    }

    /// What is told of the certificates of a visitor whose handshake is over, its own first; none where it showed none.
    ///
    /// # Errors
    /// Why it is not let in.
    pub(super) fn take(&self, shown: &[CertificateDer<'_>], is_resumed: bool) -> Result<Option<ClientCertificate>, &'static str> {
        let Some((certificate, others)) = shown.split_first() else {
            // The handshake has seen to it, whatever was agreed on.
            return if self.auth.is_required { Err("the visitor showed no certificate") } else { Ok(None) };
        };
        // What a session that goes on was begun with is not looked at by the library.
        if is_resumed && self.verifier.verify_client_cert(certificate, others, UnixTime::now()).is_err() {
            return Err("the certificate with which the session began does not hold any more");
        }
        // Whoever is behind would take the visitor for one without.
        self.told(certificate, others).map(Some).ok_or("the certificate of the visitor is too long to be told")
    }

    /// What is told of a certificate that was verified, and of the `others` that were shown with it; none where it is too long to be told.
    fn told(&self, certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Option<ClientCertificate> {
        let above = if self.auth.tells_chain { self.above(certificate, others) } else { Vec::new() };
        ClientCertificate::of(certificate, &above.iter().map(AsRef::as_ref).collect::<Vec<_>>())
    }

    /// Those that lead from a certificate to an authority, of the `others` that were shown with it: a visitor may send any.
    fn above(&self, certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Vec<CertificateDer<'static>> {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Vec::new() };
        let known = webpki::ALL_VERIFICATION_ALGS;
        let path = certificate.verify_for_usage(known, &self.roots.roots, others, UnixTime::now(), KeyUsage::client_auth(), None, None);
        path.map_or_else(|_| Vec::new(), |path| path.intermediate_certificates().map(|above| above.der().into_owned()).collect())
    }
}

#[cfg(test)]
mod tests;
