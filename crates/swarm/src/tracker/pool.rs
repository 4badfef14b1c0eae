//! The seeders that could serve one more leecher now, by what they hold and where they are.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    ops::Bound,
};

use viral_wire::{Digest, signal::PeerNumber};

use crate::nearness::{self, Nearness};

/// An index; a peer is in it as long as it is ready.
#[derive(Debug, Default)]
pub(super) struct Pool {
    members: BTreeMap<PeerNumber, Member>,
    by_site: BTreeSet<(Digest, IpAddr, PeerNumber)>,
    by_prefix: BTreeSet<(Digest, IpAddr, PeerNumber)>,
    by_manifest: BTreeSet<(Digest, PeerNumber)>,
    manifests: BTreeMap<Digest, usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    manifest: Digest,
    address: IpAddr,
}

impl Pool {
    /// True if it was not in it already.
    pub(super) fn insert(&mut self, peer: PeerNumber, manifest: Digest, address: IpAddr) -> bool {
        let member = Member { manifest, address };
        if self.members.get(&peer) == Some(&member) {
            return false;
        }
        self.remove(peer);
        self.members.insert(peer, member);
        self.by_site.insert((manifest, nearness::site(address), peer));
        self.by_prefix.insert((manifest, nearness::prefix(address), peer));
        self.by_manifest.insert((manifest, peer));
        *self.manifests.entry(manifest).or_default() += 1;
        true
    }

    pub(super) fn remove(&mut self, peer: PeerNumber) {
        let Some(Member { manifest, address }) = self.members.remove(&peer) else { return };
        self.by_site.remove(&(manifest, nearness::site(address), peer));
        self.by_prefix.remove(&(manifest, nearness::prefix(address), peer));
        self.by_manifest.remove(&(manifest, peer));
        if let Some(count) = self.manifests.get_mut(&manifest) {
            *count -= 1;
            if *count == 0 {
                self.manifests.remove(&manifest);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Everybody ready who holds (some of) a manifest.
    pub(super) fn ready_holders(&self, manifest: Digest) -> impl Iterator<Item = PeerNumber> {
        let (first, last) = (PeerNumber::from_bits(0), PeerNumber::from_bits(u64::MAX));
        self.by_manifest.range((manifest, first)..=(manifest, last)).map(|entry| entry.1)
    }

    /// Up to `count_max` manifests that somebody ready holds: `wanted` first, then others from a random point on, round and round.
    pub(super) fn manifests(&self, wanted: Digest, start: Digest, count_max: usize) -> Vec<Digest> {
        let others = self.manifests.range(start..).chain(self.manifests.range(..start)).map(|(manifest, _)| *manifest);
        std::iter::once(wanted).chain(others.filter(|manifest| *manifest != wanted)).take(count_max).collect()
    }

    /// Up to `count_max` ready holders of `manifest` within one rung of `address`, from peer `start` on, round and round; on the last rung one of each network before others.
    ///
    /// Numbers are random, so a random `start` makes this a random sample of a large swarm.
    pub(super) fn holders(
        &self,
        manifest: Digest,
        address: IpAddr,
        rung: Nearness,
        start: PeerNumber,
        count_max: usize,
    ) -> Vec<PeerNumber> {
        let (first, last) = (PeerNumber::from_bits(0), PeerNumber::from_bits(u64::MAX));
        match rung {
            Nearness::SameAddress => {
                let key = |peer| (manifest, nearness::site(address), peer);
                round(&self.by_site, [key(first), key(start), key(last)], count_max, |entry| entry.2)
            }
            Nearness::SamePrefix => {
                let key = |peer| (manifest, nearness::prefix(address), peer);
                round(&self.by_prefix, [key(first), key(start), key(last)], count_max, |entry| entry.2)
            }
            Nearness::Anyone => {
                let key = |peer| (manifest, peer);
                let mut found = self.one_of_each_network(manifest, start, count_max);
                let all = round(&self.by_manifest, [key(first), key(start), key(last)], count_max + found.len(), |entry| entry.1);
                let known: BTreeSet<PeerNumber> = found.iter().copied().collect();
                found.extend(all.into_iter().filter(|peer| !known.contains(peer)).take(count_max - known.len()));
                found
            }
        }
    }

    /// One holder of each network, from a network on that `start` names: many sessions of one network are no more likely to be found than one.
    fn one_of_each_network(&self, manifest: Digest, start: PeerNumber, count_max: usize) -> Vec<PeerNumber> {
        let (first, last) = (PeerNumber::from_bits(0), PeerNumber::from_bits(u64::MAX));
        let from = network_of(start);
        let mut found = Vec::new();
        let (mut cursor, mut has_wrapped) = (Bound::Included((manifest, from, first)), false);
        while found.len() < count_max {
            let end = if has_wrapped { Bound::Excluded((manifest, from, first)) } else { Bound::Included((manifest, LAST, last)) };
            let next = self.by_prefix.range((cursor, end)).next().map(|entry| entry.1);
            match next {
                Some(network) => {
                    let key = |peer| (manifest, network, peer);
                    found.extend(round(&self.by_prefix, [key(first), key(start), key(last)], 1, |entry| entry.2));
                    cursor = Bound::Excluded(key(last));
                }
                None if has_wrapped => break,
                None => (cursor, has_wrapped) = (Bound::Included((manifest, FIRST, first)), true),
            }
            let is_round = |at: &(Digest, IpAddr, PeerNumber)| has_wrapped && at.1 >= from;
            if matches!(&cursor, Bound::Excluded(at) if is_round(at)) {
                break;
            }
        }
        found
    }
}

const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const LAST: IpAddr = IpAddr::V6(Ipv6Addr::from_bits(u128::MAX));

/// Somewhere among all networks, of either family.
fn network_of(start: PeerNumber) -> IpAddr {
    let bits = start.get() >> 1;
    if start.get().is_multiple_of(2) {
        IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits % (1 << 32)).unwrap_or(0)))
    } else {
        // Global ones begin with 001 (RFC 4291 section 2.4).
        IpAddr::V6(Ipv6Addr::from_bits((0b001 << 125) | (u128::from(bits) << 73)))
    }
}

