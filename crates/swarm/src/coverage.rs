//! How much of one manifest is in another: what a peer of yesterday's version is worth to a visitor of today's.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry},
};

use viral_wire::{Digest, Piece};

use crate::limits::{COVERAGE_MANIFESTS_MAX, COVERAGE_PAIRS_MAX};

/// What the tracker needs to know about manifests, of which it sees only digests.
pub trait Coverage {
    /// Which share of the bytes of `want` a holder of all of `have` holds, in permille; 0 where either is unknown.
    fn share(&self, have: &Digest, want: &Digest) -> u16;

    /// Bytes of the distinct pieces of a manifest; `None` where it is unknown.
    fn bytes(&self, manifest: &Digest) -> Option<u64>;

    /// How many distinct pieces a manifest has; `None` where it is unknown.
    fn pieces(&self, manifest: &Digest) -> Option<u32>;
}

/// Which share of the bytes of `want` is also in `have`, in permille, rounded down. A piece listed twice counts once.
///
/// Nothing wanted is wholly covered.
#[must_use]
pub fn share(have: &[Piece], want: &[Piece]) -> u16 {
    let have: BTreeSet<Digest> = have.iter().map(|piece| piece.digest).collect();
    let want: BTreeMap<Digest, u32> = want.iter().map(|piece| (piece.digest, piece.len)).collect();
    shared(&have, &want)
}

fn shared(have: &BTreeSet<Digest>, want: &BTreeMap<Digest, u32>) -> u16 {
    let total: u64 = want.values().map(|len| u64::from(*len)).sum();
    let held: u64 = want.iter().filter(|(digest, _)| have.contains(digest)).map(|(_, len)| u64::from(*len)).sum();
    permille(held, total)
}

/// `part` of `whole` in permille, rounded down and at most 1,000; 1,000 of nothing.
pub(crate) fn permille(part: u64, whole: u64) -> u16 {
    if part >= whole {
        return 1000;
    }
    u16::try_from(u128::from(part) * 1000 / u128::from(whole)).unwrap_or(1000)
}

/// Remembers the pieces of recent manifests and how they compare; the oldest are forgotten first.
#[derive(Debug)]
pub struct CoverageCache {
    manifests_max: usize,
    known: BTreeMap<Digest, Known>,
    /// Oldest first.
    order: VecDeque<Digest>,
    /// A comparison is worked out when it is first asked for.
    pairs: RefCell<BTreeMap<(Digest, Digest), u16>>,
}

#[derive(Debug)]
struct Known {
    digests: BTreeSet<Digest>,
    lens: BTreeMap<Digest, u32>,
    bytes: u64,
}

impl Default for CoverageCache {
    fn default() -> Self {
        Self::new(COVERAGE_MANIFESTS_MAX)
    }
}

impl CoverageCache {
    /// An empty cache for at most `manifests_max` manifests.
    #[must_use]
    pub fn new(manifests_max: usize) -> Self {
        Self { manifests_max, known: BTreeMap::new(), order: VecDeque::new(), pairs: RefCell::default() }
    }

    /// Learns the pieces of a manifest, or marks it as used if they are known.
    pub fn insert(&mut self, manifest: Digest, pieces: &[Piece]) {
        if let Entry::Vacant(vacant) = self.known.entry(manifest) {
            let lens: BTreeMap<Digest, u32> = pieces.iter().map(|piece| (piece.digest, piece.len)).collect();
            let bytes = lens.values().map(|len| u64::from(*len)).sum();
            vacant.insert(Known { digests: lens.keys().copied().collect(), lens, bytes });
        } else {
            self.order.retain(|known| *known != manifest);
        }
        self.order.push_back(manifest);
        while self.order.len() > self.manifests_max {
            let Some(oldest) = self.order.pop_front() else { break };
            self.known.remove(&oldest);
            self.pairs.get_mut().retain(|(have, want), _| *have != oldest && *want != oldest);
        }
    }

