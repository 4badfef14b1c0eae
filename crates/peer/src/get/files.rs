//! The output directory: safe paths, no surprises, whole files only.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;
use viral_wire::{AssetRecord, Digest};

use crate::store::{Store, digest_of_file};

/// Where pieces lie until everything is here, inside the output directory, so that the last step is a rename.
const PARTIAL: &str = ".viral-partial";

/// What a full document has and the file on disk has not: the script tag of the viral addition, around its version.
const ADDITION_HEAD: &[u8] = b"<script async src=\"/.viral/addition.js?v=";
const ADDITION_TAIL: &[u8] = b"\"></script>";

/// Longest version in that tag, in bytes: a hex digest.
const ADDITION_VERSION_LEN_MAX: usize = 64;

/// Why files cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The directory is of no use.
    #[error("cannot write to {}: {cause}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The disk filled up, or its like, in the middle.
    #[error("cannot keep pieces in {}: {cause}; those that are there stay, run the same command again to go on", .dir.display())]
    Partial {
        /// Where.
        dir: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A path that leads out of the directory, or that file systems do not have.
    #[error("the app has an asset at `{path}`, which is not a safe name for a file")]
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
    #[error("two assets of the app would both be {}", .0.display())]
    Collision(PathBuf),
    /// The pieces are right and the asset is not: the manifest contradicts itself.
    #[error("{path} does not match its digest although its pieces do; the origin's manifest is wrong")]
    Digest {
        /// The path in the manifest.
        path: String,
    },
}

/// The directory that files go to.
#[derive(Debug)]
pub(super) struct Output {
    dir: PathBuf,
    force: bool,
}

impl Output {
    /// Makes the directory if need be.
    pub(super) fn open(dir: PathBuf, force: bool) -> Result<Self, OutputError> {
        fs::create_dir_all(&dir).map_err(|cause| OutputError::Io { path: dir.clone(), cause })?;
        let output = Self { dir, force };
        output.refuse_link(&output.partial())?;
        Ok(output)
    }

    /// Where pieces lie until everything is here.
    pub(super) fn partial(&self) -> PathBuf {
        self.dir.join(PARTIAL)
    }

    /// Looks at what is there: files that are right already, by asset; an error where something would be overwritten or a path is unsafe.
    pub(super) fn survey<'a>(&self, records: &'a [AssetRecord]) -> Result<Vec<(&'a AssetRecord, PathBuf)>, OutputError> {
        let mut targets = BTreeMap::new();
        let mut right = Vec::new();
        for record in records.iter().filter(|record| !record.is_ours()) {
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
                    } else if !self.force && !is_document(record) {
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
    /// viral addition stays in the store.
    pub(super) fn place(&mut self, store: &mut Store, records: &[AssetRecord], is_page: bool) -> Result<(), OutputError> {
        for (index, record) in records.iter().enumerate().filter(|(_, record)| !record.is_ours()) {
            let target = self.target(&record.path)?;
            let wrong = || OutputError::Digest { path: record.path.clone() };
            if is_page && index == 0 {
                let document = store.asset(record).ok_or_else(wrong)?;
                self.write(&target, &without_addition(&document))?;
                continue;
            }
            if !store.verify(record) {
                return Err(wrong());
            }
            let is_shared = records.iter().filter(|other| other.digest == record.digest).count() > 1;
            match store.path(&record.digest).map(Path::to_owned) {
                Some(path) if path == target => {}
                Some(path) if !is_shared && path.starts_with(self.partial()) => {
                    self.make_room(&target)?;
                    fs::rename(&path, &target).map_err(|cause| OutputError::Io { path: target.clone(), cause })?;
                    store.moved(&record.digest, target);
                }
                Some(_) | None => {
                    let bytes = store.asset(record).ok_or_else(wrong)?;
                    self.write(&target, &bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Removes what only the download needed.
    pub(super) fn finish(self) -> Result<(), OutputError> {
        let partial = self.partial();
        fs::remove_dir_all(&partial).map_err(|cause| OutputError::Io { path: partial, cause })
    }

    /// Writes a file whole or not at all.
    fn write(&self, target: &Path, bytes: &[u8]) -> Result<(), OutputError> {
        if fs::read(target).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        if !self.force && target.exists() {
            return Err(OutputError::Exists(target.to_owned()));
        }
        self.make_room(target)?;
        let temporary = self.partial().join(Digest::of(target.as_os_str().as_encoded_bytes()).to_string());
        let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, target));
        written.map_err(|cause| OutputError::Io { path: target.to_owned(), cause })
    }

    fn make_room(&self, target: &Path) -> Result<(), OutputError> {
        self.refuse_link(target)?;
        let Some(folder) = target.parent() else { return Ok(()) };
        fs::create_dir_all(folder).map_err(|cause| OutputError::Io { path: folder.to_owned(), cause })
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
        let relative = relative(path).ok_or_else(|| OutputError::Unsafe { path: path.to_owned() })?;
        Ok(self.dir.join(relative))
    }
}

/// The path of an asset's file below the directory; none if it has no safe one.
fn relative(path: &str) -> Option<PathBuf> {
    let mut path = path.strip_prefix('/')?.to_owned();
    if path.is_empty() || path.ends_with('/') {
        path.push_str("index.html");
    }
    let mut relative = PathBuf::new();
    for part in path.split('/') {
        let name = percent_decode_str(part).decode_utf8().ok()?;
        let is_safe = !name.is_empty() && !name.contains(['/', '\\', '\0', ':']) && !name.eq_ignore_ascii_case(PARTIAL);
        // One ordinary component, whatever the system makes of it.
        let mut components = Path::new(name.as_ref()).components();
        let is_normal = matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name.as_ref());
        if !is_safe || !is_normal {
            return None;
        }
        relative.push(name.as_ref());
    }
    Some(relative)
}

/// Its file differs from the asset by the addition, so it is only looked at when it is written.
fn is_document(record: &AssetRecord) -> bool {
    record.media_type.starts_with("text/html")
}

/// The document without the script tag that a full answer adds: the bytes of the file on the origin's disk.
fn without_addition(document: &[u8]) -> Vec<u8> {
    let starts = (0..document.len()).rev().filter(|at| document[*at..].starts_with(ADDITION_HEAD));
    for start in starts {
        let rest = &document[start + ADDITION_HEAD.len()..];
        let version = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        if version <= ADDITION_VERSION_LEN_MAX && rest[version..].starts_with(ADDITION_TAIL) {
            let end = start + ADDITION_HEAD.len() + version + ADDITION_TAIL.len();
            return [&document[..start], &document[end..]].concat();
        }
    }
    document.to_owned()
}

#[cfg(test)]
mod tests;
