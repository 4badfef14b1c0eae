//! Connections that were made from answered offers: whether they opened, and when their slot is free again.

use std::net::IpAddr;

use viral_wire::signal::{ConnectFailure, ErrorCode, Fault, PeerNumber};

use super::{Tracker, leecher::MatchState, offers::PeerUpload, small_map::SmallMap, timers::Timer, types::Answerer};
use crate::{
    limits::{COOLDOWN_MS, FAILED_CONNECT_MS_MIN},
    locality::Place,
    reached::Obstacle,
};

/// One end tells of a connection; this is whose offer it was made from, and who answered.
struct Ends {
    maker: PeerNumber,
    answerer: PeerNumber,
}

/// How the tracker hears that a connection is over, or will not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FailedConnect {
    /// One end says so, and perhaps why.
    Told(Option<ConnectFailure>),
    /// Nobody said anything until the deadline.
    Silent,
}

impl FailedConnect {
    /// Its name in the statistics.
    const fn token(self) -> &'static str {
        match self {
            Self::Told(Some(ConnectFailure::NoCandidate)) => "no_candidate",
            Self::Told(Some(ConnectFailure::NoPath)) => "no_path",
            Self::Told(Some(ConnectFailure::NoChannel)) => "no_channel",
            Self::Told(None) => "unsaid",
            Self::Silent => "silent",
        }
    }

    /// What stood in the way of whoever answered.
    const fn obstacle(self) -> Obstacle {
        match self {
            Self::Told(Some(ConnectFailure::NoCandidate)) => Obstacle::NoCandidate,
            Self::Told(Some(ConnectFailure::NoPath)) => Obstacle::NoPath,
            Self::Told(Some(ConnectFailure::NoChannel) | None) | Self::Silent => Obstacle::Other,
        }
    }
}

impl Tracker {
    pub(super) fn handle_opened(&mut self, teller: PeerNumber, other: PeerNumber, offer: u32, ms: u32) {
        // Also of a connection that ended meanwhile: the other end may have been quicker to tell both.
        self.note_word(Answerer::Peer(teller), other);
        let Some(ends) = self.ends(teller, other, offer) else { return self.refuse_stranger(teller, other) };
        // How near a maker is, those say who came to it.
        if let Some((maker, answerer)) = self.places_of(&ends).filter(|_| teller != ends.maker) {
            self.learned_locality.note_opened(self.now_ms, &maker, &answerer, ms);
        }
        let Some(session) = self.members.sessions.get_mut(&ends.maker) else { return };
        let Some(upload) = session.book.uploads.get_mut(&offer) else { return };
        // Only the maker's own word ends the wait, so that no forger escapes the word of others by saying nothing.
        let told = if teller == ends.maker { upload.open_due_ms.take() } else { None };
        let is_news = !std::mem::replace(&mut upload.is_opened, true);
        let from = session.leecher.ordinal;
        if let Some(due_ms) = told {
            self.timers.clear(due_ms, Timer::Open(ends.maker, offer));
            self.refresh(ends.maker);
        }
        if !is_news {
            return;
        }
        self.totals.matches.opened += 1;
        self.note_meeting(&ends, None);
        let ordinal = self.mark_match(&ends, offer, MatchState::Opened);
        if let (Some(ordinal), Some(from)) = (ordinal, from) {
            self.lineage.link(ordinal, from);
        }
    }

    pub(super) fn handle_closed(&mut self, teller: PeerNumber, other: PeerNumber, offer: u32, cause: Option<ConnectFailure>) {
        let Some(ends) = self.ends(teller, other, offer) else { return self.refuse_stranger(teller, other) };
        let upload = self.members.sessions.get(&ends.maker).and_then(|session| session.book.uploads.get(&offer));
        if teller != ends.maker && upload.is_some_and(PeerUpload::is_denied) {
            // The maker is still to say that it opened.
            return;
        }
        self.end_connection(&ends, offer, FailedConnect::Told(cause));
    }

