//! Records, pieces and documents: what the swarm takes from a site.

use viral_site::{Addition, EmbeddedFile, Referred};
use viral_wire::{Digest, Manifest};

use super::*;

const ADDITION: &str = "<script src=/.viral/addition.js></script>";
const SCRIPT: &str = "seed()";

fn options() -> SiteOptions {
    let script = EmbeddedFile { path: ".viral/addition.js".to_owned(), body: SCRIPT.into() };
    SiteOptions { html_addition: Some(Addition { markup: ADDITION.to_owned(), script }), ..SiteOptions::default() }
}

#[tokio::test]
async fn the_script_of_the_addition_has_a_record_and_pieces_and_is_no_asset_of_the_site() {
    let dir = directory(&[("index.html", b"<p>")]);
    let options = SiteOptions { headers: vec![(http::header::REFERRER_POLICY, "no-referrer".parse().unwrap())], ..options() };
    let site = open(dir.path(), options).await;
    let version = site.current();
    let record = version.addition().unwrap().record();
    assert_eq!((record.path.as_str(), record.media_type.as_str()), ("/.viral/addition.js", "text/javascript; charset=utf-8"));
    let headers: Vec<(&str, &str)> = record.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("cache-control", "public, max-age=31536000, immutable"), ("x-content-type-options", "nosniff")]);
    let location = version.piece(&record.pieces[0].id()).unwrap();
    assert_eq!(version.read_piece(&location).await.unwrap(), SCRIPT);
    assert!(site.piece(&record.pieces[0].id()).is_some());
    assert!(version.asset("/.viral/addition.js").is_none());
    assert_eq!(version.assets().count(), 1);
    assert!(open(dir.path(), SiteOptions::default()).await.current().addition().is_none());
}

#[tokio::test]
async fn pieces_joined_are_the_asset_from_memory_and_from_disk() {
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(|number| (number ^ (number >> 7)).wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let dir = directory(&[("large.bin", &large), ("small.js", b"let a;"), ("copy.js", b"let a;"), ("empty.txt", b"")]);
    let site = open(dir.path(), options()).await;
    let version = site.current();
    for asset in version.assets() {
        let record = asset.record();
        let mut joined = Vec::new();
        for piece in &record.pieces {
            let location = version.piece(&piece.id()).unwrap();
            assert_eq!(location.len(), piece.len);
            let bytes = version.read_piece(&location).await.unwrap();
            assert_eq!(Digest::of(&bytes), piece.digest);
            joined.extend_from_slice(&bytes);
        }
        assert_eq!((Digest::of(&joined), joined.len() as u64), (record.digest, record.len), "{}", record.path);
    }
    assert!(version.piece(&Digest::of(b"none").piece_id()).is_none());
    let manifest = Manifest { assets: version.assets().map(|asset| asset.record()).collect() };
    assert_eq!(Manifest::decode(&manifest.encode().unwrap()).unwrap(), manifest);
}

#[tokio::test]
async fn record_of_a_document_is_of_what_a_full_answer_sends() {
    let page = "<!doctype html><title>T</title><body><p>x</p></body></html>";
    let dir = directory(&[("index.html", page.as_bytes()), ("old.html", b"<p>\xfc"), ("wide.html", b"\xff\xfe<\0")]);
    let site = open(dir.path(), options()).await;
    let version = site.current();
    let asset = version.asset("/index.html").unwrap();
    let expected = page.replace("</body>", &format!("{ADDITION}</body>"));
    let full = respond(&version, asset, Which::Full, &get("/", &[])).await;
    assert_eq!(header(&full, "last-modified"), "", "the date of the file says nothing of the addition");
    assert_eq!(body(full).await, expected.as_bytes());
    assert_eq!(asset.record().digest, Digest::of(expected.as_bytes()));
    assert_eq!(fetched(&version, "/").await.1, page.as_bytes());
    assert_eq!(asset.document().unwrap().title.as_deref(), Some("T"));
    assert_eq!(asset.object(Which::Full).read().await.unwrap(), expected);

    let old = version.asset("/old.html").unwrap();
    assert_eq!((old.media_type(), old.document().map(|document| document.utf8)), ("text/html", Some(false)));
    assert!(!version.asset("/wide.html").unwrap().is_document(), "nothing can be added to UTF-16");
}

#[tokio::test]
async fn html_over_the_limit_is_data_and_not_a_document() {
    let padded = |len: usize| ["<body>", &" ".repeat(len - "<body></body>".len()), "</body>"].concat().into_bytes();
    let dir = directory(&[("max.html", &padded(4 * 1024 * 1024)), ("more.html", &padded(4 * 1024 * 1024 + 1))]);
    let site = open(dir.path(), options()).await;
    let version = site.current();
    assert!(version.asset("/max.html").unwrap().is_document());
    let more = version.asset("/more.html").unwrap();
    assert!(!more.is_document() && Arc::ptr_eq(more.object(Which::Raw), more.object(Which::Full)));
}

#[tokio::test]
async fn references_are_what_a_page_needs_in_order_of_need() {
    let dir = directory(&[
        (
            "index.html",
            br#"<link rel=stylesheet href="app.css"><img src="logo.svg"><script type=module src="main.js"></script>
            <script src="missing.js"></script><script src="https://elsewhere.example/x.js"></script><a href="next.html">"#,
        ),
        ("app.css", b"@import 'base.css'; body { background: url(back.png) }"),
        ("base.css", b"@font-face { src: url(font.woff2) }"),
        ("main.js", b"import './lib/a.js'; import './main.js'"),
        ("lib/a.js", b"import '../main.js'; export * from './b.js'"),
        ("lib/b.js", b""),
        ("logo.svg", b"<svg/>"),
        ("back.png", b"png"),
        ("font.woff2", b"font"),
        ("next.html", b""),
        ("unused.js", b""),
    ]);
    let site = open(dir.path(), options()).await;
    let version = site.current();
    let found = version.references(version.asset("/index.html").unwrap());
    let (critical, later): (Vec<_>, Vec<_>) = found.iter().partition(|found| found.critical);
    let paths = |found: Vec<&Referred>| found.iter().map(|found| found.asset.path().to_owned()).collect::<Vec<_>>();
    assert_eq!(paths(critical), ["/app.css", "/base.css", "/main.js", "/lib/a.js", "/lib/b.js"]);
    assert_eq!(paths(later), ["/logo.svg", "/back.png"], "fonts are left to what visitors load");
    assert!(found.is_sorted_by_key(|found| !found.critical));
    assert!(version.references(version.asset("/main.js").unwrap()).is_empty(), "only documents are pages");
}
