//! The ready-made offers of each seeder: left, renewed, reserved, lapsed, expired, asked for again.

use viral_wire::{
    limits::OFFERS_PER_PEER_MAX,
    signal::{self, ErrorCode, PeerNumber, TrackerToPeer},
};

use super::{
    Tracker,
    session::{ReadyOffer, Session},
    timers::Timer,
};
use crate::limits::ASKED_WAIT_MS;

impl Tracker {
    pub(super) fn handle_offers(&mut self, peer: PeerNumber, offers: Vec<signal::ReadyOffer>) {
        if offers.is_empty() || offers.len() > OFFERS_PER_PEER_MAX {
            return self.refuse(peer, ErrorCode::TooMany, "leave one to four offers at a time");
        }
        for offer in offers {
            self.leave_offer(peer, offer);
        }
        self.refresh(peer);
    }

    /// Takes one offer in. An offer that is outstanding under the same number is renewed: the old description is void.
    fn leave_offer(&mut self, peer: PeerNumber, offer: signal::ReadyOffer) {
        let serial = self.next_serial();
        let expires_ms = self.now_ms.saturating_add(self.config.offer_age_max_ms);
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        session.asked = session.asked.saturating_sub(1);
        if session.customers.contains_key(&offer.offer) {
            return self.refuse(peer, ErrorCode::Unexpected, "that offer was answered already");
        }
        if !session.offers.contains_key(&offer.offer) && session.offers.len() >= OFFERS_PER_PEER_MAX {
            // Not a mistake: the peer may have topped up by itself while it was being asked.
            return self.warn(peer, ErrorCode::TooMany, "too many outstanding offers");
        }
        let mut description = offer.description;
        if let Some(address) = session.addr.rewrite_to {
            description.rewrite_local(address);
        }
        let ready = ReadyOffer { serial, description, expires_ms, reservation: None };
        let renewed = session.offers.insert(offer.offer, ready);
        self.timers.set(expires_ms, Timer::OfferAge(peer, offer.offer));
        if let Some(renewed) = renewed {
            self.clear_offer_timers(peer, offer.offer, &renewed);
        }
    }

    /// Takes an outstanding offer out, with everything that waits for it.
    pub(super) fn take_offer(&mut self, peer: PeerNumber, number: u32) -> Option<ReadyOffer> {
        let offer = self.sessions.get_mut(&peer)?.offers.remove(&number)?;
        self.clear_offer_timers(peer, number, &offer);
        Some(offer)
    }

    fn clear_offer_timers(&mut self, peer: PeerNumber, number: u32, offer: &ReadyOffer) {
        let still_set = self.sessions.get(&peer).and_then(|session| session.offers.get(&number));
        if still_set.is_none_or(|newer| newer.expires_ms != offer.expires_ms) {
            self.timers.clear(offer.expires_ms, Timer::OfferAge(peer, number));
        }
        if let Some(reservation) = offer.reservation {
            self.timers.clear(reservation.until_ms, Timer::Reservation(peer, number));
        }
    }

    pub(super) fn lapse_reservation(&mut self, peer: PeerNumber, number: u32) {
        let offer = self.sessions.get_mut(&peer).and_then(|session| session.offers.get_mut(&number));
        if let Some(offer) = offer {
            offer.reservation = None;
        }
        self.refresh(peer);
    }

    /// Throws an old offer away, unless a leecher may be answering it just now: then when its reservation is over.
    pub(super) fn expire_offer(&mut self, peer: PeerNumber, number: u32) {
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        let Some(offer) = session.offers.get_mut(&number) else { return };
        if let Some(reservation) = offer.reservation {
            offer.expires_ms = reservation.until_ms.saturating_add(1);
            self.timers.set(offer.expires_ms, Timer::OfferAge(peer, number));
            return;
        }
        session.offers.remove(&number);
        self.refresh(peer);
        self.top_up(peer);
    }

    /// Asks for as many offers as are missing and not yet asked for, never for more than there are slots.
    pub(super) fn top_up(&mut self, peer: PeerNumber) {
        let wanted = usize::from(self.config.offers_wanted);
        let now_ms = self.now_ms;
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        if now_ms.saturating_sub(session.asked_ms) >= ASKED_WAIT_MS {
            session.asked = 0;
        }
        let missing = missing_offers(session, wanted);
        let Some(count) = u8::try_from(missing).ok().filter(|count| *count > 0) else { return };
        session.asked += missing;
        session.asked_ms = now_ms;
        self.send(peer, TrackerToPeer::OffersWanted { count });
    }
}

fn missing_offers(session: &Session, wanted: usize) -> usize {
    let unreserved = session.offers.values().filter(|offer| offer.reservation.is_none()).count();
    let useful = wanted.min(OFFERS_PER_PEER_MAX - session.offers.len().min(OFFERS_PER_PEER_MAX) + unreserved);
    useful.min(session.free_slots()).saturating_sub(unreserved + session.asked)
}
