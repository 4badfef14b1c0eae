//! To whom the offers of a peer are passed: the nearest first, and a share of them to anybody.

use super::{
    config::WebTorrentConfig,
    peer::{Peer, Seat},
    swarm::Swarm,
};
use crate::{
    limits::WEBTORRENT_SCAN_MAX,
    locality::{Ladder, SharePolicy, Tier},
    random::Random,
};

/// Who offers, and to whom it may.
struct Search<'s, H> {
    now_ms: u64,
    seat: Seat,
    peer: &'s Peer<H>,
    ladder: &'s Ladder,
}

/// Up to `wanted` peers for the offers of the one in `seat`.
pub(super) fn choose<H: Clone>(
    swarm: &Swarm<H>,
    (now_ms, seat): (u64, Seat),
    wanted: usize,
    config: &WebTorrentConfig,
    random: &mut Random,
) -> Vec<Seat> {
    let Some(peer) = swarm.peer(seat).filter(|peer| peer.guest.share != SharePolicy::Off) else { return Vec::new() };
    let ladder = &config.ladder;
    let search = Search { now_ms, seat, peer, ladder };
    let mut is_for_anybody = || random.next_u64() % 1000 < u64::from(config.random_share_permille);
    let from_afar = if ladder.policy(Tier::Anyone) == SharePolicy::On { (0..wanted).filter(|_| is_for_anybody()).count() } else { 0 };
    let mut chosen = Vec::with_capacity(wanted);
    for tier in ladder.tiers().filter(|tier| ladder.policy(*tier) == SharePolicy::On) {
        match (tier, peer.guest.place.key(tier)) {
            (Tier::Anyone, _) => search.add(&mut chosen, swarm.all(random.next_u64()), wanted),
            (_, Some(key)) => search.add(&mut chosen, swarm.near(key, random.next_u64()), wanted - from_afar),
            (_, None) => {}
        }
    }
    chosen
}

impl<'s, H: Clone> Search<'s, H> {
    fn add(&self, chosen: &mut Vec<Seat>, candidates: impl Iterator<Item = (Seat, &'s Peer<H>)>, count_max: usize) {
        for (seat, other) in candidates.take(WEBTORRENT_SCAN_MAX) {
            if chosen.len() >= count_max {
                return;
            }
            // Most of a busy torrent have no room, and that is told at a glance.
            if other.has_room(self.now_ms, self.seat) && self.is_choice(other) && !chosen.contains(&seat) {
                chosen.push(seat);
            }
        }
    }

    fn is_choice(&self, other: &Peer<H>) -> bool {
        let is_within_reach = || self.ladder.policy(self.peer.guest.place.tier_to(&other.guest.place)) == SharePolicy::On;
        self.peer.may_meet(other) && is_within_reach()
    }
}
