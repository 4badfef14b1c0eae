//! Addresses of offers that are dialled only once the makers of the offers have the answers.
//!
//! A packet that reaches a NAT without a filter before anybody behind it sent to where it comes from leaves an entry there, and what is sent to its sender afterwards leaves
//! from another port than the one that everybody was told (PLATFORM section 15). So both ends begin in the moment in which the server passes the answer on: the maker
//! of the offer hears the answer then, and who answered hears that it left. Addresses in front of which no such NAT can be are dialled at once.
//!
//! Drive it as [`client`](super) says. Each [`hold`](Withheld::hold) has one [`handle_dialled`](Withheld::handle_dialled).

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use viral_wire::description::Candidate;
use viral_wire::signal::{Offer, PeerNumber};

use super::config::{RELEASE_WAIT_MS, WITHHELD_MAX};
use super::peers::Introduction;
use crate::fetch::PeerKey;
use crate::nat;

/// The other end may be dialled at these addresses, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released {
    /// Which connection.
    pub peer: PeerKey,
    /// Where its other end is.
    pub candidates: Vec<Candidate>,
}

/// What waits, by the message with the answers.
#[derive(Debug, Default)]
pub struct Withheld {
    /// In the order of the messages, at most [`WITHHELD_MAX`].
    batches: VecDeque<Batch>,
    /// The number of the last message by a signal.
    last: u32,
    out: VecDeque<Released>,
}

/// The offers that one message answers.
#[derive(Debug)]
struct Batch {
    /// The message's number; none of one that is posted, which has a reply of its own.
    tell: Option<u32>,
    /// When nobody waits any longer, once the offers are answered.
    due: Option<u64>,
    held: Vec<Held>,
}

/// One of them.
#[derive(Debug)]
struct Held {
    from: (PeerNumber, u32),
    peer: Option<PeerKey>,
    candidates: Vec<Candidate>,
}

impl Withheld {
    /// These offers are to be answered in one message: takes the addresses out that wait. Returns the number with which the tracker must tell when the answers left by a signal;
    /// none if nothing waits.
    pub fn hold(&mut self, offers: &mut [Offer], by_post: bool) -> Option<u32> {
        let mut held = Vec::new();
        let has_room = self.batches.len() < WITHHELD_MAX;
        for offer in offers.iter_mut().filter(|offer| offer.far && has_room) {
            let (waiting, rest): (Vec<Candidate>, Vec<Candidate>) =
                offer.description.candidates().iter().cloned().partition(nat::waits_for_answer);
            if !waiting.is_empty() {
                offer.description.set_candidates(rest);
                held.push(Held { from: (offer.peer, offer.offer), peer: None, candidates: waiting });
            }
        }
        self.last = self.last.wrapping_add(u32::from(!by_post));
        let tell = (!by_post && !held.is_empty()).then_some(self.last);
        self.batches.push_back(Batch { tell, due: None, held });
        tell
    }

    /// The oldest of them that were not yet are answered: those that are connections now.
    pub fn handle_dialled(&mut self, now: u64, dialled: &[(PeerKey, Introduction)]) {
        let Some(at) = self.batches.iter().position(|batch| batch.due.is_none()) else { return };
        let batch = &mut self.batches[at];
        if batch.held.is_empty() || dialled.is_empty() {
            // Nothing waits, or nothing was sent.
            self.batches.remove(at);
            return;
        }
        batch.due = Some(now + RELEASE_WAIT_MS);
        for held in &mut batch.held {
            let is_it = |(_, from): &&(PeerKey, Introduction)| (from.number, from.offer) == held.from;
            held.peer = dialled.iter().find(is_it).map(|(peer, _)| *peer);
        }
    }

    /// The answers of the message with this number are with the makers of their offers. One that nobody waits for any more changes nothing.
    pub fn handle_relayed(&mut self, tell: u32) {
        self.release(|batch| batch.tell == Some(tell));
    }

    /// The same of the oldest that left by post.
    pub fn handle_posted(&mut self) {
        self.release(|batch| batch.tell.is_none());
    }

    /// There is no session with the tracker any more: nobody will tell.
    pub fn handle_lost(&mut self) {
        while self.release(|batch| batch.tell.is_some()) {}
    }

    /// A connection is over.
    pub fn handle_closed(&mut self, peer: PeerKey) {
        self.batches.iter_mut().for_each(|batch| batch.held.retain(|held| held.peer != Some(peer)));
        self.out.retain(|released| released.peer != peer);
    }

    /// Time passed: whoever hears nothing dials.
    pub fn handle_timeout(&mut self, now: u64) {
        while self.release(|batch| batch.due.is_some_and(|due| due <= now)) {}
    }

    /// What may be dialled now; `None` when there is nothing until the next call or [`Self::poll_timeout`].
    pub fn poll(&mut self) -> Option<Released> {
        self.out.pop_front()
    }

    /// When to call [`Self::handle_timeout`], in milliseconds; `None` = not needed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.batches.iter().filter_map(|batch| batch.due).min()
    }

    /// Lets go of the oldest answered batch that is meant; false if there is none.
    fn release(&mut self, is_meant: impl Fn(&Batch) -> bool) -> bool {
        let Some(at) = self.batches.iter().position(|batch| batch.due.is_some() && is_meant(batch)) else { return false };
        let held = self.batches.remove(at).into_iter().flat_map(|batch| batch.held);
        self.out.extend(held.filter_map(|held| Some(Released { peer: held.peer?, candidates: held.candidates })));
        true
    }
}
