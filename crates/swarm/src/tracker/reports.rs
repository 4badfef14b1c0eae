//! What visitors say about each other: faults, and bytes given and taken.

use std::net::IpAddr;

use viral_wire::{
    limits::SOURCES_MAX,
    signal::{Counts, DropReason, Fault, FaultReport, PeerNumber, SourceBytes, TrackerToPeer, VisitPost},
};

use super::{
    Tracker,
    given::Given,
    leecher::Noted,
    output::{CloseReason, TrackerOutput},
    standing::Verdict,
    timers::Timer,
    types::{Answerer, VisitError},
};
use crate::{
    limits::{BEACONS_PER_TICKET_MAX, REPORTED_BYTES_MAX},
    lineage::ORIGIN,
};

impl Tracker {
    /// A thin visitor without a socket says what it took from whom, and who misbehaved.
    ///
    /// # Errors
    /// When the visit is unknown or reports too much; nothing is counted then.
    pub fn handle_visit(&mut self, now_ms: u64, post: &VisitPost) -> Result<(), VisitError> {
        self.advance(now_ms);
        let visit = self.members.visits.get_mut(&post.ticket).ok_or(VisitError::Unknown)?;
        if visit.beacons >= BEACONS_PER_TICKET_MAX || post.faults.len() > SOURCES_MAX {
            return Err(VisitError::TooMany);
        }
        visit.beacons += 1;
        self.members.visits.touch(self.now_ms, post.ticket);
        let who = Answerer::Ticket(post.ticket);
        self.handle_counts(who, &post.counts);
        for fault in &post.faults {
            self.handle_fault(who, fault);
        }
        Ok(())
    }

