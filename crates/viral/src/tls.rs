//! TLS as the settings want it: certificates that are renewed while the server runs.

use std::time::Duration;

use anyhow::Context as _;
use viral_server::Listener;
use viral_server::config::{Config, ListenAt, TlsMode};
use viral_server::tls::{Tls, TlsFiles, Validity, names_of};

/// How often the files of a certificate are looked at: renewals come weeks before the end.
const LOOK: Duration = Duration::from_secs(10);

/// The certificate for our listeners, if there is to be one.
pub(crate) fn of(config: &Config, places: &[ListenAt]) -> anyhow::Result<Option<Tls>> {
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
        return Ok(Some(Tls::from_files(pairs.collect())?));
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
    Ok(Some(tls))
}

/// The listeners, over TLS if there is a certificate.
pub(crate) fn on(listeners: Vec<Listener>, tls: Option<&Tls>) -> Vec<Listener> {
    match tls {
        Some(tls) => listeners.into_iter().map(|listener| listener.with_tls(tls.clone())).collect(),
        None => listeners,
    }
}

/// Reads the certificate anew whenever its files change.
pub(crate) async fn follow(tls: Tls) {
    let mut seen = tls.changed();
    while !seen.is_empty() {
        tokio::time::sleep(LOOK).await;
        let changed = tls.changed();
        // Half way through a renewal one of them may be missing.
        let is_whole = changed.iter().all(Option::is_some);
        if is_whole && changed != seen {
            seen = changed;
            renew(&tls);
        }
    }
}

/// Reads the certificate anew; what is wrong with it is said, and the one from before stays.
pub(crate) fn renew(tls: &Tls) {
    match tls.reload() {
        Ok(()) => {
            tracing::info!(validity = %tls.validities().iter().map(Validity::to_string).collect::<Vec<_>>().join(", "), "certificates were read anew")
        }
        Err(error) => tracing::error!(%error, "the certificate from before stays"),
    }
}
