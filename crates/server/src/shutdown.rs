//! One signal that the server ends, and a way to wait until everybody who has to say goodbye did.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Shared by everything that outlives a request.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    ending: Arc<watch::Sender<Option<Ending>>>,
}

/// How the server ends.
#[derive(Debug, Clone, Copy)]
struct Ending {
    begun: Instant,
    /// Over how long those go who would stay away for minutes.
    lasts: Duration,
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
        Self { ending: Arc::new(watch::Sender::new(None)) }
    }

    /// Says to everybody that the end has come.
    pub(crate) fn begin(&self) {
        self.ending.send_replace(Some(Ending { begun: Instant::now(), lasts: Duration::ZERO }));
    }

    /// Says so where a successor serves from now on: those who would stay away for minutes go one after the other. Changes nothing where the end has come already.
    pub(crate) fn retire(&self, lasts: Duration) {
        self.ending.send_if_modified(|ending| {
            let is_first = ending.is_none();
            ending.get_or_insert(Ending { begun: Instant::now(), lasts });
            is_first
        });
    }

    /// Whether the end has come.
    pub(crate) fn has_begun(&self) -> bool {
        self.ending.borrow().is_some()
    }

    /// Whether a successor serves.
    pub(crate) fn is_retired(&self) -> bool {
        self.ending.borrow().is_some_and(|ending| !ending.lasts.is_zero())
    }

    /// Resolves when the end has come.
    pub(crate) async fn begun(&self) {
        let mut ending = self.ending.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = ending.wait_for(Option::is_some).await;
    }

    /// Resolves when one goes who would stay away for minutes: at once, or where a successor serves at this share of the time, which is between 0 and 1.
    pub(crate) async fn lets_go(&self, share: f64) {
        let mut ending = self.ending.subscribe();
        loop {
            let now = *ending.borrow_and_update();
            let goes = async {
                match now {
                    Some(Ending { begun, lasts }) => sleep_until(begun + lasts.mul_f64(share.clamp(0.0, 1.0))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = goes => return,
                _ = ending.changed() => {}
            }
        }
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

    #[tokio::test(start_paused = true)]
    async fn where_a_successor_serves_those_go_little_by_little_who_would_stay_away() {
        let shutdown = Shutdown::new();
        let begun = Instant::now();
        shutdown.retire(Duration::from_secs(300));
        assert!(shutdown.is_retired());
        shutdown.begun().await;
        shutdown.lets_go(0.25).await;
        assert_eq!(begun.elapsed().as_secs(), 75);
        shutdown.retire(Duration::from_secs(9_000));
        shutdown.lets_go(0.5).await;
        assert_eq!(begun.elapsed().as_secs(), 150, "it retires once");
        let last = shutdown.clone();
        let last = tokio::spawn(async move { last.lets_go(1.0).await });
        tokio::task::yield_now().await;
        shutdown.begin();
        last.await.unwrap();
        assert!(!shutdown.is_retired());
        assert_eq!(begun.elapsed().as_secs(), 150, "nobody waits for one that ends");
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
