//! TLS as the settings want it: certificates that are renewed while the server runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use viral_server::Listener;
use viral_server::config::{AcmeDirectory, Config, ListenAt, SiteConfig, TlsClientAuth, TlsMode};
use viral_server::tls::acme::{Acme, AcmeOptions};
use viral_server::tls::{Challenges, ClientAuth, FileTimes, ForOtherHosts, SiteCertificates, SiteFiles, Tls, TlsFiles, Validity, names_of};

/// How often the files of certificates are looked at: renewals come weeks before the end.
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

    /// Exchanges the certificates when that is due. Never ends.
    pub(crate) async fn keep(self) {
        match self.keeping {
            Keeping::Files => follow(self.tls).await,
            Keeping::Orders(acme) => _ = tokio::join!(acme.keep(), follow(self.tls)),
        }
    }
}

/// The certificates for our listeners, if there are to be any, and for which visitors are asked. `state_dir` is where those are kept that a certificate authority gives.
pub(crate) fn of(config: &Config, places: &[ListenAt], state_dir: Option<PathBuf>) -> anyhow::Result<Option<Certificates>> {
    let (asked, sites) = (asked(config)?, sites_of(config)?);
    let has_any = sites.iter().any(|site| site.files.is_some());
    let certificates = match ours(config, places, state_dir)? {
        None if has_any => Some(Certificates::of_files(Tls::from_files(Vec::new())?)),
        found => found,
    };
    if let Some(Certificates { tls, .. }) = &certificates {
        show_first(tls, sites)?;
    }
    match (&certificates, asked) {
        (Some(Certificates { tls, .. }), Some(auth)) => tls.ask_visitors(&auth)?,
        (None, Some(_)) => {
            bail!(
                "--tls-client-ca is for visitors who come over TLS, which nothing here speaks; give --tls-cert and --tls-key, or --acme DOMAIN"
            )
        }
        (_, None) => {}
    }
    Ok(certificates)
}

/// Shows the certificates of sites at the start. Those that do not count now are said, and the others are shown.
fn show_first(tls: &Tls, sites: Vec<SiteFiles>) -> anyhow::Result<()> {
    let mut read = tls.read_sites(sites)?;
    let expired = std::mem::take(&mut read.expired);
    for error in expired {
        if !tls.has_one_for_all() && !read.are_any() {
            return Err(error.into());
        }
        tracing::error!(%error, "this certificate is not shown");
    }
    show(tls, read)
}

/// Reads the certificates of the sites that `config` has now, to be shown with [`show`].
pub(crate) fn read_anew(tls: Option<&Tls>, config: &Config) -> anyhow::Result<Option<SiteCertificates>> {
    let sites = sites_of(config)?;
    let first = sites.iter().find(|site| site.files.is_some());
    let Some(tls) = tls else {
        return match first {
            Some(site) => bail!("{}: it has a certificate, and this server began without TLS; restart it", site.place),
            None => Ok(None),
        };
    };
    let mut read = tls.read_sites(sites)?;
    if !read.expired.is_empty() {
        return Err(read.expired.remove(0).into());
    }
    if !tls.has_one_for_all() && !read.are_any() {
        bail!(
            "no site has a certificate any more, and this server speaks TLS since its start; give one a tls-cert and tls-key, or restart it"
        );
    }
    Ok(Some(read))
}

/// Shows the certificates of sites that were read.
pub(crate) fn show(tls: &Tls, read: SiteCertificates) -> anyhow::Result<()> {
    for ForOtherHosts { place, host, names } in read.for_other_hosts() {
        tracing::warn!(site = %place, host, certificate = %names.join(", "), "the certificate of this site is for other hosts, and browsers will warn of it; give the one for its host");
    }
    for site in read.without().filter(|_| !tls.has_one_for_all()) {
        tracing::warn!(
            site,
            "it has no certificate, and there is none for all: its visitors are shown that of another site, and browsers will warn of it; give it a tls-cert and tls-key"
        );
    }
    tls.show_sites(read)?;
    Ok(())
}

/// The sites, and where their certificates are.
fn sites_of(config: &Config) -> anyhow::Result<Vec<SiteFiles>> {
    let of_site = |site: &SiteConfig| {
        let line = site.tls_line.as_ref().map(|line| format!(" ({line})")).unwrap_or_default();
        let place = format!("site {}{line}", site.host);
        let files = match (&site.tls_cert, &site.tls_key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }),
            (None, None) => None,
            _ => bail!("{place}: a certificate needs its key and a key its certificate; give both tls-cert and tls-key"),
        };
        Ok(SiteFiles { host: site.host.clone(), is_default: site.default, files, place })
    };
    config.site.iter().map(of_site).collect()
}

