//! TLS on our own listeners: certificates from files, exchanged while connections live, or one of our own making for a trial.

mod certificate;
mod error;
mod handshake;
mod validity;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::client::primary_address;
use crate::config::ListenAt;

pub use error::TlsError;
pub(crate) use handshake::TlsStream;
pub use validity::Validity;

/// A certificate with its key, for [`Listener::with_tls`](crate::Listener::with_tls). All clones exchange it together.
#[derive(Clone)]
pub struct Tls {
    files: Option<Arc<(PathBuf, PathBuf)>>,
    current: Arc<ArcSwap<Current>>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    validity: Validity,
}

impl Tls {
    /// A certificate, with those above it, and its key, from files in PEM form.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = read(certificate, key)?;
        Ok(Self { files: Some(Arc::new((certificate.to_owned(), key.to_owned()))), current: Arc::new(ArcSwap::from_pointee(current)) })
    }

    /// A certificate of our own making for these names and addresses. Browsers warn of it: nobody whom they trust has signed it.
    ///
    /// # Errors
    /// [`TlsError::Make`].
    pub fn self_signed(names: Vec<String>) -> Result<Self, TlsError> {
        let made = certificate::make(names)?;
        let (chain, key) = made;
        let validity = certificate::validity(&chain);
        let config = config_of(chain, key).map_err(|error| TlsError::Make(error.to_string()))?;
        Ok(Self { files: None, current: Arc::new(ArcSwap::from_pointee(Current { config, validity })) })
    }

    /// Reads the files anew: new connections get what is in them now. Of a fault nothing changes.
    ///
    /// # Errors
    /// As [`Self::from_files`].
    pub fn reload(&self) -> Result<(), TlsError> {
        if let Some(files) = &self.files {
            self.current.store(Arc::new(read(&files.0, &files.1)?));
        }
        Ok(())
    }

    /// When each of the files was changed last; none where there are none.
    pub fn changed(&self) -> Option<[Option<SystemTime>; 2]> {
        let files = self.files.as_ref()?;
        let modified = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        Some([modified(&files.0), modified(&files.1)])
    }

    /// From when to when the certificate counts.
    pub fn validity(&self) -> Validity {
        self.current.load().validity.clone()
    }

    /// A connection whose handshake is made with its first byte.
    pub(crate) fn accept(&self, stream: TcpStream) -> TlsStream {
        TlsStream::new(TlsAcceptor::from(Arc::clone(&self.current.load().config)).accept(stream))
    }
}

/// The names and addresses under which visitors may come to these places.
pub fn names_of(places: &[ListenAt]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    for place in places {
        match place {
            ListenAt::At(at) if at.ip().is_unspecified() => names.extend(primary_address(at.ip()).map(|address| address.to_string())),
            ListenAt::At(at) => names.push(at.ip().to_string()),
            ListenAt::Name(name, _) => names.push(name.clone()),
            ListenAt::Unix(_) => {}
        }
    }
    names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    names.sort_unstable();
    names.dedup();
    names
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Current, TlsError> {
    let (chain, private) = (certificate::read_chain(certificate)?, certificate::read_key(key)?);
    let validity = certificate::validity(&chain);
    if !validity.holds(SystemTime::now()) {
        return Err(TlsError::Expired { path: certificate.to_owned(), validity });
    }
    let config = config_of(chain, private).map_err(|error| TlsError::Mismatch {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        error: error.to_string(),
    })?;
    Ok(Current { config, validity })
}

fn config_of(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    // Else a key that does not match would be found out by the first visitor.
    let certified = CertifiedKey::from_der(chain, key, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let resolver = rustls::sign::SingleCertAndKey::from(certified);
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
impl Tls {
    /// One for this name, and its certificate.
    pub(crate) fn for_tests(name: &str) -> (Self, CertificateDer<'static>) {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = tests::written(dir.path(), name);
        (Self::from_files(&cert, &key).unwrap(), certificate::read_chain(&cert).unwrap().remove(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn written(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (chain, key) = certificate::make(vec![name.to_owned()]).unwrap();
        let (cert_path, key_path) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
        std::fs::write(&cert_path, certificate::pem("CERTIFICATE", &chain[0])).unwrap();
        std::fs::write(&key_path, certificate::pem("PRIVATE KEY", key.secret_der())).unwrap();
        (cert_path, key_path)
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = written(dir.path(), "a.example");
        let (other, other_key) = written(dir.path(), "b.example");
        assert!(Tls::from_files(&cert, &key).is_ok());
        let fault = |cert: &Path, key: &Path| Tls::from_files(cert, key).unwrap_err().to_string();
        assert!(fault(&cert, &other_key).contains("does not belong to the certificate"), "{}", fault(&cert, &other_key));
        assert!(fault(&dir.path().join("none"), &key).contains("none cannot be read"));
        assert!(fault(&key, &key).contains("there is no certificate in"));
        assert!(fault(&cert, &other).contains("cannot be read"));
    }

    #[test]
    fn a_renewed_certificate_takes_the_place_of_the_old_one_and_a_bad_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = written(dir.path(), "a.example");
        let tls = Tls::from_files(&cert, &key).unwrap();
        let first = Arc::as_ptr(&tls.current.load().config);
        std::fs::write(&key, "no key").unwrap();
        assert!(tls.reload().is_err());
        assert_eq!(Arc::as_ptr(&tls.current.load().config), first);
        let (new_cert, new_key) = written(dir.path(), "b.example");
        std::fs::rename(new_cert, &cert).unwrap();
        std::fs::rename(new_key, &key).unwrap();
        tls.reload().unwrap();
        assert_ne!(Arc::as_ptr(&tls.current.load().config), first);
    }

    #[test]
    fn one_of_our_own_says_until_when_it_counts_and_what_names_it() {
        let tls = Tls::self_signed(vec!["localhost".to_owned(), "192.0.2.1".to_owned()]).unwrap();
        let validity = tls.validity();
        assert!(validity.holds(SystemTime::now()));
        assert_eq!(validity.fingerprint.split(':').count(), 32);
        assert!(tls.changed().is_none() && tls.reload().is_ok());
    }
}
