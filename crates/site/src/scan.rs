//! Walking the directory: which files may be served, and by which path.

use std::{
    collections::BTreeSet,
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use viral_wire::limits::PATH_LEN_MAX;

use super::{
    SiteError,
    limits::{DEPTH_MAX, STAMP_DOUBT, WARNED_MAX},
    path,
};

/// What tells that a file is the same as before without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) len: u64,
    pub(super) modified: Option<SystemTime>,
    /// Seconds and nanoseconds of the last change of content or metadata, which no program can set; device and inode.
    system: Option<(i64, i64, u64, u64)>,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let system = {
            use std::os::unix::fs::MetadataExt as _;
            Some((metadata.ctime(), metadata.ctime_nsec(), metadata.dev(), metadata.ino()))
        };
        #[cfg(not(unix))]
        let system = None;
        Self { len: metadata.len(), modified: metadata.modified().ok(), system }
    }

    /// Whether a change right after `now` could leave the same stamp, because the clock of the file system is coarse.
    pub(super) fn is_doubtful(&self, now: SystemTime) -> bool {
        let (changed, doubt) = match self.system {
            Some((seconds, nanoseconds, ..)) => {
                let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                let nanoseconds = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0));
                // Whole seconds tell a file system without finer stamps; others tick at least every 10 ms (kernel HZ).
                let doubt = if nanoseconds.is_zero() { STAMP_DOUBT } else { Duration::from_millis(50) };
                (Some(SystemTime::UNIX_EPOCH + seconds + nanoseconds), doubt)
            }
            None => (self.modified, STAMP_DOUBT),
        };
        changed.is_none_or(|changed| changed + doubt > now)
    }
}

/// A file that may be served.
#[derive(Debug)]
pub(super) struct Found {
    /// Path below the directory with `/` between segments.
    pub(super) relative: String,
    /// Where it really is, without symbolic links.
    pub(super) real: PathBuf,
}

/// Names that were warned about, so that each is warned about once however often the directory is read.
#[derive(Debug, Default)]
pub(super) struct Warned(BTreeSet<PathBuf>);

impl Warned {
    pub(super) fn warn(&mut self, path: &Path, reason: &str) {
        if self.0.len() < WARNED_MAX && self.0.insert(path.to_owned()) {
            tracing::warn!(path = %path.display(), reason, "not served");
        }
    }
}

/// What was found.
#[derive(Debug)]
pub(super) struct Scanned {
    /// The files, sorted by relative path.
    pub(super) found: Vec<Found>,
    /// Relative paths, with their final slash, of directories that could not be listed: nobody knows what is in them.
    pub(super) denied: Vec<String>,
}

/// Whether the system had too little of something to read, which says nothing of what was to be read.
pub(super) fn is_exhausted(error: &io::Error) -> bool {
    #[cfg(unix)]
    if let Some(code) = error.raw_os_error() {
        use rustix::io::Errno;
        return [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS].map(Errno::raw_os_error).contains(&code);
    }
    error.kind() == io::ErrorKind::OutOfMemory
}

/// All files below `dir`.
///
/// Hidden names, except `.well-known` at the top, are left out silently. Left out with a warning are names that no URL can
/// carry and symbolic links whose target lies outside of `dir`. Links within it are followed, unless they lead to a
/// directory they are in. Relative paths begin with `base`.
pub(super) fn scan(dir: &Path, base: &str, entries_max: usize, warned: &mut Warned) -> Result<Scanned, SiteError> {
    let root = root_of(dir)?;
    let mut walk = Walk {
        dir,
        root: &root,
        entries_left: entries_max,
        entries_max,
        above: vec![root.clone()],
        found: Vec::new(),
        denied: Vec::new(),
        warned,
    };
    let entries = fs::read_dir(&root).map_err(|source| unreadable(dir, source))?;
    walk.list(entries, base)?;
    let Walk { mut found, denied, .. } = walk;
    found.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(Scanned { found, denied })
}

/// Where the directory really is.
pub(super) fn root_of(dir: &Path) -> Result<PathBuf, SiteError> {
    let root = fs::canonicalize(dir).map_err(|source| unreadable(dir, source))?;
    let is_dir = fs::metadata(&root).map_err(|source| unreadable(dir, source))?.is_dir();
    if is_dir { Ok(root) } else { Err(SiteError::NotADirectory { path: dir.to_owned() }) }
}

fn unreadable(dir: &Path, source: io::Error) -> SiteError {
    let path = dir.to_owned();
    if source.kind() == io::ErrorKind::NotFound {
        SiteError::Missing { path }
    } else if source.kind() == io::ErrorKind::NotADirectory {
        SiteError::NotADirectory { path }
    } else if is_exhausted(&source) {
        SiteError::Exhausted { path, error: source }
    } else {
        SiteError::Unreadable { path, error: source }
    }
}

