//! What others say of one session, by the networks from which they say it: one network, however many visitors it sends, changes what that network gets and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use viral_wire::signal::Fault;

use crate::{
    limits::{COOLDOWN_MS, FAULT_COUNT_MAX, REPORTERS_PER_PEER_MAX},
    locality,
};

/// The standing of one session.
#[derive(Debug)]
pub(super) struct Standing {
    /// Its own network.
    own: IpAddr,
    /// Somebody of its own network got verified bytes from it.
    is_vouched_inside: bool,
    /// Faults with which it began, for what was done from its address, until a stranger vouches for it.
    inherited: u32,
    /// Of most peers nobody ever said anything.
    said: Option<Box<Said>>,
}

/// What was said of a session.
#[derive(Debug, Default)]
struct Said {
    /// Networks, its own not among them, of which somebody got verified bytes from it.
    vouchers: BTreeSet<IpAddr>,
    /// Who said that it forged, by leecher id, and of which network that one is.
    accusers: BTreeMap<u64, IpAddr>,
    /// Faults since it last served somebody, by the network that met them.
    marks: BTreeMap<IpAddr, Marks>,
}

/// What one network met.
#[derive(Debug, Default)]
struct Marks {
    fault_count: u32,
    /// One of them was for more than being slow.
    is_failing: bool,
    /// It forged: this network does not meet it again.
    is_forging: bool,
    /// Until when this network does not meet it, in milliseconds; 0 for never.
    cooldown_until_ms: u64,
}

/// What comes of the accusations so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Too few say it.
    Stays,
    /// Dropped, if its own network, which alone says it, did not have too many dropped.
    DroppedByOwn,
    /// Dropped.
    Dropped,
}

impl Standing {
    pub(super) fn new(address: IpAddr, inherited: u32) -> Self {
        Self { own: locality::network_key(address), is_vouched_inside: false, inherited, said: None }
    }

    fn said(&mut self) -> &mut Said {
        self.said.get_or_insert_default()
    }

    /// Whether it gave verified bytes to a stranger.
    pub(super) fn is_proven(&self) -> bool {
        self.said.as_ref().is_some_and(|said| !said.vouchers.is_empty())
    }

    /// Whether it gave verified bytes to somebody whose word counts in this network: a stranger of it, or one of this very network.
    pub(super) fn is_proven_to(&self, network: IpAddr) -> bool {
        self.is_proven() || (self.is_vouched_inside && network == self.own)
    }

    /// Somebody of this network got verified bytes from it. A stranger's word makes up for its faults, a neighbour's for those that neighbours met.
    pub(super) fn vouch(&mut self, network: IpAddr) {
        if network == self.own {
            self.is_vouched_inside = true;
            if let Some(said) = &mut self.said {
                said.marks.retain(|of, marks| *of != network || marks.is_forging);
            }
            return;
        }
        self.inherited = 0;
        let said = self.said();
        if said.vouchers.len() < REPORTERS_PER_PEER_MAX {
            said.vouchers.insert(network);
        }
        said.marks.retain(|_, marks| marks.is_forging);
    }

    /// One more fault, or a connection that never opened (`None`); true if so many networks met one that it should cool down for everybody.
    pub(super) fn count_fault(&mut self, now_ms: u64, network: IpAddr, fault: Option<Fault>) -> bool {
        let inherited = self.inherited;
        let said = self.said();
        if !said.marks.contains_key(&network) && said.marks.len() >= REPORTERS_PER_PEER_MAX {
            return false;
        }
        let marks = said.marks.entry(network).or_default();
        if marks.cooldown_until_ms != 0 && marks.cooldown_until_ms <= now_ms {
            *marks = Marks { is_forging: marks.is_forging, ..Marks::default() };
        }
        // A slow peer is slow for one leecher, perhaps because of that leecher: only the order of picks should feel it.
        let is_slow = fault == Some(Fault::Slow);
        let fault_count = inherited + marks.fault_count + 1;
        if !is_slow || fault_count < FAULT_COUNT_MAX {
            marks.fault_count += 1;
        }
        marks.is_failing |= !is_slow;
        if inherited + marks.fault_count >= FAULT_COUNT_MAX && marks.cooldown_until_ms == 0 {
            marks.cooldown_until_ms = now_ms.saturating_add(COOLDOWN_MS);
        }
        inherited + said.failing() >= FAULT_COUNT_MAX
    }

