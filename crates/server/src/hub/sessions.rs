//! What sessions, visitors and other servers of the site say to the tracker, and what is sent to them.

use std::net::IpAddr;

use viral_swarm::admission::{self, Lack, Policy, VisitFacts};
#[cfg(feature = "cluster")]
use viral_swarm::cluster::ServerNumber;
use viral_swarm::pageset::PageState;
use viral_swarm::tracker::{AnswerError, Answerer, ClientAddr, GuestWish, Seeking, VisitError};
use viral_wire::signal::{AnswerPost, Offer, PeerNumber, PeerToTracker, SignalError, VisitPost};
use viral_wire::{Digest, Ticket};

use super::inner::Inner;
use super::outgoing::queue;
use super::{Hub, OutgoingReceiver};
use crate::pages::page_path;
use viral_site::{Asset, Resolved, Version};

impl Hub {
    /// A socket opened: its number, and what to send on it. The receiver ends when the reader is too slow.
    pub(crate) fn join(&self, client: ClientAddr) -> (PeerNumber, OutgoingReceiver) {
        self.with(|inner, now_ms| {
            let (sender, receiver) = queue();
            let peer = inner.tracker.handle_join(now_ms, client);
            inner.sessions.insert(peer, sender);
            (peer, receiver)
        })
    }

    /// A peer said something.
    pub(crate) fn message(&self, peer: PeerNumber, message: PeerToTracker) {
        let message = self.canonical(message);
        self.with(|inner, now_ms| inner.tracker.handle_message(now_ms, peer, message, &inner.coverage));
    }

    /// A peer said something that is no signal.
    pub(crate) fn malformed(&self, peer: PeerNumber, fault: &SignalError) {
        self.with(|inner, now_ms| inner.tracker.handle_malformed(now_ms, peer, fault));
    }

    /// A socket closed.
    pub(crate) fn leave(&self, peer: PeerNumber) {
        self.with(|inner, now_ms| {
            inner.sessions.remove(&peer);
            inner.tracker.handle_leave(now_ms, peer);
        });
    }

    /// Answers of a thin visit.
    pub(crate) fn answers(&self, post: AnswerPost) -> Result<(), AnswerError> {
        self.with(|inner, now_ms| inner.tracker.handle_answers(now_ms, Answerer::Ticket(post.ticket), post.answers))
    }

    /// What a thin visit reports at its end.
    pub(crate) fn visit(&self, post: &VisitPost) -> Result<(), VisitError> {
        self.with(|inner, now_ms| inner.tracker.handle_visit(now_ms, post))
    }

    /// Peers that join from now on have numbers of this server.
    #[cfg(feature = "cluster")]
    pub(crate) fn set_server(&self, number: ServerNumber) {
        self.lock().tracker.set_server(number);
    }

    /// There are other servers of the site: manifests are to be the same as theirs, and they are told of what happens here.
    pub(crate) fn join_others(&self) {
        self.visits().tell_others();
        let mut inner = self.lock();
        inner.pages.leave_out_dates();
        inner.for_others.get_or_insert_default();
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

    /// Visitors name a page as they see it in their address bar; the tracker knows it by one name.
    pub(crate) fn named(&self, page: String) -> String {
        match self.around.site.current().resolve_visit(&page) {
            Resolved::Asset(asset) => page_path(&asset).to_owned(),
            Resolved::Redirect(_) | Resolved::NotFound(_) => page,
        }
    }

    /// Whether the site has a page of this name, as the tracker knows it.
    pub(crate) fn has_page(&self, page: &str) -> bool {
        let version = self.around.site.current();
        match version.resolve_visit(page) {
            Resolved::Asset(asset) => asset.is_document(),
            Resolved::Redirect(_) => false,
            Resolved::NotFound(_) => version.document(page).is_some(),
        }
    }

    fn canonical(&self, message: PeerToTracker) -> PeerToTracker {
        let named = |page| self.named(page);
        match message {
            PeerToTracker::Register { page, manifest, ticket, slots } => {
                PeerToTracker::Register { page: named(page), manifest, ticket, slots }
            }
            PeerToTracker::Loaded { page, assets } => PeerToTracker::Loaded { page: named(page), assets },
            PeerToTracker::Offers { .. }
            | PeerToTracker::Held { .. }
            | PeerToTracker::Find { .. }
            | PeerToTracker::Share { .. }
            | PeerToTracker::Unshare {}
            | PeerToTracker::Answers { .. }
            | PeerToTracker::Closed { .. }
            | PeerToTracker::Nat { .. }
            | PeerToTracker::Opened { .. }
            | PeerToTracker::Report(_)
            | PeerToTracker::Counts(_) => message,
        }
    }
}
