//! Messages of one channel that wait for their turn.

use std::collections::VecDeque;

/// The most urgent message first, equally urgent ones in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<(u64, Vec<u8>)>,
}

impl Outbox {
    pub(crate) fn push(&mut self, urgency: u64, message: Vec<u8>) {
        let place = self.waiting.partition_point(|(other, _)| *other >= urgency);
        self.waiting.insert(place, (urgency, message));
    }

    /// The next message.
    pub(crate) fn next(&self) -> Option<&[u8]> {
        self.waiting.front().map(|(_, message)| message.as_slice())
    }

    /// How urgent that is; 0 if there is none.
    pub(crate) fn urgency(&self) -> u64 {
        self.waiting.front().map_or(0, |(urgency, _)| *urgency)
    }

    /// Takes the next message out.
    pub(crate) fn pop(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop_front().map(|(_, message)| message)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Takes the most urgent of `keys` out, of several the first.
pub(crate) fn pop_most_urgent<K>(keys: &mut VecDeque<K>, urgency: impl Fn(&K) -> u64) -> Option<K> {
    let most = keys.iter().map(&urgency).max()?;
    let place = keys.iter().position(|key| urgency(key) == most)?;
    keys.remove(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_urgent_overtakes_and_the_rest_keeps_its_order() {
        let mut outbox = Outbox::default();
        assert_eq!((outbox.next(), outbox.urgency(), outbox.is_empty()), (None, 0, true));
        for (urgency, message) in [(0, b"a"), (5, b"b"), (0, b"c"), (7, b"d"), (5, b"e")] {
            outbox.push(urgency, message.to_vec());
        }
        assert_eq!((outbox.next(), outbox.urgency()), (Some(&b"d"[..]), 7));
        let order: Vec<u8> = std::iter::from_fn(|| outbox.pop()).flatten().collect();
        assert_eq!(order, b"dbeac");
    }

    #[test]
    fn of_several_peers_the_most_urgent_is_served_and_equals_in_turn() {
        let mut keys = VecDeque::from([3, 1, 2]);
        let urgency = |key: &u32| if *key == 3 { 0 } else { 9 };
        let order: Vec<u32> = std::iter::from_fn(|| pop_most_urgent(&mut keys, urgency)).collect();
        assert_eq!(order, [1, 2, 3]);
    }
}
