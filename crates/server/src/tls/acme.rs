//! Certificates from a certificate authority that speaks ACME (RFC 8555): ordered, kept, shown and renewed by the server itself.

mod client;
mod error;
mod order;
mod schedule;
mod store;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rand::Rng as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::timeout;

use self::client::AcmeClient;
use self::error::OrderError;
use self::order::{Proof, Wanted, covers, order};
use self::schedule::Attempts;
use self::store::Store;
use super::certified::certified;
use super::challenges::Challenges;
use super::pair::Certificate;
use super::validity::Validity;
use super::{Tls, certificate};

pub use error::AcmeError;

/// Orders of one attempt, if nothing but the numbers of requests did not fit: the library gives up after three such answers in a row.
const ORDERS_MAX: u32 = 4;

/// Longest time that one order takes: looks at its state end after two minutes, for the proofs and for the certificate.
const ORDER_TIMEOUT: Duration = Duration::from_secs(300);

/// Longest sleep: a machine that was suspended, or whose clock was set, notices within so long.
const SLEEP_MAX: Duration = Duration::from_secs(600);

/// What is asked of which certificate authority.
#[derive(Debug, Clone)]
pub struct AcmeOptions {
    /// The names, in lower case; one certificate is for all of them.
    pub names: Vec<String>,
    /// Address of mail to which the certificate authority may write.
    pub contact: Option<String>,
    /// URL of the certificate authority's directory.
    pub directory: String,
    /// Root certificates to trust there in place of the system's, in PEM form.
    pub roots: Option<PathBuf>,
    /// Folder that keeps account and certificate, in a folder `acme` of its own.
    pub state_dir: PathBuf,
    /// Whether visitors on port 80 are answered, so that names can be proven there, too.
    pub answers_http: bool,
}

/// What an order gave.
#[derive(Debug)]
struct Ordered {
    validity: Validity,
    /// Whether it is there after a restart.
    is_kept: bool,
}

/// Has a certificate, or is about to get one.
#[derive(Debug)]
pub struct Acme {
    options: AcmeOptions,
    store: Store,
    client: AcmeClient,
    tls: Tls,
    challenges: Challenges,
}

impl Acme {
    /// With the certificate that is kept, if there is one for these names. Until there is one, handshakes are refused. Blocks.
    ///
    /// # Errors
    /// [`AcmeError`].
    pub fn open(mut options: AcmeOptions) -> Result<Self, AcmeError> {
        options.names.sort_unstable();
        options.names.dedup();
        let store = Store::open(&options.state_dir, &options.directory, &options.names)?;
        store.account::<instant_acme::AccountCredentials>()?;
        let client = AcmeClient::new(options.roots.as_deref())?;
        let challenges = Challenges::default();
        let tls = Tls::awaiting(challenges.clone()).map_err(|error| AcmeError::Tls(error.to_string()))?;
        let acme = Self { options, store, client, tls, challenges };
        acme.show_kept();
        Ok(acme)
    }

    fn show_kept(&self) {
        match self.store.certificate() {
            Ok(None) => {}
            Ok(Some(pem)) => _ = self.show(&pem).inspect_err(|error| self.say_broken(&error.to_string())),
            Err(error) => self.say_broken(&error.to_string()),
        }
    }

    fn say_broken(&self, error: &str) {
        tracing::warn!(path = %self.store.certificate_path().display(), error, "the certificate that was kept cannot be used; another one is ordered");
    }

    /// What is shown to visitors.
    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// What visitors on port 80 are answered for the certificate authority.
    pub fn challenges(&self) -> &Challenges {
        &self.challenges
    }

    /// Orders a certificate whenever one is due. Never ends.
    pub async fn keep(self) {
        // A predecessor of this process may have got one since.
        self.show_kept();
        loop {
            let now = SystemTime::now();
            match self.due(now).duration_since(now) {
                Ok(wait) if !wait.is_zero() => tokio::time::sleep(wait.min(SLEEP_MAX)).await,
                Ok(_) | Err(_) => self.attempt(now).await,
            }
        }
    }

