//! Pages of a small embedded site.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use viral_swarm::pageset::ReportKind;
use viral_wire::limits::{HEADER_LEN_MAX, MANIFEST_LEN_MAX};

use super::*;
use viral_site::{Addition, EmbeddedFile, EmbeddedSite, Site, SiteOptions};

const ADDITION: &[u8] = b"seed()";

async fn site(files: &[(&str, &str)]) -> Arc<dyn Site> {
    site_with(files, Vec::new()).await
}

async fn site_with(files: &[(&str, &str)], headers: Vec<(HeaderName, HeaderValue)>) -> Arc<dyn Site> {
    let files =
        files.iter().map(|(path, body)| EmbeddedFile { path: (*path).to_owned(), body: Bytes::copy_from_slice(body.as_bytes()) }).collect();
    let script = EmbeddedFile { path: ".viral/addition.js".to_owned(), body: Bytes::from_static(ADDITION) };
    let addition = Addition { markup: "<script async src=\"/.viral/addition.js\"></script>".to_owned(), script };
    let options = SiteOptions { html_addition: Some(addition), headers, ..SiteOptions::default() };
    Arc::new(EmbeddedSite::open(files, options).await.unwrap())
}

fn pages() -> Pages {
    Pages::new(PageSetConfig::default(), 2, 1 << 20, BTreeMap::new())
}

/// What a full visit from this machine says.
fn full(voter: u64, paths: &[&str]) -> Report {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    Report { voter, address: [127, 0, 0, 1].into(), kind: ReportKind::Full, paths }
}

fn paths(pages: &mut Pages, manifest: &Digest) -> Vec<String> {
    Manifest::decode(&pages.blob(manifest).unwrap()).unwrap().assets.into_iter().map(|asset| asset.path).collect()
}

const HTML: &str = "<!doctype html><title>t</title><script src=\"/app.js\"></script>";

#[tokio::test]
async fn a_page_begins_with_what_its_html_names() {
    let site = site(&[("index.html", HTML), ("app.js", "1"), ("other.js", "2")]).await;
    let version = site.current();
    let mut pages = pages();
    let (current, change) = pages.current(0, &version, version.asset("/index.html").unwrap());
    let current = current.unwrap();
    assert_eq!(change.unwrap().page, "/", "an index is named by its directory");
    assert_eq!(paths(&mut pages, &current.manifest), ["/", "/.viral/addition.js", "/app.js"]);
    assert!(current.bytes > HTML.len() as u64, "the markup counts");
    assert_eq!(current.app_bytes, current.bytes - ADDITION.len() as u64, "the app has a size of its own");
    assert_eq!(pages.current(0, &version, version.asset("/index.html").unwrap()), (Some(current), None), "nothing new the second time");
}

#[tokio::test]
async fn what_visitors_loaded_is_learned_and_documents_are_not() {
    let site = site(&[("index.html", HTML), ("app.js", "1"), ("data.json", "{}"), ("frame.html", "<p>")]).await;
    let version = site.current();
    let mut pages = pages();
    let (before, _) = pages.current(0, &version, version.asset("/index.html").unwrap());
    let paths_used = ["/app.js", "/data.json", "/frame.html", "/nothing", "/.viral/addition.js"];
    let change = pages.handle_report(0, &version, "/", full(1, &paths_used)).unwrap();
    assert_ne!(Some(change.manifest), before.map(|before| before.manifest));
    assert_eq!(paths(&mut pages, &change.manifest), ["/", "/.viral/addition.js", "/app.js", "/data.json"]);
    assert!(pages.blob(&before.unwrap().manifest).is_some(), "the manifest of before can still be fetched");
    assert_eq!(pages.handle_report(0, &version, "/", full(2, &paths_used)), None);
    assert_eq!(pages.handle_report(0, &version, "/never-visited", full(2, &paths_used)), None);
}

