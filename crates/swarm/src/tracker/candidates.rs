//! The seeders that could serve one more leecher now, by what they hold and where they are.

use std::collections::{BTreeMap, BTreeSet};

use viral_wire::{Digest, signal::PeerNumber};

use self::{
    holders::{Holders, Standing},
    list::Table,
};
use super::by_peer::ByPeer;
use crate::locality::{Key, Place, Tier};

mod holders;
mod list;

/// All that are ready, and once more the native peers among them where they alone may give on some tier.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    everybody: Pool,
    natives: Option<Box<Pool>>,
}

/// Who may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Everybody,
    Natives,
}

/// Two indexes; a peer is in one of them as long as it is ready.
#[derive(Debug, Default)]
struct Pool {
    /// Strangers vouched for these.
    proven: Index,
    /// All others. A choice that finds enough of the former never looks at them.
    unproven: Index,
}

#[derive(Debug, Default)]
struct Index {
    members: ByPeer<Member>,
    by_manifest: BTreeMap<Digest, u32>,
    holders: Table<(Digest, Holders)>,
}

/// Where a peer stands in the index.
#[derive(Debug, Clone, Copy)]
struct Member {
    holders: u32,
    standing: Standing,
}

impl Index {
    /// True if it was not in it already.
    fn insert(&mut self, peer: PeerNumber, manifest: Digest, place: &Place) -> bool {
        if self.is_at(peer, manifest, place) {
            return false;
        }
        self.remove(peer);
        let number = match self.by_manifest.get(&manifest) {
            Some(number) => *number,
            None => {
                let number = self.holders.insert((manifest, Holders::default()));
                self.by_manifest.insert(manifest, number);
                number
            }
        };
        let standing = self.holders.get_mut(number).and_then(|(_, holders)| holders.insert(peer, place));
        self.members.extend(standing.map(|standing| (peer, Member { holders: number, standing })));
        true
    }

    fn is_at(&self, peer: PeerNumber, manifest: Digest, place: &Place) -> bool {
        self.members.get(&peer).is_some_and(|member| {
            let holders = self.holders.get(member.holders);
            holders.is_some_and(|(of, holders)| *of == manifest && holders.is_at(&member.standing, place))
        })
    }

    /// True if it was in it.
    fn remove(&mut self, peer: PeerNumber) -> bool {
        let Some(Member { holders: number, standing }) = self.members.remove(&peer) else { return false };
        let Some((manifest, holders)) = self.holders.get_mut(number) else { return true };
        let [moved_near, moved] = holders.remove(&standing);
        if holders.count == 0 {
            self.by_manifest.remove(manifest);
            self.holders.remove(number);
        }
        if let Some(member) = moved_near.and_then(|peer| self.members.get_mut(&peer)) {
            member.standing.near_at = standing.near_at;
        }
        if let Some(member) = moved.and_then(|peer| self.members.get_mut(&peer)) {
            member.standing.cell_at = standing.cell_at;
        }
        true
    }

    fn holders_of(&self, manifest: &Digest) -> Option<&Holders> {
        self.holders.get(*self.by_manifest.get(manifest)?).map(|(_, holders)| holders)
    }

    fn ready_holders(&self, manifest: Digest) -> impl Iterator<Item = PeerNumber> {
        self.holders_of(&manifest).into_iter().flat_map(Holders::peers)
    }

    /// What is held, from a manifest on, round and round.
    fn manifests(&self, start: Digest) -> impl Iterator<Item = Digest> {
        self.by_manifest.range(start..).chain(self.by_manifest.range(..start)).map(|(manifest, _)| *manifest)
    }
}

impl Pool {
    fn insert(&mut self, peer: PeerNumber, manifest: Digest, place: &Place, is_proven: bool) -> bool {
        let (into, other) = if is_proven { (&mut self.proven, &mut self.unproven) } else { (&mut self.unproven, &mut self.proven) };
        let has_moved = other.remove(peer);
        into.insert(peer, manifest, place) && !has_moved
    }

    fn remove(&mut self, peer: PeerNumber) {
        self.proven.remove(peer);
        self.unproven.remove(peer);
    }
}

impl Candidates {
    /// Nobody yet. With `finds_natives` native peers are found among any number of others; else nobody asks for them.
    pub(super) fn new(finds_natives: bool) -> Self {
        Self { everybody: Pool::default(), natives: finds_natives.then(Box::default) }
    }

    /// Puts a peer in, among those for which a stranger vouched or among the others. True if it was not in already.
    pub(super) fn insert(&mut self, peer: PeerNumber, manifest: Digest, place: &Place, (is_proven, is_native): (bool, bool)) -> bool {
        if let Some(natives) = self.natives.as_mut().filter(|_| is_native) {
            natives.insert(peer, manifest, place, is_proven);
        }
        self.everybody.insert(peer, manifest, place, is_proven)
    }