    /// When the next order is due.
    fn due(&self, now: SystemTime) -> SystemTime {
        let attempts = self.store.attempts(now);
        self.tls.own_validity().map_or_else(|| attempts.next(now), |validity| attempts.renewal(&validity, now))
    }

    /// Orders once, and says what came of it.
    async fn attempt(&self, now: SystemTime) {
        let before = self.store.attempts(now);
        let spread = rand::rng().random();
        // Whoever cannot write this down would ask again after each start.
        if let Err(error) = self.store.put_attempts(before.beginning(now, spread)) {
            tracing::error!(%error, "no certificate is ordered: that one was asked for cannot be written down; see to --state-dir");
            tokio::time::sleep(SLEEP_MAX).await;
            return;
        }
        let proof = if self.options.answers_http && before.failures % 2 == 1 { Proof::Http } else { Proof::Tls };
        let names = self.options.names.join(", ");
        tracing::info!(names, directory = %self.options.directory, proof = proof.name(), "ordering a certificate");
        self.client.take_told();
        let done = timeout(ORDER_TIMEOUT, self.order(proof)).await;
        self.challenges.clear();
        // An order takes minutes: pauses begin when it is over.
        let now = SystemTime::now();
        let failed = before.beginning(now, spread);
        match done.unwrap_or(Err(OrderError::TooSlow(ORDER_TIMEOUT.as_secs()))) {
            Ok(ordered) => {
                tracing::info!(names, validity = %ordered.validity, "a new certificate");
                self.note(if ordered.is_kept { Attempts::succeeded(now) } else { failed.unkept(now) });
            }
            Err(error) => {
                let attempts = self.client.take_told().map_or(failed, |told| failed.told(told, now));
                self.note(attempts);
                let again = httpdate::fmt_http_date(attempts.next(now));
                let until = self.tls.own_validity();
                match until {
                    Some(until) => tracing::error!(names, %error, again, "the certificate is not renewed; the one from before {until}"),
                    None => tracing::error!(names, %error, again, "there is no certificate, so that visitors are refused"),
                }
            }
        }
    }

    async fn order(&self, proof: Proof) -> Result<Ordered, OrderError> {
        let AcmeOptions { names, contact, directory, .. } = &self.options;
        let wanted = Wanted { names, contact: contact.as_deref(), directory, proof };
        let mut orders = 1;
        let pem = loop {
            match order(&wanted, &self.client, &self.store, &self.challenges).await {
                Err(error) if error.is_of_nonces() && orders < ORDERS_MAX => orders += 1,
                ordered => break ordered?,
            }
        };
        let validity = self.show(pem.as_bytes())?;
        // It is shown already: what cannot be kept is ordered again after a restart, and not sooner than after a failure.
        let kept = self.store.put_certificate(&pem);
        if let Err(error) = &kept {
            tracing::error!(path = %self.store.certificate_path().display(), %error, "the new certificate is not kept; make room, or let this user write it");
        }
        Ok(Ordered { validity, is_kept: kept.is_ok() })
    }

    fn note(&self, attempts: Attempts) {
        if let Err(error) = self.store.put_attempts(attempts) {
            tracing::warn!(%error, "when a certificate was ordered cannot be written down; see to --state-dir");
        }
    }

    /// Shows the key and the certificates in `pem`, if they are ours; from when to when they count.
    fn show(&self, pem: &[u8]) -> Result<Validity, OrderError> {
        let unusable = |error: String| OrderError::Unusable(error);
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| unusable(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| unusable(error.to_string()))?;
        if !covers(&chain, &self.options.names) {
            return Err(unusable("it is not for all names".to_owned()));
        }
        let validity = certificate::validity(&chain);
        let certified = certified(chain, key).map_err(|error| unusable(error.to_string()))?;
        self.tls.put(Certificate { certified, validity: validity.clone() }).map_err(|error| unusable(error.to_string()))?;
        Ok(validity)
    }
}

#[cfg(test)]
mod tests;
