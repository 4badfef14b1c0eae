//! TLS on our own listeners: certificates from files or a certificate authority, exchanged while connections live, or one of our own making.

pub mod acme;
mod certificate;
mod certified;
mod challenges;
mod clients;
mod configs;
mod error;
mod handshake;
mod names;
mod pair;
mod shown;
mod sites;
mod validity;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tokio::net::TcpStream;

use crate::client::primary_address;
use crate::config::ListenAt;
use crate::protocol::Protocol;

use certified::certified;
pub use challenges::Challenges;
pub use clients::ClientAuth;
use clients::Clients;
use configs::Configs;
pub use error::TlsError;
pub(crate) use handshake::TlsStream;
use pair::Certificate;
pub use pair::TlsFiles;
use shown::Shown;
use sites::SiteCertificate;
pub use sites::{ForOtherHosts, SiteCertificates, SiteFiles};
pub use validity::Validity;

/// Certificates with their keys, for [`Listener::with_tls`](crate::Listener::with_tls). All clones exchange them together.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
    /// Whether those who connect are asked for a certificate, if visitors are.
    asks: bool,
}

struct Shared {
    files: Vec<TlsFiles>,
    challenges: Option<Challenges>,
    current: ArcSwap<Current>,
    /// Held by who exchanges something.
    exchanging: Mutex<()>,
}

struct Current {
    shown: Shown,
    configs: Configs,
}

/// Files that are read together, and when each was changed last; none for one that is not there.
pub type FileTimes = Vec<(PathBuf, Option<SystemTime>)>;

impl Tls {
    fn new(files: Vec<TlsFiles>, certificates: Vec<Option<Certificate>>, challenges: Option<Challenges>) -> Result<Self, rustls::Error> {
        let current = Current::of(Shown { certificates, ..Shown::default() }, challenges.as_ref())?;
        let shared = Shared { files, challenges, current: ArcSwap::from_pointee(current), exchanging: Mutex::default() };
        Ok(Self { shared: Arc::new(shared), asks: true })
    }

    /// Certificates from files. A visitor is shown the one for the name that it asks for, and the first where none has it. One that does not count
    /// now is not shown until it is renewed, if there is another one.
    ///
    /// # Errors
    /// [`TlsError`], of the first pair that cannot be used.
    pub fn from_files(files: Vec<TlsFiles>) -> Result<Self, TlsError> {
        let (mut certificates, mut expired) = (Vec::new(), Vec::new());
        for pair in &files {
            match Certificate::read(pair) {
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
        Self::new(files, certificates, None).map_err(|error| TlsError::Make(error.to_string()))
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
        Self::new(Vec::new(), vec![Some(made)], None).map_err(fault)
    }

    /// No certificate yet: handshakes are refused, but for those of a certificate authority that looks whether a name is ours.
    fn awaiting(challenges: Challenges) -> Result<Self, rustls::Error> {
        Self::new(Vec::new(), Vec::new(), Some(challenges))
    }

    /// From now on visitors are asked for a certificate, and who shows one that none of these authorities signed is refused. Nobody is who
    /// [proves](Challenges) that a name is ours.
    ///
    /// # Errors
    /// When the authorities cannot be read.
    pub fn ask_visitors(&self, auth: &ClientAuth) -> Result<(), TlsError> {
        let clients = Arc::new(Clients::read(auth)?);
        self.exchange(|shown| shown.clients = Some(clients)).map_err(|error| TlsError::Make(error.to_string()))
    }

    /// Reads the certificates of several sites, those whose files were not read before. Nothing is shown yet.
    ///
    /// # Errors
    /// Of the first that cannot be used, unless it only [does not count now](SiteCertificates::expired).
    pub fn read_sites(&self, sites: Vec<SiteFiles>) -> Result<SiteCertificates, TlsError> {
        SiteCertificates::read(sites, &self.shared.current.load().shown.sites)
    }

    /// From now on there are these sites. Whoever asks for one is shown its certificate; those that have none are shown the one for all that
    /// fits the name best. Connections that are there stay.
    ///
    /// # Errors
    /// [`TlsError::Make`].
    pub fn show_sites(&self, read: SiteCertificates) -> Result<(), TlsError> {
        self.exchange(|shown| shown.sites = read.with_newer(&shown.sites)).map_err(|error| TlsError::Make(error.to_string()))
    }

    /// Whether there is a certificate for visitors of all sites, or one is ordered.
    pub fn has_one_for_all(&self) -> bool {
        self.shared.challenges.is_some() || self.shared.current.load().shown.certificates.iter().any(Option::is_some)
    }

    /// The same for operators, who are asked for no certificate.
    #[must_use]
    pub fn without_asking(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), asks: false }
    }

    /// New connections get this certificate.
    fn put(&self, certificate: Certificate) -> Result<(), rustls::Error> {
        self.exchange(|shown| shown.certificates = vec![Some(certificate)])
    }

    /// Reads the files anew: new connections get what is in them now. What has a fault stays as it was, and the others are exchanged.
    /// Returns the faults, each of which names its file.
    #[must_use = "the faults are to be said"]
    pub fn reload(&self) -> Vec<TlsError> {
        let mut faults = Vec::new();
        let exchanged = self.exchange(|shown| {
            for (certificate, pair) in shown.certificates.iter_mut().zip(&self.shared.files) {
                match Certificate::read(pair) {
                    Ok(renewed) => *certificate = Some(renewed),
                    Err(error) => faults.push(error),
                }
            }
            faults.extend(shown.sites.iter_mut().filter_map(|site| site.reload().err()));
            if let Some(clients) = &mut shown.clients {
                match Clients::read(&clients.auth) {
                    Ok(renewed) => *clients = Arc::new(renewed),
                    Err(error) => faults.push(error),
                }
            }
        });
        faults.extend(exchanged.err().map(|error| TlsError::Make(error.to_string())));
        faults
    }