    /// How many manifests are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

impl Coverage for CoverageCache {
    fn share(&self, have: &Digest, want: &Digest) -> u16 {
        let (Some(from), Some(to)) = (self.known.get(have), self.known.get(want)) else { return 0 };
        let mut pairs = self.pairs.borrow_mut();
        if let Some(share) = pairs.get(&(*have, *want)) {
            return *share;
        }
        if pairs.len() >= COVERAGE_PAIRS_MAX {
            pairs.clear();
        }
        let share = shared(&from.digests, &to.lens);
        pairs.insert((*have, *want), share);
        share
    }

    fn bytes(&self, manifest: &Digest) -> Option<u64> {
        self.known.get(manifest).map(|known| known.bytes)
    }

    fn pieces(&self, manifest: &Digest) -> Option<u32> {
        self.known.get(manifest).and_then(|known| u32::try_from(known.lens.len()).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(contents: &[(&str, u32)]) -> Vec<Piece> {
        contents.iter().map(|(text, len)| Piece { len: *len, digest: Digest::of(text.as_bytes()) }).collect()
    }

    #[test]
    fn the_share_counts_bytes_not_pieces() {
        let have = pieces(&[("a", 900)]);
        let want = pieces(&[("a", 900), ("b", 50), ("c", 50)]);
        assert_eq!(share(&have, &want), 900);
        assert_eq!(share(&want, &have), 1000);
    }

    #[test]
    fn a_piece_listed_twice_counts_once() {
        let want = pieces(&[("a", 100), ("a", 100), ("b", 100)]);
        assert_eq!(share(&pieces(&[("a", 100)]), &want), 500);
    }

    #[test]
    fn only_the_whole_is_a_thousand() {
        let want = pieces(&[("a", u32::MAX), ("b", 1)]);
        assert_eq!(share(&pieces(&[("a", u32::MAX)]), &want), 999);
        assert_eq!(share(&[], &[]), 1000);
        assert_eq!(share(&[], &want), 0);
    }

    #[test]
    fn the_cache_answers_for_known_manifests_only() {
        let (old, new, unknown) = (Digest::of(b"old"), Digest::of(b"new"), Digest::of(b"unknown"));
        let mut cache = CoverageCache::default();
        cache.insert(old, &pieces(&[("a", 60), ("b", 40)]));
        cache.insert(new, &pieces(&[("a", 60), ("c", 40)]));
        assert_eq!(cache.share(&old, &new), 600);
        assert_eq!(cache.share(&old, &new), 600, "the same when remembered");
        assert_eq!(cache.share(&new, &new), 1000);
        assert_eq!(cache.share(&unknown, &new), 0);
        assert_eq!(cache.bytes(&old), Some(100));
        assert_eq!(cache.bytes(&unknown), None);
    }

    #[test]
    fn the_manifest_unused_longest_is_forgotten_at_the_limit() {
        let names = [Digest::of(b"1"), Digest::of(b"2"), Digest::of(b"3")];
        let mut cache = CoverageCache::new(2);
        cache.insert(names[0], &pieces(&[("a", 1)]));
        cache.insert(names[1], &pieces(&[("a", 1)]));
        assert_eq!(cache.len(), 2);
        cache.insert(names[0], &[]);
        cache.insert(names[2], &pieces(&[("a", 1)]));
        assert_eq!(cache.len(), 2);
        assert_eq!(cache.bytes(&names[1]), None);
        assert_eq!(cache.bytes(&names[0]), Some(1), "used again, so kept, and its pieces are not replaced");
    }

    #[test]
    fn remembered_pairs_are_bounded() {
        let mut cache = CoverageCache::new(100);
        let names: Vec<Digest> = (0..70_u8).map(|index| Digest::of(&[index])).collect();
        for name in &names {
            cache.insert(*name, &pieces(&[("a", 1)]));
        }
        for have in &names {
            for want in &names {
                assert_eq!(cache.share(have, want), 1000);
                assert!(cache.pairs.borrow().len() <= COVERAGE_PAIRS_MAX);
            }
        }
    }
}
