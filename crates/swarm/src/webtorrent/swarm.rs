//! The peers of one torrent: found by where they sit, by who is near, and at random.

use std::collections::{HashMap, hash_map::Entry};

use viral_wire::webtorrent::{Counts, Id};

use super::peer::{Peer, Seat};
use crate::locality::{Key, Place, Tier};

/// The peers of one torrent.
#[derive(Debug)]
pub(super) struct Swarm<H> {
    /// By the place of their seat.
    slots: Vec<Option<(u64, Peer<H>)>>,
    /// Places that are free.
    free: Vec<u32>,
    /// The places of all, in no order.
    all: Vec<u32>,
    /// The same by what they have in common with others, and whether they have everything. No list is empty.
    near: HashMap<(Key, bool), Vec<u32>>,
    counts: Counts,
}

impl<H> Default for Swarm<H> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), all: Vec::new(), near: HashMap::new(), counts: Counts::default() }
    }
}

impl<H: Clone> Swarm<H> {
    pub(super) fn peer(&self, seat: Seat) -> Option<&Peer<H>> {
        self.slots.get(seat.slot as usize)?.as_ref().filter(|(serial, _)| *serial == seat.serial).map(|(_, peer)| peer)
    }

    pub(super) fn peer_mut(&mut self, seat: Seat) -> Option<&mut Peer<H>> {
        self.slots.get_mut(seat.slot as usize)?.as_mut().filter(|(serial, _)| *serial == seat.serial).map(|(_, peer)| peer)
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// A peer takes a seat of this number.
    pub(super) fn insert(&mut self, serial: u64, mut peer: Peer<H>) -> Seat {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("there are fewer peers than that")
        });
        *self.count_of(peer.is_complete) += 1;
        peer.at = self.all.len();
        self.all.push(slot);
        self.list(slot, &mut peer);
        self.slots[slot as usize] = Some((serial, peer));
        Seat { slot, serial }
    }

    /// Who sat there.
    pub(super) fn remove(&mut self, seat: Seat) -> Option<Peer<H>> {
        self.peer(seat)?;
        let (_, peer) = self.slots[seat.slot as usize].take()?;
        self.free.push(seat.slot);
        self.all.swap_remove(peer.at);
        if let Some((_, moved)) = self.all.get(peer.at).and_then(|slot| self.slots[*slot as usize].as_mut()) {
            moved.at = peer.at;
        }
        self.unlist(&peer);
        *self.count_of(peer.is_complete) -= 1;
        Some(peer)
    }

    /// A peer said something: that it has everything, or not, or neither. `is_now`: it just got the rest.
    pub(super) fn note_said(&mut self, now_ms: u64, seat: Seat, is_complete: Option<bool>, is_now: bool) {
        let Some(peer) = self.peer_mut(seat) else { return };
        peer.said_ms = now_ms;
        let Some(is_complete) = is_complete.filter(|is_complete| *is_complete != peer.is_complete) else { return };
        // Out of its place, so that those who move up in the lists can be told.
        let Some((serial, mut peer)) = self.slots[seat.slot as usize].take() else { return };
        self.unlist(&peer);
        peer.is_complete = is_complete;
        self.list(seat.slot, &mut peer);
        self.slots[seat.slot as usize] = Some((serial, peer));
        *self.count_of(!is_complete) -= 1;
        *self.count_of(is_complete) += 1;
        self.counts.downloaded = self.counts.downloaded.saturating_add(u32::from(is_complete && is_now));
    }

    /// Puts a peer, which sits at `slot`, into the lists of those near it.
    fn list(&mut self, slot: u32, peer: &mut Peer<H>) {
        for (tier, key) in keys(&peer.guest.place) {
            let near = self.near.entry((key, peer.is_complete)).or_default();
            peer.near_at[tier as usize] = u32::try_from(near.len()).expect("there are fewer peers than that");
            near.push(slot);
        }
    }

    /// Takes a peer out of them. It is out of its seat.
    fn unlist(&mut self, peer: &Peer<H>) {
        for (tier, key) in keys(&peer.guest.place) {
            let Entry::Occupied(mut near) = self.near.entry((key, peer.is_complete)) else { continue };
            let at = peer.near_at[tier as usize];
            near.get_mut().swap_remove(at as usize);
            if let Some((_, moved)) = near.get().get(at as usize).and_then(|slot| self.slots[*slot as usize].as_mut()) {
                moved.near_at[tier as usize] = at;
            }
            if near.get().is_empty() {
                near.remove();
            }
        }
    }

    /// Notes that an offer is passed to a peer: how it is reached.
    pub(super) fn give(&mut self, now_ms: u64, from: Seat, to: Seat, offer_id: Id) -> Option<H> {
        let peer = self.peer_mut(to)?;
        peer.give(now_ms, from, offer_id);
        Some(peer.reached_by.clone())
    }

    /// A peer answers an offer: how who made it is reached, if the offer was passed to this one.
    pub(super) fn take_answer(&mut self, now_ms: u64, seat: Seat, offer_id: &Id, to_peer_id: &Id) -> Option<H> {
        // Out of its place, so that the others can be looked at meanwhile.
        let (serial, mut peer) = self.slots.get_mut(seat.slot as usize)?.take()?;
        let is_from = |from: Seat| self.peer(from).is_some_and(|from| from.peer_id == *to_peer_id);
        let from = if serial == seat.serial { peer.take_answer(now_ms, offer_id, is_from) } else { None };
        if from.is_some() {
            peer.said_ms = now_ms;
        }
        self.slots[seat.slot as usize] = Some((serial, peer));
        Some(self.peer(from?)?.reached_by.clone())
    }

    /// Those with a key, those with everything and the others in turn, from one on that `start` names.
    pub(super) fn near(&self, key: Key, start: u64) -> impl Iterator<Item = (Seat, &Peer<H>)> {
        let [mut complete, mut others] = [true, false].map(|is_complete| {
            let near = self.near.get(&(key, is_complete)).map_or(&[][..], Vec::as_slice);
            self.seated(near, start)
        });
        let mut is_turn = false;
        std::iter::from_fn(move || {
            is_turn = !is_turn;
            if is_turn { complete.next().or_else(|| others.next()) } else { others.next().or_else(|| complete.next()) }
        })
    }

    /// All of them, from one on that `start` names.
    pub(super) fn all(&self, start: u64) -> impl Iterator<Item = (Seat, &Peer<H>)> {
        self.seated(&self.all, start)
    }

    fn seated<'s>(&'s self, slots: &'s [u32], start: u64) -> impl Iterator<Item = (Seat, &'s Peer<H>)> {
        let start = usize::try_from(start % (slots.len() as u64).max(1)).unwrap_or(0);
        let (before, after) = slots.split_at(start);
        after.iter().chain(before).filter_map(|slot| {
            let (serial, peer) = self.slots.get(*slot as usize)?.as_ref()?;
            Some((Seat { slot: *slot, serial: *serial }, peer))
        })
    }

    /// Whether each peer stands where it says in each of its lists, and nobody else in any.
    #[cfg(test)]
    pub(super) fn lists_agree(&self) -> bool {
        let peers = || self.slots.iter().enumerate().filter_map(|(slot, peer)| Some((slot as u32, &peer.as_ref()?.1)));
        let stands = |slot: u32, peer: &Peer<H>| {
            let in_list = |(tier, key): (Tier, Key)| {
                self.near.get(&(key, peer.is_complete)).and_then(|near| near.get(peer.near_at[tier as usize] as usize)) == Some(&slot)
            };
            self.all.get(peer.at) == Some(&slot) && keys(&peer.guest.place).all(in_list)
        };
        let listed = self.near.values().map(Vec::len).sum::<usize>();
        peers().all(|(slot, peer)| stands(slot, peer))
            && listed == peers().map(|(_, peer)| keys(&peer.guest.place).count()).sum::<usize>()
            && self.near.values().all(|near| !near.is_empty())
    }

    fn count_of(&mut self, is_complete: bool) -> &mut u32 {
        if is_complete { &mut self.counts.complete } else { &mut self.counts.incomplete }
    }
}

/// What a place has in common with others, by tier.
fn keys(place: &Place) -> impl Iterator<Item = (Tier, Key)> {
    let place = *place;
    Tier::ALL.into_iter().filter_map(move |tier| Some((tier, place.key(tier)?)))
}
