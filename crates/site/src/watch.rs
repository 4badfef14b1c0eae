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
    inventory::{Inventory, Unreadable},
    limits::{NOTICE_DELAY, POLL, POLL_REST, POLL_WATCHED, QUIET, QUIET_MAX, ROOT_CHECK, WRITER_WAIT_MAX},
    scan::root_of,
    version::Assets,
    versions::Versions,
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

/// Asks for a reading after which only that counts which is there now.
#[derive(Debug)]
pub(super) struct Reread(Arc<Signal>);

impl Reread {
    /// At once, and once for all who ask until it begins.
    pub(super) fn ask(&self) {
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
    pub(super) fn of(dir: &Path) -> Self {
        let mut changes = Self { dir: dir.to_owned(), root: None, watcher: None, is_whole: false, signal: Arc::default() };
        changes.rewatch(identify(dir));
        changes
    }

    /// What makes [`keep_up`] read the directory now.
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

/// Why the directory is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Something in it changed, or it is time to look. What cannot be read stays as it was.
    News,
    /// Somebody asked what is there now: whatever is not, or cannot be read, is withdrawn.
    Asked,
}

/// Publishes a new version after each change, until `stopped`. What cannot be read leaves the last version in place, unless somebody asked for what is there now.
pub(super) async fn keep_up(mut inventory: Inventory, mut changes: Changes, versions: Arc<Versions>, mut stopped: oneshot::Receiver<()>) {
    let mut root_check = interval(ROOT_CHECK);
    root_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut last_read, mut took) = (Instant::now(), Duration::ZERO);
    let (mut complained, mut failed) = (false, false);
    // Stays so until a reading that began after the question has an answer.
    let mut why = Why::News;
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => return,
            () = changes.signal.asked.notified() => why = Why::Asked,
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
            // Last, for it may never rest.
            () = changes.signal.changed.notified() => tokio::select! {
                _ = &mut stopped => return,
                () = changes.signal.asked.notified() => why = Why::Asked,
                () = changes.settle() => {}
            },
        }
        let began = Instant::now();
        let (returned, result) = match why {
            Why::News => match read_settled(inventory, &changes).await {
                Some(read) => read,
                None => return,
            },
            Why::Asked => match read_once(inventory, changes.held(), why).await {
                Some((inventory, result)) => (inventory, Some(result)),
                None => return,
            },
        };
        inventory = returned;
        let Some(result) = result else { continue };
        last_read = Instant::now();
        took = last_read - began;
        failed = result.is_err();
        match carry_out(result, why, &versions, last_read) {
            Done::Published => (complained, why) = (false, Why::News),
            Done::Stopped => return,
            Done::Kept(fault) if !complained => {
                complained = true;
                tracing::warn!(path = %changes.dir.display(), %fault, "the last version stays");
            }
            Done::Kept(_) => {}
        }
    }
}

/// What came of a reading.
#[derive(Debug, PartialEq, Eq)]
enum Done {
    Published,
    /// The last version stays, for this reason.
    Kept(String),
    Stopped,
}

/// Publishes what was read, if it is to be believed.
fn carry_out(result: Result<Assets, SiteError>, why: Why, versions: &Versions, now: Instant) -> Done {
    let assets = match (result, why) {
        (Err(SiteError::Interrupted), _) => return Done::Stopped,
        (Err(error), Why::Asked) if error.says_what_is_there() => {
            tracing::warn!(%error, "the site is withdrawn until its directory can be read");
            Assets::new()
        }
        (Err(error), _) => return Done::Kept(error.to_string()),
        (Ok(assets), Why::News) if assets.is_empty() && !versions.current().is_empty() => {
            return Done::Kept("the directory is empty; SIGHUP withdraws what was in it".to_owned());
        }
        (Ok(assets), _) => assets,
    };
    versions.publish(now, assets);
    if why == Why::Asked {
        versions.forget_older();
    }
    Done::Published
}

/// Looks up the root where that may block.
async fn check_root(mut changes: Changes) -> (bool, Option<Changes>) {
    match tokio::task::spawn_blocking(move || (changes.follow_root(), changes)).await {
        Ok((moved, changes)) => (moved, Some(changes)),
        Err(_) => (false, None),
    }
}

type Read<R> = (Inventory, R);

/// Reads until nothing changed during the reading, so that a deploy in progress is not published half, within `QUIET_MAX`; and until no file was
/// begun to be written during it, within `WRITER_WAIT_MAX`. Files that somebody is still writing keep their last content. Without result when somebody
/// asks what is there now before that.
async fn read_settled(mut inventory: Inventory, changes: &Changes) -> Option<Read<Option<Result<Assets, SiteError>>>> {
    let began = Instant::now();
    loop {
        let held = changes.held();
        let (returned, result) = read_once(inventory, held.clone(), Why::News).await?;
        tokio::time::sleep(NOTICE_DELAY).await;
        let took = began.elapsed();
        let is_whole = took >= WRITER_WAIT_MAX || changes.held().is_subset(&held);
        if result.is_err() || is_whole && (took >= QUIET_MAX || !changes.changed_meanwhile().await) {
            return Some((returned, Some(result)));
        }
        inventory = returned;
        tokio::select! {
            () = changes.settle() => {}
            () = changes.signal.asked.notified() => {
                changes.signal.asked.notify_one();
                return Some((inventory, None));
            }
        }
    }
}

async fn read_once(mut inventory: Inventory, held: BTreeSet<PathBuf>, why: Why) -> Option<Read<Result<Assets, SiteError>>> {
    let reading = tokio::task::spawn_blocking(move || {
        let unreadable = if why == Why::Asked { Unreadable::Withdrawn } else { Unreadable::Kept };
        let result = inventory.read(&held, unreadable);
        (inventory, result)
    });
    reading.await.ok()
}

#[cfg(test)]
mod tests;
