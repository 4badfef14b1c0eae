//! What sessions and visitors say to the tracker, and what is sent to them.

use tokio::sync::mpsc;
use viral_swarm::tracker::{AnswerError, Answerer, ClientAddr, VisitError};
use viral_wire::signal::{AnswerPost, PeerNumber, PeerToTracker, SignalError, VisitPost};

use super::{Hub, Outgoing};
use crate::limits::SOCKET_QUEUE_MAX;
use crate::pages::page_path;
use viral_site::Resolved;

impl Hub {
    /// A socket opened: its number, and what to send on it. The receiver ends when the reader is too slow.
    pub(crate) fn join(&self, client: ClientAddr) -> (PeerNumber, mpsc::Receiver<Outgoing>) {
        self.with(|inner, now_ms| {
            let (sender, receiver) = mpsc::channel(SOCKET_QUEUE_MAX);
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

    /// Visitors name a page as they see it in their address bar; the tracker knows it by one name.
    fn canonical(&self, message: PeerToTracker) -> PeerToTracker {
        let named = |page: String| match self.around.site.current().resolve_visit(&page) {
            Resolved::Asset(asset) => page_path(&asset).to_owned(),
            Resolved::Redirect(_) | Resolved::NotFound(_) => page,
        };
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
