//! What browsers may keep for a year, and what thin visitors are told of it.

use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::*;

const YEAR: &str = "public, max-age=31536000, immutable";

async fn rule(version: &Version, path: &str) -> String {
    header(&answer(version, &get(path, &[])).await, "cache-control").to_owned()
}

#[tokio::test]
async fn only_hashed_names_that_the_site_itself_mentions_are_kept_for_a_year() {
    let dir = directory(&[
        ("index.html", b"<script type=module src=/assets/index-BxY12_zk.js></script><img src=p/550e8400e29b41d4a716446655440000.png>"),
        (
            "assets/index-BxY12_zk.js",
            b"import(\"./chunk-4DXZQ2AB.js\");n=\"rows.3f9ab2c1.json\";u=e=>\"js/\"+{7:\"8c3a91fe2b\"}[e]+\".js\"",
        ),
        ("assets/chunk-4DXZQ2AB.js", b"1"),
        ("assets/style.3f9ab2c1.css", b"a{background:url(../img/logo-ab12cd34.svg)}"),
        ("js/8c3a91fe2b.js", b"2"),
        ("js/7c3a91fe2b.js", b"2"),
        ("img/logo-ab12cd34.svg", b"<svg/>"),
        ("img/8c3a91fe2b.png", b"png"),
        ("p/550e8400e29b41d4a716446655440000.png", b"png"),
        ("data/550e8400e29b41d4a716446655440000.json", b"{}"),
        ("data/rows.3f9ab2c1.json", b"{}"),
        ("forever/notes.txt", b"x"),
        ("forever/page.html", b"x"),
    ]);
    let site = open(dir.path(), SiteOptions { immutable: vec!["/forever/*".to_owned()], ..SiteOptions::default() }).await;
    let version = site.current();
    for path in
        ["/assets/index-BxY12_zk.js", "/assets/chunk-4DXZQ2AB.js", "/js/8c3a91fe2b.js", "/img/logo-ab12cd34.svg", "/forever/notes.txt"]
    {
        assert_eq!(rule(&version, path).await, YEAR, "{path}");
        let record = version.asset(path).unwrap().record();
        assert!(record.headers.contains(&("cache-control".to_owned(), YEAR.to_owned())), "{path}");
    }
    for path in [
        "/assets/style.3f9ab2c1.css",
        "/js/7c3a91fe2b.js",
        "/img/8c3a91fe2b.png",
        "/p/550e8400e29b41d4a716446655440000.png",
        "/data/550e8400e29b41d4a716446655440000.json",
        "/data/rows.3f9ab2c1.json",
        "/forever/page.html",
    ] {
        assert_eq!(rule(&version, path).await, "no-cache", "{path}");
    }
}

#[tokio::test]
async fn a_name_whose_content_was_seen_to_change_is_never_kept_again() {
    let dir = directory(&[("index.html", b"<script src=app.3f9ab2c1.js></script>"), ("app.3f9ab2c1.js", b"1"), ("forever.js", b"1")]);
    let site = open(dir.path(), SiteOptions { immutable: vec!["/forever.js".to_owned()], ..SiteOptions::default() }).await;
    let mut numbers = site.subscribe();
    assert_eq!(rule(&site.current(), "/app.3f9ab2c1.js").await, YEAR);
    for content in [b"2", b"1"] {
        write(dir.path(), "app.3f9ab2c1.js", content);
        write(dir.path(), "forever.js", content);
        tokio::time::timeout(Duration::from_secs(20), numbers.changed()).await.unwrap().unwrap();
        for path in ["/app.3f9ab2c1.js", "/forever.js"] {
            assert_eq!(rule(&site.current(), path).await, "no-cache", "{path}");
        }
    }
}

#[tokio::test]
async fn an_old_chunk_is_found_by_its_hashed_name_in_the_kept_versions() {
    let dir = directory(&[("index.html", b"1"), ("app.3f9ab2c1.js", b"old"), ("app.js", b"old")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let mut numbers = site.subscribe();
    fs::remove_file(dir.path().join("app.3f9ab2c1.js")).unwrap();
    fs::remove_file(dir.path().join("app.js")).unwrap();
    write(dir.path(), "app.4f9ab2c1.js", b"new");
    tokio::time::timeout(Duration::from_secs(20), numbers.changed()).await.unwrap().unwrap();
    assert!(site.current().asset("/app.3f9ab2c1.js").is_none());
    let (version, asset) = site.kept_by_name("/app.3f9ab2c1.js").unwrap();
    assert_eq!((version.number(), asset.len()), (1, 3));
    assert_eq!(site.kept_by_name("/app.4f9ab2c1.js").unwrap().0.number(), 2);
    assert!(site.kept_by_name("/app.js").is_none(), "a plain name means what it means now");
    assert!(site.kept_by_name("/app.5f9ab2c1.js").is_none());
}

#[tokio::test]
async fn a_record_tells_the_tag_and_the_date_of_the_plain_answer() {
    let dir = directory(&[("index.html", b"<p>"), ("app.js", b"let a;"), ("old.js", b"1"), ("LICENSE", b"MIT")]);
    let time = std::time::UNIX_EPOCH + Duration::from_secs(1);
    fs::OpenOptions::new().write(true).open(dir.path().join("old.js")).unwrap().set_modified(time).unwrap();
    let version = open(dir.path(), SiteOptions::default()).await.current();
    for path in ["/app.js", "/old.js", "/LICENSE", "/index.html"] {
        let response = answer(&version, &get(path, &[])).await;
        let record = version.asset(path).unwrap().record();
        for name in ["etag", "last-modified", "cache-control", "x-content-type-options"] {
            let told = record.headers.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.as_str());
            assert_eq!(told, header(&response, name), "{path} {name}");
        }
        assert_eq!(record.len.to_string(), header(&response, "content-length"), "{path}");
        assert_eq!(header(&response, "etag"), format!("\"{}\"", &record.digest.to_string()[..32]));
    }
}

#[tokio::test]
async fn the_operators_headers_come_before_tag_and_date_in_a_full_record() {
    let dir = directory(&[("app.js", b"1")]);
    let headers = (0..14).map(|at| (HeaderName::try_from(format!("x-{at}")).unwrap(), HeaderValue::from_static("1"))).collect();
    let version = open(dir.path(), SiteOptions { headers, ..SiteOptions::default() }).await.current();
    let record = version.asset("/app.js").unwrap().record();
    assert_eq!(record.headers.len(), viral_wire::limits::RECORD_HEADERS_MAX);
    assert!(record.headers.iter().all(|(name, _)| name != "etag") && record.headers.iter().any(|(name, _)| name == "x-13"));
}