/// For which certificates visitors are asked, if for any.
fn asked(config: &Config) -> anyhow::Result<Option<ClientAuth>> {
    if config.trust_proxy_client_cert && config.trust_proxy.is_empty() {
        bail!("--trust-proxy-client-cert is for the proxies of --trust-proxy, and there are none; say where yours are with --trust-proxy");
    }
    let is_required = config.tls_client_auth == TlsClientAuth::Required;
    match &config.tls_client_ca {
        Some(authorities) => Ok(Some(ClientAuth { authorities: authorities.clone(), is_required, tells_chain: config.tls_client_chain })),
        None if is_required || config.tls_client_chain => {
            bail!("visitors are to show certificates, and nothing says who signs them; give the authority's with --tls-client-ca FILE")
        }
        None => Ok(None),
    }
}

fn ours(config: &Config, places: &[ListenAt], state_dir: Option<PathBuf>) -> anyhow::Result<Option<Certificates>> {
    if !config.acme.is_empty() {
        return ordered(config, places, state_dir).map(Some);
    }
    if config.acme_contact.is_some() || config.acme_ca.is_some() || config.acme_directory != AcmeDirectory::default() {
        bail!("a certificate authority is named, and no name to certify; give --acme DOMAIN, too");
    }
    let (certificates, keys) = (&config.tls_cert, &config.tls_key);
    if certificates.len() != keys.len() {
        bail!(
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
        bail!("certificates come from --acme or from elsewhere; leave out --tls-cert and --tls, or --acme");
    }
    if config.acme.len() > NAMES_MAX {
        bail!("{} names are too many for one certificate; give at most {NAMES_MAX} with --acme", config.acme.len());
    }
    if places.iter().all(|place| matches!(place, ListenAt::Unix(_))) {
        bail!(
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

/// Reads the certificates anew whenever their files change.
async fn follow(tls: Tls) {
    let mut seen = Seen::default();
    seen.note(tls.changed());
    // What changed since it was read at the start.
    read_again(&tls);
    loop {
        tokio::time::sleep(LOOK).await;
        if seen.note(tls.changed()) {
            renew(&tls);
        }
    }
}

/// When files were changed last that are read together, as far as all of them were there: half way through a renewal one may be missing.
#[derive(Default)]
struct Seen(BTreeMap<Vec<PathBuf>, Vec<SystemTime>>);

impl Seen {
    /// Whether any of them are others than before, or were not known: they may have changed since they were read.
    fn note(&mut self, changed: Vec<FileTimes>) -> bool {
        let mut is_renewed = false;
        for group in changed {
            let (paths, times): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            if let Some(times) = times.into_iter().collect::<Option<Vec<_>>>() {
                is_renewed |= self.0.insert(paths, times.clone()).is_none_or(|before| before != times);
            }
        }
        is_renewed
    }
}

/// Reads the certificates that come from files anew; what is wrong with one is said, and it stays as it was before.
pub(crate) fn renew(tls: &Tls) {
    if read_again(tls) {
        tracing::info!(validity = %tls.validities().iter().map(Validity::to_string).collect::<Vec<_>>().join(", "), "certificates were read anew; these are shown");
    }
}

/// False where there is no file to read.
fn read_again(tls: &Tls) -> bool {
    let has_files = !tls.changed().is_empty();
    if has_files {
        for error in tls.reload() {
            tracing::error!(%error, "this stays as it was");
        }
    }
    has_files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_read_anew_when_both_of_its_files_are_there() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let files =
            |times: &[(&str, Option<SystemTime>)]| times.iter().map(|(path, time)| (PathBuf::from(path), *time)).collect::<Vec<_>>();
        let (one, other) = (files(&[("a.pem", at(1)), ("a.key", at(1))]), files(&[("b.pem", at(1)), ("b.key", at(1))]));
        let mut seen = Seen::default();
        assert!(seen.note(vec![one.clone(), other.clone()]), "nobody knows since when");
        assert!(!seen.note(vec![one.clone(), other.clone()]));
        assert!(seen.note(vec![one.clone(), files(&[("b.pem", at(2)), ("b.key", at(1))])]));
        assert!(!seen.note(vec![files(&[("a.pem", at(2)), ("a.key", None)])]), "half way");
        assert!(seen.note(vec![files(&[("a.pem", None), ("a.key", at(1))]), files(&[("b.pem", at(2)), ("b.key", at(2))])]));
        assert!(seen.note(vec![files(&[("a.pem", at(2)), ("a.key", at(2))])]), "both are there");
        assert!(!seen.note(vec![files(&[("new.pem", None)])]), "it is not there");
        assert!(seen.note(vec![files(&[("new.pem", at(9))])]), "it may have been renewed since it was read");
    }

    #[test]
    fn who_asks_visitors_for_certificates_says_who_signs_them_and_speaks_tls() {
        let fault = |config: &Config| of(config, &[], None).err().unwrap().to_string();
        let required = Config { tls: Some(TlsMode::SelfSigned), tls_client_auth: TlsClientAuth::Required, ..Config::default() };
        assert!(fault(&required).contains("give the authority's with --tls-client-ca FILE"));
        let missing = Config { tls_client_ca: Some("none.pem".into()), ..required };
        assert!(fault(&missing).contains("none.pem cannot be read"));
        assert!(fault(&Config { tls: None, ..missing }).contains("give --tls-cert and --tls-key"));
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
