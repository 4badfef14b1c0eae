//! What one socket announced: its peers, each in its torrent.

use viral_wire::webtorrent::Id;

use super::peer::Seat;
use crate::limits::{WEBTORRENT_PEER_AGE_MAX_MS, WEBTORRENT_SEATS_MAX, WEBTORRENT_SEATS_SAME_MAX};

/// The peers of one socket.
#[derive(Debug, Default)]
pub struct Seats(Vec<Taken>);

#[derive(Debug)]
struct Taken {
    info_hash: Id,
    peer_id: Id,
    seat: Seat,
    said_ms: u64,
}

impl Seats {
    /// Where a peer of this socket sat when it said something last.
    #[must_use]
    pub fn find(&self, info_hash: &Id, peer_id: &Id) -> Option<Seat> {
        self.0.iter().find(|taken| taken.is(info_hash, peer_id)).map(|taken| taken.seat)
    }

    /// Whether another peer of this torrent may be announced at `now_ms`. Who said nothing for so long that it is forgotten makes room.
    pub fn make_room(&mut self, now_ms: u64, info_hash: &Id) -> bool {
        let has_room = |seats: &[Taken]| {
            let same = seats.iter().filter(|taken| taken.info_hash == *info_hash).count();
            seats.len() < WEBTORRENT_SEATS_MAX && same < WEBTORRENT_SEATS_SAME_MAX
        };
        if !has_room(&self.0) {
            self.0.retain(|taken| taken.said_ms.saturating_add(WEBTORRENT_PEER_AGE_MAX_MS) > now_ms);
        }
        has_room(&self.0)
    }

    /// A peer said something at `now_ms`, and sits there now; none where it left.
    pub fn note(&mut self, now_ms: u64, (info_hash, peer_id): (&Id, &Id), seat: Option<Seat>) {
        let index = self.0.iter().position(|taken| taken.is(info_hash, peer_id));
        match (index, seat) {
            (Some(index), Some(seat)) => (self.0[index].seat, self.0[index].said_ms) = (seat, now_ms),
            (Some(index), None) => {
                self.0.swap_remove(index);
            }
            (None, Some(seat)) => self.0.push(Taken { info_hash: *info_hash, peer_id: *peer_id, seat, said_ms: now_ms }),
            (None, None) => {}
        }
    }

    /// All of them, each with its torrent.
    pub fn iter(&self) -> impl Iterator<Item = (&Id, Seat)> {
        self.0.iter().map(|taken| (&taken.info_hash, taken.seat))
    }
}

impl Taken {
    fn is(&self, info_hash: &Id, peer_id: &Id) -> bool {
        self.info_hash == *info_hash && self.peer_id == *peer_id
    }
}
