//! Keeping up with the directory: new versions while serving, and the old one as long as there is no new one.

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
    sync::{Notify, oneshot},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use self::writing::Writing;
use super::{
    SiteError,
    inventory::Inventory,
    limits::{NOTICE_DELAY, POLL, POLL_REST, POLL_WATCHED, QUIET, QUIET_MAX, ROOT_CHECK, WRITER_WAIT_MAX},
    scan::root_of,
    site::Versions,
};

mod tree;
mod writing;

/// News that something in a directory changed.
#[derive(Debug)]
pub(super) struct Changes {
    dir: PathBuf,
    root: Option<Root>,
    watcher: Option<RecommendedWatcher>,
    /// Whether all of the directory is watched.
    is_whole: bool,
    signal: Arc<Signal>,
}

/// Where the directory really is, and which one it is: another may be moved to the same path.
type Root = (PathBuf, Option<(u64, u64)>);

/// Asks for a reading.
#[derive(Debug)]
pub(super) struct Reread(Arc<Signal>);

impl Reread {
    /// Soon, and once for all who ask until then.
    pub(super) fn ask(&self) {
        self.0.changed.notify_one();
    }
}

#[derive(Debug, Default)]
struct Signal {
    changed: Notify,
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
    pub(super) fn of(dir: &Path) -> Self {
        let mut changes = Self { dir: dir.to_owned(), root: None, watcher: None, is_whole: false, signal: Arc::default() };
        changes.rewatch(identify(dir));
        changes
    }

    /// What makes [`keep_up`] read the directory as if something had changed.
    pub(super) fn reread(&self) -> Reread {
        Reread(Arc::clone(&self.signal))
    }

    /// How often the directory is read without news.
    fn poll(&self) -> Duration {
        if self.is_whole { POLL_WATCHED } else { POLL }
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
    fn follow_root(&mut self) -> bool {
        let root = identify(&self.dir);
        let moved = root != self.root || self.signal.lost.load(Ordering::Relaxed);
        if moved {
            self.rewatch(root);
        }
        moved
    }

    /// Waits for quiet and until nobody is in the middle of a file, but not for ever.
    async fn settle(&self) {
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
    fn held(&self) -> BTreeSet<PathBuf> {
        self.signal.writing().held(Instant::now())
    }

    /// Whether something changed since this was asked last.
    async fn changed_meanwhile(&self) -> bool {
        timeout(Duration::ZERO, self.signal.changed.notified()).await.is_ok()
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

/// Publishes a new version after each change, until `stopped`. What cannot be read leaves the last version in place.
pub(super) async fn keep_up(mut inventory: Inventory, mut changes: Changes, versions: Arc<Versions>, mut stopped: oneshot::Receiver<()>) {
    let mut root_check = interval(ROOT_CHECK);
    root_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last_read, mut took) = (Instant::now(), Duration::ZERO);
    let (mut complained, mut failed) = (false, false);
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            () = changes.signal.changed.notified() => tokio::select! {
                _ = &mut stopped => return,
                () = changes.settle() => {}
            },
            _ = root_check.tick() => {
                versions.expire(Instant::now());
                let (moved, checked) = check_root(changes).await;
                let Some(checked) = checked else { return };
                changes = checked;
                // What could not be read may be readable soon.
                let poll = if failed { POLL } else { changes.poll() };
                let due = last_read.elapsed() >= poll.max(took * POLL_REST);
                if !moved && !due {
                    continue;
                }
            }
        }
        let began = Instant::now();
        let (returned, result) = match read_settled(inventory, &changes).await {
            Some(read) => read,
            None => return,
        };
        inventory = returned;
        last_read = Instant::now();
        took = last_read - began;
        failed = result.is_err();
        match result {
            Err(SiteError::Interrupted) => return,
            Err(error) if !complained => {
                complained = true;
                tracing::warn!(%error, "directory cannot be read; the last version stays");
            }
            Err(_) => {}
            Ok(assets) if assets.is_empty() && !versions.current().is_empty() => {
                if !complained {
                    complained = true;
                    tracing::warn!(path = %changes.dir.display(), "directory is empty; the last version stays");
                }
            }
            Ok(assets) => {
                complained = false;
                versions.publish(last_read, assets);
            }
        }
    }
}

/// Looks up the root where that may block.
async fn check_root(mut changes: Changes) -> (bool, Option<Changes>) {
    match tokio::task::spawn_blocking(move || (changes.follow_root(), changes)).await {
        Ok((moved, changes)) => (moved, Some(changes)),
        Err(_) => (false, None),
    }
}

type Read = (Inventory, Result<super::version::Assets, SiteError>);

/// Reads until nothing changed during the reading, so that a deploy in progress is not published half, within `QUIET_MAX`; and until no file was
/// begun to be written during it, within `WRITER_WAIT_MAX`. Files that somebody is still writing keep their last content.
async fn read_settled(mut inventory: Inventory, changes: &Changes) -> Option<Read> {
    let began = Instant::now();
    loop {
        let held = changes.held();
        let kept = held.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let result = inventory.read(&kept);
            (inventory, result)
        });
        let (returned, result) = reading.await.ok()?;
        tokio::time::sleep(NOTICE_DELAY).await;
        let took = began.elapsed();
        let is_whole = took >= WRITER_WAIT_MAX || changes.held().is_subset(&held);
        if result.is_err() || is_whole && (took >= QUIET_MAX || !changes.changed_meanwhile().await) {
            return Some((returned, result));
        }
        inventory = returned;
        changes.settle().await;
    }
}