    /// Another server of the site dropped a forger that came from this address.
    pub fn handle_flagged(&mut self, now_ms: u64, address: IpAddr) {
        self.advance(now_ms);
        self.reputation.flag_address(self.now_ms, address);
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
            self.put(TrackerOutput::Counted { page, from_peers, rings });
        }
        if counts.pieces_verified > 0 {
            self.handle_verified(who);
        }
        let ordinal = self.members.leecher(who).and_then(|leecher| leecher.ordinal);
        if let Some(ordinal) = ordinal {
            self.lineage.bytes(ordinal, ORIGIN, from_origin);
        }
        for SourceBytes { peer, bytes, rate } in counts.sources.iter().take(SOURCES_MAX) {
            if *bytes > 0 {
                self.handle_source(who, *peer, *rate);
            }
            if let (Some(ordinal), Some(from)) = (ordinal, self.source_ordinal(who, *peer)) {
                self.lineage.bytes(ordinal, from, believed(*bytes));
            }
        }
    }

    /// A session says that it gave so much more.
    pub(super) fn note_given(&mut self, peer: PeerNumber, bytes: u64) {
        let (volume, now_ms) = (self.config.up_bytes_per_day, self.now_ms);
        let Some(session) = self.members.sessions.get_mut(&peer).filter(|_| volume > 0 && bytes > 0) else { return };
        if session.given.add(now_ms, bytes, volume) {
            let due_ms = session.given.due_ms();
            due_ms.into_iter().for_each(|due_ms| self.timers.set(due_ms, Timer::NextDay(peer)));
            self.adjust_slots(peer);
        }
    }

    /// The day of a session is over whose volume was used up.
    pub(super) fn handle_next_day(&mut self, peer: PeerNumber) {
        if let Some(session) = self.members.sessions.get_mut(&peer) {
            session.given = Given::default();
        }
        self.adjust_slots(peer);
    }

    /// Somebody says that a piece matched its digest: what it reported before counts from now on.
    fn handle_verified(&mut self, who: Answerer) {
        let Some(leecher) = self.members.leecher_mut(who) else { return };
        if !std::mem::replace(&mut leecher.has_verified, true) {
            let reported: Vec<PeerNumber> = leecher.reports.keys().copied().collect();
            reported.into_iter().for_each(|number| self.weigh(who, number));
        }
    }

    /// Somebody says that it got verified bytes from a peer. That counts where the peer said, too, that their connection opened.
    fn handle_source(&mut self, who: Answerer, number: PeerNumber, rate: u32) {
        self.note_word(who, number);
        let Some(source) = self.members.session_behind(number).filter(|_| self.is_confirmed(who, number)) else { return };
        self.handle_verified(who);
        let place = |who| self.members.addr_of(who).map(|addr| addr.place());
        if let (Some(giver), Some(taker)) = (place(Answerer::Peer(source)), place(who)) {
            self.learned_locality.note_rate(self.now_ms, &giver, &taker, rate);
        }
        if let (Some(network), Some(session)) = (self.members.network_of(who), self.members.sessions.get_mut(&source)) {
            session.standing.vouch(network);
            self.refresh(source);
        }
    }

    /// The page that somebody visits, if it is one that has a manifest.
    fn known_page_of(&self, who: Answerer) -> Option<String> {
        match who {
            Answerer::Ticket(ticket) => self.members.visits.get(&ticket).map(|visit| visit.page.clone()),
            Answerer::Peer(peer) => {
                let page = self.members.sessions.get(&peer)?.page.as_ref()?;
                self.pages.get(page).filter(|page| page.manifest.is_some()).map(|_| page.to_string())
            }
        }
    }

    /// The place in the lineage of a peer with whom the tracker matched `who`.
    fn source_ordinal(&self, who: Answerer, peer: PeerNumber) -> Option<u64> {
        let found = self.members.leecher(who)?.matches_of(peer).find(|found| found.is_answered());
        if let Some(found) = found {
            return found.ordinal;
        }
        // The other way round: a seeder that lacked something took it from one that it serves.
        let own = self.members.session_of(who).and_then(|own| self.members.sessions.get(&own))?;
        let other = self.members.known_as(peer);
        own.served.contains(&peer).then(|| self.members.leecher(other)?.ordinal).flatten()
    }

    /// One visitor accuses another; false if the two never met or it reported too much. What comes of it: see [`Self::weigh`].
    pub(super) fn handle_fault(&mut self, who: Answerer, report: &FaultReport) -> bool {
        let served = self
            .members
            .session_of(who)
            .and_then(|own| self.members.sessions.get(&own))
            .is_some_and(|own| own.served.contains(&report.peer));
        let met = served || self.members.leecher(who).is_some_and(|leecher| leecher.talked_to(report.peer));
        if !met {
            return false;
        }
        match self.members.leecher_mut(who).map(|leecher| leecher.note_report(report.peer, report.fault)) {
            Some(Noted::New) => *self.totals.faults.entry(report.fault).or_default() += 1,
            Some(Noted::Known) => {}
            Some(Noted::TooMany) | None => return false,
        }
        self.note_word(who, report.peer);
        self.weigh(who, report.peer);
        true
    }

    /// Lets a report count, once it does: the other end said as well that the connection opened, and the reporter got a piece that matched its digest from somebody. It is one
    /// fault, whatever its kinds.
    ///
    /// Accusers of forgery are counted by their networks. One foreign network hides the accused from itself; `forged_reports_min` of them drop it, but never fewer than those of
    /// which somebody got verified bytes from it. Its own network drops it alone, where no stranger knows it better, and only a few peers in ten minutes, so that nobody
    /// can empty a swarm by lying.
    pub(super) fn weigh(&mut self, who: Answerer, number: PeerNumber) {
        let Some(leecher) = self.members.leecher(who).filter(|leecher| leecher.has_verified) else { return };
        let (reporter, Some(report)) = (leecher.id, leecher.reports.get(&number).cloned()) else { return };
        let forged = report.faults.contains(&Fault::Forged);
        let is_settled = report.is_counted && (report.is_accusation || !forged);
        let accused = self.members.session_behind(number).filter(|_| !is_settled && self.is_confirmed(who, number));
        let (Some(accused), Some(network)) = (accused, self.members.network_of(who)) else { return };
        if let Some(report) = self.members.leecher_mut(who).and_then(|leecher| leecher.reports.get_mut(&number)) {
            report.is_counted = true;
            report.is_accusation |= forged;
        }
        let is_dropped = forged && self.is_convicted(accused, reporter, network);
        if is_dropped {
            self.drop_forger(accused);
        } else if !report.is_counted {
            self.count_fault(accused, network, report.faults.first().copied());
        }
    }

    fn is_convicted(&mut self, accused: PeerNumber, reporter: u64, network: IpAddr) -> bool {
        let forged_reports_min = self.config.forged_reports_min;
        let Some(session) = self.members.sessions.get_mut(&accused) else { return false };
        let met = session.counterparts();
        match session.standing.accuse(reporter, network, forged_reports_min, met) {
            Verdict::Dropped => true,
            Verdict::DroppedByOwn => self.reputation.may_report_alone(self.now_ms, network, self.config.sole_reporter_drops_max),
            Verdict::Stays => false,
        }
    }

    fn drop_forger(&mut self, peer: PeerNumber) {
        self.totals.bans += 1;
        if let Some(address) = self.members.address_of(Answerer::Peer(peer)) {
            self.reputation.flag_address(self.now_ms, address);
            self.put(TrackerOutput::Flagged(address));
        }
        if let Some(ordinal) = self.members.sessions.get(&peer).and_then(|session| session.leecher.ordinal) {
            self.lineage.dropped(ordinal);
        }
        self.send(peer, TrackerToPeer::Dropped { reason: DropReason::Forged });
        self.close(peer, CloseReason::Dropped(DropReason::Forged));
    }
}
