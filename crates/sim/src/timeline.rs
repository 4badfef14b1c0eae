//! What is due when. What is due at the same time comes in the order in which it was put in.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::clock::Nanos;

#[derive(Debug)]
struct Entry<T> {
    at: Nanos,
    number: u64,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Things that are due.
#[derive(Debug)]
pub struct Timeline<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    count: u64,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), count: 0 }
    }
}

impl<T> Timeline<T> {
    /// Puts something in.
    pub fn push(&mut self, at: Nanos, what: T) {
        self.count += 1;
        self.heap.push(Reverse(Entry { at, number: self.count, what }));
    }

    /// When the first is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Nanos> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes out the first, if it is due.
    pub fn pop_due(&mut self, now: Nanos) -> Option<T> {
        if self.next_at().is_none_or(|at| at > now) {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_comes_first_and_equals_keep_their_order() {
        let mut timeline = Timeline::default();
        for (at, what) in [(5, 'a'), (3, 'b'), (5, 'c'), (3, 'd')] {
            timeline.push(at, what);
        }
        assert_eq!(timeline.next_at(), Some(3));
        let due = |timeline: &mut Timeline<char>, now| std::iter::from_fn(|| timeline.pop_due(now)).collect::<String>();
        assert_eq!(due(&mut timeline, 2), "");
        assert_eq!(due(&mut timeline, 9), "bdac");
    }
}
