//! Who is who: sessions and thin visits by the numbers under which others know them.

use std::net::IpAddr;

use viral_wire::{Ticket, signal::PeerNumber};

use super::{by_peer::ByPeer, leecher::Leecher, session::Session, types::Answerer, visit::Visits};
use crate::{address::ClientAddr, locality};

/// Everybody the tracker knows.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) sessions: ByPeer<Box<Session>>,
    pub(super) visits: Visits,
}

impl Members {
    /// Nobody yet. A visit that nobody asks about is forgotten after `ticket_age_max_ms`.
    pub(super) fn new(ticket_age_max_ms: u64) -> Self {
        Self { sessions: ByPeer::default(), visits: Visits::new(ticket_age_max_ms) }
    }

    /// Joins a session to the visit its page came from. An older session of the same visit, whose end was not yet noticed, gives it up and is `fresh` from now on.
    pub(super) fn link_visit(&mut self, now_ms: u64, peer: PeerNumber, ticket: Ticket, fresh: Leecher) {
        let Some((older, leecher)) = self.visits.attach(now_ms, ticket, peer) else { return };
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
