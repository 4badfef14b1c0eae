//! Thin visits: what the tracker remembers of a ticket, whether or not its holder has a session.

use std::net::IpAddr;

use viral_wire::{Ticket, signal::PeerNumber};

use super::{ClientAddr, Tracker, answers::Answerer, leecher::Leecher, matching::Seeking, timers::Timer};
use crate::{lineage::VisitKind, places::Use};

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

impl Tracker {
    /// The visit of this ticket, made if there is none; false if there are too many.
    pub(super) fn open_visit(&mut self, seeking: &Seeking<'_>) -> bool {
        if self.visits.contains_key(&seeking.ticket) {
            return true;
        }
        if self.visits.len() >= self.config.tickets_max {
            self.totals.refused.tickets += 1;
            let Some(other) = self.visit_in_the_way(seeking.addr.public) else { return false };
            self.forget_visit(other);
        }
        let number = self.fresh_number();
        let leecher = Leecher::new(self.next_serial());
        let expires_ms = self.now_ms.saturating_add(self.config.ticket_age_max_ms);
        let visit = ThinVisit {
            addr: seeking.addr,
            page: seeking.page.to_owned(),
            number,
            session: None,
            leecher: Some(leecher),
            touched_ms: self.now_ms,
            expires_ms,
            beacons: 0,
        };
        self.visits.insert(seeking.ticket, visit);
        self.visit_places.insert(seeking.ticket, seeking.addr.public, Use::Idle);
        self.aliases.insert(number, seeking.ticket);
        self.timers.set(expires_ms, Timer::Ticket(seeking.ticket));
        true
    }

    /// The visit that is forgotten for one from this address: one without a session, of the network that has most of them.
    pub(super) fn visit_in_the_way(&self, address: IpAddr) -> Option<Ticket> {
        self.visit_places.in_the_way(address).or_else(|| self.visit_places.in_own_way(address))
    }

    /// A sign of life.
    pub(super) fn touch_visit(&mut self, ticket: Ticket) {
        let Some(visit) = self.visits.get_mut(&ticket) else { return };
        visit.touched_ms = self.now_ms;
        self.visit_places.touch(&ticket, Use::Idle);
        self.timers.clear(visit.expires_ms, Timer::Ticket(ticket));
        visit.expires_ms = self.now_ms.saturating_add(self.config.ticket_age_max_ms);
        self.timers.set(visit.expires_ms, Timer::Ticket(ticket));
    }

    pub(super) fn expire_visit(&mut self, ticket: Ticket) {
        let Some(visit) = self.visits.get_mut(&ticket) else { return };
        if visit.session.is_some() {
            visit.expires_ms = self.now_ms.saturating_add(self.config.ticket_age_max_ms.max(1));
            self.timers.set(visit.expires_ms, Timer::Ticket(ticket));
            return;
        }
        self.forget_visit(ticket);
    }

    fn forget_visit(&mut self, ticket: Ticket) {
        self.visit_places.remove(&ticket);
        let Some(visit) = self.visits.remove(&ticket) else { return };
        self.timers.clear(visit.expires_ms, Timer::Ticket(ticket));
        self.aliases.remove(&visit.number);
        if let Some(ordinal) = visit.leecher.as_ref().and_then(|leecher| leecher.ordinal) {
            self.lineage.leave(ordinal);
        }
    }

    /// Joins a session to the visit its page came from. An older session of the same visit, whose end was not yet noticed, gives it up.
    pub(super) fn link_visit(&mut self, peer: PeerNumber, ticket: Ticket) {
        let fresh = Leecher::new(self.next_serial());
        let Some(visit) = self.visits.get_mut(&ticket) else { return };
        let older = visit.session.and_then(|older| self.sessions.get_mut(&older));
        let leecher = match older {
            Some(session) => {
                session.ticket = None;
                Some(std::mem::replace(&mut session.leecher, fresh))
            }
            None => visit.leecher.take(),
        };
        visit.session = Some(peer);
        self.visit_places.remove(&ticket);
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.ticket = Some(ticket);
            if let Some(leecher) = leecher {
                session.leecher = leecher;
            }
        }
        self.touch_visit(ticket);
    }

    /// Gives the leecher of a session that ends back to its visit.
    pub(super) fn unlink_visit(&mut self, peer: PeerNumber, ticket: Ticket, leecher: Leecher) {
        let Some(visit) = self.visits.get_mut(&ticket) else { return };
        if visit.session == Some(peer) {
            visit.session = None;
            visit.leecher = Some(leecher);
            self.visit_places.insert(ticket, visit.addr.public, Use::Idle);
            self.touch_visit(ticket);
        }
    }

    pub(super) fn leecher(&self, who: Answerer) -> Option<&Leecher> {
        match who {
            Answerer::Peer(peer) => self.sessions.get(&peer).map(|session| &session.leecher),
            Answerer::Ticket(ticket) => {
                let visit = self.visits.get(&ticket)?;
                match visit.session {
                    Some(peer) => self.sessions.get(&peer).map(|session| &session.leecher),
                    None => visit.leecher.as_ref(),
                }
            }
        }
    }

    pub(super) fn leecher_mut(&mut self, who: Answerer) -> Option<&mut Leecher> {
        match who {
            Answerer::Peer(peer) => self.sessions.get_mut(&peer).map(|session| &mut session.leecher),
            Answerer::Ticket(ticket) => {
                let visit = self.visits.get_mut(&ticket)?;
                match visit.session {
                    Some(peer) => self.sessions.get_mut(&peer).map(|session| &mut session.leecher),
                    None => visit.leecher.as_mut(),
                }
            }
        }
    }

    /// The session behind a number by which somebody knows a peer.
    pub(super) fn session_behind(&self, number: PeerNumber) -> Option<PeerNumber> {
        if self.sessions.contains_key(&number) {
            return Some(number);
        }
        self.visits.get(self.aliases.get(&number)?)?.session
    }

    /// Gives a leecher its place in the lineage, if it has none yet.
    pub(super) fn join_lineage(&mut self, who: Answerer) -> Option<u64> {
        if let Some(ordinal) = self.leecher(who)?.ordinal {
            return Some(ordinal);
        }
        let (kind, page) = match who {
            Answerer::Ticket(ticket) => (VisitKind::Thin, self.visits.get(&ticket)?.page.clone()),
            Answerer::Peer(peer) => {
                let session = self.sessions.get(&peer)?;
                let kind = if session.thin { VisitKind::Thin } else { VisitKind::Full };
                (kind, session.page.clone()?)
            }
        };
        let ordinal = self.lineage.join(self.now_ms, kind, &page);
        self.leecher_mut(who)?.ordinal = Some(ordinal);
        Some(ordinal)
    }
}
