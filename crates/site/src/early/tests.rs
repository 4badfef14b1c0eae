//! Answers of a directory that was not read yet.

use std::fs;

use http::Request;
use http_body_util::BodyExt as _;
use viral_wire::Digest;

use super::*;
use crate::{DirectorySite, Resolved, Site as _, SiteOptions, Version, Which, compress, respond as respond_ready, respond_not_found};

fn site(spa: bool) -> (tempfile::TempDir, Arc<EarlyDirectory>) {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("docs")).unwrap();
    fs::create_dir_all(dir.path().join(".git")).unwrap();
    for (name, content) in [("index.html", "home"), ("docs/index.html", "docs"), ("a b.js", "let a;"), (".git/config", "secret")] {
        fs::write(dir.path().join(name), content).unwrap();
    }
    fs::write(dir.path().join("large.bin"), vec![7; READ_CHUNK_LEN + 1]).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("passwd.txt")).unwrap();
    let headers = vec![(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"))];
    let early = Arc::new(EarlyDirectory::new(dir.path().to_owned(), SiteOptions { spa, headers, ..SiteOptions::default() }).unwrap());
    (dir, early)
}

async fn asked(early: &Arc<EarlyDirectory>, method: &str, path: &str) -> (u16, http::HeaderMap, usize) {
    let (request, ()) = Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
    let (parts, body) = Arc::clone(early).respond(request).await.into_parts();
    (parts.status.as_u16(), parts.headers, body.collect().await.unwrap().to_bytes().len())
}

#[tokio::test]
async fn files_are_answered_plainly_and_nothing_may_be_kept() {
    let (_dir, early) = site(false);
    for (method, path, status, media_type, len) in [
        ("GET", "/", 200, "text/html; charset=utf-8", 4),
        ("GET", "/docs/?x=1", 200, "text/html; charset=utf-8", 4),
        ("HEAD", "/a%20b.js", 200, "text/javascript; charset=utf-8", 0),
        ("GET", "/large.bin", 200, "application/octet-stream", READ_CHUNK_LEN + 1),
    ] {
        let (got, headers, body) = asked(&early, method, path).await;
        assert_eq!((got, body), (status, len), "{path}");
        assert_eq!(
            (&headers["content-type"], &headers["cache-control"]),
            (&HeaderValue::from_static(media_type), &HeaderValue::from_static("no-store"))
        );
        assert_eq!(headers["referrer-policy"], "no-referrer");
        // Who was told one of these would ask by it, or join parts.
        assert!(["etag", "last-modified", "accept-ranges"].iter().all(|name| !headers.contains_key(*name)), "{path}");
    }
    let (status, headers, _) = asked(&early, "GET", "/docs?x=1").await;
    assert_eq!((status, &headers["location"]), (307, &HeaderValue::from_static("/docs/?x=1")));
    let (status, headers, _) = asked(&early, "POST", "/").await;
    assert_eq!((status, &headers["allow"]), (405, &HeaderValue::from_static("GET, HEAD")));
}

#[tokio::test]
async fn what_no_version_would_serve_is_not_there() {
    let (_dir, early) = site(true);
    for path in ["/.git/config", "/passwd.txt", "/../etc/passwd", "/%2e%2e/x", "/docs%2f..%2f.git/config", "/none.js", "/%00"] {
        assert_eq!(asked(&early, "GET", path).await.0, 404, "{path}");
    }
    assert_eq!(asked(&early, "GET", "/projects/group%2Fname").await.2, 4, "the app");
}

/// What an answer says of its body, and the digest of that.
async fn meant(response: Response<Body>) -> (u16, Vec<Option<HeaderValue>>, Digest) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let said = ["content-type", "content-encoding", "content-length", "x-content-type-options", "referrer-policy"];
    let said = said.map(|name| parts.headers.get(name).cloned()).to_vec();
    (parts.status.as_u16(), said, Digest::of(&body))
}

/// The answer of the site that was read, to who wants the untouched files.
async fn ready(version: &Version, parts: &Parts) -> Response<Body> {
    match version.resolve(parts.uri.path()) {
        Resolved::Asset(asset) => respond_ready(version, &asset, Which::Raw, parts).await,
        Resolved::NotFound(page) => respond_not_found(version, page.as_deref(), Which::Raw, parts).await,
        Resolved::Redirect(redirect) => panic!("to {redirect:?}"),
    }
}

