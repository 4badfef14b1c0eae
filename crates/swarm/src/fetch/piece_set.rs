//! A set of pieces by their index: one bit each, since every message looks into it for many pieces.

/// At most [`PIECES_MAX`](super::config::PIECES_MAX) bits, as many as the highest index needs.
#[derive(Debug, Default)]
pub(super) struct PieceSet {
    words: Vec<u64>,
}

impl PieceSet {
    /// Puts a piece in. False if it was there.
    pub(super) fn insert(&mut self, i: usize) -> bool {
        if self.words.len() <= i / 64 {
            self.words.resize(i / 64 + 1, 0);
        }
        let is_new = !self.contains(i);
        self.words[i / 64] |= bit(i);
        is_new
    }

    /// Takes a piece out. False if it was not there.
    pub(super) fn remove(&mut self, i: usize) -> bool {
        let was_there = self.contains(i);
        if was_there {
            self.words[i / 64] &= !bit(i);
        }
        was_there
    }

    pub(super) fn contains(&self, i: usize) -> bool {
        self.words.get(i / 64).is_some_and(|word| word & bit(i) != 0)
    }

    /// All of them, in the order of their indices.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, &word)| {
            let rest = std::iter::successors(Some(word), |word| Some(word & word.wrapping_sub(1)));
            rest.take_while(|word| *word != 0).map(move |word| at * 64 + word.trailing_zeros() as usize)
        })
    }
}

fn bit(i: usize) -> u64 {
    1 << (i % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_that_a_tree_is(steps in proptest::collection::vec((any::<bool>(), 0_usize..300), 0..300)) {
            let (mut set, mut tree) = (PieceSet::default(), BTreeSet::new());
            for (is_put, i) in steps {
                let (ours, theirs) = if is_put { (set.insert(i), tree.insert(i)) } else { (set.remove(i), tree.remove(&i)) };
                prop_assert_eq!(ours, theirs);
                prop_assert_eq!(set.contains(i), is_put);
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), tree.into_iter().collect::<Vec<_>>());
        }
    }
}
