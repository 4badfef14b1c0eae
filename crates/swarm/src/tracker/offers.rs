//! What a seeder has to give, and to whom: its slots, its ready-made offers (left, renewed, reserved, lapsed, expired, asked for again), and whoever answered one.

use std::net::IpAddr;

use viral_wire::{Description, limits::OFFERS_PER_PEER_MAX, signal::PeerNumber};

use super::{
    small_map::SmallMap,
    timers::{Timer, Timers},
};
use crate::limits::{ASKED_WAIT_MS, FADING_OFFER_AGE_MS, FADING_OFFER_STEP_MS};

/// An offer nobody answered yet.
#[derive(Debug)]
pub(super) struct ReadyOffer {
    pub(super) serial: u64,
    pub(super) description: Description,
    pub(super) expires_ms: u64,
    /// Few offers are reserved at a time.
    pub(super) reservation: Option<Box<Reservation>>,
}

/// For whom an offer waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reservation {
    pub(super) leecher: u64,
    pub(super) network: IpAddr,
    pub(super) until_ms: u64,
}

/// One leecher that answered an offer of this session: connected, or connecting.
#[derive(Debug)]
pub(super) struct PeerUpload {
    /// The number by which the session knows it.
    pub(super) number: PeerNumber,
    pub(super) network: IpAddr,
    /// Until when the session may take to say that it opened; `None` once it did.
    pub(super) open_due_ms: Option<u64>,
    /// Either end said that it opened.
    pub(super) is_opened: bool,
}

impl PeerUpload {
    /// The other end said that it opened, and the session has not.
    pub(super) fn is_denied(&self) -> bool {
        self.is_opened && self.open_due_ms.is_some()
    }
}

/// Why an offer is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwelcome {
    /// Somebody answered the one of that number.
    Answered,
    /// There are enough already.
    TooMany,
}

/// The offers of one session.
#[derive(Debug)]
pub(super) struct OfferBook {
    /// Whose it is: its timers are named so.
    peer: PeerNumber,
    pub(super) slots: u8,
    pub(super) offers: SmallMap<u32, ReadyOffer>,
    /// Those of them that wait for somebody, counted: a match looks at many sessions, whose offers are elsewhere in memory.
    reserved: u8,
    /// Offers it was asked for and has not left yet.
    asked: u8,
    /// When it was last asked, in milliseconds.
    asked_ms: u64,
    /// The uploads that came of its offers, by the offer.
    pub(super) uploads: SmallMap<u32, PeerUpload>,
}

impl OfferBook {
    pub(super) fn new(now_ms: u64, peer: PeerNumber) -> Self {
        Self { peer, slots: 0, offers: SmallMap::default(), reserved: 0, asked: 0, asked_ms: now_ms, uploads: SmallMap::default() }
    }

    /// So many leechers may be served at a time. Returns how many offers are asked for.
    pub(super) fn open(&mut self, slots: u8, wanted: u8) -> u8 {
        self.slots = slots;
        let wanted = wanted.min(slots);
        self.asked = wanted;
        wanted
    }

    /// Slots that are neither taken nor reserved.
    pub(super) fn free_slots(&self) -> usize {
        usize::from(self.slots).saturating_sub(self.uploads.len() + usize::from(self.reserved))
    }

    /// Offers that wait for nobody.
    pub(super) fn unreserved(&self) -> usize {
        self.offers.len() - usize::from(self.reserved)
    }

    /// Whether it has room for one more of this network. Strangers of one network have no more slots promised, or answered and not open, than are free: answers that never
    /// open cost others at most half of them, and an office whose connections open takes all.
    pub(super) fn has_room_for(&self, network: IpAddr) -> bool {
        if self.reserved == 0 && self.uploads.is_empty() {
            return true;
        }
        let promised =
            self.offers.values().filter_map(|offer| offer.reservation.as_deref()).filter(|reservation| reservation.network == network);
        let unopened = self.uploads.values().filter(|upload| upload.network == network && upload.open_due_ms.is_some());
        let pending = promised.count() + unopened.count();
        pending == 0 || pending < self.free_slots()
    }

