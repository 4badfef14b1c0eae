//! Pages of a small embedded site.

use std::sync::Arc;

use super::*;
use crate::files::{Addition, EmbeddedFile, Site, SiteOptions, Source};

const ADDITION: &[u8] = b"seed()";

async fn site(files: &[(&str, &str)]) -> Arc<Site> {
    let files =
        files.iter().map(|(path, body)| EmbeddedFile { path: (*path).to_owned(), body: Bytes::copy_from_slice(body.as_bytes()) }).collect();
    let script = EmbeddedFile { path: ".viral/addition.js".to_owned(), body: Bytes::from_static(ADDITION) };
    let addition = Addition { markup: "<script async src=\"/.viral/addition.js\"></script>".to_owned(), script };
    let options = SiteOptions { html_addition: Some(addition), ..SiteOptions::default() };
    Site::open(Source::Embedded(files), options).await.unwrap()
}

fn pages() -> Pages {
    Pages::new(BootConfig::default(), 2, 1 << 20)
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
    let (current, change) = pages.current(&version, version.asset("/index.html").unwrap());
    let current = current.unwrap();
    assert_eq!(change.unwrap().page, "/", "an index is named by its directory");
    assert_eq!(paths(&mut pages, &current.manifest), ["/", "/.viral/addition.js", "/app.js"]);
    assert!(current.bytes > HTML.len() as u64, "the markup counts");
    assert_eq!(current.app_bytes, current.bytes - ADDITION.len() as u64, "the app has a size of its own");
    assert_eq!(pages.current(&version, version.asset("/index.html").unwrap()), (Some(current), None), "nothing new the second time");
}

#[tokio::test]
async fn what_visitors_loaded_is_learned_and_documents_are_not() {
    let site = site(&[("index.html", HTML), ("app.js", "1"), ("data.json", "{}"), ("frame.html", "<p>")]).await;
    let version = site.current();
    let mut pages = pages();
    let (before, _) = pages.current(&version, version.asset("/index.html").unwrap());
    let report = ["/app.js", "/data.json", "/frame.html", "/nothing", "/.viral/addition.js"].map(str::to_owned);
    let change = pages.handle_report(&version, "/", (1, [127, 0, 0, 1].into()), &report).unwrap();
    assert_ne!(Some(change.manifest), before.map(|before| before.manifest));
    assert_eq!(paths(&mut pages, &change.manifest), ["/", "/.viral/addition.js", "/app.js", "/data.json"]);
    assert!(pages.blob(&before.unwrap().manifest).is_some(), "the manifest of before can still be fetched");
    assert_eq!(pages.handle_report(&version, "/", (2, [127, 0, 0, 1].into()), &report), None);
    assert_eq!(pages.handle_report(&version, "/never-visited", (2, [127, 0, 0, 1].into()), &report), None);
}

#[tokio::test]
async fn the_page_unused_longest_makes_room() {
    let site = site(&[("a.html", HTML), ("b.html", HTML), ("c.html", HTML)]).await;
    let version = site.current();
    let mut pages = pages();
    for path in ["/a.html", "/b.html", "/a.html", "/c.html"] {
        pages.current(&version, version.asset(path).unwrap());
    }
    assert_eq!(pages.paths(), ["/a.html", "/c.html"]);
}
