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

use super::config::RELEASE_WAIT_MS;
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
    /// In the order of the messages.
    batches: VecDeque<Batch>,
    out: VecDeque<Released>,
}

/// The offers that one message answers.
#[derive(Debug)]
struct Batch {
    by_post: bool,
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
    /// These offers are to be answered in one message: takes the addresses out that wait. True if there are any, so that the tracker must tell when the answers left.
    pub fn hold(&mut self, offers: &mut [Offer], by_post: bool) -> bool {
        let mut held = Vec::new();
        for offer in offers.iter_mut().filter(|offer| offer.far) {
            let (waiting, rest): (Vec<Candidate>, Vec<Candidate>) =
                offer.description.candidates().iter().cloned().partition(nat::waits_for_answer);
            if !waiting.is_empty() {
                offer.description.set_candidates(rest);
                held.push(Held { from: (offer.peer, offer.offer), peer: None, candidates: waiting });
            }
        }
        let is_any = !held.is_empty();
        self.batches.push_back(Batch { by_post, due: None, held });
        is_any
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

    /// The oldest answers that left by a signal, and of which nobody said so yet, are with the makers of their offers.
    pub fn handle_relayed(&mut self) {
        self.release(|batch| !batch.by_post);
    }

    /// The same of those that left by post.
    pub fn handle_posted(&mut self) {
        self.release(|batch| batch.by_post);
    }

    /// There is no session with the tracker any more: nobody will tell.
    pub fn handle_lost(&mut self) {
        while self.release(|batch| !batch.by_post) {}
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
