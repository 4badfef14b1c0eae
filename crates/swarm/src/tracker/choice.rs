//! Who could be picked, in the order of preference.

use std::{cmp::Reverse, net::IpAddr};

use viral_wire::signal::PeerNumber;

/// Somebody who could be picked. The order of the fields is the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Choice {
    pub(super) fault_count: u32,
    /// Most others cannot connect to it from where the seeker is.
    pub(super) is_hard_to_reach: bool,
    pub(super) is_unproven: bool,
    pub(super) partial: bool,
    /// How good the way from its network is.
    pub(super) way: u8,
    pub(super) free_slots: Reverse<usize>,
    pub(super) active: usize,
    pub(super) draw: u64,
    pub(super) peer: PeerNumber,
    /// Holds (nearly) all of the very manifest that is wanted, so that it can push.
    pub(super) can_push: bool,
    pub(super) network: IpAddr,
    /// At the searcher's network or site, of which one visitor may get any number.
    pub(super) is_own: bool,
}

impl Choice {
    /// Nothing speaks against it, though nothing may speak for it.
    fn is_fine(&self) -> bool {
        self.fault_count == 0 && !self.is_hard_to_reach && !self.partial
    }

    pub(super) fn is_as_good_as(&self, best: &Self) -> bool {
        let rank = |choice: &Self| (choice.fault_count, choice.is_hard_to_reach, choice.is_unproven, choice.partial);
        rank(self) == rank(best)
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
    pub(super) fn note(&mut self, choice: &Choice) {
        let kinds = [(choice.is_fine(), &mut self.fine), (choice.is_fine() && !choice.is_unproven, &mut self.good)];
        for (_, networks) in kinds.into_iter().filter(|(is_one, _)| *is_one) {
            if choice.is_own || !networks.contains(&choice.network) {
                networks.push(choice.network);
            }
        }
    }
}