    /// It cooled down for everybody. Who never gave anything begins again where one more fault makes it cool down.
    pub(super) fn cooled_down(&mut self, inherited: u32) {
        if let Some(said) = &mut self.said {
            said.marks.retain(|_, marks| marks.is_forging);
        }
        self.inherited = if !self.is_proven() { inherited.max(FAULT_COUNT_MAX - 1) } else { 0 };
    }

    /// How far back it stands among peers as near, for visitors of this network.
    pub(super) fn fault_count_for(&self, now_ms: u64, network: IpAddr) -> u32 {
        let Some(said) = &self.said else { return self.inherited };
        let own = said.marks.get(&network).filter(|marks| marks.cooldown_until_ms == 0 || now_ms < marks.cooldown_until_ms);
        // One other network proves nothing.
        let others = Some(said.failing()).filter(|failing| *failing > 1);
        self.inherited + own.map_or(0, |marks| marks.fault_count).max(others.unwrap_or(0))
    }

    /// Whether this network does not meet it now.
    pub(super) fn is_cooling_down_for(&self, now_ms: u64, network: IpAddr) -> bool {
        let marks = self.said.as_ref().and_then(|said| said.marks.get(&network));
        marks.is_some_and(|marks| marks.is_forging || now_ms < marks.cooldown_until_ms)
    }

    /// Somebody of this network says that it forged. `met` are those that it met at all.
    pub(super) fn accuse(&mut self, reporter: u64, network: IpAddr, forged_reports_min: usize, met: usize) -> Verdict {
        let forged_reports_min = forged_reports_min.clamp(1, REPORTERS_PER_PEER_MAX);
        let own = self.own;
        let said = self.said();
        let is_new = said.accusers.values().all(|of| *of != network);
        // Many voices of one network leave room for those of others.
        if said.accusers.len() < REPORTERS_PER_PEER_MAX {
            said.accusers.insert(reporter, network);
        } else if is_new && let Some(twice) = said.one_of_many() {
            said.accusers.remove(&twice);
            said.accusers.insert(reporter, network);
        }
        if network != own && (said.marks.contains_key(&network) || said.marks.len() < 2 * REPORTERS_PER_PEER_MAX) {
            said.marks.entry(network).or_default().is_forging = true;
        }
        let networks: BTreeSet<IpAddr> = said.accusers.values().copied().collect();
        let neighbours = said.accusers.values().filter(|of| **of == own).count();
        if networks.len() < said.vouchers.len() {
            Verdict::Stays
        } else if networks.len() >= forged_reports_min {
            Verdict::Dropped
        } else if neighbours >= forged_reports_min.min(met.max(1)) {
            Verdict::DroppedByOwn
        } else {
            Verdict::Stays
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.said.as_ref().map_or(0, |said| said.accusers.len().max(said.marks.len()).max(said.vouchers.len()))
    }
}

impl Said {
    /// An accuser who is not the only one of its network.
    fn one_of_many(&self) -> Option<u64> {
        let count = |network: &IpAddr| self.accusers.values().filter(|of| *of == network).count();
        self.accusers.iter().find(|(_, network)| count(network) > 1).map(|(reporter, _)| *reporter)
    }

