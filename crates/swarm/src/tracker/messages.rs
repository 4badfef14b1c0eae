//! What peers say on their sockets, one rule for each kind of message.

use viral_wire::{
    description::{Candidate, CandidateKind},
    limits::{ERROR_MESSAGE_LEN_MAX, LOADED_ASSETS_MAX, LOADED_REPORTS_MAX, OFFERS_PER_PEER_MAX},
    signal::{self, ErrorCode, PeerNumber, PeerToTracker, SignalError, TrackerToPeer},
};

use super::{
    Tracker,
    offers::{ReadyOffer, Unwelcome},
    output::{CloseReason, TrackerOutput},
    types::{AnswerError, Answerer},
};
use crate::coverage::Coverage;
use crate::ice_candidates;
use crate::nat;
use crate::pageset::{Report, ReportKind};
use crate::places::Use;

impl Tracker {
    /// A peer said something. Mistakes are answered with an `error`; more messages than allowed, or too many mistakes, close the session.
    pub fn handle_message(&mut self, now_ms: u64, peer: PeerNumber, message: PeerToTracker, coverage: &dyn Coverage) {
        if !self.take_message(now_ms, peer) {
            return;
        }
        let registered = self.members.sessions.get(&peer).is_some_and(|session| session.page.is_some());
        if !registered && !matches!(message, PeerToTracker::Register { .. }) {
            return self.refuse(peer, ErrorCode::Unexpected, "register first");
        }
        self.session_places.touch(&peer, Use::Waiting);
        match message {
            PeerToTracker::Register { page, manifest, ticket, slots } => {
                self.handle_register(peer, page, manifest, ticket, slots);
            }
            PeerToTracker::Offers { offers } => self.handle_offers(peer, offers),
            PeerToTracker::Loaded { page, assets } => self.handle_loaded(peer, page, assets),
            PeerToTracker::Held { manifest, pieces: _, bytes } => self.handle_held(peer, manifest, bytes, coverage),
            PeerToTracker::Find { manifest, count } => {
                let offers = self.find(peer, manifest, usize::from(count), coverage);
                self.send(peer, TrackerToPeer::Peers { offers });
            }
            PeerToTracker::Share { manifest, done } => self.handle_lease(peer, manifest, done, coverage),
            PeerToTracker::Unshare {} => {
                let granted = self.leases.handle_returned(self.now_ms, peer);
                self.grant(granted);
            }
            PeerToTracker::Answers { answers, tell } => {
                let relayed = self.handle_answers(now_ms, Answerer::Peer(peer), answers);
                if let Some(tell) = tell {
                    self.send(peer, TrackerToPeer::Relayed { tell });
                }
                if let Err(error) = relayed {
                    self.refuse(peer, answer_error_code(error), &error.to_string());
                }
            }
            PeerToTracker::Closed { peer: other, offer, cause } => self.handle_closed(peer, other, offer, cause),
            PeerToTracker::Nat { nat, fades } => {
                if let Some(session) = self.members.sessions.get_mut(&peer) {
                    (session.nat, session.fades) = (nat, fades);
                }
            }
            PeerToTracker::Opened { peer: other, offer, ms } => self.handle_opened(peer, other, offer, ms),
            PeerToTracker::Report(report) => {
                if !self.handle_fault(Answerer::Peer(peer), &report) {
                    self.refuse(peer, ErrorCode::Unknown, "you never met that peer, or reported too much");
                }
            }
            PeerToTracker::Counts(counts) => {
                self.note_given(peer, counts.bytes_to_peers);
                self.handle_counts(Answerer::Peer(peer), &counts);
            }
        }
    }

    /// A peer said something that is no signal, or too long. It is told what is wrong with it, and closed after too many.
    pub fn handle_malformed(&mut self, now_ms: u64, peer: PeerNumber, fault: &SignalError) {
        if self.take_message(now_ms, peer) {
            let mut message = fault.to_string();
            message.truncate(message.floor_char_boundary(ERROR_MESSAGE_LEN_MAX));
            self.refuse(peer, ErrorCode::Malformed, &message);
        }
    }

