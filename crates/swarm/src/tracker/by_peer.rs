//! Tables by peer number and by ticket, which servers draw at random: they need no hash that others cannot foresee.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use viral_wire::{Ticket, signal::PeerNumber};

/// A table whose keys only the tracker makes.
pub(super) type ByPeer<V> = HashMap<PeerNumber, V, BuildHasherDefault<RandomKeyHasher>>;

/// A table whose keys are made only by the server and the other servers of its cluster.
pub(super) type ByTicket<V> = HashMap<Ticket, V, BuildHasherDefault<RandomKeyHasher>>;

/// Spreads the random bits of a key, 53 of a number, over all 64 (Fibonacci hashing; Knuth, volume 3, section 6.4).
#[derive(Debug, Default)]
pub(super) struct RandomKeyHasher(u64);

impl Hasher for RandomKeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut number = [0; 8];
            number[..word.len()].copy_from_slice(word);
            self.write_u64(u64::from_le_bytes(number));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, hash::Hash};

    use super::*;

    #[test]
    fn numbers_in_a_row_are_spread_at_both_ends_of_the_hash() {
        let hash = |number| {
            let mut hasher = RandomKeyHasher::default();
            PeerNumber::from_bits(number).hash(&mut hasher);
            hasher.finish()
        };
        // A table goes by the lower bits and tells entries apart by the upper seven.
        let (low, high): (BTreeSet<_>, BTreeSet<_>) = (0..4_096).map(|number| (hash(number) & 0xfff, hash(number) >> 57)).unzip();
        assert!(low.len() > 2_400 && high.len() == 128, "{} {}", low.len(), high.len());
    }
}
