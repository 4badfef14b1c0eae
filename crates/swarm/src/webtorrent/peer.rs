//! One peer of a torrent, and the offers that it is to answer.

use viral_wire::webtorrent::Id;

use crate::{
    limits::{WEBTORRENT_MISSED_MAX, WEBTORRENT_OFFER_AGE_MAX_MS, WEBTORRENT_UNANSWERED_MAX},
    locality::{Place, SharePolicy, Tier},
};

/// Who is at the other end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest {
    /// Where it is.
    pub place: Place,
    /// Whether it gives and takes. Who takes and never gives meets only peers that have everything, since a connection of WebTorrent goes both ways.
    pub share: SharePolicy,
}

/// Where a peer sits among those of its torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seat {
    pub(super) slot: u32,
    pub(super) serial: u64,
}

/// A peer of a torrent.
#[derive(Debug)]
pub(super) struct Peer<H> {
    pub(super) peer_id: Id,
    pub(super) guest: Guest,
    pub(super) reached_by: H,
    pub(super) is_complete: bool,
    /// When it last said something.
    pub(super) said_ms: u64,
    /// When it is looked at whether it still says something.
    pub(super) check_ms: u64,
    /// Its place in the list of all.
    pub(super) at: usize,
    /// Its places in the lists of those near it, by tier.
    pub(super) near_at: [u32; Tier::ALL.len() - 1],
    /// The offers that were passed to it, oldest first.
    unanswered: Vec<Given>,
    /// Until then there is no room for another, unless it answers: most of a busy torrent are looked at no further.
    full_until_ms: u64,
    /// How many lapsed since it last answered one.
    missed: u8,
}

/// An offer that was passed on.
#[derive(Debug, Clone, Copy)]
struct Given {
    offer_id: Id,
    from: Seat,
    until_ms: u64,
}

impl<H> Peer<H> {
    pub(super) fn new(peer_id: Id, guest: Guest, reached_by: H, is_complete: bool) -> Self {
        Self {
            peer_id,
            guest,
            reached_by,
            is_complete,
            said_ms: 0,
            check_ms: 0,
            at: 0,
            near_at: [0; Tier::ALL.len() - 1],
            unanswered: Vec::new(),
            full_until_ms: 0,
            missed: 0,
        }
    }

    /// Whether something comes of introducing two: one has what the other may take.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        let [own, theirs] = [self, other].map(|peer| (peer.guest.share, peer.is_complete));
        let may_take = |taker: (SharePolicy, bool), giver: (SharePolicy, bool)| match taker.0 {
            SharePolicy::On => true,
            SharePolicy::Leech => giver.1,
            SharePolicy::Off => false,
        };
        !(own.1 && theirs.1) && self.peer_id != other.peer_id && may_take(own, theirs) && may_take(theirs, own)
    }

    /// Whether another offer may be passed to it: not one of somebody whose last one it has not answered yet.
    pub(super) fn has_room(&self, now_ms: u64, from: Seat) -> bool {
        let open = || self.unanswered.iter().filter(|given| given.until_ms > now_ms);
        self.full_until_ms <= now_ms && open().all(|given| given.from != from)
    }

    pub(super) fn give(&mut self, now_ms: u64, from: Seat, offer_id: Id) {
        let before = self.unanswered.len();
        self.unanswered.retain(|given| given.until_ms > now_ms);
        let lapsed = u8::try_from(before - self.unanswered.len()).unwrap_or(u8::MAX);
        self.missed = self.missed.saturating_add(lapsed);
        self.unanswered.push(Given { offer_id, from, until_ms: now_ms.saturating_add(WEBTORRENT_OFFER_AGE_MAX_MS) });
        let room = if self.missed >= WEBTORRENT_MISSED_MAX { 1 } else { WEBTORRENT_UNANSWERED_MAX };
        // Each waits as long as the others, so the oldest lapses first.
        self.full_until_ms = self.unanswered.first().filter(|_| self.unanswered.len() >= room).map_or(0, |oldest| oldest.until_ms);
    }

    /// It answers an offer: who made it, if it was passed to this one and waits for an answer.
    pub(super) fn take_answer(&mut self, now_ms: u64, offer_id: &Id, is_from: impl Fn(Seat) -> bool) -> Option<Seat> {
        let index =
            self.unanswered.iter().position(|given| given.offer_id == *offer_id && given.until_ms > now_ms && is_from(given.from))?;
        let given = self.unanswered.remove(index);
        (self.missed, self.full_until_ms) = (0, 0);
        if self.unanswered.is_empty() {
            // Most peers wait for hours with nothing to answer.
            self.unanswered = Vec::new();
        }
        Some(given.from)
    }
}
