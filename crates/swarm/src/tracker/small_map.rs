//! A map of few entries, in a list that is no longer than they need: a tree's first node has room for eleven.

/// In order of keys, as in a tree.
#[derive(Debug, Clone)]
pub(super) struct SmallMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.place_of(key).is_ok()
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.place_of(key).ok().map(|at| &self.entries[at].1)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.place_of(key).ok().map(|at| &mut self.entries[at].1)
    }

    /// Returns what was there under the key.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place_of(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.entries[at].1, value)),
            Err(at) => {
                self.entries.reserve_exact(1);
                self.entries.insert(at, (key, value));
                None
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.entries.remove(self.place_of(key).ok()?).1;
        // Half of it stays, so that an entry that comes and goes does not move the others each time.
        if self.entries.len() * 2 <= self.entries.capacity() {
            self.entries.shrink_to_fit();
        }
        Some(value)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    fn place_of(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_holds_what_a_tree_holds_in_the_same_order() {
        let (mut small, mut tree) = (SmallMap::default(), BTreeMap::new());
        let mut random = crate::random::Random::new(5);
        for _ in 0..2_000 {
            let bits = random.next_u64();
            let (key, value) = (bits % 9, bits >> 32);
            match bits >> 20 & 3 {
                0 => assert_eq!(small.remove(&key), tree.remove(&key)),
                1 => assert_eq!(small.get_mut(&key).map(|value| *value = 0), tree.get_mut(&key).map(|value| *value = 0)),
                _ => assert_eq!(small.insert(key, value), tree.insert(key, value)),
            }
            assert!(small.iter().eq(tree.iter()) && small.values().eq(tree.values()));
            assert_eq!((small.len(), small.is_empty()), (tree.len(), tree.is_empty()));
            assert_eq!((small.get(&key), small.contains_key(&key)), (tree.get(&key), tree.contains_key(&key)));
            assert!(small.entries.capacity() <= 2 * small.len().max(1));
        }
        small.iter_mut().for_each(|(_, value)| *value = 1);
        assert!(small.values().all(|value| *value == 1));
    }
}
