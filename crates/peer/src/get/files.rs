//! The output directory: safe paths, no surprises, whole files only.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use viral_swarm::client::asset_file::{relative, without_addition};
use viral_wire::printable::printable;
use viral_wire::{AssetRecord, Digest};

use super::folder::Folder;
use crate::private::{PrivateDir, PrivateDirError, advice};
use crate::store::{Store, digest_of_file};

/// Where pieces lie until everything is here, inside the output directory, so that the last step is a rename.
const PARTIAL: &str = ".viral-partial";

/// Why files cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The directory is of no use.
    #[error("cannot write to {}: {cause}{}", .path.display(), advice(.cause))]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The disk filled up, or its like, in the middle.
    #[error("cannot keep pieces in {}: {cause}; those that are there stay, run the same command again to go on", .dir.display())]
    Partial {
        /// Where.
        dir: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The folder of the partial download is somebody else's.
    #[error("cannot keep pieces in {}: {cause}", .dir.display())]
    Private {
        /// Where.
        dir: PathBuf,
        /// Why not.
        #[source]
        cause: PrivateDirError,
    },
    /// A path that leads out of the directory, that file systems do not have, or that programs and people take for something else.
    #[error("the app has an asset at `{}`, which is not a safe name for a file", printable(.path))]
    Unsafe {
        /// The path in the manifest.
        path: String,
    },
    /// Something else is there.
    #[error("{} exists and differs; nothing was overwritten: choose an empty directory, or --force to replace", .0.display())]
    Exists(PathBuf),
    /// Somebody put a link where a file or a folder belongs.
    #[error("{} is a link or no regular file; nothing is written through it", .0.display())]
    Link(PathBuf),
    /// Two assets would be one file.
    #[error("two assets of the app would both be {}; where names differ in case only, choose a directory on a file system that tells them apart", .0.display())]
    Collision(PathBuf),
    /// The pieces are right and the asset is not: the manifest contradicts itself.
    #[error("{} does not match its digest although its pieces do; the origin's manifest is wrong", printable(.path))]
    Digest {
        /// The path in the manifest.
        path: String,
    },
}

/// The directory that files go to.
#[derive(Debug)]
pub(super) struct OutputDir {
    dir: PathBuf,
    /// What the paths of the site begin with, which its files do not.
    below: String,
    root: Folder,
    /// The folder of the partial download, and its lock.
    partial: (Folder, PrivateDir),
    force: bool,
    /// The files put in place by now, by device and inode: a file system may take two names for one.
    placed: BTreeSet<(u64, u64)>,
}

impl OutputDir {
    /// Makes the directory if need be. Nobody else can begin a download there until this value is gone.
    pub(super) fn open(dir: PathBuf, below: &str, force: bool) -> Result<Self, OutputError> {
        let failed = |cause| OutputError::Io { path: dir.clone(), cause };
        fs::create_dir_all(&dir).map_err(failed)?;
        let path = dir.join(PARTIAL);
        let lock = match PrivateDir::open(&path, true) {
            Ok(lock) => lock,
            Err(PrivateDirError::Link) => return Err(OutputError::Link(path)),
            Err(cause) => return Err(OutputError::Private { dir: path, cause }),
        };
        let root = Folder::open(&dir).map_err(failed)?;
        let partial = root.below(OsStr::new(PARTIAL)).map_err(failed)?;
        Ok(Self { dir, below: below.to_owned(), root, partial: (partial, lock), force, placed: BTreeSet::new() })
    }

    /// Where pieces lie until everything is here.
    pub(super) fn partial(&self) -> PathBuf {
        self.dir.join(PARTIAL)
    }

