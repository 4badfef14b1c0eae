//! A folder held open: names below it are looked up one by one, and never through a link.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, linkat, mkdirat, open, openat, renameat, renameat_with, unlinkat};
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

    /// Moves a file here from another folder of the same file system. What has that name already is replaced, or an error of the kind `AlreadyExists`; both in one step.
    pub(super) fn take(&self, name: &OsStr, from: &Self, from_name: &OsStr, replace: bool) -> io::Result<()> {
        if replace {
            return Ok(renameat(&from.0, from_name, &self.0, name)?);
        }
        match renameat_with(&from.0, from_name, &self.0, name, RenameFlags::NOREPLACE) {
            // Not every file system can do that; those that cannot, such as NFS, have hard links.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                linkat(&from.0, from_name, &self.0, name, AtFlags::empty())?;
                Ok(unlinkat(&from.0, from_name, AtFlags::empty())?)
            }
            done => Ok(done?),
        }
    }
}
