//! A directory that one program at a time writes to, and nobody but its user.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};

/// Its user alone may look at it.
const MODE: u32 = 0o700;

/// The file that is locked where the directory cannot be.
const LOCK: &str = ".viral-lock";

/// How often the directory is made anew if whoever had it removes it meanwhile.
const TRIES: usize = 3;

/// Why a directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PrivateDirError {
    /// The system says so.
    #[error("{}{}", .0, advice(.0))]
    Io(#[from] io::Error),
    /// A link, or no directory.
    #[error("it is a link or no directory")]
    Link,
    /// It belongs to another user, who could put there what is then taken for ours.
    #[error(
        "it belongs to another user (where a file system has no owners, to who mounted it); remove it, or choose a directory of your own"
    )]
    Foreign,
    /// Others may write there, and the file system does not let that be changed, as FAT.
    #[error(
        "other users may write there, and its file system cannot keep them out; choose a directory on another one, or mount it with `umask=022`"
    )]
    Open,
    /// Another process holds it.
    #[error("another viral writes here; wait for it, or choose another directory")]
    Busy,
    /// So two programs could write there at once.
    #[error("its file system has no locks ({0}); choose a directory on another one")]
    NoLocks(#[source] io::Error),
}

/// A directory that is locked as long as this value lives.
#[derive(Debug)]
pub(crate) struct PrivateDir {
    _lock: File,
}

impl PrivateDir {
    /// Makes the directory if need be, for its user alone, and locks it. One that is there already keeps its owner and mode, unless it is to be `tightened`.
    pub(crate) fn open(path: &Path, tightened: bool) -> Result<Self, PrivateDirError> {
        for _ in 0..TRIES {
            fs::DirBuilder::new().recursive(true).mode(MODE).create(path).map_err(|error| not_through_links(path, error))?;
            let dir = File::options().read(true).custom_flags(no_follow(OFlags::DIRECTORY)).open(path);
            let dir = dir.map_err(|error| not_through_links(path, error))?;
            let there = dir.metadata()?;
            if tightened && there.uid() != rustix::process::geteuid().as_raw() {
                return Err(PrivateDirError::Foreign);
            }
            let lock = lock(&dir, File::try_lock)?;
            if tightened && there.mode() & 0o777 != MODE {
                tighten(&dir, |dir| dir.set_permissions(fs::Permissions::from_mode(MODE)))?;
            }
            // Whoever had it may have removed it between our opening and our locking it.
            if fs::symlink_metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (there.dev(), there.ino())) {
                return Ok(Self { _lock: lock });
            }
        }
        Err(PrivateDirError::Busy)
    }
}

/// Holds a directory, or a file in it where its file system locks no directories: NFS locks only what is open for writing.
fn lock(dir: &File, try_lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<File, PrivateDirError> {
    match try_lock(dir) {
        Ok(()) => return Ok(dir.try_clone()?),
        Err(TryLockError::WouldBlock) => return Err(PrivateDirError::Busy),
        Err(TryLockError::Error(error)) => tracing::debug!(%error, "a directory that cannot be locked; a file in it is"),
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(dir, LOCK, flags, Mode::RUSR | Mode::WUSR).map_err(io::Error::from)?);
    match try_lock(&file) {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PrivateDirError::Busy),
        Err(TryLockError::Error(error)) => Err(PrivateDirError::NoLocks(error)),
    }
}

/// Gives a directory of ours its mode. Where the file system has no modes it will do that nobody else may write.
fn tighten(dir: &File, change: impl FnOnce(&File) -> io::Result<()>) -> Result<(), PrivateDirError> {
    if let Err(error) = change(dir) {
        tracing::debug!(%error, "a directory keeps its mode");
    }
    if dir.metadata()?.mode() & 0o022 == 0 { Ok(()) } else { Err(PrivateDirError::Open) }
}

/// What to do about an error of a directory that was chosen.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    const ROOM: &str = "; make room, or choose a directory on another disk";
    const NAMES: &str = "; its file system may not have such names, choose a directory on another one";
    let known = [
        (io::ErrorKind::PermissionDenied, "; choose a directory that this user may write to"),
        (io::ErrorKind::ReadOnlyFilesystem, "; choose a directory that is not mounted read-only"),
        (io::ErrorKind::StorageFull, ROOM),
        (io::ErrorKind::QuotaExceeded, ROOM),
        (io::ErrorKind::FileTooLarge, "; its file system has no files of that size (FAT: 4 GB), choose a directory on another one"),
        (io::ErrorKind::InvalidInput, NAMES),
        (io::ErrorKind::InvalidFilename, NAMES),
    ];
    known.iter().find(|(kind, _)| *kind == error.kind()).map_or("", |(_, advice)| advice)
}

/// Flags with which a link at the end of a path is an error.
pub(crate) fn no_follow(more: OFlags) -> i32 {
    (OFlags::NOFOLLOW | more).bits().cast_signed()
}

fn not_through_links(path: &Path, error: io::Error) -> PrivateDirError {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => PrivateDirError::Link,
        Ok(_) | Err(_) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn one_at_a_time_has_it_and_nobody_else_can_look() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("own");
        let first = PrivateDir::open(&path, false).unwrap();
        assert_eq!(mode(&path), MODE);
        assert!(matches!(PrivateDir::open(&path, false), Err(PrivateDirError::Busy)));
        drop(first);
        PrivateDir::open(&path, false).unwrap();
    }

    #[test]
    fn one_that_all_could_write_to_is_tightened_where_it_is_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("open");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        drop(PrivateDir::open(&path, false).unwrap());
        assert_eq!(mode(&path), 0o777, "somebody chose it");
        drop(PrivateDir::open(&path, true).unwrap());
        assert_eq!(mode(&path), MODE);
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = dir.path().join("link");
        std::os::unix::fs::symlink(elsewhere.path(), &path).unwrap();
        assert!(matches!(PrivateDir::open(&path, true), Err(PrivateDirError::Link)));
    }

    #[test]
    fn where_directories_cannot_be_locked_a_file_in_them_is() {
        let dir = tempfile::tempdir().unwrap();
        let opened = File::open(dir.path()).unwrap();
        let nfs = |file: &File| match file.metadata().unwrap().is_dir() {
            true => Err(TryLockError::Error(rustix::io::Errno::BADF.into())),
            false => file.try_lock(),
        };
        let first = lock(&opened, nfs).unwrap();
        assert!(matches!(lock(&opened, nfs), Err(PrivateDirError::Busy)));
        drop(first);
        lock(&opened, nfs).unwrap();
        let none = lock(&opened, |_| Err(TryLockError::Error(rustix::io::Errno::OPNOTSUPP.into()))).unwrap_err();
        assert!(none.to_string().contains("choose a directory on another one"), "{none}");
    }

    #[test]
    fn a_file_system_without_modes_will_do_where_nobody_else_may_write() {
        let dir = tempfile::tempdir().unwrap();
        let opened = File::open(dir.path()).unwrap();
        let refused = |_: &File| Err(rustix::io::Errno::PERM.into());
        for (mode, fits) in [(0o755, true), (0o700, true), (0o775, false), (0o777, false)] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(tighten(&opened, refused).is_ok(), fits, "{mode:o}");
            assert_eq!(tighten(&opened, |_| Ok(())).is_ok(), fits, "said to be changed, and is not: {mode:o}");
        }
    }
}
