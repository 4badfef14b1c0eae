//! Apps that nobody here wrote run the same in a plain, a full and a thin visit.

use serde_json::Value;
use viral_journeys::apps;
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::server::{Server, Stats};
use viral_journeys::site::Site;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::seeds;

/// Everything a page can compare: its DOM without our script's tag, its results, what it loaded and that as it reads it.
const PICTURE: &str = "
    const hex = buffer => Array.from(new Uint8Array(buffer), byte => byte.toString(16).padStart(2, '0')).join('');
    const dom = document.documentElement.cloneNode(true);
    dom.querySelectorAll('script[src^=\"/.viral/\"]').forEach(script => script.remove());
    const loaded = performance.getEntriesByType('resource').map(entry => new URL(entry.name))
        .filter(url => url.origin === location.origin && !url.pathname.startsWith('/.viral/')).map(url => url.pathname);
    const paths = [...new Set([...ALWAYS, ...loaded])].sort();
    const assets = {};
    for (const path of paths) assets[path] = hex(await crypto.subtle.digest('SHA-256', await (await fetch(path)).arrayBuffer()));
    return { dom: dom.outerHTML.trim(), result: window.app.result, assets, url: location.pathname, mode: document.compatMode };";

async fn picture(visitor: &Visitor, always: &[&str]) -> Value {
    visitor.until_app_runs().await;
    let always = serde_json::to_string(always).expect("a list of text is JSON");
    visitor.run_async(&PICTURE.replace("ALWAYS", &always)).await
}

async fn runs_the_same(site: Site, engine: Engine, always: &[&str]) {
    let server = Server::serve(site.folder(), &[]).await;
    let plain = {
        let visitor = Visitor::fresh(engine).await;
        visitor.open(&server.url("/.viral/")).await;
        visitor.until("our page is there", "location.pathname === '/.viral/' && document.readyState === 'complete'").await;
        visitor.run("document.cookie = 'viral=off; path=/'").await;
        visitor.open(&server.url("/")).await;
        let plain = picture(&visitor, always).await;
        visitor.leave().await;
        plain
    };
    let first = server.stats().await;
    assert_eq!(first.answers.plain, 1);
    let seeder = Visitor::visiting(engine, &server.url("/")).await;
    let full = picture(&seeder, always).await;
    assert_eq!(seeder.status().await.answer, "full");
    seeds(&server, &seeder, 1).await;
    let (visitor, before) = thin_visitor(&server, engine).await;
    let thin = picture(&visitor, always).await;
    let (after, status) = (server.stats().await, visitor.status().await);
    // What the page and its workers load comes from the peer; on a machine busy with two browsers a part of it is late and hedged.
    let (plainly, thinly) = (first.origin_bytes.of_app(), after.origin_bytes.of_app() - before.origin_bytes.of_app());
    assert!(thinly < plainly * 2 / 5, "the origin sent {thinly} bytes, {plainly} to the plain visit: {status:?}");
    assert!(status.bytes_from_peers > plainly / 2, "{status:?}");
    for path in always {
        assert_eq!(plain["assets"][path].as_str(), site.digests().get(*path).map(String::as_str), "{path}");
    }
    same("full", &full, &plain);
    same("thin", &thin, &plain);
}

/// A visitor answered thin, and the server's numbers before its visit. A moment after the page's set grew its seeder holds too little of it to be introduced.
async fn thin_visitor(server: &Server, engine: Engine) -> (Visitor, Stats) {
    for _ in 0..3 {
        let before = server.stats().await;
        let visitor = Visitor::visiting(engine, &server.url("/")).await;
        if visitor.status().await.answer == "thin" {
            return (visitor, before);
        }
        visitor.leave().await;
        server.until_seeders(1).await;
    }
    panic!("no visitor was answered thin: {:?}", server.stats().await.reasons);
}

fn same(name: &str, one: &Value, plain: &Value) {
    for part in ["result", "dom", "url", "mode"] {
        assert_eq!(one[part], plain[part], "{part} of the {name} visit");
    }
    let both = one["assets"].as_object().into_iter().flatten();
    for (path, digest) in both {
        if let Some(known) = plain["assets"].get(path) {
            assert_eq!(digest, known, "{path} of the {name} visit");
        }
    }
}

const MONACO: &[&str] = &["/vs/loader.js", "/vs/editor/editor.main.js", "/vs/editor/editor.main.css"];
const PYODIDE: &[&str] = &["/pyodide/pyodide.js", "/pyodide/pyodide.asm.wasm", "/pyodide/python_stdlib.zip"];
const DUCKDB: &[&str] = &["/duckdb/duckdb-browser.mjs", "/duckdb/duckdb-browser-eh.worker.js", "/duckdb/duckdb-eh.wasm"];
const ONNX: &[&str] = &["/onnx.worker.mjs", "/ort/ort-wasm-simd-threaded.wasm", "/model.onnx"];
const PDFJS: &[&str] = &["/build/pdf.min.mjs", "/build/pdf.worker.min.mjs", "/paper.pdf"];

#[tokio::test]
async fn the_monaco_editor_runs_the_same_plain_full_and_thin_in_chromium() {
    journey(runs_the_same(apps::monaco(), Chromium, MONACO)).await;
}

#[tokio::test]
async fn pdfjs_runs_the_same_plain_full_and_thin_in_chromium() {
    journey(runs_the_same(apps::pdfjs(), Chromium, PDFJS)).await;
}

#[tokio::test]
async fn pdfjs_runs_the_same_plain_full_and_thin_in_firefox() {
    journey(runs_the_same(apps::pdfjs(), Firefox, PDFJS)).await;
}

#[tokio::test]
async fn pyodide_runs_the_same_plain_full_and_thin_in_chromium() {
    journey(runs_the_same(apps::pyodide(), Chromium, PYODIDE)).await;
}

#[tokio::test]
async fn duckdb_runs_the_same_plain_full_and_thin_in_firefox() {
    journey(runs_the_same(apps::duckdb(), Firefox, DUCKDB)).await;
}

#[tokio::test]
async fn onnx_runtime_runs_the_same_plain_full_and_thin_in_chromium() {
    journey(runs_the_same(apps::onnx(), Chromium, ONNX)).await;
}
