//! Who was answered full comes back: what it used lies in the browser's own cache, and nobody is asked for it again.

use std::time::Duration;

use serde_json::Value;
use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::browser::Setting;
use viral_journeys::server::Server;
use viral_journeys::site::Site;
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::{self, journey};

use super::{Expected, full_visit, noise, result, script, site_of, thin_visit};
use crate::common::seeds;

/// Modules whose names say nothing of their content: asked one by one, the origin would send some 230 bytes for each.
const MODULES: usize = 40;

/// What a returning visitor costs the origin until its result.
const RETURN_MAX: u64 = 2_048;

const DOCUMENT: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Returning</title><script src="/shape.js"></script></head><body>
<script type="module">
  import { values } from '/mod-0.mjs';
  shape('modules', values());
  shape('early', look('/early.bin'));
  // Kept by the page itself, as many apps keep models and dictionaries: it asks once.
  const ask = () => look('/own.bin').then((seen) => (localStorage.own = JSON.stringify(seen)));
  shape('own', Promise.resolve(localStorage.own ?? ask()).then(JSON.parse));
  shape('worker', new Promise((resolve) => { new Worker('/late.js').onmessage = ({ data }) => resolve(data); }));
  endOfShapes();
</script></body></html>"#;

fn site() -> Site {
    let mut site = site_of(DOCUMENT);
    for at in 0..MODULES {
        site.write(&format!("/mod-{at}.mjs"), module(at, "v1"));
    }
    site.write("/reading.js", include_str!("reading.js"));
    site.write("/late.js", "importScripts('/reading.js'); read('/late.bin').then((digest) => postMessage(digest));\n");
    site.write("/early.bin", noise(91, 600_000));
    site.write("/late.bin", noise(92, 1_200_000));
    site.write("/own.bin", noise(90, 1_500_000));
    site
}

/// A module that imports the next one, so that they are asked for one after the other.
fn module(at: usize, version: &str) -> String {
    let code = if at + 1 < MODULES {
        format!("import {{ values as rest }} from '/mod-{}.mjs'; export const values = () => ['{version} {at}', ...rest()];", at + 1)
    } else {
        format!("export const values = () => ['{version} {at}'];")
    };
    script(93 + at as u64, 6_000, &code)
}

/// Until the worker knows that the page can begin without the origin.
async fn until_kept(visitor: &Visitor) {
    let script =
        "const state = await caches.match('/.viral/bindings', { ignoreSearch: true }); return state ? (await state.json()).stored : [];";
    wait::until("the page is kept", Duration::from_secs(20), async || {
        let stored = visitor.run_async(script).await;
        if stored.as_array().is_some_and(|list| !list.is_empty()) { Ok(()) } else { Err(stored.to_string()) }
    })
    .await;
}

/// The tab is opened again; what that came to, and what the origin sent until then.
async fn come_back(server: &Server, visitor: &Visitor) -> (Value, u64) {
    visitor.reopen().await;
    server.until_seeders(0).await;
    let before = server.stats().await.origin_bytes.all();
    visitor.open(&server.url("/")).await;
    let result = result(visitor).await;
    (result, server.stats().await.origin_bytes.all() - before)
}

async fn comes_back(engine: Engine) {
    let mut site = site();
    let server = Server::serve(site.folder(), &[]).await;
    let full = full_visit(&server, engine, "/", site.len()).await;
    until_kept(&full.visitor).await;
    let visitor = full.visitor;
    let (again, sent) = come_back(&server, &visitor).await;
    assert_eq!(again, full.result);
    assert!(sent <= RETURN_MAX, "{sent} bytes: {:?}", server.stats().await);
    assert_eq!(server.stats().await.reason("thin", "stored"), 1, "{:?}", server.stats().await.reasons);
    // It gives on what its cache has: what its worker used as well, and what this visit had no need of.
    seeds(&server, &visitor, 1).await;
    let fed = thin_visit(&server, engine, "/", Expected::fed(site.len()), Setting::default()).await;
    assert_eq!(fed.result, full.result);
    fed.visitor.leave().await;
    // One module of a new version among those of the old one: never a mix.
    site.write("/mod-7.mjs", module(7, "v2"));
    wait::until("the new version is served", Duration::from_secs(20), async || {
        let served = server.get("/mod-7.mjs", &[]).await.text();
        if served.contains("v2 7") { Ok(()) } else { Err(format!("{} bytes of the old one", served.len())) }
    })
    .await;
    let (new, _) = come_back(&server, &visitor).await;
    assert_eq!(new["modules"][7], "v2 7");
    assert_eq!(new["modules"][8], full.result["modules"][8]);
    assert_eq!((&new["early"], &new["worker"]), (&full.result["early"], &full.result["worker"]));
}

#[tokio::test]
async fn a_lone_full_visitor_who_returns_asks_for_nothing_it_has_in_chromium() {
    journey(comes_back(Chromium)).await;
}

#[tokio::test]
async fn a_lone_full_visitor_who_returns_asks_for_nothing_it_has_in_firefox() {
    journey(comes_back(Firefox)).await;
}
