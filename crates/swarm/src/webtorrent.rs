//! The tracker for WebTorrent clients: who shares which torrent, and to whom an offer is passed on.
//!
//! Drive it: call one `handle_*`, do what it returns, and call [`Swarms::handle_timeout`] by [`Swarms::poll_timeout`]. Time is an argument in milliseconds and never
//! decreases. A server has several [`Swarms`], each with the torrents of its share of the info-hashes; for each socket it keeps [`Seats`].
//!
//! A peer is a socket and a `peer_id`: another socket that says the same id is another peer, and gets nothing that is meant for the first. An offer is passed to one
//! peer, and only that peer's answer to it is passed back.

mod allowed;
mod choice;
mod config;
mod peer;
mod seats;
mod swarm;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use viral_wire::webtorrent::{Announce, AnswerIn, Counts, Event, Id};

use self::{peer::Peer, swarm::Swarm};
use crate::{limits::WEBTORRENT_PEER_AGE_MAX_MS, random::Random};

pub use self::{
    allowed::{Allowed, AllowedError},
    config::WebTorrentConfig,
    peer::{Guest, Seat},
    seats::Seats,
};

/// Torrents with their peers. `H` is how the host reaches a peer's socket.
#[derive(Debug)]
pub struct Swarms<H> {
    config: WebTorrentConfig,
    random: Random,
    now_ms: u64,
    swarms: HashMap<Id, Swarm<H>>,
    peers: usize,
    /// Numbers seats, so that one is never taken for a later one at the same place.
    serial: u64,
    /// When each peer is looked at next: once for as long as it is remembered, however often it says something.
    checks: BTreeSet<(u64, Id, Seat)>,
}

/// What comes of an announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Where the peer sits now; none once it left.
    pub seat: Option<Seat>,
    /// How many there are now.
    pub counts: Counts,
}

/// There is no room for another peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this tracker has no room for more peers; try again later")]
pub struct Full;

impl<H: Clone> Swarms<H> {
    /// No torrents. The same `seed` and the same calls give the same results.
    #[must_use]
    pub fn new(config: WebTorrentConfig, seed: u64) -> Self {
        Self { config, random: Random::new(seed), now_ms: 0, swarms: HashMap::new(), peers: 0, serial: 0, checks: BTreeSet::new() }
    }

    /// A peer announces itself. `seat` is where it sat when it did so last. Adds to `given` whom each of its offers goes to, by the place of the offer.
    ///
    /// Who leaves without having come is no fault: some clients say so first.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn handle_announce(
        &mut self,
        now_ms: u64,
        (guest, reached_by): (&Guest, &H),
        seat: Option<Seat>,
        announce: &Announce<'_>,
        given: &mut Vec<(usize, H)>,
    ) -> Result<Announced, Full> {
        let now_ms = self.advance(now_ms);
        let seat = seat.filter(|seat| self.swarms.get(&announce.info_hash).is_some_and(|swarm| swarm.peer(*seat).is_some()));
        if announce.event == Event::Stopped {
            if let Some(seat) = seat {
                self.handle_leave(&announce.info_hash, seat);
            }
            return Ok(Announced { seat: None, counts: self.counts(&announce.info_hash) });
        }
        let is_complete = if announce.event == Event::Completed { Some(true) } else { announce.is_complete };
        let seat = match seat {
            Some(seat) => seat,
            None => {
                self.seat(&announce.info_hash, Peer::new(announce.peer_id, *guest, reached_by.clone(), is_complete.unwrap_or(false)))?
            }
        };
        let Some(swarm) = self.swarms.get_mut(&announce.info_hash) else { return Err(Full) };
        swarm.note_said(now_ms, seat, is_complete, announce.event == Event::Completed);
        let wanted = announce.wanted.unwrap_or(usize::MAX).min(announce.offers.len());
        if wanted > 0 {
            let chosen = choice::choose(swarm, (now_ms, seat), wanted, &self.config, &mut self.random);
            for (index, other) in chosen.into_iter().enumerate() {
                given.extend(swarm.give(now_ms, seat, other, announce.offers[index].offer_id).map(|reached_by| (index, reached_by)));
            }
        }
        Ok(Announced { seat: Some(seat), counts: swarm.counts() })
    }

    /// A peer answers an offer. Whom the answer goes to; nobody where the offer was not passed to this peer, was answered or lapsed, or where who made it has left.
    pub fn handle_answer(&mut self, now_ms: u64, info_hash: &Id, seat: Seat, answer: &AnswerIn<'_>) -> Option<H> {
        let now_ms = self.advance(now_ms);
        self.swarms.get_mut(info_hash)?.take_answer(now_ms, seat, &answer.offer_id, &answer.to_peer_id)
    }

    /// A peer left, or its socket closed.
    pub fn handle_leave(&mut self, info_hash: &Id, seat: Seat) {
        let Some(swarm) = self.swarms.get_mut(info_hash) else { return };
        if let Some(peer) = swarm.remove(seat) {
            self.peers -= 1;
            self.checks.remove(&(peer.check_ms, *info_hash, seat));
        }
        if swarm.is_empty() {
            self.swarms.remove(info_hash);
        }
    }

    /// How many peers a torrent has.
    #[must_use]
    pub fn counts(&self, info_hash: &Id) -> Counts {
        self.swarms.get(info_hash).map(Swarm::counts).unwrap_or_default()
    }

    /// Torrents, peers, and those of them that have everything.
    #[must_use]
    pub fn numbers(&self) -> (usize, usize, usize) {
        let complete: usize = self.swarms.values().map(|swarm| swarm.counts().complete as usize).sum();
        (self.swarms.len(), self.peers, complete)
    }

    /// When [`Self::handle_timeout`] must be called at the latest, in milliseconds; `None` while nobody is there.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<u64> {
        self.checks.first().map(|(due_ms, ..)| *due_ms)
    }

    /// Forgets who said nothing for too long.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.advance(now_ms);
        while let Some((_, info_hash, seat)) = self.checks.first().copied().filter(|(due_ms, ..)| *due_ms <= self.now_ms) {
            self.checks.pop_first();
            let Some(peer) = self.swarms.get_mut(&info_hash).and_then(|swarm| swarm.peer_mut(seat)) else { continue };
            peer.check_ms = peer.said_ms.saturating_add(WEBTORRENT_PEER_AGE_MAX_MS);
            if peer.check_ms <= self.now_ms {
                self.handle_leave(&info_hash, seat);
            } else {
                self.checks.insert((peer.check_ms, info_hash, seat));
            }
        }
    }

    fn seat(&mut self, info_hash: &Id, mut peer: Peer<H>) -> Result<Seat, Full> {
        if self.peers >= self.config.peers_max {
            return Err(Full);
        }
        let check_ms = self.now_ms.saturating_add(WEBTORRENT_PEER_AGE_MAX_MS);
        peer.check_ms = check_ms;
        // A torrent that was forgotten begins anew: nobody who had a seat there may be taken for somebody who has one now.
        self.serial = self.serial.wrapping_add(1);
        let seat = self.swarms.entry(*info_hash).or_default().insert(self.serial, peer);
        self.peers += 1;
        self.checks.insert((check_ms, *info_hash, seat));
        Ok(seat)
    }

    /// The time now: who had to wait for its turn may come with an earlier one.
    fn advance(&mut self, now_ms: u64) -> u64 {
        self.now_ms = self.now_ms.max(now_ms);
        self.now_ms
    }
}
