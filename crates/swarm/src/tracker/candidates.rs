//! The seeders that could serve one more leecher now, by what they hold and where they are.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use viral_wire::{Digest, signal::PeerNumber};

use crate::locality::{self, Tier};

/// Two indexes; a peer is in one of them as long as it is ready.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Strangers vouched for these.
    proven: Index,
    /// All others. A choice that finds enough of the former never looks at them.
    unproven: Index,
}

#[derive(Debug, Default)]
struct Index {
    members: HashMap<PeerNumber, Member>,
    by_manifest: BTreeMap<Digest, Holders>,
}

/// Where a peer stands in the index.
#[derive(Debug, Clone, Copy)]
struct Member {
    manifest: Digest,
    address: IpAddr,
    /// Its place among those of its address and of its network.
    at: [usize; 2],
}

/// Who is ready to give a manifest. In lists, so that a random one is found at once among any number.
#[derive(Debug, Default)]
struct Holders {
    by_address: HashMap<IpAddr, Vec<PeerNumber>>,
    /// Where each network stands in the list of all.
    by_network: HashMap<IpAddr, usize>,
    /// In an order that means nothing.
    networks: Vec<Network>,
    count: usize,
}

#[derive(Debug)]
struct Network {
    key: IpAddr,
    peers: Vec<PeerNumber>,
}

impl Holders {
    /// Returns the places that the peer got.
    fn insert(&mut self, peer: PeerNumber, address: IpAddr) -> [usize; 2] {
        let neighbours = self.by_address.entry(locality::address_key(address)).or_default();
        neighbours.push(peer);
        let key = locality::network_key(address);
        let at = *self.by_network.entry(key).or_insert(self.networks.len());
        if at == self.networks.len() {
            self.networks.push(Network { key, peers: Vec::new() });
        }
        let peers = &mut self.networks[at].peers;
        peers.push(peer);
        self.count += 1;
        [neighbours.len() - 1, peers.len() - 1]
    }

    /// Returns the peers that took the place of this one in either list.
    fn remove(&mut self, address: IpAddr, at: [usize; 2]) -> [Option<PeerNumber>; 2] {
        self.count -= 1;
        let (address_key, network_key) = (locality::address_key(address), locality::network_key(address));
        let moved_in_address = self.by_address.get_mut(&address_key).and_then(|peers| taken_out(peers, at[0]));
        if self.by_address.get(&address_key).is_some_and(Vec::is_empty) {
            self.by_address.remove(&address_key);
        }
        let moved_in_network = self.by_network.get(&network_key).copied().and_then(|place| {
            let peers = &mut self.networks[place].peers;
            let moved = taken_out(peers, at[1]);
            if peers.is_empty() {
                self.by_network.remove(&network_key);
                self.networks.swap_remove(place);
                if let Some(last) = self.networks.get(place) {
                    self.by_network.insert(last.key, place);
                }
            }
            moved
        });
        [moved_in_address, moved_in_network]
    }

    /// One of each network, from a random network on, then the second of each, and so on, until there are `count_max`. Looks up no more than is taken.
    fn anyone(&self, start: u64, count_max: usize) -> impl Iterator<Item = &PeerNumber> {
        let networks = move || round(&self.networks, start, count_max);
        // Another number than the one that names the network: which peer leads must not hang on that.
        let first = start.rotate_left(32);
        let nth_of_each = move |nth| networks().filter_map(move |network| round(&network.peers, first, count_max).nth(nth));
        let most = move || networks().map(|network| network.peers.len()).max().unwrap_or(0).min(count_max);
        nth_of_each(0).chain(std::iter::once_with(move || (1..most()).flat_map(nth_of_each)).flatten()).take(count_max)
    }
}

/// Takes the entry at a place out of a list whose order means nothing. Returns the one that has the place now.
fn taken_out<T: Copy>(list: &mut Vec<T>, at: usize) -> Option<T> {
    if at < list.len() {
        list.swap_remove(at);
    }
    list.get(at).copied()
}

/// Up to `count_max` entries of a list, from one on that `start` names, round and round.
fn round<T>(list: &[T], start: u64, count_max: usize) -> impl Iterator<Item = &T> {
    let first = usize::try_from(start % list.len().max(1) as u64).unwrap_or(0);
    let (before, from) = list.split_at(first.min(list.len()));
    from.iter().chain(before).take(count_max)
}

impl Index {
    /// True if it was not in it already.
    fn insert(&mut self, peer: PeerNumber, manifest: Digest, address: IpAddr) -> bool {
        if self.members.get(&peer).is_some_and(|member| (member.manifest, member.address) == (manifest, address)) {
            return false;
        }
        self.remove(peer);
        let at = self.by_manifest.entry(manifest).or_default().insert(peer, address);
        self.members.insert(peer, Member { manifest, address, at });
        true
    }

