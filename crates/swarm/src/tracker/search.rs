//! What a choice among seeders is made by.

use std::net::IpAddr;

use viral_wire::{
    Digest,
    signal::{NatKind, PeerNumber},
};

use super::{
    choice::{Choice, Merits},
    learned_locality::Learned,
    lines::Lines,
    session::Session,
};
use crate::{
    address::ClientAddr,
    coverage::{Coverage, permille},
    limits::COMPLETE_MIN_PERMILLE,
    locality::{self, Ladder, Place, SharePolicy},
    nat::NatFacts,
    random::Random,
};

/// What a choice among seeders is for.
pub(super) struct Search<'a> {
    pub(super) now_ms: u64,
    pub(super) addr: ClientAddr,
    pub(super) place: Place,
    /// The network of that, as strangers are counted.
    pub(super) network: IpAddr,
    /// What it says that it is behind; a thin visit could not say yet.
    pub(super) nat: Option<NatKind>,
    /// Whether its offers name an address of IPv6.
    pub(super) names_ipv6: bool,
    pub(super) manifest: Digest,
    pub(super) count_max: usize,
    pub(super) excluded: &'a dyn Fn(PeerNumber) -> bool,
    /// Least share of the wanted manifest that a peer must hold, in permille.
    pub(super) covered_min: u16,
    /// For a thin answer, whose holder cannot ask again: never two of one foreign network.
    pub(super) is_thin: bool,
    /// Only of the nearest tiers, of which another server's visitor wants somebody.
    pub(super) near_only: bool,
    /// Who is behind another line is chosen only if it may be connected beyond that.
    pub(super) crossing: Crossing,
    /// What others of its network got of whom.
    pub(super) learned: Learned<'a>,
    pub(super) coverage: &'a dyn Coverage,
}

/// Who may be connected beyond a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crossing {
    /// Anybody: there is no crowd, or somebody does not reach neighbours.
    Free,
    /// The few of each line.
    Few,
    /// This one, with whomever.
    Own,
    /// Not this one: few of its neighbours are already.
    Never,
}

impl Search<'_> {
    /// A peer as somebody who could be picked for what a source is worth; none if it cannot.
    pub(super) fn judged(
        &self,
        (ladder, lines): (&Ladder, &Lines),
        (peer, session): (PeerNumber, &Session),
        &(manifest, share, bytes): &(Digest, u16, u64),
        random: &mut Random,
    ) -> Option<Choice> {
        if (self.excluded)(peer) {
            return None;
        }
        let place = session.addr.place();
        // Most often every tier is on, and how near two are says nothing.
        let policy = if ladder.is_on_everywhere() { SharePolicy::On } else { ladder.policy(self.place.tier_to(&place)) };
        match policy {
            SharePolicy::Off => return None,
            SharePolicy::Leech if !session.addr.is_native => return None,
            SharePolicy::Leech | SharePolicy::On => {}
        }
        let network = locality::network_key(session.addr.public);
        let is_own = self.network == network || self.addr.is_same_site(&session.addr);
        let is_barred = match self.crossing {
            Crossing::Free | Crossing::Own => false,
            Crossing::Few => !is_own && !lines.may_cross(self.now_ms, peer),
            Crossing::Never => !is_own,
        };
        let held = session.held.map_or(0, |held| permille(held.bytes, bytes));
        let covered = u32::from(share) * u32::from(held) / 1000;
        let facts = session.nat_facts();
        let seeker = NatFacts { addr: &self.addr, nat: self.nat, names_ipv6: self.names_ipv6, is_told: true };
        let is_no_choice = is_barred
            || covered < u32::from(self.covered_min)
            || session.standing.is_cooling_down_for(self.now_ms, self.network)
            || !(is_own || session.book.has_room_for(self.network))
            || self.learned.is_failing(&place)
            || !seeker.may_connect(&facts);
        if is_no_choice {
            return None;
        }
        let merits = Merits {
            fault_count: session.standing.fault_count_for(self.now_ms, self.network),
            is_hard_to_reach: !seeker.likely_connects(&facts),
            is_unproven: !session.standing.is_proven_to(self.network),
            partial: covered < u32::from(COMPLETE_MIN_PERMILLE),
            way: self.learned.class(&place),
            free_slots: session.book.free_slots(),
            active: session.book.uploads.len(),
        };
        let can_push = manifest == self.manifest && held >= COMPLETE_MIN_PERMILLE;
        Some(Choice { rank: merits.into(), draw: random.next_u64(), peer, can_push, network, is_own })
    }
}
