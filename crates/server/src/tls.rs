//! TLS on our own listeners: certificates from files or a certificate authority, exchanged while connections live, or one of our own making.

pub mod acme;
mod certificate;
mod certified;
mod challenges;
mod error;
mod handshake;
mod names;
mod validity;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::client::primary_address;
use crate::config::ListenAt;
use crate::protocol::Protocol;

use certified::certified;
pub use challenges::Challenges;
pub use error::TlsError;
pub(crate) use handshake::TlsStream;
use names::ByName;
pub use validity::Validity;

/// Certificates with their keys, for [`Listener::with_tls`](crate::Listener::with_tls). All clones exchange them together.
#[derive(Clone)]
pub struct Tls {
    files: Arc<Vec<TlsFiles>>,
    current: Arc<ArcSwap<Current>>,
    challenges: Option<Challenges>,
}

/// One of the certificates that visitors are shown.
#[derive(Debug, Clone)]
struct Certificate {
    certified: Arc<CertifiedKey>,
    validity: Validity,
}

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, with those above it, in PEM form.
    pub certificate: PathBuf,
    /// Its private key, in PEM form.
    pub key: PathBuf,
}

#[derive(Debug)]
struct Current {
    /// Speaks HTTP/2 with those who can.
    config: Arc<ServerConfig>,
    /// Speaks HTTP/1.1 only.
    http1: Arc<ServerConfig>,
    /// Of each pair of files, in their order; none of one that was never usable.
    certificates: Vec<Option<Certificate>>,
}

impl Tls {
    /// Certificates from files. A visitor is shown the one for the name that it asks for, and the first where none has it. One that does not count
    /// now is not shown until it is renewed, if there is another one.
    ///
    /// # Errors
    /// [`TlsError`], of the first pair that cannot be used.
    pub fn from_files(files: Vec<TlsFiles>) -> Result<Self, TlsError> {
        let (mut certificates, mut expired) = (Vec::new(), Vec::new());
        for pair in &files {
            match read_pair(pair) {
                Ok(certificate) => certificates.push(Some(certificate)),
                Err(error @ TlsError::Expired { .. }) => {
                    certificates.push(None);
                    expired.push(error);
                }
                Err(error) => return Err(error),
            }
        }
        let is_any_usable = certificates.iter().any(Option::is_some);
        for error in expired {
            if !is_any_usable {
                return Err(error);
            }
            tracing::error!(%error, "this certificate is not shown");
        }
        let current = Current::new(certificates, None).map_err(|error| TlsError::Make(error.to_string()))?;
        Ok(Self { files: Arc::new(files), current: Arc::new(ArcSwap::from_pointee(current)), challenges: None })
    }

    /// A certificate of our own making for these names and addresses. Browsers warn of it: nobody whom they trust has signed it.
    ///
    /// # Errors
    /// [`TlsError::Make`].
    pub fn self_signed(names: Vec<String>) -> Result<Self, TlsError> {
        let (chain, key) = certificate::make(names)?;
        let validity = certificate::validity(&chain);
        let fault = |error: rustls::Error| TlsError::Make(error.to_string());
        let made = Certificate { certified: certified(chain, key).map_err(fault)?, validity };
        let current = Current::new(vec![Some(made)], None).map_err(fault)?;
        Ok(Self { files: Arc::default(), current: Arc::new(ArcSwap::from_pointee(current)), challenges: None })
    }

    /// No certificate yet: handshakes are refused, but for those of a certificate authority that looks whether a name is ours.
    fn awaiting(challenges: Challenges) -> Result<Self, rustls::Error> {
        let current = Current::new(Vec::new(), Some(challenges.clone()))?;
        Ok(Self { files: Arc::default(), current: Arc::new(ArcSwap::from_pointee(current)), challenges: Some(challenges) })
    }