    /// Looks at what is there: files that are right already, by asset; an error where something would be overwritten or a path is unsafe. The document of a page, its
    /// first asset, differs from its file by the addition, so it is looked at when it is written.
    pub(super) fn survey<'a>(&self, records: &'a [AssetRecord], is_page: bool) -> Result<Vec<(&'a AssetRecord, PathBuf)>, OutputError> {
        let mut targets = BTreeMap::new();
        let mut right = Vec::new();
        for (index, record) in records.iter().enumerate().filter(|(_, record)| !record.is_ours()) {
            let target = self.target(&record.path)?;
            if targets.insert(target.clone(), ()).is_some() {
                return Err(OutputError::Collision(target));
            }
            self.refuse_link(&target)?;
            match fs::symlink_metadata(&target) {
                Ok(found) if found.is_dir() => return Err(OutputError::Exists(target)),
                Ok(found) => {
                    let same = found.len() == record.len && digest_of_file(&target).is_ok_and(|digest| digest == record.digest);
                    if same {
                        right.push((record, target));
                    } else if !(self.force || (is_page && index == 0)) {
                        return Err(OutputError::Exists(target));
                    }
                }
                Err(_) => {}
            }
        }
        // A file cannot be a folder, too.
        if let Some(target) = targets.keys().find(|target| target.ancestors().skip(1).any(|above| targets.contains_key(above))) {
            return Err(OutputError::Collision(target.clone()));
        }
        Ok(right)
    }

    /// Puts every asset of the site in its place: whole, verified, by rename. The document of a page gets the bytes it has on the origin's disk; the
    /// viral addition stays in the store. Nothing is put anywhere if some file would be overwritten.
    pub(super) fn place(&mut self, store: &mut Store, records: &[AssetRecord], is_page: bool) -> Result<(), OutputError> {
        let wrong = |record: &AssetRecord| OutputError::Digest { path: record.path.clone() };
        let document = match records.first().filter(|_| is_page) {
            Some(record) => Some(without_addition(&store.asset(record).ok_or_else(|| wrong(record))?, &self.below)),
            None => None,
        };
        let document_of = |index: usize| document.as_ref().filter(|_| index == 0);
        for (index, record) in records.iter().enumerate().filter(|(_, record)| !record.is_ours()) {
            self.check_again(&self.target(&record.path)?, document_of(index).map_or(record.digest, |bytes| Digest::of(bytes)))?;
        }
        for (index, record) in records.iter().enumerate().filter(|(_, record)| !record.is_ours()) {
            let target = self.target(&record.path)?;
            if let Some(document) = document_of(index) {
                self.write(&target, document)?;
                continue;
            }
            if !store.verify(record) {
                return Err(wrong(record));
            }
            let is_shared = records.iter().filter(|other| other.digest == record.digest).count() > 1;
            match store.path(&record.digest).map(Path::to_owned) {
                Some(path) if path == target => self.note_placed(&target),
                Some(path) if !is_shared && path.parent() == Some(&self.partial()) => {
                    self.take(&target, path.file_name().unwrap_or_default())?;
                    store.moved(&record.digest, target);
                }
                Some(_) | None => {
                    let bytes = store.asset(record).ok_or_else(|| wrong(record))?;
                    self.write(&target, &bytes)?;
                }
            }
        }
        Ok(())
    }

    /// A download takes its time: what was not there when it began may be there now.
    fn check_again(&self, target: &Path, digest: Digest) -> Result<(), OutputError> {
        self.refuse_link(target)?;
        match fs::symlink_metadata(target) {
            Ok(_) if !self.force && !digest_of_file(target).is_ok_and(|there| there == digest) => {
                Err(OutputError::Exists(target.to_owned()))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Removes what only the download needed.
    pub(super) fn finish(self) -> Result<(), OutputError> {
        let partial = self.partial();
        fs::remove_dir_all(&partial).map_err(|cause| OutputError::Io { path: partial, cause })
    }

    /// Writes a file whole or not at all.
    fn write(&mut self, target: &Path, bytes: &[u8]) -> Result<(), OutputError> {
        self.refuse_link(target)?;
        if fs::read(target).is_ok_and(|there| there == bytes) {
            self.note_placed(target);
            return Ok(());
        }
        let name = format!("{}.new", Digest::of(target.as_os_str().as_encoded_bytes()));
        let temporary = self.partial().join(&name);
        // One that is left of an earlier try.
        let _ = fs::remove_file(&temporary);
        let written = File::create_new(temporary).and_then(|mut file| file.write_all(bytes));
        written.map_err(|cause| OutputError::Io { path: target.to_owned(), cause })?;
        self.take(target, OsStr::new(&name))
    }

    /// Moves a file of the partial download to where it belongs. What came there meanwhile stays.
    fn take(&mut self, target: &Path, name: &OsStr) -> Result<(), OutputError> {
        self.refuse_link(target)?;
        let failed = |cause| OutputError::Io { path: target.to_owned(), cause };
        if fs::symlink_metadata(target).is_ok_and(|there| self.placed.contains(&(there.dev(), there.ino()))) {
            return Err(OutputError::Collision(target.to_owned()));
        }
        let relative = target.strip_prefix(&self.dir).unwrap_or(target);
        let mut made: Option<Folder> = None;
        for folder in relative.parent().into_iter().flat_map(Path::components) {
            made = Some(made.as_ref().unwrap_or(&self.root).below(folder.as_os_str()).map_err(failed)?);
        }
        let folder = made.as_ref().unwrap_or(&self.root);
        match folder.take(relative.file_name().unwrap_or_default(), &self.partial.0, name, self.force) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => return Err(OutputError::Exists(target.to_owned())),
            Err(cause) => return Err(failed(cause)),
        }
        self.note_placed(target);
        Ok(())
    }

    fn note_placed(&mut self, target: &Path) {
        self.placed.extend(fs::symlink_metadata(target).ok().map(|there| (there.dev(), there.ino())));
    }

    /// An error if the path, or any folder between it and the directory, is a link or a special file.
    fn refuse_link(&self, path: &Path) -> Result<(), OutputError> {
        let below = path.ancestors().take_while(|above| *above != self.dir);
        for (index, above) in below.enumerate() {
            match fs::symlink_metadata(above) {
                Ok(found) if !(found.is_dir() || (index == 0 && found.is_file())) => return Err(OutputError::Link(above.to_owned())),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// The file of an asset.
    fn target(&self, path: &str) -> Result<PathBuf, OutputError> {
        let relative = relative(path, &self.below).ok_or_else(|| OutputError::Unsafe { path: path.to_owned() })?;
        Ok(self.dir.join(relative))
    }
}

#[cfg(test)]
mod tests;