struct Walk<'a> {
    dir: &'a Path,
    root: &'a Path,
    entries_left: usize,
    entries_max: usize,
    /// Real paths of the directories this one is in.
    above: Vec<PathBuf>,
    found: Vec<Found>,
    denied: Vec<String>,
    warned: &'a mut Warned,
}

impl Walk<'_> {
    fn list(&mut self, entries: fs::ReadDir, prefix: &str) -> Result<(), SiteError> {
        for entry in entries {
            self.entries_left = self
                .entries_left
                .checked_sub(1)
                .ok_or_else(|| SiteError::TooManyEntries { path: self.dir.to_owned(), max: self.entries_max })?;
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.cannot_list(self.root, prefix, error)?;
                    continue;
                }
            };
            // An entry that vanished or cannot be looked at is like one that is not there.
            let Ok(kind) = entry.file_type() else { continue };
            let here = entry.path();
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.warned.warn(&here, "its name is not UTF-8");
                continue;
            };
            if !path::is_segment(name, prefix.is_empty()) {
                if !name.starts_with('.') {
                    self.warned.warn(&here, "its name cannot stand in a URL path");
                }
                continue;
            }
            let relative = format!("{prefix}{name}");
            let target = if kind.is_symlink() { self.target_of(&here) } else { Some((here, kind.is_dir(), kind.is_file())) };
            match target {
                Some((real, true, _)) => self.descend(real, relative)?,
                Some((real, _, true)) if path::encode(&relative).len() <= PATH_LEN_MAX => self.found.push(Found { relative, real }),
                Some((real, _, true)) => self.warned.warn(&real, "its URL path is too long"),
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn descend(&mut self, real: PathBuf, relative: String) -> Result<(), SiteError> {
        if self.above.contains(&real) {
            return Ok(());
        }
        if self.above.len() >= DEPTH_MAX {
            self.warned.warn(&real, "it is too deep");
            return Ok(());
        }
        match fs::read_dir(&real) {
            Ok(entries) => {
                self.above.push(real);
                self.list(entries, &format!("{relative}/"))?;
                self.above.pop();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.cannot_list(&real, &format!("{relative}/"), error)?,
        }
        Ok(())
    }

    /// What is below `prefix` is not known.
    fn cannot_list(&mut self, real: &Path, prefix: &str, error: io::Error) -> Result<(), SiteError> {
        if is_exhausted(&error) {
            return Err(SiteError::Exhausted { path: real.to_owned(), error });
        }
        self.warned.warn(real, &format!("it cannot be listed, and what was in it before stays until SIGHUP: {error}"));
        self.denied.push(prefix.to_owned());
        Ok(())
    }

    /// Real path of what a symbolic link leads to, and whether it is a directory or a file, if that may be served.
    fn target_of(&mut self, link: &Path) -> Option<(PathBuf, bool, bool)> {
        let real = match fs::canonicalize(link) {
            Ok(real) => real,
            Err(error) => {
                self.warned.warn(link, &format!("the symbolic link leads nowhere: {error}"));
                return None;
            }
        };
        if !real.starts_with(self.root) {
            self.warned.warn(link, "the symbolic link leads out of the directory");
            return None;
        }
        let metadata = fs::metadata(&real).ok()?;
        Some((real, metadata.is_dir(), metadata.is_file()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn being_out_of_descriptors_says_nothing_of_what_was_to_be_read() {
        use rustix::io::Errno;

        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOMEM] {
            assert!(is_exhausted(&errno.into()), "{errno}");
            assert!(matches!(unreadable(Path::new("a"), errno.into()), SiteError::Exhausted { .. }));
        }
        for errno in [Errno::ACCESS, Errno::NOENT, Errno::IO] {
            assert!(!is_exhausted(&errno.into()), "{errno}");
        }
    }

    #[test]
    fn what_is_below_a_directory_that_cannot_be_listed_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let mut warned = Warned::default();
        let mut walk = Walk {
            dir: dir.path(),
            root: dir.path(),
            entries_left: 9,
            entries_max: 9,
            above: vec![],
            found: Vec::new(),
            denied: Vec::new(),
            warned: &mut warned,
        };
        walk.cannot_list(dir.path(), "secret/", io::ErrorKind::PermissionDenied.into()).unwrap();
        assert_eq!(walk.denied, ["secret/"]);
        #[cfg(unix)]
        assert!(walk.cannot_list(dir.path(), "full/", rustix::io::Errno::MFILE.into()).is_err());
    }
}
