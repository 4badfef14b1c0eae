//! Thin visits: what the tracker remembers of a ticket, whether or not its holder has a session.

use std::net::IpAddr;

use viral_wire::{Ticket, signal::PeerNumber};

use super::{
    by_peer::{ByPeer, ByTicket},
    leecher::Leecher,
    timers::Timers,
};
use crate::{
    address::ClientAddr,
    places::{Places, Use},
};

/// One thin visit.
#[derive(Debug)]
pub(super) struct ThinVisit {
    pub(super) addr: ClientAddr,
    pub(super) page: String,
    /// The number by which seeders know its holder.
    pub(super) number: PeerNumber,
    /// The session its holder opened, which then carries the leecher.
    pub(super) session: Option<PeerNumber>,
    /// Empty exactly while there is a session.
    pub(super) leecher: Option<Leecher>,
    pub(super) touched_ms: u64,
    pub(super) expires_ms: u64,
    pub(super) beacons: u32,
}

/// The thin visits of one tracker, with when each lapses.
#[derive(Debug)]
pub(super) struct Visits {
    by_ticket: ByTicket<ThinVisit>,
    /// Visits without a session.
    places: Places<Ticket>,
    /// The numbers under which seeders know visitors that have no session.
    aliases: ByPeer<Ticket>,
    timers: Timers<Ticket>,
    /// How long a visit is remembered after its last sign of life, in milliseconds.
    age_max_ms: u64,
}

impl Visits {
    pub(super) fn new(age_max_ms: u64) -> Self {
        Self {
            by_ticket: ByTicket::default(),
            places: Places::default(),
            aliases: ByPeer::default(),
            timers: Timers::default(),
            age_max_ms,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_ticket.len()
    }

    pub(super) fn contains(&self, ticket: &Ticket) -> bool {
        self.by_ticket.contains_key(ticket)
    }

    pub(super) fn get(&self, ticket: &Ticket) -> Option<&ThinVisit> {
        self.by_ticket.get(ticket)
    }

    pub(super) fn get_mut(&mut self, ticket: &Ticket) -> Option<&mut ThinVisit> {
        self.by_ticket.get_mut(ticket)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &ThinVisit> {
        self.by_ticket.values()
    }

    /// Whose visit others know by this number.
    pub(super) fn known_as(&self, number: PeerNumber) -> Option<Ticket> {
        self.aliases.get(&number).copied()
    }

    /// The visit that is forgotten for one from this address: one without a session, of the network that has most of them.
    pub(super) fn in_the_way(&self, address: IpAddr) -> Option<Ticket> {
        self.places.in_the_way(address).or_else(|| self.places.in_own_way(address))
    }

    /// Takes in a visit that has no session yet. Whoever calls sees that there is room, and that nobody has the number.
    pub(super) fn open(&mut self, now_ms: u64, ticket: Ticket, addr: ClientAddr, page: &str, number: PeerNumber, leecher: Leecher) {
        let expires_ms = now_ms.saturating_add(self.age_max_ms);
        let visit = ThinVisit {
            addr,
            page: page.to_owned(),
            number,
            session: None,
            leecher: Some(leecher),
            touched_ms: now_ms,
            expires_ms,
            beacons: 0,
        };
        self.by_ticket.insert(ticket, visit);
        self.places.insert(ticket, addr.public, Use::Idle);
        self.aliases.insert(number, ticket);
        self.timers.set(expires_ms, ticket);
    }

    /// A sign of life.
    pub(super) fn touch(&mut self, now_ms: u64, ticket: Ticket) {
        let Some(visit) = self.by_ticket.get_mut(&ticket) else { return };
        visit.touched_ms = now_ms;
        self.places.touch(&ticket, Use::Idle);
        self.timers.clear(visit.expires_ms, ticket);
        visit.expires_ms = now_ms.saturating_add(self.age_max_ms);
        self.timers.set(visit.expires_ms, ticket);
    }

    /// A session of the visit begins, which carries its leecher from now on: the session that had it, or the leecher itself. `None` if there is no such visit.
    pub(super) fn attach(&mut self, now_ms: u64, ticket: Ticket, peer: PeerNumber) -> Option<(Option<PeerNumber>, Option<Leecher>)> {
        let visit = self.by_ticket.get_mut(&ticket)?;
        let before = (visit.session.replace(peer), visit.leecher.take());
        self.places.remove(&ticket);
        self.touch(now_ms, ticket);
        Some(before)
    }

    /// The session of the visit ended: its leecher comes back, unless another session has it.
    pub(super) fn detach(&mut self, now_ms: u64, ticket: Ticket, peer: PeerNumber, leecher: Leecher) {
        let Some(visit) = self.by_ticket.get_mut(&ticket).filter(|visit| visit.session == Some(peer)) else { return };
        visit.session = None;
        visit.leecher = Some(leecher);
        self.places.insert(ticket, visit.addr.public, Use::Idle);
        self.touch(now_ms, ticket);
    }

    /// Forgets a visit.
    pub(super) fn forget(&mut self, ticket: Ticket) -> Option<ThinVisit> {
        self.places.remove(&ticket);
        let visit = self.by_ticket.remove(&ticket)?;
        self.timers.clear(visit.expires_ms, ticket);
        self.aliases.remove(&visit.number);
        Some(visit)
    }

    /// When the next visit lapses, in milliseconds.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Lets the first visit lapse that is due; one with a session stays. Returns the one that is forgotten.
    pub(super) fn expire_next(&mut self, now_ms: u64) -> Option<ThinVisit> {
        let ticket = self.timers.pop_due(now_ms)?;
        let visit = self.by_ticket.get_mut(&ticket)?;
        if visit.session.is_some() {
            visit.expires_ms = now_ms.saturating_add(self.age_max_ms.max(1));
            self.timers.set(visit.expires_ms, ticket);
            return None;
        }
        self.forget(ticket)
    }

    /// Whether every number, place and timer is that of a visit.
    #[cfg(test)]
    pub(super) fn is_consistent(&self) -> bool {
        let alone = self.values().filter(|visit| visit.session.is_none()).count();
        self.aliases.len() == self.len() && self.places.len() == alone && self.timers.len() == self.len()
    }
}