    /// All files that are read, and when each of them was changed last.
    pub fn changed(&self) -> Vec<FileTimes> {
        let time = |path: &PathBuf| (path.clone(), std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok());
        let current = self.shared.current.load();
        let of_sites = current.shown.sites.iter().filter_map(|site| site.site.files.as_ref());
        let pairs = self.shared.files.iter().chain(of_sites).map(|files| vec![time(&files.certificate), time(&files.key)]);
        pairs.chain(current.shown.clients.iter().map(|clients| vec![time(&clients.auth.authorities)])).collect()
    }

    /// From when to when each of the certificates counts that are shown.
    pub fn validities(&self) -> Vec<Validity> {
        let current = self.shared.current.load();
        let of_sites = current.shown.sites.iter().filter_map(|SiteCertificate { certificate, .. }| certificate.as_ref());
        current.shown.certificates.iter().flatten().chain(of_sites).map(|certificate| certificate.validity.clone()).collect()
    }

    /// The same of the first that is of no site.
    fn own_validity(&self) -> Option<Validity> {
        self.shared.current.load().shown.certificates.iter().flatten().next().map(|certificate| certificate.validity.clone())
    }

    /// A connection whose handshake is made with its first byte; `newest` is what may be spoken at most.
    pub(crate) fn accept(&self, stream: TcpStream, newest: Protocol) -> TlsStream {
        self.shared.current.load().configs.accept(stream, newest, self.asks)
    }

    /// New connections get what becomes of what is shown now.
    fn exchange(&self, change: impl FnOnce(&mut Shown)) -> Result<(), rustls::Error> {
        // Nothing in here is left half done.
        let _alone = self.shared.exchanging.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = self.shared.current.load().shown.clone();
        change(&mut shown);
        self.shared.current.store(Arc::new(Current::of(shown, self.shared.challenges.as_ref())?));
        Ok(())
    }
}

impl Current {
    fn of(shown: Shown, challenges: Option<&Challenges>) -> Result<Self, rustls::Error> {
        let configs = Configs::of(&shown, challenges)?;
        Ok(Self { shown, configs })
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
        f.debug_struct("Tls").field("files", &self.shared.files).finish_non_exhaustive()
    }
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
        assert_eq!((before.len(), tls.changed().len()), (2, 2));
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

    fn site(host: &str, files: Option<&TlsFiles>) -> SiteFiles {
        SiteFiles { host: host.parse().unwrap(), is_default: false, files: files.cloned(), place: format!("site {host}") }
    }

    #[test]
    fn a_site_with_a_bad_certificate_is_named_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b, late) = (written(dir.path(), "a.example"), written(dir.path(), "b.example"), expired(dir.path()));
        let tls = Tls::from_files(Vec::new()).unwrap();
        assert!(!tls.has_one_for_all());
        tls.show_sites(tls.read_sites(vec![site("a.example", Some(&a)), site("none.example", None)]).unwrap()).unwrap();
        let before = tls.validities();
        assert_eq!((before.len(), tls.changed().len(), tls.own_validity()), (1, 1, None));
        let mixed = TlsFiles { key: a.key.clone(), ..b.clone() };
        let said = tls.read_sites(vec![site("a.example", Some(&a)), site("b.example", Some(&mixed))]).unwrap_err().to_string();
        assert!(said.starts_with("site b.example: the key in") && said.contains("b.example.pem"), "{said}");
        let read = tls.read_sites(vec![site("a.example", Some(&a)), site("c.example", Some(&late))]).unwrap();
        let said = read.expired[0].to_string();
        assert!(said.starts_with("site c.example: the certificate in") && said.ends_with("renew it") && read.are_any(), "{said}");
        assert_eq!(tls.validities(), before, "nothing is shown yet");
        tls.show_sites(read).unwrap();
        assert_eq!((tls.validities(), tls.changed().len()), (before, 2));
        written(dir.path(), "c.example");
        assert!(tls.reload().is_empty());
        assert_eq!(tls.validities().len(), 2, "it was renewed");
    }

    #[test]
    fn a_site_keeps_its_certificate_while_its_files_are_bad_and_has_the_renewed_one_then() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (written(dir.path(), "a.example"), written(dir.path(), "b.example"));
        let tls = Tls::from_files(vec![b]).unwrap();
        let sites = || vec![site("a.example", Some(&a))];
        tls.show_sites(tls.read_sites(sites()).unwrap()).unwrap();
        let before = tls.validities();
        std::fs::write(&a.key, "no key").unwrap();
        let faults = tls.reload();
        assert!(faults.len() == 1 && faults[0].to_string().starts_with("site a.example: "), "{faults:?}");
        // Settings that are read anew meanwhile do not lose it either.
        let again = tls.read_sites(sites()).unwrap();
        assert!(again.are_any() && again.for_other_hosts().is_empty());
        tls.show_sites(again).unwrap();
        assert_eq!(tls.validities(), before);
        written(dir.path(), "a.example");
        assert!(tls.reload().is_empty());
        assert_ne!(tls.validities()[1], before[1]);
        let moved = tls.read_sites(vec![site("*.example", Some(&a))]).unwrap();
        let other = moved.for_other_hosts().remove(0);
        assert_eq!((other.host.as_str(), other.names), ("*.example", vec!["a.example".to_owned()]));
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