    pub(super) fn remove(&mut self, peer: PeerNumber) {
        self.everybody.remove(peer);
        if let Some(natives) = &mut self.natives {
            natives.remove(peer);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.everybody.proven.members.len() + self.everybody.unproven.members.len()
    }

    /// Up to `count_max` manifests that somebody ready holds, with how many.
    pub(super) fn holdings(&self, count_max: usize) -> Vec<(Digest, u32)> {
        let mut counts = BTreeMap::new();
        for index in [&self.everybody.proven, &self.everybody.unproven] {
            for (manifest, number) in index.by_manifest.iter().take(count_max) {
                let count = index.holders.get(*number).map_or(0, |(_, holders)| holders.count);
                let all = counts.entry(*manifest).or_insert(0_u32);
                *all = all.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            }
        }
        counts.into_iter().take(count_max).collect()
    }

    /// Everybody ready who holds (some of) a manifest.
    pub(super) fn ready_holders(&self, manifest: Digest) -> impl Iterator<Item = PeerNumber> {
        self.everybody.proven.ready_holders(manifest).chain(self.everybody.unproven.ready_holders(manifest))
    }

    /// Up to `count_max` manifests that somebody ready holds: `wanted` first, then others from a random point on, round and round, what proven peers hold before the rest.
    pub(super) fn manifests(&self, wanted: Digest, start: Digest, count_max: usize) -> Vec<Digest> {
        let mut known = BTreeSet::from([wanted]);
        let Pool { proven, unproven } = &self.everybody;
        let others = proven.manifests(start).chain(unproven.manifests(start)).filter(|manifest| known.insert(*manifest));
        std::iter::once(wanted).chain(others).take(count_max).collect()
    }

    /// Up to `count_max` distinct ready holders of `manifest` within one tier of `place`, those for which a stranger vouched (`is_proven`) or the others, from one on that `start`
    /// names, round and round; beyond the address and the prefix one of each prefix before others, and but for the last tier few of each, so that many sessions of one prefix are no more likely to be found than one.
    ///
    /// A random `start` makes this a random sample of a large swarm, at the same cost in one of any size.
    pub(super) fn holders(
        &self,
        who: Who,
        manifest: Digest,
        (place, tier): (&Place, Tier),
        (is_proven, start): (bool, u64),
        count_max: usize,
    ) -> Box<dyn Iterator<Item = PeerNumber> + '_> {
        match self.index(who, is_proven).and_then(|index| index.holders_of(&manifest)) {
            Some(holders) => holders.within(place, tier, start, count_max),
            None => Box::new(std::iter::empty()),
        }
    }

