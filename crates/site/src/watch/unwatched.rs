//! What stands for news where this build watches nothing: the directory is read again when somebody asks.

use std::{
    collections::BTreeSet,
    future::pending,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::sync::Notify;

/// A directory of which no news come.
#[derive(Debug)]
pub(crate) struct Changes {
    dir: PathBuf,
    asked: Arc<Notify>,
}

/// Asks for a reading after which only that counts which is there now.
#[derive(Debug)]
pub(crate) struct Reread(Arc<Notify>);

impl Reread {
    /// At once, and once for all who ask until it begins.
    pub(crate) fn ask(&self) {
        self.0.notify_one();
    }
}

impl Changes {
    /// Watches nothing.
    pub(crate) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), asked: Arc::default() }
    }

    /// What makes the directory be read now.
    pub(crate) fn reread(&self) -> Reread {
        Reread(Arc::clone(&self.asked))
    }

    /// The directory as it was named.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Waits until somebody wants to know what is there now.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Never.
    pub(super) async fn news(&self) {
        pending().await
    }

    /// Nobody reads it without being asked.
    pub(super) fn poll(&self) -> Option<Duration> {
        None
    }

    /// Whoever asks finds what is there then.
    pub(super) fn follow_root(&mut self) -> bool {
        false
    }

    /// At once.
    pub(super) async fn settle(&self) {}

    /// Nothing is known of writers.
    pub(super) fn held(&self) -> BTreeSet<PathBuf> {
        BTreeSet::new()
    }

    /// Nothing is known of changes.
    pub(super) async fn changed_meanwhile(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use crate::{DirectorySite, Site as _, SiteOptions, limits::ROOT_CHECK};

    #[tokio::test]
    async fn a_directory_is_read_again_only_when_somebody_asks() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.txt"), "1").unwrap();
        let site = DirectorySite::open(dir.path().to_owned(), SiteOptions::default()).await.unwrap();
        let mut versions = site.subscribe();
        std::fs::write(dir.path().join("b.txt"), "2").unwrap();
        timeout(2 * ROOT_CHECK, versions.changed()).await.unwrap_err();
        site.reread();
        versions.changed().await.unwrap();
        assert_eq!(site.current().assets().count(), 2);
    }
}