    /// New connections get this certificate.
    fn put(&self, certificate: Certificate) -> Result<(), rustls::Error> {
        self.current.store(Arc::new(Current::new(vec![Some(certificate)], self.challenges.clone())?));
        Ok(())
    }

    /// Reads the files anew: new connections get what is in them now. A pair with a fault keeps what it had, and the others are exchanged.
    /// Returns the faults, each of which names its file.
    #[must_use = "the faults are to be said"]
    pub fn reload(&self) -> Vec<TlsError> {
        let (mut certificates, mut faults) = (self.current.load().certificates.clone(), Vec::new());
        for (certificate, pair) in certificates.iter_mut().zip(self.files.iter()) {
            match read_pair(pair) {
                Ok(renewed) => *certificate = Some(renewed),
                Err(error) => faults.push(error),
            }
        }
        if !self.files.is_empty() {
            match Current::new(certificates, None) {
                Ok(current) => self.current.store(Arc::new(current)),
                Err(error) => faults.push(TlsError::Make(error.to_string())),
            }
        }
        faults
    }

    /// When each of the files was changed last, certificate and key of a pair after each other; none where there are none.
    pub fn changed(&self) -> Vec<Option<SystemTime>> {
        let modified = |path: &PathBuf| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        self.files.iter().flat_map(|files| [modified(&files.certificate), modified(&files.key)]).collect()
    }

    /// From when to when each of the certificates counts that are shown.
    pub fn validities(&self) -> Vec<Validity> {
        self.current.load().certificates.iter().flatten().map(|certificate| certificate.validity.clone()).collect()
    }

    /// A connection whose handshake is made with its first byte; `newest` is what may be spoken at most.
    pub(crate) fn accept(&self, stream: TcpStream, newest: Protocol) -> TlsStream {
        let current = self.current.load();
        let config = match newest {
            Protocol::Http1 => &current.http1,
            Protocol::Http2 => &current.config,
        };
        TlsStream::new(TlsAcceptor::from(Arc::clone(config)).accept(stream))
    }
}

