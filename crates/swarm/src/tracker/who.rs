//! Who is who: sessions and thin visits by the numbers under which others know them.

use std::net::IpAddr;

use viral_wire::{Ticket, signal::PeerNumber};

use super::{
    Tracker,
    leecher::Leecher,
    types::{Answerer, Seeking},
    visit::ThinVisit,
};
use crate::{address::ClientAddr, lineage::VisitKind, locality};

impl Tracker {
    /// The visit of this ticket, made if there is none; false if there are too many.
    pub(super) fn open_visit(&mut self, seeking: &Seeking<'_>) -> bool {
        if self.visits.contains(&seeking.ticket) {
            return true;
        }
        if self.visits.len() >= self.config.tickets_max {
            self.totals.refused.tickets += 1;
            let Some(other) = self.visits.in_the_way(seeking.addr.public) else { return false };
            let forgotten = self.visits.forget(other);
            self.end_visit(forgotten);
        }
        let number = self.fresh_number();
        let leecher = Leecher::new(self.next_serial());
        self.visits.open(self.now_ms, seeking.ticket, seeking.addr, seeking.page, number, leecher);
        true
    }

    /// A visit was forgotten.
    pub(super) fn end_visit(&mut self, visit: Option<ThinVisit>) {
        if let Some(ordinal) = visit.and_then(|visit| visit.leecher).and_then(|leecher| leecher.ordinal) {
            self.lineage.leave(ordinal);
        }
    }

    /// Joins a session to the visit its page came from. An older session of the same visit, whose end was not yet noticed, gives it up.
    pub(super) fn link_visit(&mut self, peer: PeerNumber, ticket: Ticket) {
        let fresh = Leecher::new(self.next_serial());
        let Some((older, leecher)) = self.visits.attach(self.now_ms, ticket, peer) else { return };
        let leecher = match older.and_then(|older| self.sessions.get_mut(&older)) {
            Some(session) => {
                session.ticket = None;
                Some(std::mem::replace(&mut session.leecher, fresh))
            }
            None => leecher,
        };
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.ticket = Some(ticket);
            if let Some(leecher) = leecher {
                session.leecher = leecher;
            }
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
        self.visits.get(&self.visits.known_as(number)?)?.session
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

    /// The number by which others know whoever answers.
    pub(super) fn number_of(&self, who: Answerer) -> Option<PeerNumber> {
        match who {
            Answerer::Peer(peer) => Some(peer),
            Answerer::Ticket(ticket) => self.visits.get(&ticket).map(|visit| visit.number),
        }
    }

    pub(super) fn addr_of(&self, who: Answerer) -> Option<ClientAddr> {
        match who {
            Answerer::Peer(peer) => self.sessions.get(&peer).map(|session| session.addr),
            Answerer::Ticket(ticket) => self.visits.get(&ticket).map(|visit| visit.addr),
        }
    }

    pub(super) fn session_of(&self, who: Answerer) -> Option<PeerNumber> {
        match who {
            Answerer::Peer(peer) => Some(peer),
            Answerer::Ticket(ticket) => self.visits.get(&ticket)?.session,
        }
    }

    /// The network from which somebody comes, as strangers are counted.
    pub(super) fn network_of(&self, who: Answerer) -> Option<IpAddr> {
        self.address_of(who).map(locality::network_key)
    }

    pub(super) fn address_of(&self, who: Answerer) -> Option<IpAddr> {
        self.addr_of(who).map(|addr| addr.public)
    }

    /// Whoever others know by this number.
    pub(super) fn known_as(&self, number: PeerNumber) -> Answerer {
        self.visits.known_as(number).map_or(Answerer::Peer(number), Answerer::Ticket)
    }
}