    /// Both ends tell of one connection, so news of an ended one is expected; news of one that never was is not.
    fn refuse_stranger(&mut self, teller: PeerNumber, other: PeerNumber) {
        let met = self
            .members
            .sessions
            .get(&teller)
            .is_some_and(|session| session.served.contains(&other) || session.leecher.matches_of(other).next().is_some());
        if !met {
            self.warn(teller, ErrorCode::Unknown, "no such connection");
        }
    }

    pub(super) fn handle_never_opened(&mut self, maker: PeerNumber, offer: u32) {
        let upload = self.members.sessions.get(&maker).and_then(|session| session.book.uploads.get(&offer));
        let Some(answerer) = upload.map(|upload| upload.number) else { return };
        self.end_connection(&Ends { maker, answerer }, offer, FailedConnect::Silent);
    }

    /// A maker is gone: nobody waits for its connections. They may live on between the two pages.
    pub(super) fn end_connections_with(&mut self, maker: PeerNumber, uploads: &SmallMap<u32, PeerUpload>) {
        for (offer, upload) in uploads.iter() {
            self.mark_match(&Ends { maker, answerer: upload.number }, *offer, MatchState::Closed);
        }
    }

    fn end_connection(&mut self, ends: &Ends, offer: u32, failed: FailedConnect) {
        let Some(session) = self.members.sessions.get_mut(&ends.maker) else { return };
        let Some(upload) = session.book.uploads.remove(&offer) else { return };
        if let Some(due_ms) = upload.open_due_ms {
            self.timers.clear(due_ms, Timer::Open(ends.maker, offer));
            if !upload.is_opened {
                self.totals.matches.failed += 1;
                *self.totals.connect_failures.entry(failed.token()).or_default() += 1;
                self.note_meeting(ends, Some(failed.obstacle()));
                let waited_ms = self.now_ms.saturating_sub(due_ms.saturating_sub(self.config.open_wait_ms));
                if waited_ms >= FAILED_CONNECT_MS_MIN {
                    self.note_failed_between(ends, failed);
                }
            }
        }
        self.mark_match(ends, offer, MatchState::Closed);
        let is_fault = failed == FailedConnect::Silent || upload.is_denied();
        if is_fault && let Some(network) = self.members.network_of(self.members.known_as(ends.answerer)) {
            self.count_fault(ends.maker, network, None);
        }
        self.refresh(ends.maker);
        self.top_up(ends.maker);
    }

    /// Whoever said nothing may have left, and who has no address to tell reaches nobody: neither says anything of the two networks.
    fn note_failed_between(&mut self, ends: &Ends, failed: FailedConnect) {
        let is_of_path = matches!(failed, FailedConnect::Told(Some(ConnectFailure::NoPath | ConnectFailure::NoChannel)));
        let visitor = self.members.leecher(self.members.known_as(ends.answerer)).map(|leecher| leecher.id).filter(|_| is_of_path);
        if let (Some(visitor), Some((maker, answerer))) = (visitor, self.places_of(ends)) {
            self.learned_locality.note_failed(self.now_ms, &maker, &answerer, visitor);
        }
    }

    /// Whoever answered came one step further, or did not for this reason.
    fn note_meeting(&mut self, ends: &Ends, obstacle: Option<Obstacle>) {
        let who = self.members.known_as(ends.answerer);
        let Some(address) = self.members.address_of(who) else { return };
        let Some(leecher) = self.members.leecher_mut(who) else { return };
        leecher.meeting = match obstacle {
            None => self.reached.handle_opened(self.now_ms, address, leecher.meeting),
            Some(obstacle) => self.reached.handle_failed(self.now_ms, address, leecher.meeting, obstacle),
        };
    }

    fn places_of(&self, ends: &Ends) -> Option<(Place, Place)> {
        let place = |who| self.members.addr_of(who).map(|addr| addr.place());
        Some((place(Answerer::Peer(ends.maker))?, place(self.members.known_as(ends.answerer))?))
    }

