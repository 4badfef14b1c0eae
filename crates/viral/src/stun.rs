//! Answering STUN beside the visitors' listeners, or saying once why not.

use std::net::SocketAddr;

use anyhow::{Context as _, anyhow, bail};
use tokio::task::JoinHandle;
use viral_server::StunServer;
use viral_server::config::{Config, ListenAt, StunListen};

use crate::bind;
use crate::given::Given;
use crate::served::Served;

/// Binds what the settings say, or as much as the default may; none where STUN is off.
///
/// # Errors
/// When an address that was given cannot be had.
pub(crate) async fn bind(config: &Config, public: &[ListenAt], given: &mut Given) -> anyhow::Result<Option<StunServer>> {
    let sockets = std::mem::take(&mut given.stun);
    match &config.stun_listen {
        StunListen::Off => Ok(None),
        // The default depends on who is in front, which may be somebody else than before.
        StunListen::AsListen if given.is_of_systemd || !config.trust_proxy.is_empty() => Ok(beside(config, public, given.is_of_systemd)),
        StunListen::At(_) | StunListen::AsListen if !sockets.is_empty() => {
            StunServer::taken_over(sockets).map(Some).context("the predecessor's sockets for STUN cannot be used")
        }
        StunListen::At(at) => {
            let addresses = match at {
                ListenAt::At(address) => vec![*address],
                ListenAt::Name(name, port) => bind::addresses_of(name, *port, "--stun-listen").await?,
                ListenAt::Unix(path) => bail!("STUN is answered over UDP, which {} is not; give --stun-listen ADDR:PORT", path.display()),
            };
            StunServer::bind(&addresses).map(Some).map_err(|error| {
                anyhow!("STUN cannot be answered on {at} over UDP: {error}; choose another address with --stun-listen ADDR:PORT, or `off`")
            })
        }
        StunListen::AsListen => Ok(beside(config, public, given.is_of_systemd)),
    }
}

/// On the addresses and the port of the visitors' listeners.
fn beside(config: &Config, public: &[ListenAt], is_given: bool) -> Option<StunServer> {
    const SAID: &str = "visitors behind different NATs do not reach each other";
    let addresses: Vec<SocketAddr> =
        public.iter().filter_map(|at| if let ListenAt::At(address) = at { Some(*address) } else { None }).collect();
    let first = addresses.first();
    if is_given || first.is_none() || !config.trust_proxy.is_empty() {
        tracing::info!(
            "STUN is off, since only systemd or a proxy knows where visitors come to: {SAID}. Give --stun-listen ADDR:PORT, where UDP for the host name of your pages arrives"
        );
        return None;
    }
    let port = first.map_or(0, SocketAddr::port);
    let wanted: Vec<SocketAddr> = addresses.into_iter().filter(|address| address.port() == port).collect();
    match StunServer::bind(&wanted) {
        Ok(server) => Some(server),
        Err(error) => {
            tracing::warn!(port, %error, "STUN is off, since this port cannot be had over UDP: {SAID}. Give another one with --stun-listen ADDR:PORT, or say --stun-listen off");
            None
        }
    }
}

/// Answers from now on, and lets the sites tell their visitors.
pub(crate) fn start(stun: Option<StunServer>, served: &Served) -> Option<JoinHandle<()>> {
    stun.map(|stun| {
        served.announce_stun(&stun.announced());
        tokio::spawn(stun.serve())
    })
}