/// The entries `start..=last` and then `first..start`.
fn round<K: Ord + Copy>(
    set: &BTreeSet<K>,
    [first, start, last]: [K; 3],
    count_max: usize,
    peer: impl Fn(&K) -> PeerNumber,
) -> Vec<PeerNumber> {
    set.range(start..=last).chain(set.range(first..start)).take(count_max).map(peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bits: u64) -> PeerNumber {
        PeerNumber::from_bits(bits)
    }

    #[test]
    fn a_rung_holds_the_nearer_ones_too_and_starts_anywhere() {
        let mut pool = Pool::default();
        let manifest = Digest::of(b"m");
        for (bits, address) in [(1, "10.0.0.1"), (2, "10.0.0.1"), (3, "10.0.0.9"), (4, "192.0.2.1")] {
            pool.insert(number(bits), manifest, address.parse().unwrap());
        }
        let here = "10.0.0.1".parse().unwrap();
        let holders = |rung, start, max| pool.holders(manifest, here, rung, number(start), max);
        assert_eq!(holders(Nearness::SameAddress, 2, 9), [number(2), number(1)]);
        assert_eq!(holders(Nearness::SamePrefix, 0, 9), [number(1), number(2), number(3)]);
        assert_eq!(holders(Nearness::Anyone, 4, 3), [number(1), number(4), number(2)], "one of each network first");
        assert_eq!(holders(Nearness::Anyone, 4, 9).len(), 4);
    }

    #[test]
    fn a_thousand_sessions_of_one_network_are_found_no_sooner_than_one() {
        let mut pool = Pool::default();
        let manifest = Digest::of(b"m");
        for bits in 1_000..2_000 {
            pool.insert(number(bits * 7_919), manifest, [198, 51, 100, 1].into());
        }
        let honest = ["10.0.0.1", "192.0.2.1", "203.0.113.1", "2001:db8::1", "2a00::1"];
        for (bits, address) in (1..).zip(honest) {
            pool.insert(number(bits), manifest, address.parse().unwrap());
        }
        for start in 0..200_u64 {
            let here = "10.9.9.9".parse().unwrap();
            let found = pool.holders(manifest, here, Nearness::Anyone, number(start.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 6);
            let distinct: BTreeSet<_> = found.iter().collect();
            assert_eq!((found.len(), distinct.len()), (6, 6));
            assert!((1..=5).all(|bits| found.contains(&number(bits))), "{found:?}");
        }
    }

    #[test]
    fn removing_the_last_holder_forgets_the_manifest() {
        let mut pool = Pool::default();
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let address = "10.0.0.1".parse().unwrap();
        pool.insert(number(1), old, address);
        pool.insert(number(1), new, address);
        assert_eq!(pool.manifests(new, old, 9), [new]);
        pool.remove(number(1));
        pool.remove(number(1));
        assert_eq!(pool.len(), 0);
        assert!(pool.by_site.is_empty() && pool.by_prefix.is_empty() && pool.by_manifest.is_empty());
    }
}