    /// Which connection is meant, if these two have one.
    fn ends(&self, teller: PeerNumber, other: PeerNumber, offer: u32) -> Option<Ends> {
        let is_upload = |maker: PeerNumber, number: PeerNumber| {
            let session = self.members.sessions.get(&maker);
            session.and_then(|session| session.book.uploads.get(&offer)).is_some_and(|found| found.number == number)
        };
        if is_upload(teller, other) {
            return Some(Ends { maker: teller, answerer: other });
        }
        let own = self.members.sessions.get(&teller)?;
        let alias = own.ticket.and_then(|ticket| self.members.visits.get(&ticket)).map(|visit| visit.number);
        let answerer = [Some(teller), alias].into_iter().flatten().find(|number| is_upload(other, *number))?;
        Some(Ends { maker: other, answerer })
    }

    /// Notes what became of a match on the leecher's side; returns the leecher's place in the lineage.
    fn mark_match(&mut self, ends: &Ends, offer: u32, state: MatchState) -> Option<u64> {
        let leecher = self.members.leecher_mut(self.members.known_as(ends.answerer))?;
        if let Some(found) = leecher.matches.get_mut(&(ends.maker, offer)) {
            found.state = state;
        }
        leecher.ordinal
    }

    /// Somebody said something of its connection with `other` that can only be said of one that opened. What `other` reported meanwhile counts from now on.
    pub(super) fn note_word(&mut self, teller: Answerer, other: PeerNumber) {
        if let Some(leecher) = self.members.leecher_mut(teller) {
            leecher.answered_mut(other).for_each(|found| found.told.by_answerer = true);
        }
        let Some(own) = self.members.session_of(teller) else { return };
        let Some(session) = self.members.sessions.get(&own) else { return };
        let has_served = session.served.contains(&other);
        let alias = session.ticket.and_then(|ticket| self.members.visits.get(&ticket)).map(|visit| visit.number);
        let partner = self.members.known_as(other);
        if has_served && let Some(leecher) = self.members.leecher_mut(partner) {
            leecher.answered_mut(own).for_each(|found| found.told.by_maker = true);
        }
        for number in [Some(own), alias].into_iter().flatten() {
            self.weigh(partner, number);
        }
    }

    /// Whether `other` said that its connection with `who` opened.
    pub(super) fn is_confirmed(&self, who: Answerer, other: PeerNumber) -> bool {
        let by_maker = self.members.leecher(who).is_some_and(|leecher| leecher.matches_of(other).any(|found| found.told.by_maker));
        let of_upload = || {
            let own = self.members.session_of(who)?;
            let mut matches = self.members.leecher(self.members.known_as(other))?.matches_of(own);
            Some(matches.any(|found| found.told.by_answerer))
        };
        by_maker || of_upload().unwrap_or(false)
    }

    /// One more fault of a peer, met by somebody of `network`; after several, of several networks, it cools down for a while.
    pub(super) fn count_fault(&mut self, peer: PeerNumber, network: IpAddr, fault: Option<Fault>) {
        let now_ms = self.now_ms;
        let until_ms = now_ms.saturating_add(COOLDOWN_MS);
        let Some(session) = self.members.sessions.get_mut(&peer) else { return };
        if session.standing.count_fault(now_ms, network, fault) && session.cooldown_until_ms.is_none() {
            session.cooldown_until_ms = Some(until_ms);
            self.timers.set(until_ms, Timer::CooledDown(peer));
        }
        self.refresh(peer);
    }

    pub(super) fn handle_cooled_down(&mut self, peer: PeerNumber) {
        let Some(inherited) =
            self.members.sessions.get(&peer).map(|session| self.reputation.fault_count_of(self.now_ms, session.addr.public))
        else {
            return;
        };
        if let Some(session) = self.members.sessions.get_mut(&peer) {
            session.cooldown_until_ms = None;
            session.standing.cooled_down(inherited);
        }
        self.refresh(peer);
    }
}
