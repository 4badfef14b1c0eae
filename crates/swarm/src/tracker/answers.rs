//! Answers of leechers, relayed to nobody but the seeder whose offer that leecher was given.

use std::collections::BTreeSet;

use viral_wire::{
    description::Setup,
    limits::ANSWERS_MAX,
    signal::{Answer, PeerNumber, TrackerToPeer},
};

use super::{
    Tracker,
    leecher::MatchState,
    offers::PeerUpload,
    timers::Timer,
    types::{AnswerError, Answerer},
};
use crate::{ice_candidates, locality};

impl Tracker {
    /// Relays answers, each to the maker of its offer with the push plan made for it.
    ///
    /// # Errors
    /// Nothing is relayed where the batch is malformed or names an offer that was not given to `from`. Offers that are gone are left
    /// out; it is an error only if all are.
    pub fn handle_answers(&mut self, now_ms: u64, from: Answerer, answers: Vec<Answer>) -> Result<(), AnswerError> {
        self.advance(now_ms);
        self.check_answers(from, &answers)?;
        if let Answerer::Ticket(ticket) = from {
            self.members.visits.touch(self.now_ms, ticket);
        }
        let relayed = answers.into_iter().filter_map(|answer| self.relay(from, answer)).count();
        if relayed == 0 { Err(AnswerError::Gone) } else { Ok(()) }
    }

    fn check_answers(&self, from: Answerer, answers: &[Answer]) -> Result<(), AnswerError> {
        let distinct: BTreeSet<(PeerNumber, u32)> = answers.iter().map(|answer| (answer.peer, answer.offer)).collect();
        let offering = answers.iter().any(|answer| answer.description.setup() == Setup::Actpass);
        if answers.is_empty() || answers.len() > ANSWERS_MAX || distinct.len() != answers.len() || offering {
            return Err(AnswerError::Malformed);
        }
        let leecher = self.members.leecher(from).ok_or(AnswerError::NeverMatched)?;
        let all_given = distinct.iter().all(|key| leecher.matches.contains_key(key));
        if all_given { Ok(()) } else { Err(AnswerError::NeverMatched) }
    }

    /// Relays one answer; `None` if the offer is gone.
    fn relay(&mut self, from: Answerer, answer: Answer) -> Option<()> {
        let key = (answer.peer, answer.offer);
        let leecher = self.members.leecher(from)?;
        let (id, found) = (leecher.id, *leecher.matches.get(&key)?);
        let session = self.members.sessions.get(&answer.peer)?;
        let offer = session.book.offers.get(&answer.offer)?;
        let is_anothers = offer.reservation.as_ref().is_some_and(|reservation| reservation.leecher != id);
        // A lapsed reservation leaves the offer to whoever answers first, but not a slot that somebody else has taken.
        let has_slot = offer.reservation.is_some() || session.book.free_slots() > 0;
        if found.state != MatchState::Given || offer.serial != found.serial || is_anothers || !has_slot {
            return None;
        }
        let number = self.members.number_of(from)?;
        self.members.sessions.get_mut(&answer.peer)?.book.take(&mut self.timers, answer.offer)?;
        let mut description = answer.description;
        let (addr, to) = (self.members.addr_of(from)?, self.members.sessions.get(&answer.peer)?.addr.public);
        if let Some(address) = addr.rewrite_to {
            description.rewrite_local(address);
        }
        description.set_candidates(ice_candidates::relayed(
            description.candidates(),
            &addr,
            to,
            self.config.ladder.is_for_neighbours_alone(),
        ));
        let open_due_ms = self.now_ms.saturating_add(self.config.open_wait_ms);
        let session = self.members.sessions.get_mut(&answer.peer)?;
        session.book.uploads.insert(
            answer.offer,
            PeerUpload { number, network: locality::network_key(addr.public), open_due_ms: Some(open_due_ms), is_opened: false },
        );
        session.note_served(number);
        self.timers.set(open_due_ms, Timer::Open(answer.peer, answer.offer));
        if let Some(found) = self.members.leecher_mut(from).and_then(|leecher| leecher.matches.get_mut(&key)) {
            found.state = MatchState::Answered;
        }
        self.join_lineage(from);
        self.totals.matches.answered += 1;
        let push = found.push;
        let beyond = found.crosses.then(|| self.lines.stripe_of(Some(answer.peer)));
        self.send(answer.peer, TrackerToPeer::Answer { offer: answer.offer, peer: number, description, push, beyond });
        self.refresh(answer.peer);
        self.top_up(answer.peer);
        Some(())
    }
}
