//! Who could be picked, in the order of preference.

use std::net::IpAddr;

use viral_wire::signal::PeerNumber;

/// Somebody who could be picked. The order of the fields is the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Choice {
    pub(super) rank: Rank,
    pub(super) draw: u64,
    pub(super) peer: PeerNumber,
    /// Holds (nearly) all of the very manifest that is wanted, so that it can push.
    pub(super) can_push: bool,
    pub(super) network: IpAddr,
    /// At the searcher's network or site, of which one visitor may get any number.
    pub(super) is_own: bool,
}

impl Choice {
    pub(super) fn is_as_good_as(&self, best: &Self) -> bool {
        self.rank.0 >> Rank::DETAILS == best.rank.0 >> Rank::DETAILS
    }
}

/// What speaks against somebody and for it, the weightiest first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merits {
    pub(super) fault_count: u32,
    /// Most others cannot connect to it from where the seeker is.
    pub(super) is_hard_to_reach: bool,
    pub(super) is_unproven: bool,
    pub(super) partial: bool,
    /// How good the way from its network is; 0 is best.
    pub(super) way: u8,
    pub(super) free_slots: usize,
    pub(super) active: usize,
}

/// The same in one number, the best first: each visit compares many. From the top: 16 bits of faults, three of what is so or not, and as details 8 each of the way, of slots that are not
/// free, and of those that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u64);

impl Rank {
    /// Bits of what is looked at only among equals.
    const DETAILS: u32 = 24;
    const PARTIAL: u64 = 1 << Self::DETAILS;
    const UNPROVEN: u64 = Self::PARTIAL << 1;
    const HARD: u64 = Self::UNPROVEN << 1;
    const FAULTS: u32 = Self::DETAILS + 3;

    pub(super) fn is_hard_to_reach(self) -> bool {
        self.0 & Self::HARD != 0
    }

    fn is_unproven(self) -> bool {
        self.0 & Self::UNPROVEN != 0
    }

    /// Nothing speaks against it, though nothing may speak for it.
    fn is_fine(self) -> bool {
        self.0 >> Self::DETAILS & !(Self::UNPROVEN >> Self::DETAILS) == 0
    }
}

impl From<Merits> for Rank {
    fn from(merits: Merits) -> Self {
        let byte = |count: usize| count.min(0xff) as u64;
        let flag = |is_so: bool, bit: u64| if is_so { bit } else { 0 };
        let faults = u64::from(merits.fault_count.min(0xffff)) << Self::FAULTS;
        let flags =
            flag(merits.is_hard_to_reach, Self::HARD) | flag(merits.is_unproven, Self::UNPROVEN) | flag(merits.partial, Self::PARTIAL);
        let details = u64::from(merits.way) << 16 | (0xff - byte(merits.free_slots)) << 8 | byte(merits.active);
        Self(faults | flags | details)
    }
}

/// Those that could be picked so far, by network: many sessions of a foreign one are no more than one of it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Against whom nothing speaks, and who are proven.
    pub(super) good: Vec<IpAddr>,
    /// Against whom nothing speaks.
    pub(super) fine: Vec<IpAddr>,
}

impl Seen {
    /// Notes one of those; of each kind no more than `count_max` are told apart.
    pub(super) fn note(&mut self, choice: &Choice, count_max: usize) {
        if !choice.rank.is_fine() {
            return;
        }
        let note = |networks: &mut Vec<IpAddr>| {
            if networks.len() < count_max && (choice.is_own || !networks.contains(&choice.network)) {
                networks.push(choice.network);
            }
        };
        note(&mut self.fine);
        if !choice.rank.is_unproven() {
            note(&mut self.good);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weighs_more_comes_first() {
        let best =
            Merits { fault_count: 0, is_hard_to_reach: false, is_unproven: false, partial: false, way: 0, free_slots: 255, active: 0 };
        let worse = [
            Merits { active: 300, ..best },
            Merits { free_slots: 254, ..best },
            Merits { free_slots: 0, active: 9, ..best },
            Merits { way: 1, ..best },
            Merits { way: 255, free_slots: 0, active: 255, ..best },
            Merits { partial: true, ..best },
            Merits { is_unproven: true, ..best },
            Merits { is_hard_to_reach: true, ..best },
            Merits { fault_count: 1, ..best },
            Merits { fault_count: 70_000, ..best },
        ];
        let ranks: Vec<Rank> = [best].into_iter().chain(worse).map(Rank::from).collect();
        assert!(ranks.is_sorted() && ranks.windows(2).all(|pair| pair[0] != pair[1]), "{ranks:?}");
        let fine: Vec<bool> = ranks.iter().map(|rank| rank.is_fine()).collect();
        assert_eq!(fine, [true, true, true, true, true, true, false, true, false, false, false]);
        assert_eq!(ranks.iter().filter(|rank| rank.is_hard_to_reach() || rank.is_unproven()).count(), 2);
    }
}
