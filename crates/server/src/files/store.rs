//! The object store: private copies of content that no later write to the directory can tear.
//!
//! Small content lives in memory within a budget, the rest in a directory of its own. Content disappears with the last
//! reference to it, the directory with the store. What somebody else removes from it is made anew from where it came, see [`mend`](super::mend).

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use viral_wire::Digest;

use crate::private;

use super::{Object, SiteError, limits::MEMORY_OBJECT_LEN_MAX, mend::Source};

/// Name of the directories the store makes, before a random part.
const PREFIX: &str = "viral-objects-";

/// File that is locked while the store's process lives.
const LOCK: &str = "lock";

/// Where content lives while it is referred to.
#[derive(Debug)]
pub(super) struct Store {
    dir: TempDir,
    lock: Mutex<File>,
    memory_len_max: u64,
    memory_used: AtomicU64,
    next: AtomicU64,
    objects: Mutex<HashMap<Digest, Weak<Object>>>,
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
            objects: Mutex::default(),
            thorough: Arc::new(Semaphore::new((cores / 2).max(1))),
            quick: Arc::new(Semaphore::new(cores)),
        }))
    }

    /// The directory large content is in.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The object with this digest, made by `make` if it is not there yet.
    pub(super) fn intern(&self, digest: Digest, make: impl FnOnce() -> Object) -> Arc<Object> {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(object) = objects.get(&digest).and_then(Weak::upgrade) {
            return object;
        }
        let object = Arc::new(make());
        objects.insert(digest, Arc::downgrade(&object));
        object
    }

    /// Forgets the names of objects that are gone.
    pub(super) fn tidy(&self) {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, object| object.strong_count() > 0);
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

#[derive(Debug)]
enum Place {
    /// Part of the program, or given by it: costs no budget.
    Given(Bytes),
    Memory(Bytes, #[expect(dead_code, reason = "held for its drop")] Reserved),
    Disk(StoreFile),
}

/// Stored bytes that never change.
#[derive(Debug)]
pub(super) struct Blob {
    len: u64,
    place: Place,
    /// Where the bytes came from last.
    source: Mutex<Option<Source>>,
    /// Held while the file is made anew.
    mending: Mutex<()>,
}

impl Blob {
    /// Bytes the program holds anyway.
    pub(super) fn given(bytes: Bytes) -> Self {
        Self::at(bytes.len() as u64, Place::Given(bytes))
    }

    fn at(len: u64, place: Place) -> Self {
        Self { len, place, source: Mutex::default(), mending: Mutex::default() }
    }

    /// Says where the bytes can be had again.
    pub(super) fn come_from(&self, source: Source) {
        if self.memory().is_none() {
            *self.source.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
        }
    }

    /// Makes sure that the bytes can be read. Blocks.
    pub(super) fn check(&self) -> io::Result<()> {
        match &self.place {
            Place::Given(_) | Place::Memory(..) => Ok(()),
            Place::Disk(file) => self.open(file).map(drop),
        }
    }

    /// The whole file, made anew if it is not there.
    fn open(&self, file: &StoreFile) -> io::Result<File> {
        let fault = match self.open_whole(file) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => error,
            opened => return opened,
        };
        let _one = self.mending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(opened) = self.open_whole(file) {
            return Ok(opened);
        }
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner).clone();
        source.ok_or(fault)?.mend(file, self.len)?;
        self.open_whole(file)
    }

    fn open_whole(&self, file: &StoreFile) -> io::Result<File> {
        let opened = File::open(&file.path)?;
        let is_whole = opened.metadata()?.len() == self.len;
        is_whole.then_some(opened).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "a file of the object store was cut"))
    }

    /// Length in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes, if they are in memory.
    pub(super) fn memory(&self) -> Option<&Bytes> {
        match &self.place {
            Place::Given(bytes) | Place::Memory(bytes, _) => Some(bytes),
            Place::Disk(_) => None,
        }
    }

    /// A reader from `offset` on. Blocks.
    pub(super) fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        match &self.place {
            Place::Given(bytes) | Place::Memory(bytes, _) => {
                let mut cursor = io::Cursor::new(bytes.clone());
                cursor.set_position(offset);
                Ok(Box::new(cursor))
            }
            Place::Disk(file) => {
                let mut file = self.open(file)?;
                file.seek(SeekFrom::Start(offset))?;
                Ok(Box::new(file))
            }
        }
    }

    /// The bytes of `range`. Blocks. Errs when the range reaches over the end.
    pub(super) fn read_blocking(&self, range: Range<u64>) -> io::Result<Bytes> {
        let beyond = || io::Error::new(io::ErrorKind::UnexpectedEof, "range reaches over the end of the object");
        let len = range.end.checked_sub(range.start).filter(|_| range.end <= self.len).ok_or_else(beyond)?;
        let (start, len) = (usize::try_from(range.start), usize::try_from(len).map_err(|_| beyond())?);
        if let (Some(bytes), Ok(start)) = (self.memory(), start) {
            return Ok(bytes.slice(start..start + len));
        }
        let mut buffer = vec![0; len];
        self.reader(range.start)?.read_exact(&mut buffer)?;
        Ok(buffer.into())
    }
}

