//! How the world sees this peer, and the offers that say so.

use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use viral_wire::signal::{PeerToTracker, ReadyOffer, TrackerToPeer};

use super::Peer;
use super::network::Network;

/// What waits a little for the server's word on this peer's addresses.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Offers to make.
    pub(super) offers: u8,
    /// Peers of other networks to dial.
    pub(super) peers: Option<TrackerToPeer>,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.offers == 0 && self.peers.is_none()
    }
}

impl Peer {
    /// What the server said of this peer's addresses: the tracker hears what it is behind, and offers name the new ones.
    pub(super) fn note_addresses(&mut self) {
        let mapped = self.network.reflexive.mapped();
        if self.network.links.set_reflexive(&mapped) {
            tracing::debug!(?mapped, "how the server sees this peer");
            let renewed = self.network.links.renew_offers(Instant::now());
            let offers: Vec<_> = renewed.into_iter().map(|(offer, description)| ReadyOffer { offer, description }).collect();
            if !offers.is_empty() {
                self.signal(PeerToTracker::Offers { offers });
            }
        }
        let nat = self.network.reflexive.nat();
        if nat != self.nat && self.faults.lost.is_none() && self.signal(PeerToTracker::Nat { nat, fades: false }) {
            self.nat = nat;
        }
        self.release();
    }

    /// The signal, unless it names peers of other networks and the server is about to say how it sees this one: answers are of more use with that.
    pub(super) fn not_held(&mut self, signal: TrackerToPeer) -> Option<TrackerToPeer> {
        let is_far = matches!(&signal, TrackerToPeer::Peers { offers } if offers.iter().any(|offer| offer.far));
        if !is_far || self.held.peers.is_some() || self.network.reflexive.waits_until(self.now()).is_none() {
            return Some(signal);
        }
        self.held.peers = Some(signal);
        None
    }

    /// Does what waits for nothing any more.
    pub(super) fn release(&mut self) {
        let now = self.now();
        if self.held.is_empty() || self.network.reflexive.waits_until(now).is_some() {
            return;
        }
        let Held { offers, peers } = std::mem::take(&mut self.held);
        if offers > 0 {
            self.make_offers(offers);
        }
        if let Some(peers) = peers {
            self.session.handle_signal(now, peers);
        }
    }

    fn make_offers(&mut self, count: u8) {
        let mut offers = Vec::new();
        for _ in 0..count {
            match self.network.links.offer(Instant::now()) {
                Ok((offer, description)) => offers.push(ReadyOffer { offer, description }),
                Err(error) => tracing::warn!(%error, "no offer can be made"),
            }
        }
        if !offers.is_empty() {
            self.signal(PeerToTracker::Offers { offers });
        }
    }
}

/// Asks the server how it sees the sockets, and waits a little for what it says: the answers to offers of another network are of more use with it.
pub(super) async fn learn_addresses(network: &mut Network, start: Instant, ports: &[u16]) {
    let now = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    network.ask(now(), ports);
    while let Some(until) = network.reflexive.waits_until(now()) {
        let _ = timeout_at((start + Duration::from_millis(until)).into(), network.sockets.readable()).await;
        network.receive();
    }
}
