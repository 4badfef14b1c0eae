//! Several sites by host: opened as `viral.toml` names them, and exchanged when that is read anew.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, bail};
use tokio::sync::Mutex;
use viral_server::config::{Config, SiteConfig};
use viral_server::tls::{SiteCertificates, Tls};
use viral_server::{HostedSite, Sites, Source, StunAnnounced, Viral};
use viral_upstream::UpstreamAddr;

use crate::cli::SettingsFile;
use crate::tls;
use crate::upstream::upstream_of;

/// Sites of one server. Each has a tracker and up to 128 MiB of assets in memory; a machine for more has several servers.
const SITES_MAX: usize = 64;

/// The sites, and where they are named. Clones share them.
#[derive(Clone)]
pub(crate) struct Hosting(Arc<Inner>);

struct Inner {
    sites: Sites,
    file: SettingsFile,
    /// Settings of the listeners, which hold until the end.
    first: Config,
    opened: Mutex<Vec<Opened>>,
    /// What every site tells its visitors, those that come later as well.
    stun: OnceLock<StunAnnounced>,
    /// What visitors are shown, if they come over TLS.
    tls: OnceLock<Tls>,
}

/// A site that is served.
#[derive(Clone)]
struct Opened {
    meant: Meant,
    site: HostedSite,
}

/// All that makes a site what it is, but for its hosts.
#[derive(Clone, PartialEq)]
struct Meant {
    settings: Config,
    content: Content,
}

#[derive(Clone, PartialEq)]
enum Content {
    Directory(std::path::PathBuf),
    Upstream(UpstreamAddr),
}

impl Hosting {
    /// Opens all sites that the settings name.
    ///
    /// # Errors
    /// When they contradict themselves, or one cannot be opened.
    pub(crate) async fn open(config: &Config, file: SettingsFile) -> anyhow::Result<Self> {
        let opened = opened(config, config, &[]).await?;
        let sites = Sites::new(config, opened.iter().map(|opened| opened.site.clone()).collect())?;
        Ok(Self(Arc::new(Inner {
            sites,
            file,
            first: config.clone(),
            opened: Mutex::new(opened),
            stun: OnceLock::new(),
            tls: OnceLock::new(),
        })))
    }

    pub(crate) fn sites(&self) -> &Sites {
        &self.0.sites
    }

    /// As [`Viral::announce_stun`], of each site.
    pub(crate) fn announce_stun(&self, stun: &StunAnnounced) {
        let _ = self.0.stun.set(stun.clone());
        self.0.sites.current().iter().for_each(|site| site.viral().announce_stun(stun));
    }

    /// From now on sites that come later are shown with their certificates, too.
    pub(crate) fn show_certificates(&self, tls: &Tls) {
        let _ = self.0.tls.set(tls.clone());
    }

    /// Reads which sites there are, and each of them. Of a fault nothing changes.
    pub(crate) async fn reload(&self) {
        let mut before = self.0.opened.lock().await;
        match self.renewed(&before).await {
            Ok((now, certificates)) => {
                // Whoever comes for a new site is shown its certificate at once.
                if let (Some(tls), Some(certificates)) = (self.0.tls.get(), certificates)
                    && let Err(error) = tls::show(tls, certificates)
                {
                    return tracing::error!(error = %format!("{error:#}"), "the sites from before stay, all of them");
                }
                self.0.sites.replace(now.iter().map(|opened| opened.site.clone()).collect());
                if let Some(stun) = self.0.stun.get() {
                    now.iter().for_each(|opened| opened.site.viral().announce_stun(stun));
                }
                tracing::info!(sites = now.len(), "the sites are as the settings say");
                *before = now;
            }
            Err(error) => tracing::error!(error = %format!("{error:#}"), "the sites from before stay, all of them"),
        }
    }

    async fn renewed(&self, before: &[Opened]) -> anyhow::Result<(Vec<Opened>, Option<SiteCertificates>)> {
        // Where state is kept may be systemd's word, which the file does not say.
        let config = Config { state_dir: self.0.first.state_dir.clone(), ..self.0.file.load()? };
        if !is_same_for_listeners(&config, &self.0.first) {
            tracing::warn!("settings of more than a site changed; they hold after a restart");
        }
        Sites::check(&self.0.first, &config)?;
        let certificates = tls::read_anew(self.0.tls.get(), &config)?;
        let now = opened(&config, &self.0.first, before).await?;
        for kept in now.iter().filter(|opened| before.iter().any(|other| other.meant == opened.meant)) {
            kept.site.viral().reload();
        }
        Ok((now, certificates))
    }
}

