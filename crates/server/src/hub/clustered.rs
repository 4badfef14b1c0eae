//! What other servers of the site ask and tell, and what they are to be told.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use viral_swarm::admission::{self, Lack, Policy, VisitFacts};
#[cfg(feature = "cluster")]
use viral_swarm::cluster::ServerNumber;
use viral_swarm::pageset::PageState;
use viral_swarm::tracker::{ClientAddr, GuestWish, Seeking};
use viral_wire::signal::{Offer, PeerNumber};
use viral_wire::{Digest, Ticket};

use super::Hub;
use super::inner::Inner;
use crate::limits::CLUSTER_NEWS_MAX;
use crate::pages::page_path;
use viral_site::{Asset, Version};

/// What a server did since its start, for the statistics of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// Sessions now.
    pub(crate) sessions: u64,
    /// Answers to visits: full, thin, plain.
    pub(crate) full: u64,
    pub(crate) thin: u64,
    pub(crate) plain: u64,
    /// Bytes that it sent, and that its visitors say they took from others.
    pub(crate) sent_bytes: u64,
    pub(crate) from_peers_bytes: u64,
}

/// What happened that other servers are to be told.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Addresses from which forgers came.
    pub(crate) flagged: Vec<IpAddr>,
    /// Paths of pages of which visits taught something.
    pub(crate) pages: Vec<String>,
}

impl News {
    /// Remembers an address, while somebody may come for it.
    pub(super) fn flag(&mut self, address: IpAddr) {
        if self.flagged.len() < CLUSTER_NEWS_MAX {
            self.flagged.push(address);
        }
    }

    /// The same of a page.
    pub(super) fn learn(&mut self, page: &str) {
        if self.pages.len() < CLUSTER_NEWS_MAX && !self.pages.iter().any(|known| known == page) {
            self.pages.push(page.to_owned());
        }
    }
}

impl Hub {
    /// Peers that join from now on have numbers of this server.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_server(&self, number: ServerNumber) {
        self.lock().tracker.set_server(number);
    }

    /// Manifests are to be the same as those of other servers.
    pub(crate) fn leave_out_dates(&self) {
        self.lock().pages.leave_out_dates();
    }

    /// What other servers are to be asked for before a visit is admitted, and of which manifest; see [`admission::lacks`].
    pub(crate) fn lacks(
        &self,
        (version, document): (&Version, &Asset),
        facts: &VisitFacts,
        stores: impl FnOnce(&Digest) -> bool,
        policy: &Policy,
    ) -> Option<(Digest, Lack)> {
        self.with(|inner, now_ms| {
            let current = inner.current_page(now_ms, version, document)?;
            let page = current.facts(page_path(document));
            let lack = admission::lacks(now_ms, facts, &page, stores, policy, (&inner.tracker, &inner.coverage))?;
            Some((current.manifest, lack))
        })
    }

    /// Reserves peers for another server's visitor.
    pub(crate) fn give_guest(
        &self,
        addr: ClientAddr,
        (page, manifest): (&str, Digest),
        (ticket, wanted): (Ticket, usize),
        wish: GuestWish,
    ) -> Vec<Offer> {
        self.with(|inner, now_ms| {
            let Inner { tracker, coverage, .. } = inner;
            tracker.offers_for_guest(now_ms, &Seeking { addr, page, manifest, wanted, ticket }, wish, coverage)
        })
    }

    /// The page of a session, and the manifest that it seeks: the one it names, or the page's.
    pub(crate) fn sought(&self, peer: PeerNumber, manifest: Option<Digest>) -> Option<(String, Digest)> {
        self.lock().tracker.sought(peer, manifest)
    }

    /// A forger came from this address, says another server.
    pub(crate) fn flag(&self, address: IpAddr) {
        self.with(|inner, now_ms| inner.tracker.handle_flagged(now_ms, address));
    }

    /// What visits to a page use is known better elsewhere.
    pub(crate) fn adopt_page(&self, page: &str, state: PageState) {
        let version = self.around.site.current();
        self.with(|inner, now_ms| {
            let change = inner.pages.adopt(&version, page, state);
            inner.apply(now_ms, change);
        });
    }

    /// What is known of a page, if it was visited.
    #[cfg(feature = "cluster")]
    pub(crate) fn page_state(&self, page: &str) -> Option<PageState> {
        self.lock().pages.state(page)
    }

    /// What other servers were not told yet.
    #[cfg(feature = "cluster")]
    pub(crate) fn take_news(&self) -> News {
        std::mem::take(&mut self.lock().news)
    }

    /// The version that visitors get, the manifests that most ready peers hold, and the tracker's numbers.
    pub(crate) fn tell(&self, holdings_max: usize) -> (String, Vec<(Digest, u32)>, Numbers) {
        let version = self.around.site.current().tag().to_string();
        let inner = self.lock();
        let (sessions, reported) = (inner.tracker.session_count(), inner.tracker.reported());
        let numbers = Numbers { sessions: sessions as u64, from_peers_bytes: reported.from_peers, ..Numbers::default() };
        (version, inner.tracker.holdings(holdings_max), numbers)
    }
}
