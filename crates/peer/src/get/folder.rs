//! A folder held open: names below it are looked up one by one, and never through a link.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, fstat, linkat, mkdirat, open, openat, renameat, renameat_with, statat, unlinkat};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// See the head of the file.
#[derive(Debug)]
pub(super) struct Folder(OwnedFd);

impl Folder {
    /// The folder at `path`, wherever that leads.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, FOLDER, Mode::empty())?))
    }

    /// The folder of that name in this one; made if it is not there.
    pub(super) fn below(&self, name: &OsStr) -> io::Result<Self> {
        match mkdirat(&self.0, name, Mode::from_raw_mode(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self(openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?))
    }

    /// Moves a file here from another folder of the same file system. What has that name already is replaced, or an error of the kind `AlreadyExists`; both in one step where
    /// the file system can do that.
    pub(super) fn take(&self, name: &OsStr, from: &Self, from_name: &OsStr, replace: bool) -> io::Result<()> {
        if replace {
            return Ok(renameat(&from.0, from_name, &self.0, name)?);
        }
        // Local file systems have the first; NFS has hard links; FAT, and some that run as programs, have neither.
        first_possible(&[
            &|| renameat_with(&from.0, from_name, &self.0, name, RenameFlags::NOREPLACE),
            &|| self.take_by_link(name, from, from_name),
            &|| self.take_by_placeholder(name, from, from_name),
        ])
    }

    fn take_by_link(&self, name: &OsStr, from: &Self, from_name: &OsStr) -> Result<(), Errno> {
        linkat(&from.0, from_name, &self.0, name, AtFlags::empty())?;
        unlinkat(&from.0, from_name, AtFlags::empty())
    }

    /// Takes the name by an empty file, which is then replaced: a file is whole or empty, whenever this ends. Who writes to the empty file in that moment loses what he wrote.
    fn take_by_placeholder(&self, name: &OsStr, from: &Self, from_name: &OsStr) -> Result<(), Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let placeholder = openat(&self.0, name, flags, Mode::from_raw_mode(0o600))?;
        let made = fstat(&placeholder)?;
        let is_untouched = || {
            let now = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW);
            now.is_ok_and(|now| (now.st_dev, now.st_ino, now.st_size) == (made.st_dev, made.st_ino, 0))
        };
        if !is_untouched() {
            return Err(Errno::EXIST);
        }
        // Some file systems replace no file that is open.
        drop(placeholder);
        renameat(&from.0, from_name, &self.0, name).inspect_err(|_| {
            if is_untouched() {
                // The error that ended it says more than that of the clearing up.
                let _ = unlinkat(&self.0, name, AtFlags::empty());
            }
        })
    }
}

/// Goes the first of these ways that the file system has.
fn first_possible(ways: &[&dyn Fn() -> Result<(), Errno>]) -> io::Result<()> {
    let mut tried = Err(Errno::OPNOTSUPP);
    for way in ways {
        tried = way();
        // A file system without hard links says PERM (link(2)).
        if !matches!(tried, Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM)) {
            break;
        }
    }
    Ok(tried?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_way_that_the_file_system_lacks_leads_to_the_next_and_any_other_error_is_the_end() {
        let gone = std::cell::RefCell::new(String::new());
        let way = |name: char, said: Result<(), Errno>| {
            let gone = &gone;
            move || {
                gone.borrow_mut().push(name);
                said
            }
        };
        let fat = [way('r', Err(Errno::INVAL)), way('l', Err(Errno::PERM)), way('p', Ok(()))];
        first_possible(&[&fat[0], &fat[1], &fat[2]]).unwrap();
        let taken = [way('R', Err(Errno::NOSYS)), way('L', Err(Errno::EXIST)), way('P', Ok(()))];
        assert_eq!(first_possible(&[&taken[0], &taken[1], &taken[2]]).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let none = way('-', Err(Errno::PERM));
        assert_eq!(first_possible(&[&none]).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(gone.into_inner(), "rlpRL-");
    }

    #[test]
    fn every_way_moves_a_file_whole_and_leaves_alone_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (to, from) = (Folder::open(dir.path()).unwrap(), Folder::open(dir.path()).unwrap().below(OsStr::new("from")).unwrap());
        type Way = fn(&Folder, &OsStr, &Folder, &OsStr) -> Result<(), Errno>;
        for (way, name) in [(Folder::take_by_link as Way, "linked"), (Folder::take_by_placeholder as Way, "placed")] {
            let (name, source) = (OsStr::new(name), dir.path().join("from/piece"));
            let target = dir.path().join(name);
            fs::write(&source, b"new").unwrap();
            way(&to, name, &from, OsStr::new("piece")).unwrap();
            assert_eq!(fs::read(&target).unwrap(), b"new");
            assert!(!source.exists());
            fs::write(&source, b"newer").unwrap();
            assert_eq!(way(&to, name, &from, OsStr::new("piece")), Err(Errno::EXIST));
            assert_eq!((fs::read(&target).unwrap(), fs::read(&source).unwrap()), (b"new".to_vec(), b"newer".to_vec()));
            let none = OsStr::new("none");
            assert_eq!(way(&to, none, &from, none), Err(Errno::NOENT));
            assert!(!dir.path().join(none).exists(), "nothing is left of a try");
        }
    }
}
