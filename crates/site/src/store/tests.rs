//! What is kept where, and for how long.

use std::{collections::HashMap, io::Write as _};

use bytes::Bytes;

use super::{
    folder::{LOCK, PREFIX},
    *,
};
use crate::limits::MEMORY_OBJECT_LEN_MAX;

fn written(store: &Arc<Store>, len: usize) -> Blob {
    let mut writer = BlobWriter::new(store);
    writer.write_all(&vec![7; len]).unwrap();
    writer.finish().unwrap()
}

fn files_of(store: &Store) -> usize {
    fs::read_dir(store.path()).unwrap().count() - 1
}

#[test]
fn content_over_the_memory_budget_goes_to_disk_and_reads_the_same() {
    let parent = tempfile::tempdir().unwrap();
    let store = Store::open(Some(parent.path()), 100).unwrap();
    let small = written(&store, 100);
    let over = written(&store, 1);
    assert!(small.memory().is_some() && over.memory().is_none());
    assert_eq!(over.read_blocking(0..1).unwrap(), small.read_blocking(99..100).unwrap());
    drop(small);
    assert!(written(&store, 100).memory().is_some(), "a dropped object gives its memory back");
}

#[test]
fn files_vanish_with_their_content_and_the_directory_with_the_store() {
    let parent = tempfile::tempdir().unwrap();
    let store = Store::open(Some(parent.path()), u64::MAX).unwrap();
    let blob = written(&store, MEMORY_OBJECT_LEN_MAX + 1);
    assert_eq!(files_of(&store), 1);
    drop(blob);
    assert_eq!(files_of(&store), 0);
    let unfinished = {
        let mut writer = BlobWriter::new(&store);
        writer.write_all(&vec![0; MEMORY_OBJECT_LEN_MAX + 1]).unwrap();
        writer
    };
    drop(unfinished);
    assert_eq!(files_of(&store), 0);
    drop(store);
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn stores_of_killed_processes_are_removed_and_living_ones_kept() {
    let parent = tempfile::tempdir().unwrap();
    let living = Store::open(Some(parent.path()), 0).unwrap();
    let dead = parent.path().join(format!("{PREFIX}dead"));
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join(LOCK), "").unwrap();
    let _other = Store::open(Some(parent.path()), 0).unwrap();
    assert!(!dead.exists());
    assert!(living.path().exists());
}

#[cfg(unix)]
#[test]
fn nobody_else_may_look_into_the_store() {
    use std::os::unix::fs::PermissionsExt as _;

    let parent = tempfile::tempdir().unwrap();
    let below = parent.path().join("cache/viral");
    let store = Store::open(Some(&below), 0).unwrap();
    let _blob = written(&store, 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&below), mode(store.path())), (0o700, 0o700));
    for entry in fs::read_dir(store.path()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
}

#[test]
fn the_temporary_directory_is_the_last_resort() {
    let with = |pairs: &[(&str, &str)]| {
        let pairs: HashMap<String, std::ffi::OsString> = pairs.iter().map(|(name, value)| ((*name).into(), value.into())).collect();
        let mut dirs = cache_dirs(&|name| pairs.get(name).cloned());
        assert_eq!(dirs.pop().unwrap(), std::env::temp_dir());
        dirs.into_iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(with(&[("HOME", "/home/a")]), ["/home/a/.cache/viral"]);
    assert_eq!(with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")]), ["/c/viral", "/home/a/.cache/viral"]);
    assert_eq!(
        with(&[("CACHE_DIRECTORY", "/var/cache/viral:/x"), ("STATE_DIRECTORY", "/var/lib/viral")]),
        ["/var/cache/viral", "/var/lib/viral"]
    );
    assert!(with(&[("HOME", ""), ("XDG_CACHE_HOME", "relative")]).is_empty());
    let parent = tempfile::tempdir().unwrap();
    fs::write(parent.path().join("file"), "").unwrap();
    let (dir, _lock) = make_in_first(&[parent.path().join("file/below"), parent.path().join("good")]).unwrap();
    assert!(dir.path().starts_with(parent.path().join("good")));
}

#[test]
fn a_store_that_was_removed_is_made_anew_and_locked() {
    let parent = tempfile::tempdir().unwrap();
    let store = Store::open(Some(parent.path()), 0).unwrap();
    fs::remove_dir_all(store.path()).unwrap();
    let blob = written(&store, 3);
    let _other = Store::open(Some(parent.path()), 0).unwrap();
    assert_eq!(blob.read_blocking(0..3).unwrap(), vec![7; 3]);
}

#[test]
fn a_range_over_the_end_is_an_error() {
    let blob = Blob::given(Bytes::from_static(b"abc"));
    assert_eq!(blob.read_blocking(1..3).unwrap(), "bc");
    assert!(blob.read_blocking(1..4).is_err());
    #[expect(clippy::reversed_empty_ranges, reason = "what a wrong caller would pass")]
    let reversed = 2..1;
    assert!(blob.read_blocking(reversed).is_err());
}