    /// Networks that met more than slowness.
    fn failing(&self) -> u32 {
        u32::try_from(self.marks.values().filter(|marks| marks.is_failing).count()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(number: u8) -> IpAddr {
        [198, 51, number, 0].into()
    }

    fn standing() -> Standing {
        Standing::new([198, 51, 0, 7].into(), 0)
    }

    #[test]
    fn what_one_network_meets_changes_nothing_for_another() {
        let mut standing = standing();
        for _ in 0..20 {
            assert!(!standing.count_fault(0, network(1), Some(Fault::Silent)));
        }
        assert!(standing.is_cooling_down_for(0, network(1)) && !standing.is_cooling_down_for(0, network(2)));
        assert_eq!(standing.fault_count_for(0, network(2)), 0);
        assert!(!standing.is_cooling_down_for(COOLDOWN_MS, network(1)), "after its rest");
        assert_eq!(standing.fault_count_for(COOLDOWN_MS, network(1)), 0);
    }

    #[test]
    fn a_peer_cools_down_for_everybody_when_three_networks_met_faults() {
        let mut standing = standing();
        assert!(!standing.count_fault(0, network(1), None) && !standing.count_fault(0, network(2), None));
        assert_eq!(standing.fault_count_for(0, network(3)), 2, "two networks agree");
        assert!(standing.count_fault(0, network(3), None));
        standing.cooled_down(0);
        assert!(standing.count_fault(0, network(4), None), "it never gave anybody anything");
    }

    #[test]
    fn slowness_alone_makes_no_peer_cool_down() {
        let mut standing = standing();
        for number in 1..=9 {
            assert!(!standing.count_fault(0, network(number % 4), Some(Fault::Slow)));
        }
        assert!((0..4).all(|number| !standing.is_cooling_down_for(0, network(number))));
    }

    #[test]
    fn one_foreign_network_hides_a_forger_from_itself_and_two_drop_it() {
        let mut standing = standing();
        for reporter in 0..50 {
            assert_eq!(standing.accuse(reporter, network(1), 2, 50), Verdict::Stays);
        }
        assert!(standing.is_cooling_down_for(0, network(1)) && !standing.is_cooling_down_for(0, network(2)));
        assert_eq!(standing.accuse(50, network(2), 2, 50), Verdict::Dropped, "however loud the first one was");
    }

    #[test]
    fn a_proven_peer_stays_until_as_many_networks_accuse_as_vouch() {
        let mut standing = standing();
        (1..=3).for_each(|number| standing.vouch(network(number)));
        assert_eq!(standing.accuse(1, network(7), 2, 9), Verdict::Stays);
        assert_eq!(standing.accuse(2, network(8), 2, 9), Verdict::Stays);
        assert_eq!(standing.accuse(3, network(0), 2, 9), Verdict::Dropped);
    }

    #[test]
    fn neighbours_alone_drop_a_peer_that_no_stranger_knows() {
        let mut standing = standing();
        assert_eq!(standing.accuse(1, network(0), 2, 5), Verdict::Stays);
        assert_eq!(standing.accuse(2, network(0), 2, 5), Verdict::DroppedByOwn);
        assert_eq!(Standing::new([198, 51, 0, 7].into(), 0).accuse(1, network(0), 2, 1), Verdict::DroppedByOwn, "the only one it met");
    }

    #[test]
    fn a_neighbours_word_counts_among_neighbours_only() {
        let mut standing = standing();
        standing.count_fault(0, network(1), None);
        standing.vouch(network(0));
        assert!(standing.is_proven_to(network(0)) && !standing.is_proven_to(network(1)));
        assert_eq!(standing.fault_count_for(0, network(1)), 1);
        standing.vouch(network(2));
        assert!(standing.is_proven_to(network(1)));
        assert_eq!(standing.fault_count_for(0, network(1)), 0);
    }

    #[test]
    fn what_is_remembered_of_networks_is_bounded() {
        let mut standing = standing();
        for number in 0..=255 {
            standing.count_fault(0, network(number), Some(Fault::Slow));
            standing.vouch(network(number));
            standing.accuse(u64::from(number), network(number), usize::MAX, usize::MAX);
        }
        assert!(standing.len() <= 2 * REPORTERS_PER_PEER_MAX, "{}", standing.len());
    }
}
