//! What visitors say about each other: faults, and bytes given and taken.

use std::collections::BTreeMap;

use viral_wire::{
    limits::SOURCES_MAX,
    signal::{Counts, DropReason, Fault, FaultReport, PeerNumber, SourceBytes, TrackerToPeer, VisitPost},
};

use super::{Answerer, CloseReason, Output, Tracker};
use crate::{
    limits::{
        BEACONS_PER_TICKET_MAX, REPORTED_BYTES_MAX, REPORTERS_PER_PEER_MAX, SOLE_WITNESS_MS, SOLE_WITNESSES_MAX, STRIKES_MAX, SUSPECT_MS,
        SUSPECTS_MAX,
    },
    lineage::ORIGIN,
    nearness,
};

/// How often an address had peers dropped on its word alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Witness {
    since_ms: u64,
    drops: u32,
}

/// Why a beacon is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VisitError {
    /// There is no such visit, or no longer.
    #[error("no such visit")]
    Unknown,
    /// It reports more than allowed.
    #[error("too many reports for one visit")]
    TooMany,
}

impl Tracker {
    /// A thin visitor without a socket says what it took from whom, and who misbehaved.
    ///
    /// # Errors
    /// When the visit is unknown or reports too much; nothing is counted then.
    pub fn handle_visit(&mut self, now_ms: u64, post: &VisitPost) -> Result<(), VisitError> {
        self.advance(now_ms);
        let visit = self.visits.get_mut(&post.ticket).ok_or(VisitError::Unknown)?;
        if visit.beacons >= BEACONS_PER_TICKET_MAX || post.faults.len() > SOURCES_MAX {
            return Err(VisitError::TooMany);
        }
        visit.beacons += 1;
        self.touch_visit(post.ticket);
        let who = Answerer::Ticket(post.ticket);
        self.handle_counts(who, &post.counts);
        for fault in &post.faults {
            self.handle_fault(who, fault);
        }
        Ok(())
    }

    /// Adds what a visitor reports. Bytes from a peer count for the lineage only where the tracker matched the two.
    pub(super) fn handle_counts(&mut self, who: Answerer, counts: &Counts) {
        let believed = |bytes: u64| bytes.min(REPORTED_BYTES_MAX);
        let from_origin = believed(counts.bytes_from_origin);
        let reported = &mut self.totals.reported;
        reported.from_peers = reported.from_peers.saturating_add(believed(counts.bytes_from_peers));
        reported.from_origin = reported.from_origin.saturating_add(from_origin);
        reported.to_peers = reported.to_peers.saturating_add(believed(counts.bytes_to_peers));
        reported.pieces_verified = reported.pieces_verified.saturating_add(u64::from(counts.pieces_verified));
        if let Some(page) = self.known_page_of(who) {
            let (from_peers, rings) = (believed(counts.bytes_from_peers), counts.rings.map(believed));
            self.put(Output::Counted { page, from_peers, rings });
        }
        let Some(ordinal) = self.leecher(who).and_then(|leecher| leecher.ordinal) else { return };
        self.lineage.bytes(ordinal, ORIGIN, from_origin);
        for SourceBytes { peer, bytes } in counts.sources.iter().take(SOURCES_MAX) {
            let Some(from) = self.source_ordinal(who, *peer) else { continue };
            self.lineage.bytes(ordinal, from, believed(*bytes));
            if *bytes > 0
                && let Some(source) = self.session_behind(*peer)
                && !self.is_own_voucher(who, source)
            {
                self.forgive(source);
            }
        }
    }

    /// The page that somebody visits, if it is one that has a manifest.
    fn known_page_of(&self, who: Answerer) -> Option<String> {
        match who {
            Answerer::Ticket(ticket) => self.visits.get(&ticket).map(|visit| visit.page.clone()),
            Answerer::Peer(peer) => {
                let page = self.sessions.get(&peer)?.page.as_ref()?;
                self.pages.get(page).filter(|page| page.manifest.is_some()).map(|_| page.clone())
            }
        }
    }

    /// The place in the lineage of a peer with whom the tracker matched `who`.
    fn source_ordinal(&self, who: Answerer, peer: PeerNumber) -> Option<u64> {
        let found = self.leecher(who)?.matches_of(peer).find(|found| found.is_answered());
        if let Some(found) = found {
            return found.ordinal;
        }
        // The other way round: a seeder that lacked something took it from its customer.
        let own = self.session_of(who).and_then(|own| self.sessions.get(&own))?;
        let ticket = self.aliases.get(&peer).map(|ticket| Answerer::Ticket(*ticket));
        let other = ticket.unwrap_or(Answerer::Peer(peer));
        own.served.contains(&peer).then(|| self.leecher(other)?.ordinal).flatten()
    }

