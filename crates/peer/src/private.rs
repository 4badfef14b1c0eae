//! A directory that one program at a time writes to, and nobody but its user.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Its user alone may look at it.
const MODE: u32 = 0o700;

/// How often the directory is made anew if whoever had it removes it meanwhile.
const TRIES: usize = 3;

/// Why a directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PrivateDirError {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A link, or no directory.
    #[error("it is a link or no directory")]
    Link,
    /// It belongs to another user, who could put there what is then taken for ours.
    #[error("it belongs to another user")]
    Foreign,
    /// Another process holds it.
    #[error("another viral writes here; wait for it, or choose another directory")]
    Busy,
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
            match dir.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(PrivateDirError::Busy),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            if tightened && there.mode() & 0o777 != MODE {
                dir.set_permissions(fs::Permissions::from_mode(MODE))?;
            }
            // Whoever had it may have removed it between our opening and our locking it.
            if fs::symlink_metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (there.dev(), there.ino())) {
                return Ok(Self { _lock: dir });
            }
        }
        Err(PrivateDirError::Busy)
    }
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
}
