//! Seeders that go away: before, in the middle, politely and not.

use viral_journeys::browser::Engine::Chromium;
use viral_journeys::hostile::{COUNTS_SENT, NOTES_SIGNALS};
use viral_journeys::server::Server;
use viral_journeys::site::{App, Site};
use viral_journeys::visitor::Visitor;
use viral_journeys::wait::journey;

use crate::common::{assert_whole, fed_by_peers, first_seeder, first_seeder_with, scripted, seeds};

/// How much the seeder has sent when it goes.
const SENT_BEFORE_LOSS: u64 = 4 << 20;

/// Long enough on loopback that a journey can act in the middle of it.
fn long_app() -> Site {
    App { parts: 48, part_len: 1 << 20, ..App::default() }.site()
}

async fn seeder_in_the_middle_of_a_transfer(server: &Server, site: &Site) -> (Visitor, Visitor) {
    let seeder = first_seeder_with(server, site, Chromium, scripted(COUNTS_SENT)).await;
    let leecher = Visitor::fresh(Chromium).await;
    leecher.open(&server.url("/")).await;
    seeder.until("some of the app was sent", &format!("window.journey.sent > {SENT_BEFORE_LOSS}")).await;
    (seeder, leecher)
}

async fn assert_finished_from_the_origin(server: &Server, site: &Site, leecher: &Visitor, before: u64) {
    assert_whole(&leecher.until_app_runs().await, site);
    let status = leecher.status().await;
    assert_eq!(status.answer, "thin");
    // What the lost seeder had delivered is kept; only the rest is asked of the origin, once.
    assert!(status.bytes_from_peers > SENT_BEFORE_LOSS / 2, "{status:?}");
    assert!(status.bytes_from_origin > 0, "{status:?}");
    let sent = server.stats().await.origin_bytes.of_app() - before;
    assert!(sent < site.len() - SENT_BEFORE_LOSS / 2, "the origin sent {sent} of {}", site.len());
}

#[tokio::test]
async fn the_app_runs_although_the_seeders_tab_is_closed_in_the_middle() {
    journey(async {
        let site = long_app();
        let server = Server::serve(site.folder(), &[]).await;
        let (seeder, leecher) = seeder_in_the_middle_of_a_transfer(&server, &site).await;
        let before = server.stats().await.origin_bytes.of_app();
        seeder.leave().await;
        assert_finished_from_the_origin(&server, &site, &leecher, before).await;
        // The survivor seeds what it has to the next.
        seeds(&server, &leecher, 1).await;
    })
    .await;
}

#[tokio::test]
async fn the_app_runs_although_the_seeders_browser_crashes_in_the_middle() {
    journey(async {
        let site = long_app();
        let server = Server::serve(site.folder(), &[]).await;
        let (seeder, leecher) = seeder_in_the_middle_of_a_transfer(&server, &site).await;
        let before = server.stats().await.origin_bytes.of_app();
        seeder.crash();
        assert_finished_from_the_origin(&server, &site, &leecher, before).await;
    })
    .await;
}

#[tokio::test]
async fn a_visitor_after_the_last_seeder_left_gets_the_whole_page() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        first_seeder(&server, &site, Chromium).await.leave().await;
        server.until_seeders(0).await;
        let next = first_seeder(&server, &site, Chromium).await;
        assert_eq!(next.status().await.bytes_from_peers, 0);
        assert_eq!(server.stats().await.answers.thin, 0);
    })
    .await;
}

#[tokio::test]
async fn a_visitor_whose_only_seeder_sleeps_gets_the_app_from_the_origin_within_seconds() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let mut seeder = first_seeder_with(&server, &site, Chromium, scripted(NOTES_SIGNALS)).await;
        seeder.until("its offers are with the tracker", "window.journeySaid.includes('offers')").await;
        // Its socket stays open, so the tracker still offers it.
        seeder.freeze();
        let visitor = Visitor::fresh(Chromium).await;
        visitor.open(&server.url("/")).await;
        assert_whole(&visitor.until_app_runs().await, &site);
        assert_eq!(server.stats().await.answers.thin, 1);
        let took_ms = visitor.run("return performance.now()").await.as_f64().expect("a time");
        assert!(took_ms < 5_000.0, "the app ran only after {took_ms} ms");
        assert_eq!(visitor.run("return window.viral.status().bytesFromPeers").await, 0);
    })
    .await;
}

#[tokio::test]
async fn of_two_seeders_one_may_go_and_the_other_goes_on() {
    journey(async {
        let site = long_app();
        let server = Server::serve(site.folder(), &[]).await;
        let staying = first_seeder(&server, &site, Chromium).await;
        let going = Visitor::with(Chromium, scripted(COUNTS_SENT)).await;
        going.open(&server.url("/")).await;
        assert_whole(&going.until_app_runs().await, &site);
        seeds(&server, &going, 2).await;
        let leecher = Visitor::fresh(Chromium).await;
        leecher.open(&server.url("/")).await;
        going.until("some of the app was sent", "window.journey.sent > 1048576").await;
        going.leave().await;
        assert_whole(&leecher.until_app_runs().await, &site);
        let status = leecher.status().await;
        assert!(status.bytes_from_peers > site.len() / 2, "{status:?}");
        staying.until_status("it sent the rest", |status| status.bytes_to_peers > 0).await;
    })
    .await;
}

#[tokio::test]
async fn the_survivor_of_a_lost_seeder_feeds_the_next_visitor() {
    journey(async {
        let site = App::default().site();
        let server = Server::serve(site.folder(), &[]).await;
        let seeder = first_seeder(&server, &site, Chromium).await;
        let survivor = fed_by_peers(&server, &site, Chromium).await;
        seeds(&server, &survivor, 2).await;
        seeder.crash();
        server.until_seeders(1).await;
        fed_by_peers(&server, &site, Chromium).await;
    })
    .await;
}
