//! Messages of one channel that wait for their turn.

use std::collections::VecDeque;

/// The most urgent message first, equally urgent ones in the order in which they came.
#[derive(Debug, Default)]
pub struct SendQueue {
    waiting: VecDeque<(u64, Vec<u8>)>,
}

impl SendQueue {
    /// Adds a message.
    pub fn push(&mut self, urgency: u64, message: Vec<u8>) {
        let place = self.waiting.partition_point(|(other, _)| *other >= urgency);
        self.waiting.insert(place, (urgency, message));
    }

    /// The next message.
    #[must_use]
    pub fn next(&self) -> Option<&[u8]> {
        self.waiting.front().map(|(_, message)| message.as_slice())
    }

    /// How urgent that is; 0 if there is none.
    #[must_use]
    pub fn urgency(&self) -> u64 {
        self.waiting.front().map_or(0, |(urgency, _)| *urgency)
    }

    /// Takes the next message out.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop_front().map(|(_, message)| message)
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_urgent_overtakes_and_the_rest_keeps_its_order() {
        let mut send_queue = SendQueue::default();
        assert_eq!((send_queue.next(), send_queue.urgency(), send_queue.is_empty()), (None, 0, true));
        for (urgency, message) in [(0, b"a"), (5, b"b"), (0, b"c"), (7, b"d"), (5, b"e")] {
            send_queue.push(urgency, message.to_vec());
        }
        assert_eq!((send_queue.next(), send_queue.urgency()), (Some(&b"d"[..]), 7));
        let order: Vec<u8> = std::iter::from_fn(|| send_queue.pop()).flatten().collect();
        assert_eq!(order, b"dbeac");
    }
}
