//! News that something in a directory changed, from the system.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use notify::{
    Config, Event, EventKind, RecommendedWatcher, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{tree, writing::Writing};
use crate::{
    limits::{POLL, POLL_WATCHED, QUIET, QUIET_MAX, WRITER_WAIT_MAX},
    scan::root_of,
};

/// News that something in a directory changed.
#[derive(Debug)]
pub(crate) struct Changes {
    dir: PathBuf,
    root: Option<Root>,
    watcher: Option<RecommendedWatcher>,
    /// Whether all of the directory is watched.
    is_whole: bool,
    signal: Arc<Signal>,
}

/// Where the directory really is, and which one it is: another may be moved to the same path.
type Root = (PathBuf, Option<(u64, u64)>);

/// Asks for a reading after which only that counts which is there now.
#[derive(Debug)]
pub(crate) struct Reread(Arc<Signal>);

impl Reread {
    /// At once, and once for all who ask until it begins.
    pub(crate) fn ask(&self) {
        self.0.asked.notify_one();
    }
}

#[derive(Debug, Default)]
struct Signal {
    changed: Notify,
    /// Somebody wants to know what is there now.
    asked: Notify,
    /// The watched directory itself went away: the watch hears nothing of a new one in its place.
    lost: AtomicBool,
    writing: Mutex<Writing>,
}

impl Signal {
    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Changes {
    /// Begins to watch `dir`. Where the system cannot watch it, it is read every few seconds instead.
    pub(crate) fn of(dir: &Path) -> Self {
        let mut changes = Self { dir: dir.to_owned(), root: None, watcher: None, is_whole: false, signal: Arc::default() };
        changes.rewatch(identify(dir));
        changes
    }

    /// What makes the directory be read now.
    pub(crate) fn reread(&self) -> Reread {
        Reread(Arc::clone(&self.signal))
    }

    /// The directory as it was named.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Waits until somebody wants to know what is there now.
    pub(super) async fn asked(&self) {
        self.signal.asked.notified().await;
    }

    /// Waits until something changed.
    pub(super) async fn news(&self) {
        self.signal.changed.notified().await;
    }

    /// How often the directory is read without news.
    pub(super) fn poll(&self) -> Option<Duration> {
        Some(if self.is_whole { POLL_WATCHED } else { POLL })
    }

    fn rewatch(&mut self, root: Option<Root>) {
        self.signal.lost.store(false, Ordering::Relaxed);
        *self.signal.writing() = Writing::default();
        self.watcher = None;
        self.is_whole = false;
        if let Some((root, _)) = &root {
            match watcher(root, &self.signal) {
                Ok((watcher, refused)) => {
                    self.watcher = Some(watcher);
                    self.is_whole = refused.is_none();
                    if let Some(path) = refused {
                        tracing::warn!(
                            path = %path.display(), every = ?POLL,
                            "this user may not read a directory, the first of those that are not watched; the others are, and all are read at intervals"
                        );
                    }
                }
                // Then the reading fails too, and says why.
                Err(_) if root.read_dir().is_err() => {}
                Err(error) => tracing::warn!(
                    path = %root.display(), %error, every = ?POLL, advice = tree::advice(&error),
                    "directory cannot be watched and is read at intervals"
                ),
            }
        }
        self.root = root;
    }

    /// Watches what `dir` means now, if that is another directory than before. Tells whether it is.
    pub(super) fn follow_root(&mut self) -> bool {
        let root = identify(&self.dir);
        let moved = root != self.root || self.signal.lost.load(Ordering::Relaxed);
        if moved {
            self.rewatch(root);
        }
        moved
    }

    /// Waits for quiet and until nobody is in the middle of a file, but not for ever.
    pub(super) async fn settle(&self) {
        let give_up = Instant::now() + WRITER_WAIT_MAX;
        loop {
            let end = Instant::now() + QUIET_MAX;
            while Instant::now() < end && timeout(QUIET, self.signal.changed.notified()).await.is_ok() {}
            let now = Instant::now();
            let wait = self.signal.writing().wait(now);
            match wait {
                Some(wait) if now < give_up => drop(timeout(wait, self.signal.changed.notified()).await),
                Some(_) | None => return,
            }
        }
    }

    /// The files that somebody is in the middle of writing.
    pub(super) fn held(&self) -> BTreeSet<PathBuf> {
        self.signal.writing().held(Instant::now())
    }

    /// Whether something changed since this was asked last.
    pub(super) async fn changed_meanwhile(&self) -> bool {
        timeout(Duration::ZERO, self.news()).await.is_ok()
    }
}

fn identify(dir: &Path) -> Option<Root> {
    let root = root_of(dir).ok()?;
    #[cfg(unix)]
    let identity = {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(&root).ok().map(|metadata| (metadata.dev(), metadata.ino()))
    };
    #[cfg(not(unix))]
    let identity = None;
    Some((root, identity))
}

/// Watches `root`, and tells the first directory in it that cannot be watched.
fn watcher(root: &Path, signal: &Arc<Signal>) -> notify::Result<(RecommendedWatcher, Option<PathBuf>)> {
    let (signal, watched) = (Arc::clone(signal), root.to_owned());
    let handler = move |event: notify::Result<Event>| {
        if event.as_ref().is_ok_and(is_only_reading) {
            return;
        }
        if let Ok(event) = event {
            signal.writing().note(&event, &watched, Instant::now(), &|path| path.symlink_metadata().ok());
            if takes_away(&event, &watched) {
                signal.lost.store(true, Ordering::Relaxed);
            }
        }
        signal.changed.notify_one();
    };
    // Links that lead out of the directory are not served, so their targets need no watch.
    let mut watcher = RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false))?;
    let refused = tree::watch(root, &mut |dir, mode| watcher.watch(dir, mode))?;
    Ok((watcher, refused))
}

fn is_only_reading(event: &Event) -> bool {
    matches!(event.kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write)) && !event.need_rescan()
}

fn takes_away(event: &Event, root: &Path) -> bool {
    let away = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
    away && event.paths.iter().any(|path| path == root)
}