/// The sites of `config`, those from before where nothing but their hosts changed.
async fn opened(config: &Config, first: &Config, before: &[Opened]) -> anyhow::Result<Vec<Opened>> {
    check(config)?;
    let mut before = before.to_vec();
    let mut now = Vec::new();
    for site in &config.site {
        let named = || format!("site {}", site.host);
        let meant = meant(site, config, first).with_context(named)?;
        let kept = before.iter().position(|opened| opened.meant == meant).map(|at| before.swap_remove(at));
        let site = match kept {
            Some(kept) => kept.site.for_hosts(site.host.clone(), site.default),
            None => open(site, &meant).await.with_context(named)?,
        };
        now.push(Opened { meant, site });
    }
    Ok(now)
}

async fn open(site: &SiteConfig, meant: &Meant) -> anyhow::Result<HostedSite> {
    let (host, settings) = (site.host.clone(), &meant.settings);
    Ok(match &meant.content {
        Content::Directory(root) => {
            let viral = Viral::open(Source::Directory(root.clone()), settings).await?;
            HostedSite::new(host, site.default, viral)
        }
        Content::Upstream(address) => {
            let upstream = upstream_of(address.clone(), settings)?;
            let viral = Viral::open(upstream.source(), settings).await?;
            HostedSite::in_front_of(host, site.default, viral, upstream.service())
        }
    })
}

/// What a site is, with the listeners' settings of the start.
fn meant(site: &SiteConfig, config: &Config, first: &Config) -> anyhow::Result<Meant> {
    let content = match (&site.root, &site.upstream) {
        (Some(root), None) => Content::Directory(root.clone()),
        (None, Some(upstream)) => Content::Upstream(upstream.parse()?),
        (Some(_), Some(_)) => bail!("it has both root and upstream; leave one of them out"),
        (None, None) => bail!("it has neither root nor upstream; say which directory or server it is"),
    };
    Ok(Meant { settings: with_listeners_of(&config.of_site(site), first), content })
}

/// `config` with what holds for all sites until the end as in `first`.
fn with_listeners_of(config: &Config, first: &Config) -> Config {
    Config {
        listen: first.listen.clone(),
        admin_listen: first.admin_listen.clone(),
        admin_token: first.admin_token.clone(),
        stun_listen: first.stun_listen.clone(),
        tls_cert: first.tls_cert.clone(),
        tls_key: first.tls_key.clone(),
        tls_client_ca: first.tls_client_ca.clone(),
        tls_client_auth: first.tls_client_auth,
        tls_client_chain: first.tls_client_chain,
        tls: first.tls,
        acme: first.acme.clone(),
        acme_contact: first.acme_contact.clone(),
        acme_directory: first.acme_directory.clone(),
        acme_ca: first.acme_ca.clone(),
        redirect_listen: first.redirect_listen.clone(),
        hsts: first.hsts,
        trust_proxy: first.trust_proxy.clone(),
        trust_proxy_header: first.trust_proxy_header.clone(),
        trust_proxy_client_cert: first.trust_proxy_client_cert,
        proxy_protocol: first.proxy_protocol,
        access_log_format: first.access_log_format,
        access_log_addresses: first.access_log_addresses,
        otlp_endpoint: first.otlp_endpoint.clone(),
        log: first.log.clone(),
        ..config.clone()
    }
}

fn is_same_for_listeners(config: &Config, first: &Config) -> bool {
    let is_same_log = config.access_log == first.access_log && config.access_log_file == first.access_log_file;
    with_listeners_of(config, first) == *config && is_same_log
}

/// Refuses sites among which nobody could tell which is meant.
fn check(config: &Config) -> anyhow::Result<()> {
    if !config.base.is_root() {
        bail!("sites by host have their hosts for themselves; leave base out");
    }
    if config.site.is_empty() || config.site.len() > SITES_MAX {
        bail!("there are {} [[site]] tables; give 1 to {SITES_MAX}", config.site.len());
    }
    let mut hosts = BTreeSet::new();
    if let Some(twice) = config.site.iter().find(|site| !hosts.insert(&site.host)) {
        bail!("two sites have the host {}; leave one of them out", twice.host);
    }
    if config.site.iter().filter(|site| site.default).count() > 1 {
        bail!("more than one site has default = true; leave it to one of them");
    }
    Ok(())
}
