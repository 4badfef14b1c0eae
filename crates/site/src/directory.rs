//! A directory on disk as a site, watched for changes where the feature `watch` is on.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{oneshot, watch};

use crate::{
    Site, SiteError, SiteOptions, Version,
    blocking::blocking,
    inventory::{Inventory, Unreadable},
    options::Settings,
    versions::Versions,
    watch::{Changes, Reread, keep_up},
};

/// Everything about one directory. Dropping it ends the watching.
///
/// Without the feature `watch` the directory is read once, and again after each [`Site::reread`].
#[derive(Debug)]
pub struct DirectorySite {
    versions: Arc<Versions>,
    cancelled: Arc<AtomicBool>,
    reread: Reread,
    /// Dropped with the site, which the watching task notices.
    _stop: oneshot::Sender<()>,
}

impl DirectorySite {
    /// Reads `dir` and begins to watch it, with the feature `watch`. Returns once the first version can be served. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`SiteError`] when the directory cannot be read, is too large, or the options contradict themselves.
    pub async fn open(dir: PathBuf, options: SiteOptions) -> Result<Self, SiteError> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let guard = Cancel(Arc::clone(&cancelled));
        let entries_max = options.entries_max;
        let Settings { context, settings } = blocking(move || Settings::of(options)).await??;
        // Watched before it is read, so that no change falls between.
        let (watched, shown, base) = (dir.clone(), dir.clone(), Arc::clone(&settings.base));
        let changes = blocking(move || Changes::of(&watched)).await?;
        let mut inventory = Inventory::new(dir, Arc::clone(&base), entries_max, context, Arc::clone(&cancelled));
        let (contents, inventory) =
            blocking(move || inventory.read(&BTreeSet::new(), Unreadable::Kept).map(|contents| (contents, inventory))).await??;
        if !contents.assets.contains_key(&format!("{base}index.html")) && contents.rules.outcome(&format!("/{base}"), false).is_none() {
            tracing::warn!(path = %shown.display(), "there is no index.html: visitors of / find nothing");
        }
        let versions = Arc::new(Versions::new(contents, settings));
        let (stop, stopped) = oneshot::channel();
        let reread = changes.reread();
        tokio::spawn(keep_up(inventory, changes, Arc::clone(&versions), stopped));
        guard.disarm();
        Ok(Self { versions, cancelled, reread, _stop: stop })
    }
}

impl Site for DirectorySite {
    fn versions(&self) -> Arc<Vec<Arc<Version>>> {
        self.versions.kept()
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.versions.subscribe()
    }

    /// Only a file that somebody is writing keeps its last content until it is whole.
    fn reread(&self) {
        self.reread.ask();
    }
}

impl Drop for DirectorySite {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

/// Ends the reading when the opening is given up before it is done.
struct Cancel(Arc<AtomicBool>);

impl Cancel {
    fn disarm(self) {
        std::mem::forget(self);
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
