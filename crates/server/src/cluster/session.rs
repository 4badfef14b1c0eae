//! A session whose peers may be other servers': what it says of them goes there, and what they have comes to it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use viral_swarm::limits::{MESSAGE_BURST_MAX, MESSAGES_PER_S};
use viral_swarm::tracker::{ClientAddr, GuestWish};
use viral_wire::Ticket;
use viral_wire::signal::{Answer, AnswerPost, Counts, Offer, PeerNumber, PeerToTracker, TrackerToPeer};

use super::others::{Cluster, Sought};
use crate::allowance::Allowance;
use crate::hub::Hub;

/// What other servers know of a session: a visitor with a ticket.
pub(crate) struct Guest {
    cluster: Arc<Cluster>,
    addr: ClientAddr,
    ticket: Ticket,
    /// How many peers it asked for and was not yet told of.
    wanted: Option<(Option<viral_wire::Digest>, usize)>,
    /// Messages for other servers: what is beyond is left to the server's own tracker, which counts and refuses it.
    allowance: Allowance,
    found: mpsc::Sender<Vec<Offer>>,
    finds: mpsc::Receiver<Vec<Offer>>,
}

impl Guest {
    /// A session at `addr`; `drawn` stands for it at other servers until it says of which visit it is.
    pub(crate) fn new(cluster: &Arc<Cluster>, addr: ClientAddr, drawn: Ticket) -> Self {
        // One question is asked at a time.
        let (found, finds) = mpsc::channel(1);
        Self {
            ticket: cluster.ticket(drawn),
            cluster: Arc::clone(cluster),
            addr,
            wanted: None,
            allowance: Allowance::new(MESSAGE_BURST_MAX.into(), MESSAGES_PER_S.into()),
            found,
            finds,
        }
    }

    /// What of a message is for the server's own tracker, after what is for others is on its way.
    pub(crate) fn take(&mut self, message: PeerToTracker) -> Option<PeerToTracker> {
        if !self.allowance.take(Instant::now(), 1) {
            return Some(message);
        }
        let is_foreign = |peer: PeerNumber| self.cluster.is_foreign(peer);
        match message {
            PeerToTracker::Register { ticket: Some(ticket), .. } => self.ticket = ticket,
            PeerToTracker::Find { manifest, count } => self.wanted = Some((manifest, usize::from(count))),
            PeerToTracker::Answers { answers } => {
                let (foreign, own): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| is_foreign(answer.peer));
                if !foreign.is_empty() {
                    let (cluster, post) = (Arc::clone(&self.cluster), AnswerPost { ticket: self.ticket, answers: foreign });
                    tokio::spawn(async move {
                        if let Err(error) = cluster.answers(post).await {
                            tracing::debug!(%error, "answers to another server's peers");
                        }
                    });
                    if own.is_empty() {
                        return None;
                    }
                }
                return Some(PeerToTracker::Answers { answers: own });
            }
            // The maker's own word is enough there.
            PeerToTracker::Opened { peer, .. } | PeerToTracker::Closed { peer, .. } if is_foreign(peer) => return None,
            PeerToTracker::Report(fault) if is_foreign(fault.peer) => {
                self.cluster.tell(None, self.ticket, &Counts { pieces_verified: 1, ..Counts::default() }, &[fault]);
                return None;
            }
            PeerToTracker::Counts(ref counts) => self.cluster.tell(None, self.ticket, counts, &[]),
            PeerToTracker::Register { .. }
            | PeerToTracker::Offers { .. }
            | PeerToTracker::Loaded { .. }
            | PeerToTracker::Held { .. }
            | PeerToTracker::Share { .. }
            | PeerToTracker::Unshare {}
            | PeerToTracker::Closed { .. }
            | PeerToTracker::Nat { .. }
            | PeerToTracker::Opened { .. }
            | PeerToTracker::Report(_) => {}
        }
        Some(message)
    }

    /// The server's own tracker told the session of peers: if it wants more, other servers are asked.
    pub(crate) fn handle_peers(&mut self, hub: &Hub, peer: PeerNumber, offers: usize) {
        let Some((manifest, wanted)) = self.wanted.take() else { return };
        let missing = wanted.saturating_sub(offers);
        let Some((page, manifest)) = hub.sought(peer, manifest).filter(|_| missing > 0) else { return };
        let Ok(place) = self.found.clone().try_reserve_owned() else { return };
        let (cluster, addr, ticket) = (Arc::clone(&self.cluster), self.addr, self.ticket);
        tokio::spawn(async move {
            let wish = GuestWish { near_only: false, push: false, takes_parts: true };
            let sought = Sought { addr, page: &page, manifest, ticket };
            let offers = cluster.seek(&sought, missing, wish).await;
            if !offers.is_empty() {
                place.send(offers);
            }
        });
    }

    /// Peers of other servers, once there are some.
    pub(crate) async fn found(&mut self) -> TrackerToPeer {
        match self.finds.recv().await {
            Some(offers) => TrackerToPeer::Peers { offers },
            // There is always a sender.
            None => std::future::pending().await,
        }
    }
}