impl Current {
    fn new(certificates: Vec<Option<Certificate>>, challenges: Option<Challenges>) -> Result<Self, rustls::Error> {
        let shown = certificates.iter().flatten().map(|one| Arc::clone(&one.certified)).collect();
        let mut protocols = vec![handshake::HTTP_2.to_vec(), handshake::HTTP_11.to_vec()];
        if challenges.is_some() {
            protocols.push(challenges::ALPN.to_vec());
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(ByName::new(shown, challenges)));
        let mut http1 = config.clone();
        http1.alpn_protocols = protocols.split_off(1);
        config.alpn_protocols = [protocols, http1.alpn_protocols.clone()].concat();
        Ok(Self { config: Arc::new(config), http1: Arc::new(http1), certificates })
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

fn read_pair(files: &TlsFiles) -> Result<Certificate, TlsError> {
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
    Ok(Certificate { certified: certified(chain, private).map_err(mismatch)?, validity })
}

#[cfg(test)]
impl Tls {
    /// One for this name, and its certificate.
    pub(crate) fn for_tests(name: &str) -> (Self, rustls::pki_types::CertificateDer<'static>) {
        let dir = tempfile::tempdir().unwrap();
        let files = tests::written(dir.path(), name);
        let chain = certificate::read_chain(&files.certificate).unwrap();
        (Self::from_files(vec![files]).unwrap(), chain[0].clone())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    pub(super) fn written(dir: &Path, name: &str) -> TlsFiles {
        let (chain, key) = certificate::make(vec![name.to_owned()]).unwrap();
        put(dir, name, &chain[0], key.secret_der())
    }

    fn put(dir: &Path, name: &str, certificate: &[u8], key: &[u8]) -> TlsFiles {
        let files = TlsFiles { certificate: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) };
        std::fs::write(&files.certificate, certificate::pem("CERTIFICATE", certificate)).unwrap();
        std::fs::write(&files.key, certificate::pem("PRIVATE KEY", key)).unwrap();
        files
    }

    fn expired(dir: &Path) -> TlsFiles {
        let mut params = rcgen::CertificateParams::new(vec!["c.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        put(dir, "c.example", params.self_signed(&key).unwrap().der(), &key.serialize_der())
    }

    #[test]
    fn what_cannot_be_used_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other, expired) = (written(dir.path(), "a.example"), written(dir.path(), "b.example"), expired(dir.path()));
        let pair = |certificate: &Path, key: &Path| TlsFiles { certificate: certificate.to_owned(), key: key.to_owned() };
        assert!(Tls::from_files(vec![one.clone(), other.clone()]).is_ok());
        // Whatever stands before it.
        let fault = |certificate: &Path, key: &Path| Tls::from_files(vec![other.clone(), pair(certificate, key)]).unwrap_err().to_string();
        let mixed = fault(&one.certificate, &other.key);
        assert!(mixed.contains("does not belong to the certificate in") && mixed.contains("a.example.pem"), "{mixed}");
        assert!(fault(&dir.path().join("none"), &one.key).contains("none cannot be read"));
        assert!(fault(&one.key, &one.key).contains("there is no certificate in"));
        assert!(fault(&one.certificate, &other.certificate).contains("cannot be read"));
        let late = Tls::from_files(vec![expired.clone(), expired]).unwrap_err().to_string();
        assert!(late.contains("c.example.pem counts from") && late.contains("2021") && late.ends_with("renew it"), "{late}");
    }

    #[test]
    fn an_expired_certificate_leaves_the_others_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (good, late) = (written(dir.path(), "a.example"), expired(dir.path()));
        let tls = Tls::from_files(vec![late.clone(), good]).unwrap();
        let before = tls.validities();
        assert!(before.len() == 1 && before[0].holds(SystemTime::now()));
        let faults = tls.reload();
        assert!(faults.len() == 1 && faults[0].to_string().contains("c.example.pem counts from"), "{faults:?}");
        assert_eq!(tls.validities(), before);
        written(dir.path(), "c.example");
        assert!(tls.reload().is_empty());
        assert_eq!((tls.validities().len(), &tls.validities()[1]), (2, &before[0]), "the first one is the first again");
        expired(dir.path());
        assert_eq!(tls.reload().len(), 1);
        assert_eq!(tls.validities().len(), 2, "what still counts is not given up for what does not");
    }

    #[test]
    fn a_renewed_certificate_takes_the_place_of_the_old_one_and_a_bad_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (written(dir.path(), "a.example"), written(dir.path(), "b.example"));
        let tls = Tls::from_files(vec![first.clone(), second.clone()]).unwrap();
        let before = tls.validities();
        assert_eq!((before.len(), tls.changed().len()), (2, 4));
        std::fs::write(&second.key, "no key").unwrap();
        let renewed = written(dir.path(), "new.example");
        std::fs::rename(&renewed.certificate, &first.certificate).unwrap();
        std::fs::rename(&renewed.key, &first.key).unwrap();
        let faults = tls.reload();
        assert!(faults.len() == 1 && faults[0].to_string().contains("b.example.key"), "{faults:?}");
        let now = tls.validities();
        assert!(now[0] != before[0] && now[1] == before[1], "the good one of the two does not wait");
        written(dir.path(), "b.example");
        assert!(tls.reload().is_empty());
        assert!(tls.validities().iter().zip(&before).all(|(now, before)| now != before));
    }

    #[test]
    fn one_of_our_own_says_until_when_it_counts_and_what_names_it() {
        let tls = Tls::self_signed(vec!["localhost".to_owned(), "192.0.2.1".to_owned()]).unwrap();
        let validity = tls.validities().remove(0);
        assert!(validity.holds(SystemTime::now()));
        assert_eq!(validity.fingerprint.split(':').count(), 32);
        assert!(tls.changed().is_empty() && tls.reload().is_empty());
    }
}
