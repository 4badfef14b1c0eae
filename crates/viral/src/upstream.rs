//! The server behind, asked as the settings say.

use std::time::Duration;

use anyhow::Context as _;
use viral_server::config::Config;
use viral_upstream::{Rules, Settings, Upstream, UpstreamAddr};

/// The server at `address`.
pub(crate) fn upstream_of(address: UpstreamAddr, config: &Config) -> anyhow::Result<Upstream> {
    let settings = Settings {
        host: config.upstream_host.clone().map(|host| host.0),
        rules: Rules { share: config.share.clone(), never: config.never.clone() },
        answer_wait: Duration::from_secs(config.upstream_timeout),
        ..Settings::at(address)
    };
    Upstream::new(settings).context("the certificates that this system trusts cannot be read; install ca-certificates")
}
