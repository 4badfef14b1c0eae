//! One signal that the server ends, and a way to wait until everybody who has to say goodbye did.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Shared by everything that outlives a request.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    ending: Arc<watch::Sender<bool>>,
}

/// Held while somebody still has to say goodbye.
pub(crate) type TaskGuard = mpsc::Sender<()>;

/// Waits for all [`TaskGuard`]s.
#[derive(Debug)]
pub(crate) struct TaskTracker {
    hold: Mutex<Option<mpsc::Sender<()>>>,
    gone: tokio::sync::Mutex<mpsc::Receiver<()>>,
}

impl Shutdown {
    /// Not ending yet.
    pub(crate) fn new() -> Self {
        Self { ending: Arc::new(watch::Sender::new(false)) }
    }

    /// Says to everybody that the end has come. Further calls change nothing.
    pub(crate) fn begin(&self) {
        self.ending.send_replace(true);
    }

    /// Resolves when the end has come.
    pub(crate) async fn begun(&self) {
        let mut ending = self.ending.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = ending.wait_for(|ending| *ending).await;
    }
}

impl TaskTracker {
    /// Nobody yet.
    pub(crate) fn new() -> Self {
        let (hold, gone) = mpsc::channel(1);
        Self { hold: Mutex::new(Some(hold)), gone: tokio::sync::Mutex::new(gone) }
    }

    /// One more to wait for; none once the waiting has begun.
    pub(crate) fn hold(&self) -> Option<TaskGuard> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Resolves when every holder has gone. Later holders are not waited for.
    pub(crate) async fn all(&self) {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.gone.lock().await.recv().await;
    }
}

/// The tasks behind the service; aborted when nobody uses it any more.
pub(crate) struct Tasks(pub(crate) Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_is_heard_by_those_who_ask_late_too() {
        let shutdown = Shutdown::new();
        let early = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.begun().await }
        });
        shutdown.begin();
        early.await.unwrap();
        shutdown.begun().await;
    }

    #[tokio::test]
    async fn a_task_tracker_waits_for_every_holder() {
        let task_tracker = TaskTracker::new();
        let holder = task_tracker.hold();
        let waiting = tokio::spawn(async move { task_tracker.all().await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(holder);
        waiting.await.unwrap();
    }
}
