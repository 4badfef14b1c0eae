//! What is sent to sessions, and where it waits until they send it. A queue takes room only while something waits in it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use viral_swarm::tracker::CloseReason;
use viral_wire::signal::TrackerToPeer;

use crate::limits::SOCKET_QUEUE_MAX;

/// What a session's task must send.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A message.
    Signal(Box<TrackerToPeer>),
    /// A close frame, then nothing.
    Close(CloseReason),
}

/// The tracker's end of a session's queue. The queue ends when this is dropped, after what waits in it.
#[derive(Debug)]
pub(super) struct OutgoingSender(Arc<Queue>);

/// The session's end.
#[derive(Debug)]
pub(crate) struct OutgoingReceiver(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    reader: AtomicWaker,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Outgoing>,
    is_ended: bool,
}

/// A queue of at most [`SOCKET_QUEUE_MAX`] messages.
pub(super) fn queue() -> (OutgoingSender, OutgoingReceiver) {
    let queue = Arc::<Queue>::default();
    (OutgoingSender(Arc::clone(&queue)), OutgoingReceiver(queue))
}

impl OutgoingSender {
    /// Adds a message; false where too many wait already.
    pub(super) fn put(&self, outgoing: Outgoing) -> bool {
        let mut waiting = self.0.lock();
        let fits = waiting.messages.len() < SOCKET_QUEUE_MAX;
        if fits {
            waiting.messages.push_back(outgoing);
        }
        drop(waiting);
        self.0.reader.wake();
        fits
    }
}

impl Drop for OutgoingSender {
    fn drop(&mut self) {
        self.0.lock().is_ended = true;
        self.0.reader.wake();
    }
}

impl OutgoingReceiver {
    /// What is to be sent next; `None` when nothing more will come. Cancel-safe.
    pub(crate) async fn recv(&mut self) -> Option<Outgoing> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// What waits, if anything does.
    #[cfg(test)]
    pub(crate) fn try_recv(&mut self) -> Option<Outgoing> {
        futures_util::FutureExt::now_or_never(self.recv()).flatten()
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Option<Outgoing>> {
        self.0.reader.register(cx.waker());
        let mut waiting = self.0.lock();
        match waiting.messages.pop_front() {
            Some(next) => {
                if waiting.messages.is_empty() {
                    waiting.messages = VecDeque::new();
                }
                Poll::Ready(Some(next))
            }
            None if waiting.is_ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Outgoing {
        Outgoing::Signal(Box::new(TrackerToPeer::OffersWanted { count: 1 }))
    }

    #[tokio::test]
    async fn a_queue_holds_so_many_and_ends_after_what_waits_in_it() {
        let (sender, mut receiver) = queue();
        assert_eq!((0..100).filter(|_| sender.put(message())).count(), SOCKET_QUEUE_MAX);
        assert!(receiver.recv().await.is_some());
        assert!(sender.put(Outgoing::Close(CloseReason::NeverRegistered)) && !sender.put(message()));
        drop(sender);
        for _ in 1..SOCKET_QUEUE_MAX {
            assert!(matches!(receiver.recv().await, Some(Outgoing::Signal(_))));
        }
        assert!(matches!(receiver.recv().await, Some(Outgoing::Close(_))));
        assert!(receiver.recv().await.is_none());
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_a_message_and_by_the_end() {
        let (sender, mut receiver) = queue();
        let reading = tokio::spawn(async move { (receiver.recv().await.is_some(), receiver.recv().await.is_none()) });
        tokio::task::yield_now().await;
        assert!(sender.put(message()));
        tokio::task::yield_now().await;
        drop(sender);
        assert_eq!(reading.await.unwrap(), (true, true));
    }
}