    /// Takes one offer in. An offer that is outstanding under the same number is renewed: the old description is void.
    pub(super) fn leave(&mut self, timers: &mut Timers<Timer>, number: u32, offer: ReadyOffer) -> Result<(), Unwelcome> {
        self.asked = self.asked.saturating_sub(1);
        if self.uploads.contains_key(&number) {
            return Err(Unwelcome::Answered);
        }
        if !self.offers.contains_key(&number) && self.offers.len() >= OFFERS_PER_PEER_MAX {
            return Err(Unwelcome::TooMany);
        }
        self.take(timers, number);
        timers.set(offer.expires_ms, Timer::OfferAge(self.peer, number));
        self.reserved += u8::from(offer.reservation.is_some());
        self.offers.insert(number, offer);
        Ok(())
    }

    /// Takes an outstanding offer out, with everything that waits for it.
    pub(super) fn take(&mut self, timers: &mut Timers<Timer>, number: u32) -> Option<ReadyOffer> {
        let offer = self.offers.remove(&number)?;
        self.reserved -= u8::from(offer.reservation.is_some());
        self.clear_timers(timers, number, &offer);
        Some(offer)
    }

    /// Keeps the oldest offer that waits for nobody; its number.
    pub(super) fn reserve(&mut self, reservation: Reservation) -> Option<u32> {
        let free = self.offers.iter_mut().filter(|(_, offer)| offer.reservation.is_none());
        let (number, offer) = free.min_by_key(|(_, offer)| offer.serial)?;
        offer.reservation = Some(Box::new(reservation));
        self.reserved += 1;
        Some(*number)
    }

    /// How long an offer of this number lasts whose addresses nothing keeps alive, in milliseconds. Those of one session end one after the other, so that there always is one.
    pub(super) fn fading_age_ms(&self, now_ms: u64, number: u32) -> u64 {
        let until_ms = now_ms.saturating_add(FADING_OFFER_AGE_MS);
        let is_beside =
            |(other, offer): (&u32, &ReadyOffer)| *other != number && offer.expires_ms.abs_diff(until_ms) < FADING_OFFER_STEP_MS;
        if self.offers.iter().any(is_beside) { FADING_OFFER_AGE_MS - FADING_OFFER_STEP_MS } else { FADING_OFFER_AGE_MS }
    }

    /// The leecher to whom an offer was given did not answer in time.
    pub(super) fn lapse(&mut self, number: u32) {
        let lapsed = self.offers.get_mut(&number).and_then(|offer| offer.reservation.take());
        self.reserved -= u8::from(lapsed.is_some());
    }

    /// Throws an old offer away, unless a leecher may be answering it just now: then when its reservation is over. True if it is gone.
    pub(super) fn expire(&mut self, timers: &mut Timers<Timer>, number: u32) -> bool {
        let Some(offer) = self.offers.get_mut(&number) else { return false };
        if let Some(reservation) = &offer.reservation {
            offer.expires_ms = reservation.until_ms.saturating_add(1);
            timers.set(offer.expires_ms, Timer::OfferAge(self.peer, number));
            return false;
        }
        self.offers.remove(&number);
        true
    }

    /// How many offers are asked for now: as many as are missing and not yet asked for, never more than there are slots.
    pub(super) fn ask(&mut self, now_ms: u64, wanted: usize) -> Option<u8> {
        if now_ms.saturating_sub(self.asked_ms) >= ASKED_WAIT_MS {
            self.asked = 0;
        }
        let unreserved = self.unreserved();
        let useful = wanted.min(OFFERS_PER_PEER_MAX - self.offers.len().min(OFFERS_PER_PEER_MAX) + unreserved);
        let missing = useful.min(self.free_slots()).saturating_sub(unreserved + usize::from(self.asked));
        let count = u8::try_from(missing).ok().filter(|count| *count > 0)?;
        self.asked += count;
        self.asked_ms = now_ms;
        Some(count)
    }

    /// Nothing waits any more for what is in it.
    pub(super) fn close(&self, timers: &mut Timers<Timer>) {
        for (number, offer) in self.offers.iter() {
            self.clear_timers(timers, *number, offer);
        }
        for (number, upload) in self.uploads.iter() {
            if let Some(due_ms) = upload.open_due_ms {
                timers.clear(due_ms, Timer::Open(self.peer, *number));
            }
        }
    }

    fn clear_timers(&self, timers: &mut Timers<Timer>, number: u32, offer: &ReadyOffer) {
        timers.clear(offer.expires_ms, Timer::OfferAge(self.peer, number));
        if let Some(reservation) = &offer.reservation {
            timers.clear(reservation.until_ms, Timer::Reservation(self.peer, number));
        }
    }
}
