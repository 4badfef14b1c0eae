//! The native peer among browsers and among its like, in both directions.

use viral_journeys::browser::Engine::{self, Chromium, Firefox};
use viral_journeys::native::{Got, get, seed};
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site};
use viral_journeys::wait::journey;

use crate::common::{fed_by_peers, first_seeder};

/// Nearly everything came from peers, and what is on disk is what is served.
fn assert_fed(got: &Got, site: &Site) {
    let report = &got.report;
    assert_eq!((report.ok, report.answer.as_deref(), report.bans), (true, Some("thin"), 0), "{report:?}");
    assert!(report.bytes_from_peers > site.len() * 6 / 10 && report.peers_used > 0, "{report:?} of {}", site.len());
    got.assert_identical(site);
}

/// A seeder keeps its promise to a visitor of each kind.
async fn seeder_feeds(engine: Option<Engine>) {
    let site = App::default().site();
    let server = Server::serve(site.folder(), &[]).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut seeder = seed(&server.url("/"), folder.path(), &[]);
    server.until_seeders(1).await;
    match engine {
        Some(engine) => drop(fed_by_peers(&server, &site, engine).await),
        None => assert_fed(&get(&server.url("/"), &[]).await, &site),
    }
    let status = seeder.terminate().await.expect("a seeder ends when told to");
    assert!(status.success(), "{status} {}", seeder.log());
}

async fn browser_feeds_native(engine: Engine) {
    let site = App::default().site();
    let server = Server::serve(site.folder(), &[]).await;
    let first = first_seeder(&server, &site, engine).await;
    let got = get(&server.url("/"), &[]).await;
    assert_fed(&got, &site);
    let sent = got.report.bytes_from_peers;
    first.until_status("it counts what it sent", |status| status.bytes_to_peers >= sent * 9 / 10).await;
}

#[tokio::test]
async fn native_feeds_native() {
    journey(seeder_feeds(None)).await;
}

#[tokio::test]
async fn native_feeds_chromium() {
    journey(seeder_feeds(Some(Chromium))).await;
}

#[tokio::test]
async fn native_feeds_firefox() {
    journey(seeder_feeds(Some(Firefox))).await;
}

#[tokio::test]
async fn chromium_feeds_native() {
    journey(browser_feeds_native(Chromium)).await;
}

#[tokio::test]
async fn firefox_feeds_native() {
    journey(browser_feeds_native(Firefox)).await;
}

#[tokio::test]
async fn a_native_first_visitor_gets_everything_from_the_server() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let got = get(&server.url("/"), &[]).await;
        assert_eq!((got.report.answer.as_deref(), got.report.bytes_from_peers), (Some("full"), 0));
        got.assert_identical(&site);
    })
    .await;
}

#[tokio::test]
async fn a_seeder_goes_over_to_the_new_version_and_survives_a_restart_of_the_server() {
    journey(async {
        let mut site = App::default().site();
        let mut server = Server::serve(site.folder(), &[]).await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _seeder = seed(&server.url("/"), folder.path(), &[]);
        server.until_seeders(1).await;
        site.write_app("", &App { version: "v2", ..App::default() });
        assert_fed_in_time(&server, &site).await;
        server.restart().await;
        server.until_seeders(1).await;
        assert_fed_in_time(&server, &site).await;
    })
    .await;
}

/// The new version is everywhere a moment later; until then a visitor gets the old one, or takes more from the server.
async fn assert_fed_in_time(server: &Server, site: &Site) {
    let mut reports = Vec::new();
    for _ in 0..20 {
        let got = get(&server.url("/"), &[]).await;
        let is_new = std::fs::read(got.folder().join("version.js")).ok() == std::fs::read(site.folder().join("version.js")).ok();
        let total = got.report.bytes_from_peers + got.report.bytes_from_origin;
        if is_new && got.report.answer.as_deref() == Some("thin") && got.report.bytes_from_peers > total * 6 / 10 {
            return got.assert_identical(site);
        }
        reports.push((is_new, got.report));
        server.until_seeders(1).await;
    }
    panic!("no visitor was fed the new version: {reports:?}");
}
