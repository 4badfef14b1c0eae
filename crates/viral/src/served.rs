//! What is served: one site, or several by host.

use viral_server::tls::{Challenges, Tls};
use viral_server::{Listener, StunAnnounced, Viral};
use viral_upstream::ProxyService;

use crate::hosting::Hosting;

/// What is served, and how. Clones serve the same.
#[derive(Clone)]
pub(crate) enum Served {
    /// One site.
    One(Viral),
    /// A site in front of another server.
    Proxy(Viral, ProxyService),
    /// Several sites.
    Many(Hosting),
}

impl Served {
    /// As [`Viral::serve`].
    pub(crate) async fn serve(self, listeners: Vec<Listener>, admin: Vec<Listener>) {
        match self {
            Self::One(viral) => viral.serve(listeners, admin).await,
            Self::Proxy(viral, service) => viral.serve_in_front_of(service, listeners, admin).await,
            Self::Many(hosting) => hosting.sites().serve(listeners, admin).await,
        }
    }

    /// As [`Viral::redirect`], or [`Viral::redirect_and_prove`] where something is to be proven.
    pub(crate) async fn redirect(&self, listeners: Vec<Listener>, https_port: u16, challenges: Option<Challenges>) {
        match (self, challenges) {
            (Self::One(viral) | Self::Proxy(viral, _), None) => viral.redirect(listeners, https_port).await,
            (Self::One(viral) | Self::Proxy(viral, _), Some(challenges)) => {
                viral.redirect_and_prove(listeners, https_port, challenges).await
            }
            (Self::Many(hosting), None) => hosting.sites().redirect(listeners, https_port).await,
            (Self::Many(hosting), Some(challenges)) => hosting.sites().redirect_and_prove(listeners, https_port, challenges).await,
        }
    }

    /// Reads everything anew: the site, or which sites there are and each of them.
    pub(crate) async fn reload(&self) {
        match self {
            Self::One(viral) | Self::Proxy(viral, _) => viral.reload(),
            Self::Many(hosting) => hosting.reload().await,
        }
    }

    /// As [`Viral::announce_stun`].
    pub(crate) fn announce_stun(&self, stun: &StunAnnounced) {
        match self {
            Self::One(viral) | Self::Proxy(viral, _) => viral.announce_stun(stun),
            Self::Many(hosting) => hosting.announce_stun(stun),
        }
    }

    /// Visitors are shown these certificates.
    pub(crate) fn show_certificates(&self, tls: &Tls) {
        if let Self::Many(hosting) = self {
            hosting.show_certificates(tls);
        }
    }

    /// As [`Viral::reopen_log`].
    pub(crate) fn reopen_log(&self) {
        match self {
            Self::One(viral) | Self::Proxy(viral, _) => viral.reopen_log(),
            Self::Many(hosting) => hosting.sites().reopen_log(),
        }
    }

    /// As [`Viral::prepare_successor`].
    pub(crate) async fn prepare_successor(&self) {
        match self {
            Self::One(viral) | Self::Proxy(viral, _) => viral.prepare_successor().await,
            Self::Many(hosting) => hosting.sites().prepare_successor().await,
        }
    }

    /// As [`Viral::retire`].
    pub(crate) fn retire(&self) {
        match self {
            Self::One(viral) | Self::Proxy(viral, _) => viral.retire(),
            Self::Many(hosting) => hosting.sites().retire(),
        }
    }

    /// As [`Viral::shut_down`].
    pub(crate) fn shut_down(&self) {
        match self {
            Self::One(viral) | Self::Proxy(viral, _) => viral.shut_down(),
            Self::Many(hosting) => hosting.sites().shut_down(),
        }
    }
}
