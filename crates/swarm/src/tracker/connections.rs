//! Connections that were made from answered offers: whether they opened, and when their slot is free again.

use std::collections::BTreeMap;

use viral_wire::signal::{ErrorCode, PeerNumber};

use super::{Answerer, Tracker, leecher::MatchState, session::Customer, timers::Timer};
use crate::limits::REST_MS;

/// One end tells of a connection; this is whose offer it was made from, and who answered.
struct Ends {
    maker: PeerNumber,
    answerer: PeerNumber,
}

impl Tracker {
    pub(super) fn handle_opened(&mut self, teller: PeerNumber, other: PeerNumber, offer: u32) {
        let Some(ends) = self.ends(teller, other, offer) else { return self.refuse_stranger(teller, other) };
        let Some(session) = self.sessions.get_mut(&ends.maker) else { return };
        let Some(customer) = session.customers.get_mut(&offer) else { return };
        let Some(due_ms) = customer.open_due_ms.take() else { return };
        let from = session.leecher.ordinal;
        self.timers.clear(due_ms, Timer::Open(ends.maker, offer));
        self.totals.matches.opened += 1;
        let ordinal = self.mark_match(&ends, offer, MatchState::Opened);
        if let (Some(ordinal), Some(from)) = (ordinal, from) {
            self.lineage.link(ordinal, from);
        }
    }

    pub(super) fn handle_closed(&mut self, teller: PeerNumber, other: PeerNumber, offer: u32) {
        match self.ends(teller, other, offer) {
            Some(ends) => self.end_connection(&ends, offer, false),
            None => self.refuse_stranger(teller, other),
        }
    }

    /// Both ends tell of one connection, so news of an ended one is expected; news of one that never was is not.
    fn refuse_stranger(&mut self, teller: PeerNumber, other: PeerNumber) {
        let met = self
            .sessions
            .get(&teller)
            .is_some_and(|session| session.served.contains(&other) || session.leecher.matches_of(other).next().is_some());
        if !met {
            self.warn(teller, ErrorCode::Unknown, "no such connection");
        }
    }

    pub(super) fn handle_never_opened(&mut self, maker: PeerNumber, offer: u32) {
        let customer = self.sessions.get(&maker).and_then(|session| session.customers.get(&offer));
        let Some(answerer) = customer.map(|customer| customer.number) else { return };
        self.end_connection(&Ends { maker, answerer }, offer, true);
    }

    /// A maker is gone: nobody waits for its connections. They may live on between the two pages.
    pub(super) fn end_connections_with(&mut self, maker: PeerNumber, customers: &BTreeMap<u32, Customer>) {
        for (offer, customer) in customers {
            self.mark_match(&Ends { maker, answerer: customer.number }, *offer, MatchState::Closed);
        }
    }

    fn end_connection(&mut self, ends: &Ends, offer: u32, timed_out: bool) {
        let Some(session) = self.sessions.get_mut(&ends.maker) else { return };
        let Some(customer) = session.customers.remove(&offer) else { return };
        if let Some(due_ms) = customer.open_due_ms {
            self.timers.clear(due_ms, Timer::Open(ends.maker, offer));
            self.totals.matches.failed += 1;
        }
        self.mark_match(ends, offer, MatchState::Closed);
        if timed_out {
            self.strike(ends.maker, None);
        }
        self.refresh(ends.maker);
        self.top_up(ends.maker);
    }

    /// Which connection is meant, if these two have one.
    fn ends(&self, teller: PeerNumber, other: PeerNumber, offer: u32) -> Option<Ends> {
        let is_customer = |maker: PeerNumber, number: PeerNumber| {
            let session = self.sessions.get(&maker);
            session.and_then(|session| session.customers.get(&offer)).is_some_and(|found| found.number == number)
        };
        if is_customer(teller, other) {
            return Some(Ends { maker: teller, answerer: other });
        }
        let own = self.sessions.get(&teller)?;
        let alias = own.ticket.and_then(|ticket| self.visits.get(&ticket)).map(|visit| visit.number);
        let answerer = [Some(teller), alias].into_iter().flatten().find(|number| is_customer(other, *number))?;
        Some(Ends { maker: other, answerer })
    }

    /// Notes what became of a match on the leecher's side; returns the leecher's place in the lineage.
    fn mark_match(&mut self, ends: &Ends, offer: u32, state: MatchState) -> Option<u64> {
        let who = match self.aliases.get(&ends.answerer) {
            Some(ticket) => Answerer::Ticket(*ticket),
            None => Answerer::Peer(ends.answerer),
        };
        let leecher = self.leecher_mut(who)?;
        if let Some(found) = leecher.matches.get_mut(&(ends.maker, offer)) {
            found.state = state;
        }
        leecher.ordinal
    }

    /// One more fault of a peer; after several without serving anybody it rests for a while.
    pub(super) fn strike(&mut self, peer: PeerNumber, fault: Option<viral_wire::signal::Fault>) {
        let until_ms = self.now_ms.saturating_add(REST_MS);
        let Some(session) = self.sessions.get_mut(&peer) else { return };
        if session.strike(fault) {
            session.resting_until_ms = Some(until_ms);
            self.timers.set(until_ms, Timer::Rested(peer));
        }
        self.refresh(peer);
    }

    pub(super) fn handle_rested(&mut self, peer: PeerNumber) {
        let inherited =
            self.sessions.get(&peer).filter(|session| !session.proven).map_or(0, |session| self.strikes_of(session.addr.public));
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.resting_until_ms = None;
            session.strikes = inherited;
        }
        self.refresh(peer);
    }

    /// Somebody got verified bytes from this peer: its faults are forgiven.
    pub(super) fn forgive(&mut self, peer: PeerNumber) {
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.proven = true;
            if session.resting_until_ms.is_none() {
                session.strikes = 0;
            }
        }
    }
}