/// Takes bytes into the store: in memory while they are few, then in a file.
#[derive(Debug)]
pub(super) struct BlobWriter {
    store: Arc<Store>,
    memory: Vec<u8>,
    file: Option<(File, StoreFile)>,
    len: u64,
}

impl BlobWriter {
    /// A writer of new content.
    pub(super) fn new(store: &Arc<Store>) -> Self {
        Self { store: Arc::clone(store), memory: Vec::new(), file: None, len: 0 }
    }

    /// What was written so far, in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Ends the writing.
    pub(super) fn finish(mut self) -> io::Result<Blob> {
        if self.file.is_none() {
            if let Some(reserved) = self.store.reserve(self.len) {
                self.memory.shrink_to_fit();
                return Ok(Blob::at(self.len, Place::Memory(self.memory.into(), reserved)));
            }
            self.spill()?;
        }
        let Some((_, file)) = self.file else { return Err(io::Error::other("spilled content has no file")) };
        Ok(Blob::at(self.len, Place::Disk(file)))
    }

    fn spill(&mut self) -> io::Result<()> {
        let (mut file, path) = self.store.create()?;
        let guard = StoreFile { path, store: Arc::clone(&self.store) };
        file.write_all(&self.memory)?;
        self.memory = Vec::new();
        self.file = Some((file, guard));
        Ok(())
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.is_none() && self.memory.len() + bytes.len() > MEMORY_OBJECT_LEN_MAX {
            self.spill()?;
        }
        let written = match &mut self.file {
            Some((file, _)) => file.write(bytes)?,
            None => self.memory.write(bytes)?,
        };
        self.len += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a store goes that nobody gave a directory: those that systemd made for the program, then the user's own cache. Not first the temporary
/// directory, from which systems remove what was not read for some days.
fn cache_dirs(variable: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Vec<PathBuf> {
    let absolute = |name: &str| {
        let listed = variable(name)?;
        std::env::split_paths(&listed).next().filter(|dir| dir.is_absolute())
    };
    let own = |dir: PathBuf| dir.join("viral");
    let dirs = [
        absolute("CACHE_DIRECTORY"),
        absolute("STATE_DIRECTORY"),
        absolute("XDG_CACHE_HOME").map(own),
        absolute("HOME").map(|home| own(home.join(".cache"))),
        Some(std::env::temp_dir()),
    ];
    dirs.into_iter().flatten().collect()
}

/// A store in the first of these directories that can be written.
fn make_in_first(dirs: &[PathBuf]) -> Result<(TempDir, File), SiteError> {
    let mut failed = None;
    for dir in dirs {
        match make_in(dir) {
            Ok(made) => return Ok(made),
            Err(error) => {
                tracing::debug!(path = %dir.display(), %error, "no object store there");
                failed = Some(SiteError::Store { path: dir.clone(), error });
            }
        }
    }
    Err(failed.unwrap_or_else(|| SiteError::Store { path: PathBuf::new(), error: io::ErrorKind::NotFound.into() }))
}

fn make_in(parent: &Path) -> io::Result<(TempDir, File)> {
    private::make_dir(parent)?;
    remove_abandoned(parent);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    let dir = builder.tempdir_in(parent)?;
    let lock = lock(dir.path())?;
    Ok((dir, lock))
}

/// A new file that nobody else may read.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Locks a new store directory. The lock has its name only once it is held, so that nobody takes the store for abandoned.
fn lock(dir: &Path) -> io::Result<File> {
    let unnamed = dir.join("lock.new");
    let file = create_private(&unnamed)?;
    file.lock()?;
    fs::rename(unnamed, dir.join(LOCK))?;
    Ok(file)
}

fn remove_abandoned(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            let removed = fs::remove_dir_all(entry.path());
            tracing::debug!(path = %entry.path().display(), removed = removed.is_ok(), "object store of a killed process");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(store: &Arc<Store>, len: usize) -> Blob {
        let mut writer = BlobWriter::new(store);
        writer.write_all(&vec![7; len]).unwrap();
        writer.finish().unwrap()
    }

    fn files_of(store: &Store) -> usize {
        fs::read_dir(store.path()).unwrap().count() - 1
    }

    #[test]
    fn content_over_the_memory_budget_goes_to_disk_and_reads_the_same() {
        let parent = tempfile::tempdir().unwrap();
        let store = Store::open(Some(parent.path()), 100).unwrap();
        let small = written(&store, 100);
        let over = written(&store, 1);
        assert!(small.memory().is_some() && over.memory().is_none());
        assert_eq!(over.read_blocking(0..1).unwrap(), small.read_blocking(99..100).unwrap());
        drop(small);
        assert!(written(&store, 100).memory().is_some(), "a dropped object gives its memory back");
    }

    #[test]
    fn files_vanish_with_their_content_and_the_directory_with_the_store() {
        let parent = tempfile::tempdir().unwrap();
        let store = Store::open(Some(parent.path()), u64::MAX).unwrap();
        let blob = written(&store, MEMORY_OBJECT_LEN_MAX + 1);
        assert_eq!(files_of(&store), 1);
        drop(blob);
        assert_eq!(files_of(&store), 0);
        let unfinished = {
            let mut writer = BlobWriter::new(&store);
            writer.write_all(&vec![0; MEMORY_OBJECT_LEN_MAX + 1]).unwrap();
            writer
        };
        drop(unfinished);
        assert_eq!(files_of(&store), 0);
        drop(store);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn stores_of_killed_processes_are_removed_and_living_ones_kept() {
        let parent = tempfile::tempdir().unwrap();
        let living = Store::open(Some(parent.path()), 0).unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let _other = Store::open(Some(parent.path()), 0).unwrap();
        assert!(!dead.exists());
        assert!(living.path().exists());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_look_into_the_store() {
        use std::os::unix::fs::PermissionsExt as _;

        let parent = tempfile::tempdir().unwrap();
        let below = parent.path().join("cache/viral");
        let store = Store::open(Some(&below), 0).unwrap();
        let _blob = written(&store, 1);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&below), mode(store.path())), (0o700, 0o700));
        for entry in fs::read_dir(store.path()).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
    }

    #[test]
    fn the_temporary_directory_is_the_last_resort() {
        let with = |pairs: &[(&str, &str)]| {
            let pairs: HashMap<String, std::ffi::OsString> = pairs.iter().map(|(name, value)| ((*name).into(), value.into())).collect();
            let mut dirs = cache_dirs(&|name| pairs.get(name).cloned());
            assert_eq!(dirs.pop().unwrap(), std::env::temp_dir());
            dirs.into_iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(with(&[("HOME", "/home/a")]), ["/home/a/.cache/viral"]);
        assert_eq!(with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")]), ["/c/viral", "/home/a/.cache/viral"]);
        assert_eq!(
            with(&[("CACHE_DIRECTORY", "/var/cache/viral:/x"), ("STATE_DIRECTORY", "/var/lib/viral")]),
            ["/var/cache/viral", "/var/lib/viral"]
        );
        assert!(with(&[("HOME", ""), ("XDG_CACHE_HOME", "relative")]).is_empty());
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("file"), "").unwrap();
        let (dir, _lock) = make_in_first(&[parent.path().join("file/below"), parent.path().join("good")]).unwrap();
        assert!(dir.path().starts_with(parent.path().join("good")));
    }

    #[test]
    fn a_store_that_was_removed_is_made_anew_and_locked() {
        let parent = tempfile::tempdir().unwrap();
        let store = Store::open(Some(parent.path()), 0).unwrap();
        fs::remove_dir_all(store.path()).unwrap();
        let blob = written(&store, 3);
        let _other = Store::open(Some(parent.path()), 0).unwrap();
        assert_eq!(blob.read_blocking(0..3).unwrap(), vec![7; 3]);
    }

    #[test]
    fn a_range_over_the_end_is_an_error() {
        let blob = Blob::given(Bytes::from_static(b"abc"));
        assert_eq!(blob.read_blocking(1..3).unwrap(), "bc");
        assert!(blob.read_blocking(1..4).is_err());
        #[expect(clippy::reversed_empty_ranges, reason = "what a wrong caller would pass")]
        let reversed = 2..1;
        assert!(blob.read_blocking(reversed).is_err());
    }
}
