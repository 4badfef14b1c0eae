//! The directory that seeded pieces are kept in, and how much of the disk it may take.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use viral_wire::{AssetRecord, Digest};

use crate::private::{PrivateDir, PrivateDirError};
use crate::rate::Size;

/// Shared by all pages of one seeder: an asset that two pages have is kept once.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    limit: Option<Size>,
    /// Assets that a page uses, by page.
    used: Mutex<BTreeMap<String, BTreeSet<Digest>>>,
    /// What another seeder deletes this one may still give.
    _lock: PrivateDir,
}

impl Disk {
    /// Makes the directory if need be, and finds out whether it can be written to.
    pub(crate) fn open(dir: &Path, limit: Option<Size>) -> Result<Self, PrivateDirError> {
        // Its operator may have put a link in its place.
        let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        let lock = PrivateDir::open(&dir, false)?;
        let probe = dir.join(".probe");
        let _ = fs::remove_file(&probe);
        File::create_new(&probe)?;
        fs::remove_file(probe)?;
        Ok(Self { dir, limit, used: Mutex::default(), _lock: lock })
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Notes what a page's new version needs; gives back those of its assets, in order of need, that fit within the limit.
    pub(crate) fn claim(&self, page: &str, records: &[AssetRecord]) -> Vec<AssetRecord> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.remove(page);
        let others: BTreeSet<Digest> = used.values().flatten().copied().collect();
        let files = self.files();
        let mut left = self.limit.map_or(u64::MAX, |limit| limit.0);
        left = others.iter().fold(left, |left, digest| left.saturating_sub(files.get(digest).copied().unwrap_or(0)));
        let mut mine = BTreeSet::new();
        let fitting = |record: &&AssetRecord| {
            if others.contains(&record.digest) || mine.contains(&record.digest) {
                return true;
            }
            let fits = record.len <= left;
            if fits {
                left -= record.len;
                mine.insert(record.digest);
            }
            fits
        };
        let kept: Vec<AssetRecord> = records.iter().filter(fitting).cloned().collect();
        mine.extend(kept.iter().map(|record| record.digest));
        used.insert(page.to_owned(), mine);
        kept
    }

    /// Deletes what no page uses any more. Called once a new version has taken over what it shares with the old one.
    pub(crate) fn sweep(&self) {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        for digest in self.files().keys().filter(|digest| !used.values().any(|mine| mine.contains(digest))) {
            if let Err(error) = fs::remove_file(self.dir.join(digest.to_string())) {
                tracing::warn!(%error, "an unused asset cannot be deleted");
            }
        }
    }

    /// The assets on disk with their length; other files are none of ours.
    fn files(&self) -> BTreeMap<Digest, u64> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().filter_map(Result::ok);
        let assets = entries.filter_map(|entry| {
            let digest = entry.file_name().to_str()?.parse().ok()?;
            Some((digest, entry.metadata().ok()?.len()))
        });
        assets.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, len: u64) -> AssetRecord {
        AssetRecord {
            path: format!("/{name}"),
            media_type: "text/plain".to_owned(),
            headers: Vec::new(),
            len,
            digest: Digest::of(name.as_bytes()),
            pieces: Vec::new(),
        }
    }

    fn keep(disk: &Disk, record: &AssetRecord) {
        fs::write(disk.dir().join(record.digest.to_string()), vec![0; record.len as usize]).unwrap();
    }

    fn names(records: &[AssetRecord]) -> Vec<&str> {
        records.iter().map(|record| record.path.as_str()).collect()
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_what_is_needed_first_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), Some(Size(100))).unwrap();
        let kept = disk.claim("a", &[record("one", 60), record("two", 50), record("three", 40)]);
        assert_eq!(names(&kept), ["/one", "/three"]);
    }

    #[test]
    fn an_old_version_goes_and_what_another_page_uses_stays() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), Some(Size(100))).unwrap();
        let (old, shared, new) = (record("old", 40), record("shared", 30), record("new", 50));
        for asset in [&old, &shared] {
            keep(&disk, asset);
        }
        disk.claim("b", std::slice::from_ref(&shared));
        disk.claim("a", std::slice::from_ref(&old));
        let on_disk = |asset: &AssetRecord| dir.path().join(asset.digest.to_string()).exists();
        disk.sweep();
        assert!(on_disk(&old) && on_disk(&shared));
        assert_eq!(names(&disk.claim("a", &[new])), ["/new"]);
        disk.sweep();
        assert!(!on_disk(&old) && on_disk(&shared));
    }

    #[test]
    fn two_seeders_do_not_delete_from_one_directory() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Disk::open(dir.path(), None).unwrap();
        assert!(matches!(Disk::open(dir.path(), None), Err(PrivateDirError::Busy)));
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("letter.txt"), b"dear").unwrap();
        let disk = Disk::open(dir.path(), Some(Size(0))).unwrap();
        disk.claim("a", &[record("one", 60)]);
        disk.sweep();
        assert!(dir.path().join("letter.txt").exists());
    }
}
