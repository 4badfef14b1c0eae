//! TLS as the settings want it: certificates that are renewed while the server runs.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use viral_server::Listener;
use viral_server::config::{AcmeDirectory, Config, ListenAt, TlsMode};
use viral_server::tls::acme::{Acme, AcmeOptions};
use viral_server::tls::{Challenges, Tls, TlsFiles, Validity, names_of};

/// How often the files of a certificate are looked at: renewals come weeks before the end.
const LOOK: Duration = Duration::from_secs(10);

/// Names in one certificate: what Let's Encrypt takes.
const NAMES_MAX: usize = 100;

/// What comes of the settings.
pub(crate) struct Certificates {
    /// What is shown to visitors.
    pub(crate) tls: Tls,
    /// What is answered on port 80, where a certificate authority certifies us.
    pub(crate) challenges: Option<Challenges>,
    keeping: Keeping,
}

enum Keeping {
    /// Their files are looked at.
    Files,
    /// They are ordered of a certificate authority.
    Orders(Box<Acme>),
}

impl Certificates {
    fn of_files(tls: Tls) -> Self {
        Self { tls, challenges: None, keeping: Keeping::Files }
    }

    /// Exchanges the certificates when that is due. Ends where nothing ever is.
    pub(crate) async fn keep(self) {
        match self.keeping {
            Keeping::Files => follow(self.tls).await,
            Keeping::Orders(acme) => acme.keep().await,
        }
    }
}

/// The certificates for our listeners, if there are to be any. `state_dir` is where those are kept that a certificate authority gives.
pub(crate) fn of(config: &Config, places: &[ListenAt], state_dir: Option<PathBuf>) -> anyhow::Result<Option<Certificates>> {
    if !config.acme.is_empty() {
        return ordered(config, places, state_dir).map(Some);
    }
    if config.acme_contact.is_some() || config.acme_ca.is_some() || config.acme_directory != AcmeDirectory::default() {
        anyhow::bail!("a certificate authority is named, and no name to certify; give --acme DOMAIN, too");
    }
    let (certificates, keys) = (&config.tls_cert, &config.tls_key);
    if certificates.len() != keys.len() {
        anyhow::bail!(
            "a certificate needs its key and a key its certificate, and there are {} and {}; give tls-cert and tls-key in pairs, in the same order",
            certificates.len(),
            keys.len()
        );
    }
    if !certificates.is_empty() {
        let pairs = certificates.iter().zip(keys).map(|(certificate, key)| TlsFiles { certificate: certificate.clone(), key: key.clone() });
        return Ok(Some(Certificates::of_files(Tls::from_files(pairs.collect())?)));
    }
    let Some(TlsMode::SelfSigned) = config.tls else { return Ok(None) };
    let names = names_of(places);
    let tls = Tls::self_signed(names.clone()).context("TLS cannot begin")?;
    tracing::warn!(
        names = %names.join(", "),
        fingerprint = %tls.validities().first().map(|validity| validity.fingerprint.clone()).unwrap_or_default(),
        "the certificate is signed by itself: browsers warn of it, and take nothing from each other until it was imported as trusted on each machine; \
         compare the fingerprint when you do. It is another one after each start"
    );
    Ok(Some(Certificates::of_files(tls)))
}

fn ordered(config: &Config, places: &[ListenAt], state_dir: Option<PathBuf>) -> anyhow::Result<Certificates> {
    if !config.tls_cert.is_empty() || config.tls.is_some() {
        anyhow::bail!("certificates come from --acme or from elsewhere; leave out --tls-cert and --tls, or --acme");
    }
    if config.acme.len() > NAMES_MAX {
        anyhow::bail!("{} names are too many for one certificate; give at most {NAMES_MAX} with --acme", config.acme.len());
    }
    if places.iter().all(|place| matches!(place, ListenAt::Unix(_))) {
        anyhow::bail!(
            "--acme is for visitors who come over TLS, and those of a Unix socket never do; give --listen an address, or leave out --acme and let the proxy have certificates"
        );
    }
    let state_dir = state_dir.context("--acme keeps an account and certificates over restarts; say where with --state-dir DIR")?;
    let options = AcmeOptions {
        names: config.acme.iter().map(ToString::to_string).collect(),
        contact: config.acme_contact.as_ref().map(ToString::to_string),
        directory: config.acme_directory.to_string(),
        roots: config.acme_ca.clone(),
        state_dir,
        answers_http: !config.redirect_listen.is_empty(),
    };
    let acme = Acme::open(options)?;
    let (tls, challenges) = (acme.tls().clone(), Some(acme.challenges().clone()));
    Ok(Certificates { tls, challenges, keeping: Keeping::Orders(Box::new(acme)) })
}

/// The listeners, over TLS if there is a certificate.
pub(crate) fn on(listeners: Vec<Listener>, tls: Option<&Tls>) -> Vec<Listener> {
    match tls {
        Some(tls) => listeners.into_iter().map(|listener| listener.with_tls(tls.clone())).collect(),
        None => listeners,
    }
}

/// Reads the certificate anew whenever its files change.
async fn follow(tls: Tls) {
    let mut seen = tls.changed();
    while !seen.is_empty() {
        tokio::time::sleep(LOOK).await;
        let changed = tls.changed();
        if is_renewed(&seen, &changed) {
            seen = changed;
            renew(&tls);
        }
    }
}

/// Whether a pair of files is another one. Half way through a renewal one of the two may be missing; other pairs do not wait for it.
fn is_renewed(seen: &[Option<SystemTime>], changed: &[Option<SystemTime>]) -> bool {
    seen.chunks(2).zip(changed.chunks(2)).any(|(seen, changed)| changed != seen && changed.iter().all(Option::is_some))
}

/// Reads the certificates that come from files anew; what is wrong with one is said, and it stays as it was before.
pub(crate) fn renew(tls: &Tls) {
    if tls.changed().is_empty() {
        return;
    }
    for error in tls.reload() {
        tracing::error!(%error, "of this pair nothing is exchanged");
    }
    tracing::info!(validity = %tls.validities().iter().map(Validity::to_string).collect::<Vec<_>>().join(", "), "certificates were read anew; these are shown");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_read_anew_when_both_of_its_files_are_there() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let seen = [at(1), at(1), at(1), at(1)];
        assert!(!is_renewed(&seen, &seen));
        assert!(is_renewed(&seen, &[at(1), at(1), at(2), at(1)]));
        assert!(!is_renewed(&seen, &[at(2), None, at(1), at(1)]), "half way");
        assert!(is_renewed(&seen, &[None, at(1), at(2), at(2)]), "whatever is missing elsewhere");
    }

    #[test]
    fn nothing_is_ordered_for_visitors_who_never_come_over_tls() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { acme: vec!["a.example".parse().unwrap()], ..Config::default() };
        let of_places = |places: &[ListenAt]| of(&config, places, Some(dir.path().join("state"))).map(|found| found.is_some());
        let unix = ListenAt::Unix("/run/viral.sock".into());
        let said = of_places(std::slice::from_ref(&unix)).unwrap_err().to_string();
        assert!(said.contains("give --listen an address"), "{said}");
        assert!(!dir.path().join("state").exists(), "nothing was begun");
        assert!(of_places(&[unix, ListenAt::At(([127, 0, 0, 1], 443).into())]).unwrap());
    }
}