    /// True if it was in it.
    fn remove(&mut self, peer: PeerNumber) -> bool {
        let Some(Member { manifest, address, at }) = self.members.remove(&peer) else { return false };
        let Some(holders) = self.by_manifest.get_mut(&manifest) else { return true };
        let moved = holders.remove(address, at);
        if holders.count == 0 {
            self.by_manifest.remove(&manifest);
        }
        for (list, moved) in moved.into_iter().enumerate() {
            if let Some(member) = moved.and_then(|peer| self.members.get_mut(&peer)) {
                member.at[list] = at[list];
            }
        }
        true
    }

    fn ready_holders(&self, manifest: Digest) -> impl Iterator<Item = PeerNumber> {
        let networks = self.by_manifest.get(&manifest).map(|holders| &holders.networks);
        networks.into_iter().flatten().flat_map(|network| network.peers.iter().copied())
    }

    /// What is held, from a manifest on, round and round.
    fn manifests(&self, start: Digest) -> impl Iterator<Item = Digest> {
        self.by_manifest.range(start..).chain(self.by_manifest.range(..start)).map(|(manifest, _)| *manifest)
    }

    fn holders(
        &self,
        manifest: Digest,
        address: IpAddr,
        tier: Tier,
        start: u64,
        count_max: usize,
    ) -> Box<dyn Iterator<Item = PeerNumber> + '_> {
        let Some(holders) = self.by_manifest.get(&manifest) else { return Box::new(std::iter::empty()) };
        let near = match tier {
            Tier::SameAddress => holders.by_address.get(&locality::address_key(address)),
            Tier::SamePrefix => holders.by_network.get(&locality::network_key(address)).map(|place| &holders.networks[*place].peers),
            Tier::Anyone => return Box::new(holders.anyone(start, count_max).copied()),
        };
        Box::new(near.into_iter().flat_map(move |peers| round(peers, start, count_max)).copied())
    }
}

impl Candidates {
    /// Puts a peer in, among those for which a stranger vouched or among the others. True if it was not in already.
    pub(super) fn insert(&mut self, peer: PeerNumber, manifest: Digest, address: IpAddr, is_proven: bool) -> bool {
        let (into, other) = if is_proven { (&mut self.proven, &mut self.unproven) } else { (&mut self.unproven, &mut self.proven) };
        let has_moved = other.remove(peer);
        into.insert(peer, manifest, address) && !has_moved
    }

    pub(super) fn remove(&mut self, peer: PeerNumber) {
        self.proven.remove(peer);
        self.unproven.remove(peer);
    }

    pub(super) fn len(&self) -> usize {
        self.proven.members.len() + self.unproven.members.len()
    }

    /// Everybody ready who holds (some of) a manifest.
    pub(super) fn ready_holders(&self, manifest: Digest) -> impl Iterator<Item = PeerNumber> {
        self.proven.ready_holders(manifest).chain(self.unproven.ready_holders(manifest))
    }

    /// Up to `count_max` manifests that somebody ready holds: `wanted` first, then others from a random point on, round and round, what proven peers hold before the rest.
    pub(super) fn manifests(&self, wanted: Digest, start: Digest, count_max: usize) -> Vec<Digest> {
        let mut known = BTreeSet::from([wanted]);
        let others = self.proven.manifests(start).chain(self.unproven.manifests(start)).filter(|manifest| known.insert(*manifest));
        std::iter::once(wanted).chain(others).take(count_max).collect()
    }

    /// Up to `count_max` distinct ready holders of `manifest` within one tier of `address`, those for which a stranger vouched (`is_proven`) or the others, from one on that `start`
    /// names, round and round; on the last tier one of each network before others, so that many sessions of one network are no more likely to be found than one.
    ///
    /// A random `start` makes this a random sample of a large swarm, at the same cost in one of any size.
    pub(super) fn holders(
        &self,
        manifest: Digest,
        address: IpAddr,
        tier: Tier,
        (is_proven, start): (bool, u64),
        count_max: usize,
    ) -> Box<dyn Iterator<Item = PeerNumber> + '_> {
        let index = if is_proven { &self.proven } else { &self.unproven };
        index.holders(manifest, address, tier, start, count_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bits: u64) -> PeerNumber {
        PeerNumber::from_bits(bits)
    }

