//! The object store: private copies of content that no later write to the directory can tear.
//!
//! Small content lives in memory within a budget, the rest in a directory of its own. Content disappears with the last
//! reference to it, the directory with the store. What somebody else removes from it is made anew from where it came, see [`mend`](super::mend).

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tempfile::TempDir;
use tokio::sync::Semaphore;

use self::folder::{cache_dirs, create_private, lock, make_in, make_in_first};
use super::SiteError;
use crate::private;

mod blob;
mod folder;

pub(super) use self::blob::{Blob, BlobWriter};

/// Where content lives while it is referred to.
#[derive(Debug)]
pub(super) struct Store {
    dir: TempDir,
    lock: Mutex<File>,
    memory_len_max: u64,
    memory_used: AtomicU64,
    next: AtomicU64,
    /// Permits of the thorough content codings, which must leave a core to the visitors.
    pub(super) thorough: Arc<Semaphore>,
    /// Permits of the quick content codings that visitors wait for.
    pub(super) quick: Arc<Semaphore>,
}

impl Store {
    /// Makes a store in `parent`, or in the cache directory of this user, and removes what stores that were killed left there.
    pub(super) fn open(parent: Option<&Path>, memory_len_max: u64) -> Result<Arc<Self>, SiteError> {
        let (dir, lock) = match parent {
            Some(parent) => make_in(parent).map_err(|error| SiteError::Store { path: parent.to_owned(), error })?,
            None => make_in_first(&cache_dirs(&|name| std::env::var_os(name)))?,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Arc::new(Self {
            dir,
            lock: Mutex::new(lock),
            memory_len_max,
            memory_used: AtomicU64::new(0),
            next: AtomicU64::new(0),
            thorough: Arc::new(Semaphore::new((cores / 2).max(1))),
            quick: Arc::new(Semaphore::new(cores)),
        }))
    }

    /// The directory large content is in.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A new file, and its path. Where the directory is gone it is made again.
    pub(super) fn create(&self) -> io::Result<(File, PathBuf)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.path().join(format!("{number:x}"));
        match create_private(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
                if !self.dir.path().exists() {
                    tracing::warn!(path = %self.dir.path().display(), "somebody removed the object store; it is made anew");
                    private::make_dir(self.dir.path())?;
                    *held = lock(self.dir.path())?;
                }
                drop(held);
                create_private(&path).map(|file| (file, path))
            }
            made => made.map(|file| (file, path)),
        }
    }

    fn reserve(self: &Arc<Self>, len: u64) -> Option<Reserved> {
        let fits = |used: u64| used.checked_add(len).filter(|sum| *sum <= self.memory_len_max);
        self.memory_used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
        Some(Reserved { store: Arc::clone(self), len })
    }
}

/// Bytes of the memory budget, given back on drop.
#[derive(Debug)]
struct Reserved {
    store: Arc<Store>,
    len: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.store.memory_used.fetch_sub(self.len, Ordering::Relaxed);
    }
}

/// A file of the store, deleted on drop. Holds the store, so that its directory outlives it.
#[derive(Debug)]
pub(super) struct StoreFile {
    pub(super) path: PathBuf,
    pub(super) store: Arc<Store>,
}

impl Drop for StoreFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "object was not deleted");
        }
    }
}

#[cfg(test)]
mod tests;