#[tokio::test]
async fn the_page_unused_longest_makes_room() {
    let site = site(&[("a.html", HTML), ("b.html", HTML), ("c.html", HTML)]).await;
    let version = site.current();
    let mut pages = pages();
    for path in ["/a.html", "/b.html", "/a.html", "/c.html"] {
        pages.current(0, &version, version.asset(path).unwrap());
    }
    assert_eq!(pages.paths(), ["/a.html", "/c.html"]);
}

#[tokio::test]
async fn an_asset_has_one_path_however_it_is_written() {
    let html = "<!doctype html><script src=\"/ok.js\"></script>";
    let site = site(&[("index.html", html), ("ok.js", "1"), ("[slug].js", "2"), ("@x.js", "3")]).await;
    let version = site.current();
    let mut pages = pages();
    pages.current(0, &version, version.asset("/index.html").unwrap());
    let used = ["/%6fk.js", "/ok.js", "/%5Bslug%5D.js", "/[slug].js", "/%40x.js", "/@x.js"];
    let change = pages.handle_report(0, &version, "/", full(1, &used)).unwrap();
    assert_eq!(paths(&mut pages, &change.manifest), ["/", "/.viral/addition.js", "/ok.js", "/[slug].js", "/@x.js"]);
    assert!(pages.current(0, &version, version.asset("/index.html").unwrap()).0.is_some(), "nobody loses the page over it");
}

#[tokio::test]
async fn the_page_waits_for_its_critical_ring_only() {
    let html = "<!doctype html><script src=/app.js></script><script src=/unused.js></script><link rel=modulepreload href=/m.js>\
        <link rel=stylesheet href=/app.css><img src=/logo.png><script src=/end.js></script>";
    let files =
        [("index.html", html), ("app.js", "1"), ("unused.js", "1"), ("m.js", "5"), ("end.js", "6"), ("logo.png", "2"), ("late.wasm", "3")];
    let site = site(&[&files[..], &[("app.css", "@import 'more.css';"), ("more.css", "p{}")]].concat()).await;
    let version = site.current();
    let mut pages = pages();
    let document = version.asset("/index.html").unwrap();
    let critical = |pages: &mut Pages| pages.current(0, &version, document).0.unwrap().critical;
    assert_eq!(critical(&mut pages), 6, "document, addition, scripts and styles of the head");
    let used = ["/app.js", "/app.css", "/more.css", "/m.js", "/end.js", "/logo.png", "/late.wasm"];
    let change = pages.handle_report(0, &version, "/", full(1, &used)).unwrap();
    assert_eq!(paths(&mut pages, &change.manifest), [&["/", "/.viral/addition.js"][..], &used].concat());
    assert_eq!(critical(&mut pages), 5, "nobody uses the other script");
}
#[tokio::test]
async fn a_manifest_that_cannot_be_made_leaves_the_last_good_one() {
    // Ten headers of the operator at their longest: so many records do not fit a manifest.
    let header =
        |number: u8| (HeaderName::try_from(format!("x-{number}")).unwrap(), HeaderValue::try_from("v".repeat(HEADER_LEN_MAX)).unwrap());
    let names: Vec<String> = (0..MANIFEST_LEN_MAX / (10 * HEADER_LEN_MAX) + 1).map(|number| format!("{number}.bin")).collect();
    let files: Vec<_> = [("index.html", HTML), ("app.js", "1")].into_iter().chain(names.iter().map(|name| (name.as_str(), "1"))).collect();
    let site = site_with(&files, (0..10).map(header).collect()).await;
    let version = site.current();
    let mut pages = pages();
    let document = version.asset("/index.html").unwrap();
    let good = pages.current(0, &version, document).0.unwrap();
    let used: Vec<String> = names.iter().map(|name| format!("/{name}")).chain(["/app.js".to_owned()]).collect();
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    assert_eq!(pages.handle_report(0, &version, "/", full(1, &used)), None);
    let after = pages.current(0, &version, document).0.unwrap();
    assert_eq!((after.manifest, after.critical), (good.manifest, good.critical));
    assert!(pages.handle_report(0, &version, "/", full(1, &["/app.js", "/1.bin"])).is_some(), "and the next good one replaces it");
}
