//! The rules that a directory brings along in `_headers` and `_redirects`.

use std::time::Duration;

use tokio::time::timeout;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

const HEADERS: &[u8] = b"/*\n  X-Frame-Options: DENY\n  Content-Security-Policy: script-src 'self'\n/assets/*\n  Cache-Control: public, max-age=60\n  ! X-Frame-Options\n";

const REDIRECTS: &[u8] =
    b"/old /new 302\n/blog/* /news/:splat\n/app/* /app/index.html 200\n/shut/* /shut.html 404!\n/a.js /b.js 307!\n/here.txt /new\n";

fn site_with_rules() -> tempfile::TempDir {
    directory(&[
        ("_headers", HEADERS),
        ("_redirects", REDIRECTS),
        ("index.html", b"<!doctype html><script src=/a.js></script><script src=/assets/c.js></script>"),
        ("app/index.html", b"<!doctype html>app"),
        ("assets/c.js", b"1"),
        ("a.js", b"a"),
        ("b.js", b"b"),
        ("here.txt", b"here"),
        ("shut/secret.txt", b"secret"),
        ("shut.html", b"shut"),
    ])
}

fn values(record: &viral_wire::AssetRecord, name: &str) -> Vec<String> {
    record.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
}

#[tokio::test]
async fn headers_of_rules_are_in_answers_and_in_records_alike() {
    let dir = site_with_rules();
    let headers = vec![(http::header::X_FRAME_OPTIONS, http::HeaderValue::from_static("SAMEORIGIN"))];
    let site = open(dir.path(), SiteOptions { headers, ..SiteOptions::default() }).await;
    let version = site.current();
    for (path, frame, policy, cache) in [
        ("/", "DENY", "script-src 'self'", "no-cache"),
        ("/assets/c.js", "", "script-src 'self'", "public, max-age=60"),
        ("/none", "DENY", "script-src 'self'", "no-cache"),
        ("/old", "DENY", "script-src 'self'", "no-cache"),
    ] {
        let response = answer(&version, &get(path, &[])).await;
        let told = ["x-frame-options", "content-security-policy", "cache-control"].map(|name| header(&response, name));
        assert_eq!(told, [frame, policy, cache], "{path}");
        let Resolved::Asset(asset) = version.resolve(path) else { continue };
        let record = asset.record();
        assert_eq!(values(&record, "content-security-policy"), [policy]);
        assert_eq!(values(&record, "cache-control"), [cache]);
        assert_eq!(values(&record, "x-frame-options").concat(), frame);
    }
}

#[tokio::test]
async fn files_win_over_rules_that_are_not_forced() {
    let dir = site_with_rules();
    let version = open(dir.path(), SiteOptions::default()).await.current();
    for (path, status, location) in [
        ("/old?x=1", 302, "/new?x=1"),
        ("/blog/a/b", 301, "/news/a/b"),
        ("/a.js", 307, "/b.js"),
        ("/%61.js", 307, "/b.js"),
        ("//a.js", 308, "/a.js"),
        ("/here.txt", 200, ""),
        ("/app", 308, "/app/"),
        ("/app/some/route", 200, ""),
        ("/shut/secret.txt", 404, ""),
        ("/shut.html", 200, ""),
        ("/_headers", 404, ""),
        ("/_redirects", 404, ""),
    ] {
        let response = answer(&version, &get(path, &[])).await;
        assert_eq!((response.status().as_u16(), header(&response, "location")), (status, location), "{path}");
    }
    assert_eq!(fetched(&version, "/app/some/route").await.1, b"<!doctype html>app");
    assert_eq!(fetched(&version, "/shut/secret.txt").await.1, b"shut");
}

#[tokio::test]
async fn what_a_forced_rule_hides_never_travels() {
    let dir = site_with_rules();
    let version = open(dir.path(), SiteOptions::default()).await.current();
    let Resolved::Asset(document) = version.resolve("/") else { panic!("there is an index") };
    let referred: Vec<_> = version.references(&document).iter().map(|found| found.asset.path().to_owned()).collect();
    assert_eq!(referred, ["/assets/c.js"]);
    assert!(version.asset("/a.js").is_none() && version.assets().all(|asset| asset.path() != "/shut/secret.txt"));
}

#[tokio::test]
async fn an_app_that_routes_by_itself_has_what_no_rule_has() {
    let dir = site_with_rules();
    let version = open(dir.path(), SiteOptions { spa: true, ..SiteOptions::default() }).await.current();
    assert_eq!(answer(&version, &get("/old", &[])).await.status(), StatusCode::FOUND);
    assert_eq!(answer(&version, &get("/route", &[])).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn below_a_base_rules_name_whole_paths() {
    let dir = directory(&[("_headers", b"/app/*\n A: b\n/index.html\n C: d"), ("_redirects", b"/app/old /app/new"), ("index.html", b"x")]);
    let version = open(dir.path(), SiteOptions { base: "app/".to_owned(), ..SiteOptions::default() }).await.current();
    let response = answer(&version, &get("/app/", &[])).await;
    assert_eq!((header(&response, "a"), header(&response, "c")), ("b", ""));
    assert_eq!(header(&answer(&version, &get("/app/old", &[])).await, "location"), "/app/new");
    assert_eq!(fetched(&version, "/app/_headers").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_faulty_file_is_named_with_its_line_and_nothing_starts() {
    for (file, text, said) in [
        ("_headers", "/a\n A: b\n\nB: c", "_headers line 4: it is neither a path"),
        ("_redirects", "/a /b\n/c", "_redirects line 2: it has no destination"),
        ("_headers", &format!("/index.html\n{}", (0..15).map(|name| format!(" x-{name}: y\n")).collect::<String>()), "_headers line 16: "),
    ] {
        let dir = directory(&[(file, text.as_bytes()), ("index.html", b"x")]);
        let error = DirectorySite::open(dir.path().to_owned(), SiteOptions::default()).await.unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
    }
}

#[tokio::test]
async fn rules_change_while_serving_and_faulty_ones_change_nothing() {
    let dir = directory(&[("_redirects", b"/a /b"), ("index.html", b"one")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let (mut numbers, first) = (site.subscribe(), site.current());
    let mut next = async || timeout(DEADLINE, numbers.changed()).await.expect("a new version within the deadline").unwrap();
    write(dir.path(), "_redirects", b"/a /c");
    next().await;
    let second = site.current();
    assert_ne!(first.tag(), second.tag(), "a visit that is pinned to one gets its rules");
    assert_eq!(header(&answer(&second, &get("/a", &[])).await, "location"), "/c");
    write(dir.path(), "_redirects", b"/a");
    write(dir.path(), "index.html", b"two");
    next().await;
    let third = site.current();
    assert_eq!(fetched(&third, "/").await.1, b"two");
    assert_eq!(header(&answer(&third, &get("/a", &[])).await, "location"), "/c");
    fs::remove_file(dir.path().join("_redirects")).unwrap();
    next().await;
    assert_eq!(fetched(&site.current(), "/a").await.0, StatusCode::NOT_FOUND);
}
