//! A site that several servers show: a new version is shown once all of them have it, so that a visitor whose requests go to several servers never gets a mix of two.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::request::Parts;
use tokio::sync::watch;
use viral_site::{Claim, Site, Version};

/// Shows the version that the cluster agrees on.
pub(crate) struct RollingSite {
    inner: Arc<dyn Site>,
    /// Number of the version that is shown; a newer one takes its place when [`Self::show`] says so.
    shown: AtomicU64,
    changed: watch::Sender<u64>,
}

impl RollingSite {
    /// Shows the version that is there, until it is told to show another one.
    pub(crate) fn new(inner: Arc<dyn Site>) -> Self {
        let number = inner.current().number();
        Self { inner, shown: AtomicU64::new(number), changed: watch::Sender::new(number) }
    }

    /// The tags of the versions that it could show, newest first.
    pub(super) fn tags(&self) -> Vec<String> {
        self.inner.versions().iter().map(|version| version.tag().to_owned()).collect()
    }

    /// Changes with every version that is there, shown or not.
    pub(super) fn read(&self) -> watch::Receiver<u64> {
        self.inner.subscribe()
    }

    /// Shows this one from now on; of none the newest. Never an older one than before: pages do not go back.
    pub(super) fn show(&self, tag: Option<&str>) {
        let versions = self.inner.versions();
        let version = tag.and_then(|tag| versions.iter().find(|version| version.tag() == tag)).or(versions.first());
        let Some(number) = version.map(|version| version.number()) else { return };
        if self.shown.fetch_max(number, Relaxed) < number {
            self.changed.send_replace(number);
        }
    }
}

impl fmt::Debug for RollingSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RollingSite").field("inner", &self.inner).field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl Site for RollingSite {
    fn versions(&self) -> Arc<Vec<Arc<Version>>> {
        let versions = self.inner.versions();
        let shown = self.shown.load(Relaxed);
        let Some(at) = versions.iter().position(|version| version.number() == shown).filter(|at| *at > 0) else { return versions };
        // Only while a new version waits for the other servers. A number is not given twice, and one that is kept no more is not shown.
        let mut ordered = versions.to_vec();
        let first = ordered.remove(at);
        ordered.insert(0, first);
        Arc::new(ordered)
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn reread(&self) {
        self.inner.reread();
    }

    fn note_visit(&self) {
        self.inner.note_visit();
    }

    fn age(&self, path: &str) -> Option<Duration> {
        self.inner.age(path)
    }

    fn claim<'s>(&'s self, request: &'s Parts) -> Claim<'s> {
        self.inner.claim(request)
    }
}
