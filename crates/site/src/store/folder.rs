//! The folder of a store: where it is made, that nobody else reads it, and that those of killed processes go.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{SiteError, private};

/// Name of the directories the store makes, before a random part.
pub(super) const PREFIX: &str = "viral-objects-";

/// File that is locked while the store's process lives.
pub(super) const LOCK: &str = "lock";

/// Where a store goes that nobody gave a directory: those that systemd made for the program, then the user's own cache. Not first the temporary
/// directory, from which systems remove what was not read for some days.
pub(super) fn cache_dirs(variable: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Vec<PathBuf> {
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
pub(super) fn make_in_first(dirs: &[PathBuf]) -> Result<(TempDir, File), SiteError> {
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

pub(super) fn make_in(parent: &Path) -> io::Result<(TempDir, File)> {
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
pub(super) fn create_private(path: &Path) -> io::Result<File> {
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
pub(super) fn lock(dir: &Path) -> io::Result<File> {
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