#[tokio::test]
async fn files_are_said_to_be_what_the_site_says_of_them_once_it_was_read() {
    let dir = tempfile::tempdir().unwrap();
    let packed = |coding, plain: &[u8]| {
        let mut coded = Vec::new();
        compress::compress(coding, compress::Effort::Given, plain.len() as u64, &mut &*plain, &mut coded).unwrap();
        coded
    };
    let wasm = b"\0asm game".repeat(READ_CHUNK_LEN / 4);
    for (name, content) in [
        ("index.html", &b"<!doctype html><p>plain"[..]),
        ("latin.html", b"<!doctype html><meta charset=latin1>"),
        ("latin.txt", b"\xfcber"),
        ("utf8.txt", "über".as_bytes()),
        ("data.json", b"{}"),
        ("LICENSE", b"free"),
        ("404.html", b"<p>not here"),
        ("game.wasm.br", &packed(Coding::Brotli, &wasm)),
        ("game.js.gz", &packed(Coding::Gzip, "let ü = 1;".as_bytes())),
        ("fake.wasm.br", b"no brotli"),
        ("empty.js.br", b""),
        ("app.js", b"let a = 1;"),
        ("app.js.br", &packed(Coding::Brotli, b"let a = 1;")),
    ] {
        fs::write(dir.path().join(name), content).unwrap();
    }
    let headers = vec![
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("operators")),
    ];
    let early =
        Arc::new(EarlyDirectory::new(dir.path().to_owned(), SiteOptions { headers: headers.clone(), ..SiteOptions::default() }).unwrap());
    let site = DirectorySite::open(dir.path().to_owned(), SiteOptions { headers, ..SiteOptions::default() }).await.unwrap();
    let paths = ["/", "/latin.html", "/latin.txt", "/utf8.txt", "/data.json", "/LICENSE", "/none", "/game.wasm.br", "/game.js.gz"];
    for path in paths.into_iter().chain(["/fake.wasm.br", "/empty.js.br", "/app.js", "/app.js.br"]) {
        for method in ["GET", "HEAD"] {
            // What the site compresses itself has no coding before.
            let codings: &[&str] = match path.rsplit_once('.') {
                Some(("/game.wasm", _)) => &["identity", "br", "gzip;q=0.5, br"],
                Some(("/game.js", _)) => &["identity", "gzip"],
                Some(_) | None => &["identity"],
            };
            for accepts in codings {
                let request =
                    Request::builder().method(method).uri(path).header("accept-encoding", *accepts).body(()).unwrap().into_parts().0;
                let answered = meant(Arc::clone(&early).respond(request.clone()).await).await;
                assert_eq!(answered, meant(ready(&site.current(), &request).await).await, "{method} {path} {accepts}");
            }
        }
    }
    let unpacked = Request::get("/game.wasm.br").header("accept-encoding", "gzip").body(()).unwrap().into_parts().0;
    assert_eq!(meant(Arc::clone(&early).respond(unpacked).await).await.2, Digest::of(&wasm), "to who does not accept its coding");
}

#[tokio::test]
async fn the_rules_of_the_directory_hold_already() {
    let (dir, _) = site(false);
    fs::write(dir.path().join("_headers"), "/docs/*\n A: b\n/none\n C: d").unwrap();
    fs::write(dir.path().join("_redirects"), "/old /new 301\n/app/* /index.html 200\n/docs/shut/* /docs/ 404").unwrap();
    let early = Arc::new(EarlyDirectory::new(dir.path().to_owned(), SiteOptions::default()).unwrap());
    let (status, headers, _) = asked(&early, "GET", "/old?x").await;
    assert_eq!(
        (status, &headers["location"], &headers["cache-control"]),
        (307, &HeaderValue::from_static("/new?x"), &HeaderValue::from_static("no-store"))
    );
    assert_eq!(asked(&early, "GET", "/app/x").await.2, "home".len());
    assert_eq!(asked(&early, "GET", "/docs/").await.1["a"], "b");
    let (status, headers, len) = asked(&early, "GET", "/docs/shut/x").await;
    assert_eq!((status, &headers["a"], len), (404, &HeaderValue::from_static("b"), "docs".len()));
    assert_eq!(asked(&early, "GET", "/none").await.1["c"], "d");
    for name in ["/_headers", "/_redirects"] {
        assert_eq!(asked(&early, "GET", name).await.0, 404);
    }
}