    #[test]
    fn a_tier_holds_the_nearer_ones_too_and_starts_anywhere() {
        let mut candidates = Candidates::default();
        let manifest = Digest::of(b"m");
        for (bits, address) in [(1, "10.0.0.1"), (2, "10.0.0.1"), (3, "10.0.0.9"), (4, "192.0.2.1")] {
            candidates.insert(number(bits), manifest, address.parse().unwrap(), false);
        }
        let here = "10.0.0.1".parse().unwrap();
        let holders = |tier, start, max| candidates.holders(manifest, here, tier, (false, start), max).collect::<Vec<_>>();
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
            candidates.insert(number(bits * 7_919), manifest, [198, 51, 100, 1].into(), false);
        }
        let honest = ["10.0.0.1", "192.0.2.1", "203.0.113.1", "2001:db8::1", "2a00::1"];
        for (bits, address) in (1..).zip(honest) {
            candidates.insert(number(bits), manifest, address.parse().unwrap(), false);
        }
        for start in 0..200_u64 {
            let here = "10.9.9.9".parse().unwrap();
            let found =
                candidates.holders(manifest, here, Tier::Anyone, (false, start.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 6).collect::<Vec<_>>();
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
            candidates.insert(number(u64::from(bits) + 1), manifest, [198, 51, if bits < 70 { 1 } else { bits / 10 }, bits].into(), false);
        }
        let here = "10.9.9.9".parse().unwrap();
        for start in 0..50_u64 {
            let found = candidates.holders(manifest, here, Tier::Anyone, (false, start.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 9);
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
        let address = "10.0.0.1".parse().unwrap();
        candidates.insert(number(1), old, address, false);
        candidates.insert(number(1), new, address, false);
        assert_eq!(candidates.manifests(new, old, 9), [new]);
        candidates.remove(number(1));
        candidates.remove(number(1));
        assert_eq!(candidates.len(), 0);
        assert!(candidates.unproven.by_manifest.is_empty());
    }

    #[test]
    fn whoever_has_proven_himself_is_found_among_any_number_of_others() {
        let mut candidates = Candidates::default();
        let (manifest, here) = (Digest::of(b"m"), "10.9.9.9".parse().unwrap());
        for bits in 1..=5_000_u64 {
            let address = [11, (bits >> 8) as u8, bits as u8, 1].into();
            candidates.insert(number(bits), manifest, address, false);
        }
        assert!(!candidates.insert(number(77), manifest, [11, 0, 77, 1].into(), true), "it was ready before");
        assert!(candidates.insert(number(9_999), manifest, [12, 0, 0, 1].into(), true));
        for start in [0, 1, u64::MAX / 3] {
            let holders = |is_proven| candidates.holders(manifest, here, Tier::Anyone, (is_proven, start), 4).collect::<BTreeSet<_>>();
            assert_eq!(holders(true), BTreeSet::from([number(77), number(9_999)]));
            assert!(holders(false).len() == 4 && holders(false).is_disjoint(&holders(true)));
        }
        assert_eq!(candidates.len(), 5_001);
    }

    /// Every list names each peer once, and each peer knows its places.
    fn assert_consistent(index: &Index) {
        for (peer, Member { manifest, address, at }) in &index.members {
            let holders = &index.by_manifest[manifest];
            let network = &holders.networks[holders.by_network[&locality::network_key(*address)]];
            assert_eq!(network.key, locality::network_key(*address));
            assert_eq!((holders.by_address[&locality::address_key(*address)][at[0]], network.peers[at[1]]), (*peer, *peer));
        }
        let count: usize = index.by_manifest.values().map(|holders| holders.count).sum();
        let in_addresses: usize = index.by_manifest.values().flat_map(|holders| holders.by_address.values()).map(Vec::len).sum();
        let in_networks: usize = index.by_manifest.values().flat_map(|holders| &holders.networks).map(|network| network.peers.len()).sum();
        assert_eq!([count, in_addresses, in_networks], [index.members.len(); 3]);
        assert!(index.by_manifest.values().all(|holders| holders.networks.len() == holders.by_network.len()));
    }

    #[test]
    fn whoever_comes_and_goes_every_list_stays_true() {
        let mut candidates = Candidates::default();
        let mut random = crate::random::Random::new(3);
        for _ in 0..5_000 {
            let bits = random.next_u64();
            let peer = number(bits % 97);
            if bits & 1 << 20 == 0 {
                candidates.remove(peer);
            } else {
                let (network, host) = ((bits >> 24 & 7) as u8, (bits >> 32 & 3) as u8);
                candidates.insert(peer, Digest::of(&[(bits >> 40 & 1) as u8]), [198, 51, network, host].into(), bits >> 48 & 1 == 1);
            }
            assert_consistent(&candidates.proven);
            assert_consistent(&candidates.unproven);
            assert!(candidates.proven.members.keys().all(|peer| !candidates.unproven.members.contains_key(peer)));
        }
        assert!(candidates.len() > 20);
        for bits in 0..97 {
            candidates.remove(number(bits));
        }
        assert!([candidates.proven, candidates.unproven].iter().all(|index| index.by_manifest.is_empty() && index.members.is_empty()));
    }
}