    /// A few ready holders of `manifest` in a network, as [`Self::holders`].
    pub(super) fn of_network(
        &self,
        who: Who,
        manifest: Digest,
        network: Key,
        (is_proven, start): (bool, u64),
    ) -> impl Iterator<Item = PeerNumber> + '_ {
        let holders = self.index(who, is_proven).and_then(|index| index.holders_of(&manifest));
        holders.into_iter().flat_map(move |holders| holders.of_network(network, start))
    }

    fn index(&self, who: Who, is_proven: bool) -> Option<&Index> {
        let pool = match who {
            Who::Everybody => &self.everybody,
            Who::Natives => self.natives.as_deref()?,
        };
        Some(if is_proven { &pool.proven } else { &pool.unproven })
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, num::NonZeroU32};

    use super::*;
    use crate::locality::{Code, Region, SiteId};

    /// Neither proven nor native.
    const NEW: (bool, bool) = (false, false);
    const PROVEN: (bool, bool) = (true, false);

    fn number(bits: u64) -> PeerNumber {
        PeerNumber::from_bits(bits)
    }

    fn at(address: &str) -> Place {
        Place::of(address.parse().unwrap())
    }

    #[test]
    fn a_tier_holds_the_nearer_ones_too_and_starts_anywhere() {
        let mut candidates = Candidates::default();
        let manifest = Digest::of(b"m");
        for (bits, address) in [(1, "10.0.0.1"), (2, "10.0.0.1"), (3, "10.0.0.9"), (4, "192.0.2.1")] {
            candidates.insert(number(bits), manifest, &at(address), NEW);
        }
        let here = at("10.0.0.1");
        let holders =
            |tier, start, max| candidates.holders(Who::Everybody, manifest, (&here, tier), (false, start), max).collect::<Vec<_>>();
        assert_eq!(holders(Tier::SameAddress, 1, 9), [number(2), number(1)]);
        assert_eq!(holders(Tier::SamePrefix, 3, 9), [number(1), number(2), number(3)]);
        assert_eq!(holders(Tier::Anyone, 0, 3), [number(1), number(4), number(2)], "one of each network first");
        assert_eq!(holders(Tier::Anyone, 1, 9).len(), 4);
    }

    #[test]
    fn a_thousand_sessions_of_one_network_are_found_no_sooner_than_one() {
        let mut candidates = Candidates::default();
        let manifest = Digest::of(b"m");
        for bits in 1_000..2_000 {
            candidates.insert(number(bits * 7_919), manifest, &at("198.51.100.1"), NEW);
        }
        let honest = ["10.0.0.1", "192.0.2.1", "203.0.113.1", "2001:db8::1", "2a00::1"];
        for (bits, address) in (1..).zip(honest) {
            candidates.insert(number(bits), manifest, &at(address), NEW);
        }
        for start in 0..200_u64 {
            let here = at("10.9.9.9");
            let found = candidates
                .holders(Who::Everybody, manifest, (&here, Tier::Anyone), (false, start.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 6)
                .collect::<Vec<_>>();
            let distinct: BTreeSet<_> = found.iter().collect();
            assert_eq!((found.len(), distinct.len()), (6, 6));
            assert!((1..=5).all(|bits| found.contains(&number(bits))), "{found:?}");
        }
    }

    #[test]
    fn where_networks_are_few_each_gives_its_second_before_any_its_third() {
        let mut candidates = Candidates::default();
        let manifest = Digest::of(b"m");
        for bits in 0..90_u8 {
            let address = IpAddr::from([198, 51, if bits < 70 { 1 } else { bits / 10 }, bits]);
            candidates.insert(number(u64::from(bits) + 1), manifest, &Place::of(address), NEW);
        }
        let here = at("10.9.9.9");
        for start in 0..50_u64 {
            let found =
                candidates.holders(Who::Everybody, manifest, (&here, Tier::Anyone), (false, start.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 9);
            let networks = found.map(|peer| if peer.get() <= 70 { 0 } else { (peer.get() - 1) / 10 });
            let counted = networks.fold(BTreeMap::<u64, usize>::new(), |mut counted, network| {
                *counted.entry(network).or_default() += 1;
                counted
            });
            assert_eq!(counted, BTreeMap::from([(0, 3), (7, 3), (8, 3)]));
        }
    }

    #[test]
    fn removing_the_last_holder_forgets_the_manifest() {
        let mut candidates = Candidates::default();
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let place = at("10.0.0.1");
        candidates.insert(number(1), old, &place, NEW);
        candidates.insert(number(1), new, &place, NEW);
        assert_eq!(candidates.manifests(new, old, 9), [new]);
        candidates.remove(number(1));
        candidates.remove(number(1));
        assert_eq!(candidates.len(), 0);
        assert!(candidates.everybody.unproven.by_manifest.is_empty());
    }

    #[test]
    fn whoever_has_proven_himself_is_found_among_any_number_of_others() {
        let mut candidates = Candidates::default();
        let (manifest, here) = (Digest::of(b"m"), at("10.9.9.9"));
        for bits in 1..=5_000_u64 {
            let address = IpAddr::from([11, (bits >> 8) as u8, bits as u8, 1]);
            candidates.insert(number(bits), manifest, &Place::of(address), NEW);
        }
        assert!(!candidates.insert(number(77), manifest, &at("11.0.77.1"), PROVEN), "it was ready before");
        assert!(candidates.insert(number(9_999), manifest, &at("12.0.0.1"), PROVEN));
        for start in [0, 1, u64::MAX / 3] {
            let holders = |is_proven| {
                candidates.holders(Who::Everybody, manifest, (&here, Tier::Anyone), (is_proven, start), 4).collect::<BTreeSet<_>>()
            };
            assert_eq!(holders(true), BTreeSet::from([number(77), number(9_999)]));
            assert!(holders(false).len() == 4 && holders(false).is_disjoint(&holders(true)));
        }
        assert_eq!(candidates.len(), 5_001);
    }

    /// A place of which something is known as `bits` say: in some prefixes of several regions.
    fn somewhere(bits: u64) -> Place {
        let (network, host) = ((bits >> 24 & 7) as u8, (bits >> 32 & 3) as u8);
        let region = Region {
            site: (network == 7).then(|| SiteId::of("office")),
            network: NonZeroU32::new(u32::from(network) & 2),
            country: [None, Code::new("DE")][usize::from(host & 1)],
            continent: Code::new(["EU", "AS"][usize::from(network & 1)]),
        };
        Place { address: [198, 51, network, host].into(), region }
    }

    #[test]
    fn whoever_comes_and_goes_every_list_stays_true() {
        let mut candidates = Candidates::new(true);
        let mut random = crate::random::Random::new(3);
        let mut known = BTreeMap::<PeerNumber, (Place, Digest, bool, bool)>::new();
        for _ in 0..5_000 {
            let bits = random.next_u64();
            let peer = number(bits % 97);
            if bits & 1 << 20 == 0 {
                candidates.remove(peer);
                known.remove(&peer);
            } else {
                let (place, manifest) = (somewhere(bits), Digest::of(&[(bits >> 40 & 1) as u8]));
                // Whether it is native stays as it is.
                let (is_proven, is_native) = (bits >> 48 & 1 == 1, peer.get().is_multiple_of(3));
                candidates.insert(peer, manifest, &place, (is_proven, is_native));
                known.insert(peer, (place, manifest, is_proven, is_native));
            }
            let natives = candidates.natives.as_ref().unwrap();
            for (pool, has) in [(&candidates.everybody, &(|_| true) as &dyn Fn(bool) -> bool), (natives, &|is_native| is_native)] {
                for (index, of_proven) in [(&pool.proven, true), (&pool.unproven, false)] {
                    let meant = known.iter().filter(|(_, (_, _, is_proven, is_native))| *is_proven == of_proven && has(*is_native));
                    assert_eq!(index.members.len(), meant.count());
                    for (digest, holders) in &index.by_manifest {
                        let (of, standings) = index.holders.get(*holders).unwrap();
                        assert_eq!(of, digest);
                        let of_these = index.members.iter().filter(|(_, member)| member.holders == *holders);
                        standings.assert_consistent(of_these.map(|(peer, member)| (*peer, &member.standing, &known[peer].0)));
                    }
                }
            }
        }
        assert!(candidates.len() > 20);
        // Each tier finds exactly those that have its key in common.
        let here = somewhere(7 << 24);
        for tier in Tier::ALL {
            for of_proven in [true, false] {
                let manifest = Digest::of(&[0]);
                let found = candidates.holders(Who::Everybody, manifest, (&here, tier), (of_proven, 5), 1_000).collect::<Vec<_>>();
                let shares = |place: &Place| tier == Tier::Anyone || here.key(tier).is_some_and(|key| place.key(tier) == Some(key));
                let meant =
                    known.iter().filter(|(_, (place, of, is_proven, _))| *of == manifest && *is_proven == of_proven && shares(place));
                let meant: BTreeSet<_> = meant.map(|(peer, _)| peer).collect();
                let is_bounded = matches!(tier, Tier::SameNetwork | Tier::SameCountry | Tier::SameContinent);
                let found_ones: BTreeSet<_> = found.iter().collect();
                assert!(
                    if is_bounded {
                        found_ones.is_subset(&meant) && found_ones.is_empty() == meant.is_empty()
                    } else {
                        found_ones == meant
                    },
                    "{tier:?}"
                );
                assert_eq!(found.len(), found.iter().collect::<BTreeSet<_>>().len(), "each once");
                let natives = candidates.holders(Who::Natives, manifest, (&here, tier), (of_proven, 5), 1_000).collect::<BTreeSet<_>>();
                let native = |peer: &PeerNumber| peer.get().is_multiple_of(3);
                assert!(natives.iter().all(native) && (is_bounded || natives == found.into_iter().filter(native).collect()));
            }
        }
        for bits in 0..97 {
            candidates.remove(number(bits));
        }
        let pools = [candidates.everybody, *candidates.natives.unwrap()];
        assert!(
            pools
                .iter()
                .flat_map(|pool| [&pool.proven, &pool.unproven])
                .all(|index| index.by_manifest.is_empty() && index.members.is_empty())
        );
    }

    #[test]
    fn of_a_country_one_prefix_is_found_no_sooner_than_another() {
        let mut candidates = Candidates::default();
        let manifest = Digest::of(b"m");
        let region = Region { country: Code::new("DE"), ..Region::default() };
        let place = |address: [u8; 4]| Place { address: address.into(), region };
        for bits in 1_000..2_000 {
            candidates.insert(number(bits * 7_919), manifest, &place([198, 51, 100, bits as u8]), NEW);
        }
        for bits in 1..=5 {
            candidates.insert(number(bits), manifest, &place([203, 0, bits as u8, 1]), NEW);
        }
        candidates.insert(number(6), manifest, &at("192.0.2.1"), NEW);
        for start in 0..50_u64 {
            let (here, start) = (place([10, 9, 9, 9]), start.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let found =
                candidates.holders(Who::Everybody, manifest, (&here, Tier::SameCountry), (false, start), 6).collect::<BTreeSet<_>>();
            assert!((1..=5).all(|bits| found.contains(&number(bits))) && !found.contains(&number(6)), "{found:?}");
        }
    }
}
