//! New versions put in place while visitors of the old one are there.

use std::collections::BTreeMap;

use viral_journeys::browser::Engine::Chromium;
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::{journey, until};
use viral_journeys::{deadlines, hostile};

use crate::common::{assert_whole, fed_by_peers, first_seeder, scripted, seeds};

fn app(version: &'static str) -> App {
    App { version, parts: 8, ..App::default() }
}

/// Writes a version over the one that is served and waits until the server serves it.
async fn deploy(server: &Server, site: &mut Site, version: &'static str) {
    site.write_app("", &app(version));
    until(&format!("{version} is served"), deadlines::CONDITION, async || {
        let served = server.get("/", &[]).await.text();
        if served.contains(&format!("<title>App {version}</title>")) { Ok(()) } else { Err(served) }
    })
    .await;
}

#[tokio::test]
async fn new_visitors_run_the_new_version_and_take_what_did_not_change_from_seeders_of_the_old() {
    journey(async {
        let mut site = app("v1").site();
        let server = Server::serve(site.folder(), &[]).await;
        let old = first_seeder(&server, &site, Chromium).await;
        deploy(&server, &mut site, "v2").await;
        let before = server.stats().await.origin_bytes.of_app();
        let new = Visitor::visiting(Chromium, &server.url("/")).await;
        let ran = new.until_app_runs().await;
        assert_eq!(ran["version"], "v2");
        assert_whole(&ran, &site);
        let status = new.status().await;
        assert_eq!(status.answer, "thin", "{status:?}");
        // Seven of the eight parts are the same bytes as in v1.
        assert!(status.bytes_from_peers >= 7 * 512 * 1024 * 9 / 10, "{status:?}");
        assert!(status.bytes_from_origin > 0, "the part that changed can only come from the origin: {status:?}");
        let sent = server.stats().await.origin_bytes.of_app() - before;
        assert!(sent < 1024 * 1024, "the new version cost the origin {sent} bytes");
        // Who runs v1 still runs v1, whole.
        assert_eq!(old.run("return window.app.version").await, "v1");
        // Who comes next gets the new version whole from the first that has it.
        seeds(&server, &new, 2).await;
        let next = Visitor::visiting(Chromium, &server.url("/")).await;
        let ran = next.until_app_runs().await;
        assert_eq!(ran["version"], "v2");
        assert_whole(&ran, &site);
    })
    .await;
}

#[tokio::test]
async fn a_returning_visitor_runs_the_new_version_and_fetches_only_what_changed() {
    journey(async {
        let mut site = app("v1").site();
        let server = Server::serve(site.folder(), &[]).await;
        let _old = first_seeder(&server, &site, Chromium).await;
        let visitor = fed_by_peers(&server, &site, Chromium).await;
        seeds(&server, &visitor, 2).await;
        deploy(&server, &mut site, "v2").await;
        let before = server.stats().await.origin_bytes.of_app();
        visitor.run("window.app = undefined").await;
        visitor.reload().await;
        let ran = visitor.until_app_runs().await;
        assert_eq!(ran["version"], "v2");
        assert_whole(&ran, &site);
        let sent = server.stats().await.origin_bytes.of_app() - before;
        assert!(sent < 1024 * 1024, "the new version cost the origin {sent} bytes");
    })
    .await;
}

#[tokio::test]
async fn nobody_ever_runs_a_mix_while_version_after_version_is_deployed() {
    const VERSIONS: [&str; 4] = ["v2", "v3", "v4", "v5"];
    journey(async {
        let mut site = app("v1").site();
        let server = Server::serve(site.folder(), &[]).await;
        let _seeder = first_seeder(&server, &site, Chromium).await;
        let visitor = Visitor::with(Chromium, scripted(hostile::COUNTS_SENT)).await;
        visitor.open(&server.url("/")).await;
        let mut known: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        known.insert("v1".to_owned(), site.digests().clone());
        let mut seen = Vec::new();
        for version in VERSIONS {
            // Written while the visitor loads, not between loads.
            site.write_app("", &app(version));
            known.insert(version.to_owned(), site.digests().clone());
            for _ in 0..3 {
                let ran = visitor.until_app_runs().await;
                let is = ran["version"].as_str().unwrap_or_default().to_owned();
                for said in ran["versions"].as_array().expect("versions") {
                    assert_eq!(*said, *is, "{ran}");
                }
                let digests = serde_json::to_value(&known[&is]).expect("a map of text is JSON");
                assert_eq!(ran["digests"], digests, "a mix in {is}");
                seen.push(is);
                visitor.run("window.app = undefined").await;
                visitor.reload().await;
            }
        }
        visitor
            .until(
                "the last version arrived",
                "window.app && window.app.done && window.app.version === 'v5' || (window.app?.done && location.reload(), false)",
            )
            .await;
        assert!(seen.iter().any(|version| version != "v1"), "{seen:?}");
    })
    .await;
}
