//! A file that is used as it was when it was last whole: read into memory, never mapped, since it may be replaced while it is read.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwap;

type Parse<T> = fn(&Path, Vec<u8>) -> Result<T, String>;

/// What a file says, and how to notice that it says something else.
#[derive(Debug)]
pub(crate) struct Followed<T> {
    path: PathBuf,
    len_max: u64,
    parse: Parse<T>,
    now: ArcSwap<T>,
    seen: Mutex<Seen>,
}

/// States of a file: what cannot be read has none.
#[derive(Debug)]
struct Seen {
    /// In which it was read, or refused.
    judged: Option<Stamp>,
    /// At the last look.
    last: Option<Stamp>,
}

/// What changes with a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

/// What a look at a file brought.
#[derive(Debug)]
pub(crate) enum Looked<T> {
    /// Nothing, or nothing yet.
    Unchanged,
    /// It says something else now.
    Replaced(Arc<T>),
    /// It changed and cannot be used.
    Refused(String),
}

impl<T> Followed<T> {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is longer than `len_max` bytes, or `parse` refuses it.
    pub(crate) fn open(path: PathBuf, len_max: u64, parse: Parse<T>) -> Result<Self, String> {
        let (stamp, bytes) = read(&path, len_max)?;
        let now = ArcSwap::from_pointee(parse(&path, bytes)?);
        Ok(Self { path, len_max, parse, now, seen: Mutex::new(Seen { judged: Some(stamp), last: Some(stamp) }) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn now(&self) -> arc_swap::Guard<Arc<T>> {
        self.now.load()
    }

    /// Reads the file anew if it changed and then stayed as it is from one look to the next: somebody may be writing it.
    pub(crate) fn look(&self) -> Looked<T> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = std::fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata));
        let is_quiet = std::mem::replace(&mut seen.last, stamp) == stamp;
        if stamp == seen.judged || !is_quiet {
            return Looked::Unchanged;
        }
        let (read_at, parsed) = match read(&self.path, self.len_max) {
            Ok((read_at, bytes)) => (Some(read_at), (self.parse)(&self.path, bytes)),
            Err(error) => (stamp, Err(error)),
        };
        // It changed while it was read: the next look decides.
        if read_at != stamp {
            seen.last = read_at;
            return Looked::Unchanged;
        }
        seen.judged = stamp;
        match parsed {
            Ok(parsed) => {
                let parsed = Arc::new(parsed);
                self.now.store(Arc::clone(&parsed));
                Looked::Replaced(parsed)
            }
            Err(reason) => Looked::Refused(reason),
        }
    }
}

/// All of a file, and what it was after that.
fn read(path: &Path, len_max: u64) -> Result<(Stamp, Vec<u8>), String> {
    let unreadable = |error: io::Error| format!("cannot be read ({error}); give a file that this user may read");
    let file = File::open(path).map_err(unreadable)?;
    // Of a pipe or a device there is no end.
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err("is no file; give the file itself".to_owned());
    }
    let mut bytes = Vec::new();
    (&file).take(len_max.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > len_max {
        return Err(format!("is longer than {len_max} bytes; give a smaller one"));
    }
    Ok((Stamp::of(&file.metadata().map_err(unreadable)?), bytes))
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified().ok(), len: metadata.len(), inode: inode(metadata) }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(_: &Path, bytes: Vec<u8>) -> Result<String, String> {
        String::from_utf8(bytes).ok().filter(|text| !text.contains("bad")).ok_or_else(|| "bad".to_owned())
    }

    fn replace(path: &Path, text: &str) {
        let other = path.with_extension("new");
        std::fs::write(&other, text).unwrap();
        std::fs::rename(other, path).unwrap();
    }

    #[test]
    fn a_replaced_file_is_read_once_it_is_quiet_and_a_bad_one_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        replace(&path, "one");
        let followed = Followed::open(path.clone(), 5, parse).unwrap();
        assert!(matches!(followed.look(), Looked::Unchanged));
        replace(&path, "two");
        assert!(matches!(followed.look(), Looked::Unchanged), "somebody may be writing it");
        assert!(matches!(followed.look(), Looked::Replaced(now) if *now == "two"));
        replace(&path, "bad");
        assert!(matches!(followed.look(), Looked::Unchanged));
        assert!(matches!(followed.look(), Looked::Refused(_)));
        assert!(matches!(followed.look(), Looked::Unchanged), "it is said once");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(followed.look(), Looked::Unchanged));
        assert!(matches!(followed.look(), Looked::Refused(reason) if reason.contains("cannot be read")));
        assert_eq!(followed.now().as_str(), "two", "what was read before stays");
        replace(&path, "three");
        assert!(matches!((followed.look(), followed.look()), (Looked::Unchanged, Looked::Replaced(_))));
        replace(&path, "much too long");
        assert!(
            matches!((followed.look(), followed.look()), (Looked::Unchanged, Looked::Refused(reason)) if reason.contains("longer than 5 bytes"))
        );
    }

    #[test]
    fn what_is_no_file_or_too_long_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: PathBuf, len_max| Followed::open(path, len_max, parse).map(|followed| followed.now().to_string());
        assert!(open(dir.path().join("none"), 9).unwrap_err().contains("cannot be read"));
        assert!(open(dir.path().to_owned(), 9).unwrap_err().contains("is no file"));
        let path = dir.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(open(path.clone(), 5).as_deref(), Ok("12345"));
        assert!(open(path, 4).is_err());
    }
}
