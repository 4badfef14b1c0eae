//! What waits to be written to one socket, from whatever socket it came. It takes room only while something waits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::limits::ANNOUNCE_QUEUE_LEN_MAX;
use crate::web_socket::Utf8Bytes;

/// Messages for one socket.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: Vec<Utf8Bytes>,
    len: usize,
}

impl SendQueue {
    /// Adds a message; false where too much waits already.
    pub(super) fn put(&self, message: Utf8Bytes) -> bool {
        let mut waiting = self.lock();
        let len = waiting.len + message.len();
        let fits = len <= ANNOUNCE_QUEUE_LEN_MAX;
        if fits {
            waiting.len = len;
            waiting.messages.push(message);
        }
        let is_first = waiting.messages.len() == 1;
        drop(waiting);
        if fits && is_first {
            self.filled.notify_one();
        }
        fits
    }

    /// Adds what the socket's own session says, for which there is always room, and which it need not be told of. Bytes that wait now.
    pub(super) fn put_own(&self, message: Utf8Bytes) -> usize {
        let mut waiting = self.lock();
        waiting.len += message.len();
        waiting.messages.push(message);
        waiting.len
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().messages.is_empty()
    }

    /// What waits, in order.
    pub(super) fn take(&self) -> Vec<Utf8Bytes> {
        std::mem::take(&mut *self.lock()).messages
    }

    /// Resolves when something waits. Something may have been taken meanwhile.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_taken_at_once_and_has_an_end() {
        let send_queue = SendQueue::default();
        assert!(send_queue.take().is_empty());
        let kib = Utf8Bytes::from("x".repeat(1024));
        let fit = (0..100).filter(|_| send_queue.put(kib.clone())).count();
        assert_eq!(fit, ANNOUNCE_QUEUE_LEN_MAX / 1024);
        send_queue.filled().await;
        assert_eq!(send_queue.take().len(), fit);
        assert!(send_queue.put(kib), "there is room again");
        send_queue.filled().await;
        assert_eq!(send_queue.take().len(), 1);
    }
}