    /// Takes one message out of the sender's bucket; false where there is none left or no such session.
    fn take_message(&mut self, now_ms: u64, peer: PeerNumber) -> bool {
        self.advance(now_ms);
        let (burst_max, per_s) = (self.config.message_burst_max, self.config.messages_per_s);
        let Some(session) = self.members.sessions.get_mut(&peer) else { return false };
        let taken = session.bucket.take(self.now_ms, burst_max, per_s);
        if !taken {
            self.totals.refused.floods += 1;
            self.close(peer, CloseReason::TooManyMessages);
        }
        taken
    }

    fn handle_offers(&mut self, peer: PeerNumber, offers: Vec<signal::ReadyOffer>) {
        if offers.is_empty() || offers.len() > OFFERS_PER_PEER_MAX {
            return self.refuse(peer, ErrorCode::TooMany, "leave one to four offers at a time");
        }
        for offer in offers {
            self.leave_offer(peer, offer);
        }
        self.refresh(peer);
    }

    fn leave_offer(&mut self, peer: PeerNumber, offer: signal::ReadyOffer) {
        let serial = self.next_serial();
        let Some(session) = self.members.sessions.get_mut(&peer) else { return };
        let mut description = offer.description;
        if let Some(address) = session.addr.rewrite_to {
            description.rewrite_local(address);
        }
        session.names_ipv6 = nat::names_ipv6(description.candidates());
        let hides = self.config.ladder.is_for_neighbours_alone();
        session.is_told = self.stun.of_use_to(&session.addr).is_empty()
            || ice_candidates::is_told_to_strangers(description.candidates(), &session.addr, hides);
        let is_reflexive = |candidate: &Candidate| candidate.kind == CandidateKind::ServerReflexive;
        let fades = session.fades && description.candidates().iter().any(is_reflexive);
        let age_ms = if fades { session.book.fading_age_ms(self.now_ms, offer.offer) } else { self.config.offer_age_max_ms };
        let expires_ms = self.now_ms.saturating_add(age_ms);
        let ready = ReadyOffer { serial, description, expires_ms, reservation: None };
        match session.book.leave(&mut self.timers, offer.offer, ready) {
            Ok(()) => {}
            Err(Unwelcome::Answered) => self.refuse(peer, ErrorCode::Unexpected, "that offer was answered already"),
            // Not a mistake: the peer may have topped up by itself while it was being asked.
            Err(Unwelcome::TooMany) => self.warn(peer, ErrorCode::TooMany, "too many outstanding offers"),
        }
    }

    fn handle_loaded(&mut self, peer: PeerNumber, page: String, assets: Vec<String>) {
        let Some(session) = self.members.sessions.get_mut(&peer) else { return };
        if session.page.as_deref() != Some(page.as_str()) {
            return self.refuse(peer, ErrorCode::Unexpected, "report what the page used that you registered");
        }
        if assets.len() > LOADED_ASSETS_MAX {
            return self.refuse(peer, ErrorCode::TooMany, "too many assets in one report");
        }
        if session.loaded >= LOADED_REPORTS_MAX {
            return self.refuse(peer, ErrorCode::TooMany, "too many reports in one session");
        }
        session.loaded += 1;
        // Only a ticket that was given with this very page makes a report that of a thin visit; the host knows of other visits by their requests.
        let visit = session.ticket.and_then(|ticket| self.members.visits.get(&ticket));
        let kind = if visit.is_some_and(|visit| visit.page == page) { ReportKind::Thin } else { ReportKind::Full };
        let report = Report { voter: peer.get(), address: session.addr.public, kind, paths: assets };
        let browser = session.addr.browser;
        self.put(TrackerOutput::Loaded { page, peer, browser, report });
    }
}

fn answer_error_code(error: AnswerError) -> ErrorCode {
    match error {
        AnswerError::Malformed => ErrorCode::Malformed,
        AnswerError::NeverMatched | AnswerError::Gone => ErrorCode::Unknown,
    }
}
