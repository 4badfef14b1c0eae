//! The object store: what happens when somebody else removes it.

use std::io::Write as _;
use std::time::Duration;

use viral_site::{Addition, EmbeddedFile};

use super::*;

fn large(seed: u8) -> Vec<u8> {
    (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 ^ seed).collect()
}

fn options(cache: &Path) -> SiteOptions {
    let script = EmbeddedFile { path: ".viral/addition.js".to_owned(), body: bytes::Bytes::from_static(b"let v;") };
    SiteOptions {
        cache_dir: Some(cache.to_owned()),
        memory_len_max: 0,
        html_addition: Some(Addition { markup: "<script src=/.viral/addition.js></script>".to_owned(), script }),
        ..SiteOptions::default()
    }
}

/// Where the one store in `cache` is.
fn store(cache: &Path) -> std::path::PathBuf {
    fs::read_dir(cache).unwrap().next().unwrap().unwrap().path()
}

async fn next_version(numbers: &mut tokio::sync::watch::Receiver<u64>) {
    tokio::time::timeout(Duration::from_secs(20), numbers.changed()).await.expect("a new version within the deadline").unwrap();
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn content_that_the_store_lost_is_made_anew_from_the_sites_files() {
    let (content, cache) = (large(0), tempfile::tempdir().unwrap());
    let dir = directory(&[("index.html", b"<body>page</body>"), ("large.bin", &content), ("game.data.gz", &gzip(&content[1..]))]);
    let version = open(dir.path(), options(cache.path())).await.current();
    let full = version.asset("/index.html").unwrap().object(Which::Full).read().await.unwrap();
    for range in [None, Some("bytes=1000000-")] {
        fs::remove_dir_all(store(cache.path())).unwrap();
        let headers: Vec<_> = range.map(|range| ("range", range)).into_iter().collect();
        let start = if range.is_some() { 1_000_000 } else { 0 };
        let response = answer(&version, &get("/large.bin", &headers)).await;
        assert!(response.status().is_success());
        assert!(body(response).await == content[start..], "{range:?}");
    }
    fs::remove_dir_all(store(cache.path())).unwrap();
    let response = answer(&version, &get("/large.bin", &[("accept-encoding", "gzip, br, zstd")])).await;
    assert_eq!(header(&response, "content-length").parse::<usize>().unwrap(), body(response).await.len());
    fs::remove_dir_all(store(cache.path())).unwrap();
    assert!(fetched(&version, "/game.data.gz").await.1 == content[1..]);
    assert_eq!(fetched(&version, "/").await.1, b"<body>page</body>");
    fs::remove_dir_all(store(cache.path())).unwrap();
    assert_eq!(version.asset("/index.html").unwrap().object(Which::Full).read().await.unwrap(), full);
    let piece = version.asset("/large.bin").unwrap().record().pieces[3];
    let location = version.piece(&piece.id()).unwrap();
    fs::remove_dir_all(store(cache.path())).unwrap();
    assert_eq!(location.read().await.unwrap().len(), piece.len as usize);
}

#[tokio::test]
async fn a_file_of_the_store_that_was_cut_is_made_anew() {
    let (content, cache) = (large(0), tempfile::tempdir().unwrap());
    let dir = directory(&[("large.bin", &content)]);
    let version = open(dir.path(), options(cache.path())).await.current();
    for entry in fs::read_dir(store(cache.path())).unwrap() {
        fs::write(entry.unwrap().path(), b"cut").unwrap();
    }
    assert!(fetched(&version, "/large.bin").await.1 == content);
}

#[tokio::test]
async fn what_is_lost_for_good_is_an_error_and_no_empty_answer() {
    let cache = tempfile::tempdir().unwrap();
    let dir = directory(&[("large.bin", &large(0)), ("404.html", b"<p>lost")]);
    let site = open(dir.path(), options(cache.path())).await;
    let (old, mut numbers) = (site.current(), site.subscribe());
    write(dir.path(), "large.bin", &large(1));
    next_version(&mut numbers).await;
    fs::remove_dir_all(store(cache.path())).unwrap();
    for headers in [&[][..], &[("range", "bytes=5-")], &[("accept-encoding", "gzip")]] {
        let response = answer(&old, &get("/large.bin", headers)).await;
        assert_eq!((response.status(), header(&response, "cache-control")), (StatusCode::SERVICE_UNAVAILABLE, "no-store"), "{headers:?}");
    }
    assert!(fetched(&site.current(), "/large.bin").await.1 == large(1));
}

#[tokio::test]
async fn a_deploy_after_the_store_was_removed_loses_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let dir = directory(&[("old.bin", &large(0))]);
    let site = open(dir.path(), options(cache.path())).await;
    let mut numbers = site.subscribe();
    fs::remove_dir_all(store(cache.path())).unwrap();
    write(dir.path(), "new.bin", &large(1));
    next_version(&mut numbers).await;
    let version = site.current();
    assert!(fetched(&version, "/old.bin").await.1 == large(0) && fetched(&version, "/new.bin").await.1 == large(1));
}

#[tokio::test]
async fn a_version_that_the_store_cannot_hold_is_not_published_until_it_can() {
    let cache = tempfile::tempdir().unwrap();
    let dir = directory(&[("old.bin", &large(0))]);
    let site = open(dir.path(), options(cache.path())).await;
    let mut numbers = site.subscribe();
    let store = store(cache.path());
    fs::remove_dir_all(&store).unwrap();
    fs::write(&store, b"in the way").unwrap();
    write(dir.path(), "new.bin", &large(1));
    write(dir.path(), "old.bin", &large(2));
    let published = tokio::time::timeout(Duration::from_millis(2500), numbers.changed()).await;
    assert!(published.is_err(), "a version without its large files came");
    fs::remove_file(&store).unwrap();
    next_version(&mut numbers).await;
    let version = site.current();
    assert!(fetched(&version, "/old.bin").await.1 == large(2) && fetched(&version, "/new.bin").await.1 == large(1));
}
