//! A session whose peers may be other servers': what it says of them goes there, and what they have comes to it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::Instant;
use viral_swarm::limits::{MESSAGE_BURST_MAX, MESSAGES_PER_S};
use viral_swarm::tracker::{ClientAddr, GuestWish};
use viral_wire::Ticket;
use viral_wire::signal::{Answer, AnswerPost, Counts, Offer, PeerNumber, PeerToTracker, TrackerToPeer};

use super::others::{Cluster, Sought};
use crate::hub::Hub;
use crate::limits::CLUSTER_TOLD_MAX;
use viral_swarm::allowance::Allowance;

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
    /// Answers whose sender is to be told that they left.
    left: mpsc::Sender<u32>,
    leaves: mpsc::Receiver<u32>,
}

impl Guest {
    /// A session at `addr`; `drawn` stands for it at other servers until it says of which visit it is.
    pub(crate) fn new(cluster: &Arc<Cluster>, addr: ClientAddr, drawn: Ticket) -> Self {
        // One question is asked at a time.
        let (found, finds) = mpsc::channel(1);
        let (left, leaves) = mpsc::channel(CLUSTER_TOLD_MAX);
        Self {
            ticket: cluster.ticket(drawn),
            cluster: Arc::clone(cluster),
            addr,
            wanted: None,
            allowance: Allowance::new(MESSAGE_BURST_MAX.into(), MESSAGES_PER_S.into()),
            found,
            finds,
            left,
            leaves,
        }
    }

    /// What of a message is for the server's own tracker, after what is for others is on its way.
    pub(crate) fn take(&mut self, message: PeerToTracker) -> Option<PeerToTracker> {
        if !self.allowance.take(Instant::now().into_std(), 1) {
            return Some(message);
        }
        let is_foreign = |peer: PeerNumber| self.cluster.is_foreign(peer);
        match message {
            PeerToTracker::Register { ticket: Some(ticket), .. } => self.ticket = ticket,
            PeerToTracker::Find { manifest, count } => self.wanted = Some((manifest, usize::from(count))),
            PeerToTracker::Answers { answers, tell } => {
                let (foreign, own): (Vec<Answer>, Vec<Answer>) = answers.into_iter().partition(|answer| is_foreign(answer.peer));
                let is_any_foreign = !foreign.is_empty();
                if is_any_foreign {
                    self.send_away(foreign, tell);
                }
                // Those of the server's own peers have left by then.
                let tell = tell.filter(|_| !is_any_foreign);
                return (!own.is_empty() || !is_any_foreign).then_some(PeerToTracker::Answers { answers: own, tell });
            }
            // The maker's own word is enough there.
            PeerToTracker::Opened { peer, .. } | PeerToTracker::Closed { peer, .. } if is_foreign(peer) => return None,
            PeerToTracker::Report(fault) if is_foreign(fault.peer) => {
                self.cluster.report(None, self.ticket, &Counts { pieces_verified: 1, ..Counts::default() }, &[fault]);
                return None;
            }
            PeerToTracker::Counts(ref counts) => self.cluster.report(None, self.ticket, counts, &[]),
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

    /// Sends answers to the servers of the offers' makers, and tells the session when they left, if it waits for that.
    fn send_away(&self, answers: Vec<Answer>, tell: Option<u32>) {
        let (cluster, post) = (Arc::clone(&self.cluster), AnswerPost { ticket: self.ticket, answers });
        // Whoever is not told waits a moment longer.
        let place = tell.and_then(|tell| Some((self.left.clone().try_reserve_owned().ok()?, tell)));
        tokio::spawn(async move {
            if let Err(error) = cluster.answers(post).await {
                tracing::debug!(%error, "answers to another server's peers");
            }
            if let Some((place, tell)) = place {
                place.send(tell);
            }
        });
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

    /// Peers of other servers, once there are some, or that answers to such peers left.
    pub(crate) async fn found(&mut self) -> TrackerToPeer {
        // There always is a sender of both.
        tokio::select! {
            Some(offers) = self.finds.recv() => TrackerToPeer::Peers { offers },
            Some(tell) = self.leaves.recv() => TrackerToPeer::Relayed { tell },
            else => std::future::pending().await,
        }
    }
}