    /// One visitor accuses another; false if the two never met or it reported too much.
    ///
    /// A peer is dropped when `forged_reports_min` independent visitors whom it met say that it forged, or all of them where it met fewer:
    /// a forger that serves one leecher at a time would otherwise never be dropped. On the word of one address alone only a few
    /// peers are dropped in ten minutes, so that nobody can empty a swarm by lying.
    pub(super) fn handle_fault(&mut self, who: Answerer, report: &FaultReport) -> bool {
        let Some(reporter) = self.leecher(who).map(|leecher| leecher.id) else { return false };
        let alias = self.session_of(who).and_then(|own| self.sessions.get(&own));
        let served = alias.is_some_and(|own| own.served.contains(&report.peer));
        let met = served || self.leecher(who).is_some_and(|leecher| leecher.talked_to(report.peer));
        let address = self.address_of(who);
        let noted = met && self.leecher_mut(who).is_some_and(|leecher| leecher.note_report(report.peer, report.fault));
        if !noted {
            return met && self.leecher(who).is_some_and(|l| l.reported.contains(&(report.peer, report.fault)));
        }
        *self.totals.faults.entry(report.fault).or_default() += 1;
        let Some(accused) = self.session_behind(report.peer) else { return true };
        if report.fault != Fault::Forged {
            self.strike(accused, Some(report.fault));
            return true;
        }
        let forged_min = self.config.forged_reports_min.max(1);
        let Some(session) = self.sessions.get_mut(&accused) else { return true };
        if session.accusers.len() < REPORTERS_PER_PEER_MAX {
            session.accusers.insert(reporter);
        }
        let accusers = session.accusers.len();
        let needed = forged_min.min(session.counterparts().max(1));
        let convinced = accusers >= forged_min.min(REPORTERS_PER_PEER_MAX)
            || (accusers >= needed && address.is_some_and(|address| self.may_witness_alone(address)));
        if convinced {
            self.drop_forger(accused);
        } else {
            self.strike(accused, Some(report.fault));
        }
        true
    }

    /// Counts a drop that rests on fewer reports than usual; false where this address had too many.
    fn may_witness_alone(&mut self, address: std::net::IpAddr) -> bool {
        let (now_ms, drops_max) = (self.now_ms, self.config.sole_witness_drops_max);
        let is_old = |witness: &Witness| now_ms.saturating_sub(witness.since_ms) >= SOLE_WITNESS_MS;
        let site = nearness::site(address);
        if !self.witnesses.contains_key(&site) && self.witnesses.len() >= SOLE_WITNESSES_MAX {
            self.witnesses.retain(|_, witness| !is_old(witness));
            if self.witnesses.len() >= SOLE_WITNESSES_MAX {
                return false;
            }
        }
        let witness = self.witnesses.entry(site).or_insert(Witness { since_ms: now_ms, drops: 0 });
        if is_old(witness) {
            *witness = Witness { since_ms: now_ms, drops: 0 };
        }
        if witness.drops >= drops_max {
            return false;
        }
        witness.drops += 1;
        true
    }

    fn drop_forger(&mut self, peer: PeerNumber) {
        self.totals.bans += 1;
        if let Some(address) = self.address_of(Answerer::Peer(peer)) {
            self.suspect(address);
        }
        if let Some(ordinal) = self.sessions.get(&peer).and_then(|session| session.leecher.ordinal) {
            self.lineage.dropped(ordinal);
        }
        self.send(peer, TrackerToPeer::Dropped { reason: DropReason::Forged });
        self.close(peer, CloseReason::Dropped(DropReason::Forged));
    }

    /// Remembers that a forger came from this address: it may come back under another number.
    fn suspect(&mut self, address: std::net::IpAddr) {
        let now_ms = self.now_ms;
        if self.suspects.len() >= SUSPECTS_MAX {
            self.suspects.retain(|_, until_ms| *until_ms > now_ms);
        }
        let site = nearness::site(address);
        if self.suspects.len() < SUSPECTS_MAX || self.suspects.contains_key(&site) {
            self.suspects.insert(site, now_ms.saturating_add(SUSPECT_MS));
        }
    }

    /// Whether somebody speaks for a suspect of its own site: that may be one and the same.
    fn is_own_voucher(&self, who: Answerer, source: PeerNumber) -> bool {
        let site = |who| self.address_of(who).map(nearness::site);
        let of_source = site(Answerer::Peer(source));
        of_source == site(who) && of_source.is_some_and(|site| self.strikes_of(site) > 0)
    }

    /// Strikes that a session from this address begins with. Those of a suspect put it behind everybody as near until somebody got verified bytes from it.
    pub(super) fn strikes_of(&self, address: std::net::IpAddr) -> u32 {
        let until_ms = self.suspects.get(&nearness::site(address));
        if until_ms.is_some_and(|until_ms| *until_ms > self.now_ms) { STRIKES_MAX - 1 } else { 0 }
    }

    fn session_of(&self, who: Answerer) -> Option<PeerNumber> {
        match who {
            Answerer::Peer(peer) => Some(peer),
            Answerer::Ticket(ticket) => self.visits.get(&ticket)?.session,
        }
    }

    fn address_of(&self, who: Answerer) -> Option<std::net::IpAddr> {
        match who {
            Answerer::Peer(peer) => self.sessions.get(&peer).map(|session| session.addr.public),
            Answerer::Ticket(ticket) => self.visits.get(&ticket).map(|visit| visit.addr.public),
        }
    }
}

/// How often each fault was reported.
pub(super) type Faults = BTreeMap<Fault, u64>;
