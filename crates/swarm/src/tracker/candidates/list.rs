//! Lists whose order means nothing, so that a random entry is found at once among any number and one is taken out at once; most have one entry, and cost no allocation.

/// One or more entries, but for a moment at its end.
#[derive(Debug)]
pub(super) enum List<T> {
    One(T),
    Many(Vec<T>),
}

impl<T: Copy> List<T> {
    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Many(entries) => entries,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Returns the place that the entry got.
    pub(super) fn push(&mut self, entry: T) -> u32 {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, entry]),
            Self::Many(entries) => entries.push(entry),
        }
        place(self.as_slice().len() - 1)
    }

    /// Takes the entry at a place out. Returns the one that has the place now.
    pub(super) fn take_out(&mut self, at: u32) -> Option<T> {
        match self {
            Self::One(_) => {
                *self = Self::Many(Vec::new());
                None
            }
            Self::Many(entries) => {
                let at = at as usize;
                if at < entries.len() {
                    entries.swap_remove(at);
                }
                if entries.len() * 4 < entries.capacity() {
                    entries.shrink_to(entries.len() * 2);
                }
                entries.get(at).copied()
            }
        }
    }
}

/// A place in a list or a table: no tracker has four billion members.
pub(super) fn place(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// Up to `count_max` entries of a list, from one on that `start` names, round and round.
pub(super) fn round<T>(list: &[T], start: u64, count_max: usize) -> impl Iterator<Item = &T> {
    let first = usize::try_from(start % list.len().max(1) as u64).unwrap_or(0);
    let (before, from) = list.split_at(first.min(list.len()));
    from.iter().chain(before).take(count_max)
}

/// Entries under numbers that stay; the number of one that was taken out is given again.
#[derive(Debug)]
pub(super) struct Table<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Table<T> {
    pub(super) fn insert(&mut self, entry: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.entries[number as usize] = Some(entry);
            return number;
        }
        self.entries.push(Some(entry));
        place(self.entries.len() - 1)
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.entries.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.entries.get_mut(number as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let entry = self.entries.get_mut(number as usize)?.take()?;
        self.free.push(number);
        if self.free.len() == self.entries.len() {
            *self = Self::default();
        }
        Some(entry)
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(&self.entries).filter_map(|(number, entry)| Some((number, entry.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_the_place_of_another_is_named() {
        let mut list = List::One('a');
        assert_eq!([list.push('b'), list.push('c')], [1, 2]);
        assert_eq!(list.take_out(0), Some('c'));
        assert_eq!(list.take_out(1), None, "the last one");
        assert_eq!(list.as_slice(), ['c']);
        assert_eq!((list.take_out(0), list.is_empty()), (None, true));
        assert_eq!((List::One('a').take_out(0), List::<u8>::Many(Vec::new()).take_out(3)), (None, None));
    }

    #[test]
    fn a_round_begins_anywhere_and_names_each_once() {
        assert_eq!(round(&[1, 2, 3], 5, 9).collect::<Vec<_>>(), [&3, &1, &2]);
        assert_eq!(round::<u8>(&[], 5, 9).count(), 0);
    }

    #[test]
    fn numbers_are_given_again_and_an_empty_table_takes_no_room() {
        let mut table = Table::default();
        let numbers = [table.insert('a'), table.insert('b')];
        assert_eq!((table.remove(numbers[0]), table.remove(numbers[0]), table.insert('c')), (Some('a'), None, numbers[0]));
        assert_eq!(table.get(numbers[1]), Some(&'b'));
        assert!(numbers.map(|number| table.remove(number).is_some()).into_iter().all(|was_there| was_there));
        assert_eq!(table.entries.capacity(), 0);
    }
}
