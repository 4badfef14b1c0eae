//! Deploys while serving: the old version or the new one, never a mix.
//!
//! These tests wait for the operating system's notices, so they have real deadlines, far above what is needed.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

async fn next_version(numbers: &mut watch::Receiver<u64>) -> u64 {
    timeout(DEADLINE, numbers.changed()).await.expect("a new version within the deadline").unwrap();
    *numbers.borrow_and_update()
}

/// Long enough for a wrong version to appear: the quiet time, the root check and a scan.
async fn nothing_changes(numbers: &mut watch::Receiver<u64>) {
    assert!(timeout(Duration::from_millis(2500), numbers.changed()).await.is_err(), "version {} came", *numbers.borrow());
}

#[tokio::test]
async fn changed_added_and_removed_files_make_one_new_version_each_deploy() {
    let dir = directory(&[("a.txt", b"one"), ("b.txt", b"stays"), ("gone.txt", b"x")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    let old = site.current();
    write(dir.path(), "a.txt", b"two");
    write(dir.path(), "new/c.txt", b"new");
    fs::remove_file(dir.path().join("gone.txt")).unwrap();
    assert_eq!(next_version(&mut numbers).await, 2);
    let new = site.current();
    assert_eq!(fetched(&new, "/a.txt").await.1, b"two");
    assert_eq!(fetched(&new, "/new/c.txt").await.1, b"new");
    assert_eq!(fetched(&new, "/gone.txt").await.0, StatusCode::NOT_FOUND);
    assert!(Arc::ptr_eq(new.asset("/b.txt").unwrap().object(Which::Raw), old.asset("/b.txt").unwrap().object(Which::Raw)));
    assert_eq!(fetched(&old, "/a.txt").await.1, b"one", "whoever holds the old version keeps it");
    assert_eq!(fetched(&version(&site, 1).unwrap(), "/gone.txt").await.1, b"x");
    let piece = old.asset("/a.txt").unwrap().record().pieces[0].id();
    assert_eq!(site.piece(&piece).unwrap().read().await.unwrap(), "one");
}

#[tokio::test]
async fn a_site_that_is_read_anew_forgets_what_was_removed() {
    let dir = directory(&[("a.txt", b"stays"), ("gone.txt", b"secret")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    fs::remove_file(dir.path().join("gone.txt")).unwrap();
    assert_eq!(next_version(&mut numbers).await, 2);
    let old = version(&site, 1).unwrap().tag().to_owned();
    site.reread();
    let forgotten = async {
        while site.version_tagged(&old).is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, forgotten).await.expect("it is forgotten within the deadline");
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"stays");
}

/// Waits until `gone` is answered 404, much sooner than by any wait for writers.
async fn withdrawn(site: &dyn Site, gone: &str) {
    let withdrawn = async {
        while fetched(&site.current(), gone).await.0 != StatusCode::NOT_FOUND {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(5), withdrawn).await.unwrap_or_else(|_| panic!("{gone} is still there"));
}

#[tokio::test]
async fn a_site_that_is_read_anew_and_is_empty_or_gone_is_withdrawn() {
    let parent = directory(&[("site/a.txt", b"one")]);
    let dir = parent.path().join("site");
    let site = open(&dir, SiteOptions::default()).await;
    let old = site.current().tag().to_owned();
    fs::remove_file(dir.join("a.txt")).unwrap();
    site.reread();
    withdrawn(&site, "/a.txt").await;
    assert!(site.version_tagged(&old).is_none());
    let mut numbers = site.subscribe();
    write(&dir, "a.txt", b"two");
    next_version(&mut numbers).await;
    fs::remove_dir_all(&dir).unwrap();
    site.reread();
    withdrawn(&site, "/a.txt").await;
    numbers.borrow_and_update();
    write(&dir, "a.txt", b"three");
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"three");
}

/// As root there is nothing that may not be read, and nothing is tested.
#[cfg(unix)]
#[tokio::test]
async fn what_may_not_be_read_any_more_is_withdrawn_when_the_site_is_read_anew() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = directory(&[("a.txt", b"stays"), ("file.txt", b"secret"), ("deep/s.txt", b"secret")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mode = |name: &str, mode: u32| {
        let path = if name.is_empty() { dir.path().to_owned() } else { dir.path().join(name) };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("file.txt", 0);
    mode("deep", 0);
    if fs::read(dir.path().join("file.txt")).is_ok() {
        return;
    }
    nothing_changes(&mut site.subscribe()).await;
    site.reread();
    withdrawn(&site, "/file.txt").await;
    withdrawn(&site, "/deep/s.txt").await;
    assert!(version(&site, 1).is_none());
    write(dir.path(), "a.txt", b"other");
    next_version(&mut site.subscribe()).await;
    assert_eq!(fetched(&site.current(), "/deep/s.txt").await.0, StatusCode::NOT_FOUND, "a later reading does not bring it back");
    mode("", 0);
    site.reread();
    withdrawn(&site, "/a.txt").await;
    mode("", 0o755);
    mode("deep", 0o755);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_site_that_is_read_anew_waits_for_no_writer_and_keeps_its_file_whole() {
    use std::io::Write as _;

    let dir = directory(&[("a.js", &[b'o'; 1000]), ("gone.txt", b"secret")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut file = fs::OpenOptions::new().write(true).open(dir.path().join("a.js")).unwrap();
    file.write_all(&[b'n'; 500]).unwrap();
    // Now it is known that somebody writes.
    tokio::time::sleep(Duration::from_millis(500)).await;
    fs::remove_file(dir.path().join("gone.txt")).unwrap();
    site.reread();
    withdrawn(&site, "/gone.txt").await;
    assert_eq!(fetched(&site.current(), "/a.js").await.1, vec![b'o'; 1000]);
    let mut numbers = site.subscribe();
    file.write_all(&[b'n'; 500]).unwrap();
    drop(file);
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.js").await.1, vec![b'n'; 1000]);
}

#[tokio::test]
async fn a_deploy_that_takes_a_while_is_published_whole() {
    let dir = directory(&[("a.txt", b"old")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    for number in 0..12 {
        write(dir.path(), &format!("{number}/a.txt"), b"new");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(next_version(&mut numbers).await, 2);
    assert_eq!(site.current().assets().count(), 13);
    nothing_changes(&mut numbers).await;
}

#[tokio::test]
async fn another_directory_moved_to_the_same_path_is_noticed_even_with_its_parents() {
    let top = directory(&[("live/site/a.txt", b"one"), ("next/site/a.txt", b"two"), ("third/a.txt", b"three")]);
    let site = open(&top.path().join("live/site"), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    fs::rename(top.path().join("live"), top.path().join("old")).unwrap();
    fs::rename(top.path().join("next"), top.path().join("live")).unwrap();
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"two");
    fs::rename(top.path().join("live/site"), top.path().join("live/old")).unwrap();
    fs::rename(top.path().join("third"), top.path().join("live/site")).unwrap();
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"three");
}

#[tokio::test]
async fn a_directory_that_is_emptied_is_served_on() {
    let dir = directory(&[("a.txt", b"one")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    fs::remove_file(dir.path().join("a.txt")).unwrap();
    nothing_changes(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"one");
}

#[tokio::test]
async fn touching_a_file_or_a_hidden_one_makes_no_version() {
    let dir = directory(&[("a.txt", b"one")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    write(dir.path(), "a.txt", b"one");
    write(dir.path(), ".cache/state", b"x");
    nothing_changes(&mut numbers).await;
}

#[tokio::test]
async fn what_is_being_sent_never_tears_when_the_file_is_rewritten_in_place() {
    let old = vec![b'o'; 6 * 1024 * 1024];
    let dir = directory(&[("large.bin", &old)]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    let response = answer(&site.current(), &get("/large.bin", &[])).await;
    let mut sending = response.into_body();
    let first = sending.frame().await.unwrap().unwrap().into_data().unwrap();
    write(dir.path(), "large.bin", &vec![b'n'; 6 * 1024 * 1024]);
    next_version(&mut numbers).await;
    let rest = sending.collect().await.unwrap().to_bytes();
    assert_eq!(first.len() + rest.len(), old.len());
    assert!(first.iter().chain(&rest).all(|byte| *byte == b'o'));
    assert!(fetched(&site.current(), "/large.bin").await.1.iter().all(|byte| *byte == b'n'));
}

#[tokio::test]
async fn only_the_last_versions_are_kept() {
    let dir = directory(&[("a.txt", b"1")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    for number in 2..=4_u64 {
        write(dir.path(), "a.txt", number.to_string().as_bytes());
        assert_eq!(next_version(&mut numbers).await, number);
    }
    assert!(version(&site, 1).is_none());
    assert!((2..=4).all(|number| version(&site, number).is_some()));
}

#[cfg(unix)]
#[tokio::test]
async fn swapping_the_link_that_is_served_deploys_at_once() {
    use std::os::unix::fs::symlink;

    let releases = directory(&[("1/a.txt", b"one"), ("2/a.txt", b"two")]);
    let current = releases.path().join("current");
    symlink("1", &current).unwrap();
    let site = open(&current, SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    symlink("2", releases.path().join("next")).unwrap();
    fs::rename(releases.path().join("next"), &current).unwrap();
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"two");
    write(releases.path(), "2/a.txt", b"three");
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"three", "the new target is watched");
}

/// As root there is no such directory, and nothing is tested.
#[cfg(unix)]
#[tokio::test]
async fn a_directory_that_may_not_be_read_is_served_as_it_was_and_the_others_are_watched() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = directory(&[("secret/s.txt", b"secret"), ("open/deep/o.txt", b"one")]);
    let secret = dir.path().join("secret");
    let allow = |mode: u32| fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    if fs::read_dir(&secret).is_ok() {
        return;
    }
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    assert_eq!(fetched(&site.current(), "/secret/s.txt").await.0, StatusCode::NOT_FOUND);
    write(dir.path(), "open/deep/o.txt", b"two");
    let heard = timeout(Duration::from_secs(4), numbers.changed()).await;
    assert!(heard.is_ok(), "sooner than by reading at intervals");
    allow(0o755);
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/secret/s.txt").await.1, b"secret");
    allow(0o000);
    write(dir.path(), "open/deep/o.txt", b"three");
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/open/deep/o.txt").await.1, b"three");
    assert_eq!(fetched(&site.current(), "/secret/s.txt").await.1, b"secret");
    allow(0o755);
}

#[tokio::test]
async fn a_directory_that_vanishes_is_served_on_until_it_is_back() {
    let parent = directory(&[("site/a.txt", b"one")]);
    let dir = parent.path().join("site");
    let site = open(&dir, SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    fs::remove_dir_all(&dir).unwrap();
    nothing_changes(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"one");
    write(&dir, "a.txt", b"two");
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"two");
    write(&dir, "a.txt", b"three");
    next_version(&mut numbers).await;
    assert_eq!(fetched(&site.current(), "/a.txt").await.1, b"three", "the new directory is watched");
}

#[tokio::test]
async fn the_store_is_gone_when_the_site_is() {
    let cache = tempfile::tempdir().unwrap();
    let dir = directory(&[("a.bin", &vec![1; 3 * 1024 * 1024])]);
    let site = open(dir.path(), SiteOptions { cache_dir: Some(cache.path().to_owned()), ..SiteOptions::default() }).await;
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);
    drop(site);
    let emptied = async {
        while fs::read_dir(cache.path()).unwrap().count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, emptied).await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_written_slowly_in_place_is_published_whole() {
    use std::io::Write as _;

    let dir = directory(&[("a.js", &[b'o'; 300_000])]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    for (truncate, byte) in [(false, b'n'), (true, b'm')] {
        let mut file = fs::OpenOptions::new().write(true).truncate(truncate).open(dir.path().join("a.js")).unwrap();
        for _ in 0..4 {
            file.write_all(&vec![byte; 75_000]).unwrap();
            tokio::time::sleep(Duration::from_millis(600)).await;
            assert!(!numbers.has_changed().unwrap(), "half a file was published");
        }
        drop(file);
        next_version(&mut numbers).await;
        assert_eq!(fetched(&site.current(), "/a.js").await.1, vec![byte; 300_000]);
    }
}
