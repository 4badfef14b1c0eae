//! What any good static server does.

use std::io::Read as _;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use viral_site::{EmbeddedFile, EmbeddedSite, SiteError};

use super::*;

const PAGE: &[u8] =
    b"<!doctype html><title>Home</title><body><script src=app.js></script><script src=assets/app.3f9ab2c1.js></script></body>";

fn script() -> Vec<u8> {
    (0..20_000).flat_map(|line| format!("console.log({line});\n").into_bytes()).collect()
}

#[tokio::test]
async fn files_arrive_with_their_type_and_cache_rule() {
    let dir = directory(&[
        ("index.html", PAGE),
        ("assets/app.3f9ab2c1.js", b"let a;"),
        ("a b/ü.txt", b"text"),
        ("latin.txt", b"\xfc"),
        ("engine.wasm", b"\0asm"),
        (".well-known/security.txt", b"Contact: x"),
    ]);
    let site = open(dir.path(), SiteOptions::default()).await;
    for (path, media_type, cache) in [
        ("/", "text/html; charset=utf-8", "no-cache"),
        ("/index.html", "text/html; charset=utf-8", "no-cache"),
        ("/assets/app.3f9ab2c1.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/a%20b/%C3%BC.txt", "text/plain; charset=utf-8", "no-cache"),
        ("/latin.txt", "text/plain", "no-cache"),
        ("/engine.wasm", "application/wasm", "no-cache"),
        ("/.well-known/security.txt", "text/plain; charset=utf-8", "no-cache"),
    ] {
        let response = answer(&site.current(), &get(path, &[])).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!((header(&response, "content-type"), header(&response, "cache-control")), (media_type, cache), "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "accept-ranges"), "bytes");
        let len = header(&response, "content-length").to_owned();
        assert_eq!(body(response).await.len().to_string(), len);
    }
}

#[tokio::test]
async fn directories_lead_to_their_index_and_unknown_paths_to_the_404_page() {
    let dir = directory(&[("index.html", b"home"), ("docs/index.html", b"docs"), ("bare/a.txt", b"a"), ("404.html", b"lost")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let version = site.current();
    assert_eq!(fetched(&version, "/docs/").await, (StatusCode::OK, b"docs".to_vec()));
    let redirect = answer(&version, &get("/docs?x=1&y=/", &[])).await;
    assert_eq!((redirect.status(), header(&redirect, "location")), (StatusCode::PERMANENT_REDIRECT, "/docs/?x=1&y=/"));
    for (path, merged) in
        [("/docs//?x=1", "/docs/?x=1"), ("//docs//index.html", "/docs/index.html"), ("/docs//index.html", "/docs/index.html"), ("//", "/")]
    {
        let redirect = answer(&version, &get(path, &[])).await;
        assert_eq!((redirect.status(), header(&redirect, "location")), (StatusCode::PERMANENT_REDIRECT, merged), "{path}");
    }
    for path in ["/none", "/none/", "/bare", "/bare/", "/none//a", "/index.html/", "//none.example/%2e%2e", "/a%2fb"] {
        assert_eq!(fetched(&version, path).await, (StatusCode::NOT_FOUND, b"lost".to_vec()), "{path}");
    }
    let response = answer(&version, &get("/none", &[])).await;
    assert_eq!((header(&response, "cache-control"), header(&response, "etag")), ("no-cache", ""));
    assert!(matches!(version.resolve("/none"), Resolved::NotFound(Some(_))));
}

#[tokio::test]
async fn single_page_apps_get_their_index_for_routes_but_not_for_missing_files() {
    let dir = directory(&[("index.html", b"app"), ("404.html", b"lost")]);
    let site = open(dir.path(), SiteOptions { spa: true, ..SiteOptions::default() }).await;
    let version = site.current();
    for path in ["/users/7", "/users/", "/404", "/projects/group%2Fname", "/a%5Cb", "/view/https://a.example/"] {
        assert_eq!(fetched(&version, path).await, (StatusCode::OK, b"app".to_vec()), "{path}");
    }
    let redirect = answer(&version, &get("/a//b?x=/", &[])).await;
    assert_eq!((redirect.status(), header(&redirect, "location")), (StatusCode::PERMANENT_REDIRECT, "/a/b?x=/"));
    for path in ["/app.js", "/x//app.js", "/.git/config", "/a/../b", "/%00", "/a%2f..%2fb", "/a%5c.git"] {
        assert_eq!(fetched(&version, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn head_says_what_get_says_and_other_methods_are_refused() {
    let dir = directory(&[("app.js", &script())]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let version = site.current();
    for headers in [&[][..], &[("accept-encoding", "gzip")]] {
        let full = answer(&version, &get("/app.js", headers)).await;
        let head = answer(&version, &request("HEAD", "/app.js", headers)).await;
        assert_eq!(full.headers(), head.headers());
        assert!(body(head).await.is_empty());
    }
    let refused = answer(&version, &request("POST", "/app.js", &[])).await;
    assert_eq!((refused.status(), header(&refused, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD"));
}

#[tokio::test]
async fn every_coding_decodes_to_the_file_and_has_its_own_tag() {
    let content = script();
    let dir = directory(&[("app.js", &content), ("photo.png", &content), ("tiny.js", b"1")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let version = site.current();
    let mut tags = std::collections::BTreeSet::new();
    for coding in ["gzip", "br", "zstd", "identity"] {
        let response = answer(&version, &get("/app.js", &[("accept-encoding", coding)])).await;
        assert_eq!(header(&response, "content-encoding"), if coding == "identity" { "" } else { coding });
        assert_eq!(header(&response, "vary"), "accept-encoding");
        assert!(tags.insert(header(&response, "etag").to_owned()));
        let body = body(response).await;
        let mut plain = Vec::new();
        match coding {
            "gzip" => flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap(),
            "br" => brotli::Decompressor::new(&body[..], 4096).read_to_end(&mut plain).unwrap(),
            "zstd" => zstd::Decoder::new(&body[..]).unwrap().read_to_end(&mut plain).unwrap(),
            _ => body.clone().as_slice().read_to_end(&mut plain).unwrap(),
        };
        assert!(plain == content, "{coding}");
        assert!(coding == "identity" || body.len() < content.len() / 2);
    }
    for path in ["/photo.png", "/tiny.js"] {
        let response = answer(&version, &get(path, &[("accept-encoding", "br")])).await;
        assert_eq!(header(&response, "content-encoding"), "", "{path}");
    }
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let dir = directory(&[("app.js", &script())]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let version = site.current();
    let first = answer(&version, &get("/app.js", &[("accept-encoding", "gzip")])).await;
    let (tag, modified) = (header(&first, "etag").to_owned(), header(&first, "last-modified").to_owned());
    for headers in [
        &[("if-none-match", tag.as_str()), ("accept-encoding", "gzip")][..],
        &[("if-none-match", &tag)],
        &[("if-modified-since", &modified)],
    ] {
        let response = answer(&version, &get("/app.js", headers)).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{headers:?}");
        assert_eq!(header(&response, "cache-control"), "no-cache");
        assert!(body(response).await.is_empty());
    }
    let failed = answer(&version, &get("/app.js", &[("if-match", "\"other\"")])).await;
    assert_eq!(failed.status(), StatusCode::PRECONDITION_FAILED);
}

#[tokio::test]
async fn ranges_are_of_the_file_itself() {
    let content = script();
    let dir = directory(&[("app.js", &content)]);
    let site = open(dir.path(), SiteOptions { memory_len_max: 0, ..SiteOptions::default() }).await;
    let version = site.current();
    let one = answer(&version, &get("/app.js", &[("range", "bytes=5-14"), ("accept-encoding", "br")])).await;
    assert_eq!(one.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(header(&one, "content-range"), format!("bytes 5-14/{}", content.len()));
    assert_eq!((header(&one, "content-length"), header(&one, "content-encoding")), ("10", ""));
    let tag = header(&one, "etag").to_owned();
    assert_eq!(body(one).await, &content[5..15]);

    let resumed = answer(&version, &get("/app.js", &[("range", "bytes=300000-"), ("if-range", &tag)])).await;
    assert_eq!(body(resumed).await, &content[300_000..]);
    let changed = answer(&version, &get("/app.js", &[("range", "bytes=5-"), ("if-range", "\"other\"")])).await;
    assert_eq!((changed.status(), body(changed).await.len()), (StatusCode::OK, content.len()));

    let beyond = answer(&version, &get("/app.js", &[("range", "bytes=9999999-")])).await;
    assert_eq!(
        (beyond.status(), header(&beyond, "content-range")),
        (StatusCode::RANGE_NOT_SATISFIABLE, format!("bytes */{}", content.len()).as_str())
    );

    let many = answer(&version, &get("/app.js", &[("range", "bytes=0-3,-4")])).await;
    assert_eq!(many.status(), StatusCode::PARTIAL_CONTENT);
    let boundary = header(&many, "content-type").strip_prefix("multipart/byteranges; boundary=").unwrap().to_owned();
    let len = header(&many, "content-length").to_owned();
    let text = String::from_utf8(body(many).await).unwrap();
    assert_eq!(text.len().to_string(), len);
    assert_eq!(text.matches(&format!("--{boundary}")).count(), 3);
    assert!(text.contains("\r\n\r\ncons\r\n--") && text.ends_with(&format!("--{boundary}--\r\n")));
}

#[tokio::test]
async fn a_range_of_an_empty_file_is_the_whole_of_it() {
    let dir = directory(&[("empty.bin", b"")]);
    let version = open(dir.path(), SiteOptions::default()).await.current();
    for range in ["bytes=0-", "bytes=0-99", "bytes=-5", "bytes=3-4,7-"] {
        let response = answer(&version, &get("/empty.bin", &[("range", range)])).await;
        assert_eq!((response.status(), header(&response, "content-length")), (StatusCode::OK, "0"), "{range}");
        assert_eq!(header(&response, "content-range"), "");
    }
}

#[tokio::test]
async fn a_page_that_means_another_charset_is_not_sent_as_utf_8() {
    let dir = directory(&[
        ("latin.html", b"<!doctype html><meta charset=iso-8859-1><form><input name=q></form>"),
        ("japanese.txt", b"\x1b$B4A;z\x1b(B"),
        ("utf.html", b"<!doctype html><meta charset=utf-8><p>plain"),
        ("says-nothing.html", b"<!doctype html><p>plain"),
    ]);
    let version = open(dir.path(), SiteOptions::default()).await.current();
    for (path, media_type) in [
        ("/latin.html", "text/html"),
        ("/japanese.txt", "text/plain"),
        ("/utf.html", "text/html; charset=utf-8"),
        ("/says-nothing.html", "text/html; charset=utf-8"),
    ] {
        assert_eq!(header(&answer(&version, &get(path, &[])).await, "content-type"), media_type, "{path}");
        assert_eq!(version.asset(path).unwrap().record().media_type, media_type);
    }
    assert!(!version.asset("/latin.html").unwrap().document().unwrap().utf8, "it cannot be written by the loader");
}

#[tokio::test]
async fn browsers_may_look_at_what_nobody_knows_the_type_of() {
    let dir = directory(&[("loader", b"let a;"), ("a.unknown-type", b"let a;"), ("a.js", b"let a;")]);
    let version = open(dir.path(), SiteOptions::default()).await.current();
    for (path, nosniff) in [("/loader", ""), ("/a.unknown-type", ""), ("/a.js", "nosniff")] {
        assert_eq!(header(&answer(&version, &get(path, &[])).await, "x-content-type-options"), nosniff, "{path}");
    }
}

#[tokio::test]
async fn the_operators_headers_are_on_every_answer_and_in_every_record() {
    let dir = directory(&[("index.html", PAGE), ("app.js", b"1")]);
    let policy = (HeaderName::from_static("content-security-policy"), HeaderValue::from_static("script-src 'self'"));
    let cache = (http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let site = open(dir.path(), SiteOptions { headers: vec![policy, cache], ..SiteOptions::default() }).await;
    let version = site.current();
    for path in ["/", "/app.js", "/none"] {
        assert_eq!(header(&answer(&version, &get(path, &[])).await, "content-security-policy"), "script-src 'self'", "{path}");
    }
    let response = answer(&version, &get("/app.js", &[])).await;
    assert_eq!(response.headers().get_all("cache-control").iter().collect::<Vec<_>>(), ["no-store"]);
    let record = version.asset("/app.js").unwrap().record();
    assert!(record.headers.contains(&("cache-control".to_owned(), "no-store".to_owned())));
    assert!(record.headers.contains(&("content-security-policy".to_owned(), "script-src 'self'".to_owned())));
    assert!(record.headers.iter().all(|(name, _)| !["content-length", "content-encoding"].contains(&name.as_str())));
}

#[tokio::test]
async fn headers_that_would_lie_are_refused_at_the_start() {
    let opened = |name: HeaderName, value: &'static [u8], times: usize| async move {
        let headers = vec![(name, HeaderValue::from_bytes(value).unwrap()); times];
        EmbeddedSite::open(vec![], SiteOptions { headers, ..SiteOptions::default() }).await.err()
    };
    assert!(matches!(opened(http::header::SET_COOKIE, b"a=b", 1).await, Some(SiteError::ReservedHeader { .. })));
    assert!(matches!(opened(http::header::CONTENT_ENCODING, b"br", 1).await, Some(SiteError::ReservedHeader { .. })));
    assert!(matches!(opened(http::header::SERVER, b"\xfc", 1).await, Some(SiteError::BadHeader { .. })));
    assert!(matches!(opened(http::header::LINK, b"x", 15).await, Some(SiteError::TooManyHeaders { max: 14 })));
    assert!(opened(http::header::LINK, b"x", 14).await.is_none());
}

#[tokio::test]
async fn embedded_files_are_served_like_a_directory() {
    let file = |path: &str, body: &'static [u8]| EmbeddedFile { path: path.to_owned(), body: Bytes::from_static(body) };
    let files = vec![file("index.html", PAGE), file("docs/index.html", b"docs")];
    let site = EmbeddedSite::open(files, SiteOptions::default()).await.unwrap();
    let version = site.current();
    assert_eq!(fetched(&version, "/").await, (StatusCode::OK, PAGE.to_vec()));
    assert!(matches!(version.resolve("/docs"), Resolved::Redirect(redirect) if redirect.to == "/docs/"));
    for path in ["", "/a", "a/", "../a", ".hidden", "a//b"] {
        let opened = EmbeddedSite::open(vec![file(path, b"")], SiteOptions::default()).await;
        assert!(matches!(opened, Err(SiteError::EmbeddedPath { .. })), "{path}");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_served_is_named_with_what_to_do() {
    let dir = directory(&[("a.txt", b"a"), ("b.txt", b"b")]);
    let opened = |path: std::path::PathBuf, options| async move { DirectorySite::open(path, options).await.unwrap_err() };
    let missing = opened(dir.path().join("none"), SiteOptions::default()).await;
    assert!(matches!(missing, SiteError::Missing { .. }) && missing.to_string().contains("does not exist; give"));
    assert!(matches!(opened(dir.path().join("a.txt"), SiteOptions::default()).await, SiteError::NotADirectory { .. }));
    assert!(matches!(opened(dir.path().join("a.txt/b"), SiteOptions::default()).await, SiteError::NotADirectory { .. }));
    let few = SiteOptions { entries_max: 1, ..SiteOptions::default() };
    assert!(matches!(opened(dir.path().to_owned(), few).await, SiteError::TooManyEntries { max: 1, .. }));
    let enough = SiteOptions { entries_max: 2, ..SiteOptions::default() };
    assert_eq!(open(dir.path(), enough).await.current().assets().count(), 2);
    let no_store = SiteOptions { cache_dir: Some(dir.path().join("a.txt")), ..SiteOptions::default() };
    assert!(matches!(opened(dir.path().to_owned(), no_store).await, SiteError::Store { .. }));
}

#[tokio::test]
async fn a_path_of_hundreds_of_characters_that_are_escaped_is_served_and_travels() {
    let (folder, name) = ("文".repeat(80), "字".repeat(60));
    let dir = directory(&[("index.html", PAGE), (&format!("{folder}/{folder}/{folder}/{name}.js"), b"let a;")]);
    let site = open(dir.path(), SiteOptions::default()).await;
    let asset = site.current().assets().find(|asset| asset.path().ends_with(".js")).cloned().expect("it is served");
    assert_eq!(asset.path().len(), 4 + 9 * 300 + 3, "three bytes are nine");
    assert_eq!(fetched(&site.current(), asset.path()).await, (StatusCode::OK, b"let a;".to_vec()));
    let manifest = viral_wire::Manifest { assets: vec![asset.record()] };
    let blob = manifest.encode().expect("its path fits a record");
    assert_eq!(viral_wire::Manifest::decode(&blob), Ok(manifest));
}
